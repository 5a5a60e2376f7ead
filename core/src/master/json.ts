/** JSON as values. */

/** A JSON value; fields that are undefined are left out when written. */
export type Json = null | boolean | number | bigint | string | readonly Json[] | JsonObject

/** A JSON object. */
export interface JsonObject {
  readonly [field: string]: Json | undefined
}
