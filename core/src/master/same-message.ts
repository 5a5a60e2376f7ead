/** Deep equality of messages; absent equals undefined. */
export function sameMessage(one: unknown, other: unknown): boolean {
  if (one === other) return true
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) {
    return (typeof one === 'bigint' || typeof other === 'bigint') && String(one) === String(other)
  }
  const [left, right] = [one as Record<string, unknown>, other as Record<string, unknown>]
  for (const field in left) if (!sameMessage(left[field], right[field])) return false
  for (const field in right) if (right[field] !== undefined && left[field] === undefined) return false
  return true
}
