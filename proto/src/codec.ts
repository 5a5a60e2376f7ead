/** A 64-bit integer: a number, or a bigint where a number would lose digits. */
export type Int64 = number | bigint

/** One field of a message: number, name, rule, kind, type (a scalar's name or a full type name). */
export type FieldRow = readonly [
  id: number,
  name: string,
  rule: 'required' | 'optional' | 'repeated' | 'map',
  kind: 'scalar' | 'enum' | 'message',
  type: string,
]
