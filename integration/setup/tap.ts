/** What a test run tells, read from TAP (the Test Anything Protocol, version 13) as ava writes it. */
export type TapEvent =
  | { readonly kind: 'test'; readonly title: string; readonly isOk: boolean; readonly isSkipped: boolean }
  /** A line that explains the failure of the test before it. */
  | { readonly kind: 'detail'; readonly line: string }
  /** A line the test before it logged. */
  | { readonly kind: 'log'; readonly line: string }
  /** What kept the process of the test before it alive after all its tests (left-open.mjs). */
  | { readonly kind: 'leftOpen'; readonly line: string }

/** Returns a reader that takes one line of TAP after another and hands out what it tells. */
export function readTap(emit: (event: TapEvent) => void): (line: string) => void {
  let isExplaining = false
  return (line) => {
    const test = /^(ok|not ok) \d+(?: - )?(.*?)(?: # (SKIP|TODO)\b.*)?$/.exec(line)
    if (test !== null) {
      isExplaining = false
      emit({ kind: 'test', title: test[2] ?? '', isOk: test[1] === 'ok', isSkipped: test[3] !== undefined })
    } else if (/^\s*---$/.test(line)) {
      isExplaining = true
    } else if (/^\s*\.\.\.$/.test(line)) {
      isExplaining = false
    } else if (isExplaining) {
      emit({ kind: 'detail', line })
    } else if (line.startsWith('left open: ')) {
      emit({ kind: 'leftOpen', line })
    } else if (line.startsWith('#   ')) {
      emit({ kind: 'log', line: line.slice('#   '.length) })
    }
  }
}
