/** What flexup asks for, as one text: a profile, and which agents. */

const BETWEEN = ' on '

/** `small`, or `small on hostname LIKE a.*`. */
export function flexKey(profile: string, constraint: string | undefined): string {
  return constraint === undefined ? profile : `${profile}${BETWEEN}${constraint}`
}

/** The profile and constraint of a key. Names of profiles hold no blanks. */
export function splitFlexKey(key: string): { readonly name: string; readonly constraint: string | undefined } {
  const at = key.indexOf(BETWEEN)
  if (at === -1) return { name: key, constraint: undefined }
  return { name: key.slice(0, at), constraint: key.slice(at + BETWEEN.length) }
}

/** The key of what asked for a NodeManager; undefined when demand did. */
export function flexKeyOf(made: {
  readonly profile: string | undefined
  readonly constraint: string | undefined
}): string | undefined {
  return made.profile === undefined ? undefined : flexKey(made.profile, made.constraint)
}
