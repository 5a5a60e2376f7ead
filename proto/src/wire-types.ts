// The low three bits of a protobuf tag: how the value behind it is laid out.

export const WIRE_VARINT = 0
export const WIRE_64 = 1
export const WIRE_DELIMITED = 2
export const WIRE_32 = 5

const SCALARS: Readonly<Record<string, number>> = {
  double: WIRE_64,
  fixed64: WIRE_64,
  sfixed64: WIRE_64,
  float: WIRE_32,
  fixed32: WIRE_32,
  sfixed32: WIRE_32,
  string: WIRE_DELIMITED,
  bytes: WIRE_DELIMITED,
}

/** The wire type of a scalar by its name in a .proto file. */
export function scalarWireType(type: string): number {
  return SCALARS[type] ?? WIRE_VARINT
}
