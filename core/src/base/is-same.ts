/** Says whether two messages hold the same: plain objects, lists, bytes and scalars, by value; an absent field is one that is undefined. */
export function isSame(one: unknown, other: unknown): boolean {
  if (Object.is(one, other)) return true
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return false
  if (Array.isArray(one) || one instanceof Uint8Array) return isSameList(one, other)
  if (Array.isArray(other) || other instanceof Uint8Array) return false
  const a = one as Readonly<Record<string, unknown>>
  const b = other as Readonly<Record<string, unknown>>
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].every((key) => isSame(a[key], b[key]))
}

function isSameList(one: readonly unknown[] | Uint8Array, other: object): boolean {
  if (Array.isArray(one) !== Array.isArray(other)) return false
  if (!Array.isArray(other) && !(other instanceof Uint8Array)) return false
  if (one.length !== other.length) return false
  for (let at = 0; at < one.length; at++) if (!isSame(one[at], other[at])) return false
  return true
}
