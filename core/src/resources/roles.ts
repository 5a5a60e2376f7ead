// Role names and the tree they make: `a/b/c` lies below `a/b`, which lies below `a`.

import { ok, type Result, reject } from '../base/result.ts'

/** The role of resources that belong to nobody. */
export const ANY_ROLE = '*'

/** Checks a role's name by Mesos's rules, in its words: ROLE_INVALID. */
export function validateRole(role: string): Result<string> {
  const problem = roleProblem(role)
  return problem === undefined ? ok(role) : reject({ code: 'ROLE_INVALID', message: problem, role })
}

/** Blanks, backspace and delete. */
const BAD_CHARACTERS = /[\b\t\n\v\f\r \u007f]/

function roleProblem(role: string): string | undefined {
  if (role === ANY_ROLE) return undefined
  if (role === '') return 'Role names cannot be the empty string'
  if (role.startsWith('/')) return `Role '${role}' cannot start with a slash`
  if (role.endsWith('/')) return `Role '${role}' cannot end with a slash`
  for (const component of role.split('/')) {
    if (component === '') return `Role '${role}' cannot contain two adjacent slashes`
    if (component === '.') return `Role '${role}' cannot include '.' as a component`
    if (component === '..') return `Role '${role}' cannot include '..' as a component`
    if (component === ANY_ROLE) return `Role '${role}' cannot include '*' as a component`
    if (component.startsWith('-')) return `Role component '${component}' is invalid because it starts with a dash`
    if (BAD_CHARACTERS.test(component)) {
      return `Role component '${component}' is invalid because it contains backspace or whitespace`
    }
  }
  return undefined
}

/** Says whether `role` lies below `ancestor` in the tree: a/b below a. No role lies below itself or below `*`. */
export function isStrictSubRoleOf(role: string, ancestor: string): boolean {
  return role.length > ancestor.length && role.startsWith(ancestor) && role[ancestor.length] === '/'
}

/** Says whether `role` is `ancestor` or lies below it. */
export function isSameOrSubRoleOf(role: string, ancestor: string): boolean {
  return role === ancestor || isStrictSubRoleOf(role, ancestor)
}

/** The role one level up; undefined for a role at the top. */
export function parentRole(role: string): string | undefined {
  const slash = role.lastIndexOf('/')
  return slash < 0 ? undefined : role.slice(0, slash)
}

/** The roles above, nearest first: a/b/c has a/b and a. */
export function ancestorRoles(role: string): string[] {
  const ancestors: string[] = []
  for (let at = parentRole(role); at !== undefined; at = parentRole(at)) ancestors.push(at)
  return ancestors
}

/** The role at the top of the tree above this one, or itself. */
export function topLevelRole(role: string): string {
  const slash = role.indexOf('/')
  return slash < 0 ? role : role.slice(0, slash)
}
