// Sets of names, as in `zones:{a,b}`: unordered, none twice.

/** Never changed once made. */
export type Items = ReadonlySet<string>

/** The items of both. */
export function addItems(a: Items, b: Items): Items {
  if (containsItems(a, b)) return a
  return new Set([...a, ...b])
}

/** The items of `a` that are not in `b`. */
export function subtractItems(a: Items, b: Items): Items {
  return new Set([...a].filter((item) => !b.has(item)))
}

/** Says whether every item of `part` is in `whole`. */
export function containsItems(whole: Items, part: Items): boolean {
  if (part.size > whole.size) return false
  for (const item of part) if (!whole.has(item)) return false
  return true
}

/** Says whether both hold the same items. */
export function equalItems(a: Items, b: Items): boolean {
  return a === b || (a.size === b.size && containsItems(a, b))
}

/** `{a, b}`, as Mesos prints them in its messages. */
export function printItems(items: Items): string {
  return `{${[...items].join(', ')}}`
}

/**
 * Reads `{a,b}`; blanks around items do not matter, an item twice counts once.
 *
 * @returns the items, or a text that says what is wrong
 */
export function parseItems(text: string): Items | string {
  const trimmed = text.trim()
  if (!trimmed.startsWith('{')) return `'${trimmed}' has no opening '{'`
  if (!trimmed.endsWith('}')) return `'${trimmed}' has no closing '}'`
  const inner = trimmed.slice(1, -1)
  if (/[{}[\]()]/.test(inner)) return `brackets in '${trimmed}' do not match`
  const items = inner.split(',').map((item) => item.trim())
  return new Set(items.filter((item) => item !== ''))
}
