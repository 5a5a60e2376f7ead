/** Deep equality of messages; absent equals undefined. */
export function sameMessage(one: unknown, other: unknown): boolean {
  if (one === other) return true
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) {
    return (typeof one === 'bigint' || typeof other === 'bigint') && String(one) === String(other)
  }
  const fields = new Set([...Object.keys(one), ...Object.keys(other)])
  return [...fields].every((field) =>
    sameMessage((one as Record<string, unknown>)[field], (other as Record<string, unknown>)[field]),
  )
}
