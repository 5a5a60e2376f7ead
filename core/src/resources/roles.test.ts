import test from 'ava'
import fc from 'fast-check'
import { ancestorRoles, isSameOrSubRoleOf, isStrictSubRoleOf, parentRole, topLevelRole, validateRole } from './roles.ts'

for (const role of ['*', 'a', 'a/b/c', 'eng-1', '.a', 'a..b', '**', 'a*']) {
  test(`'${role}' is a role's name`, (t) => {
    t.deepEqual(validateRole(role), { ok: true, value: role })
  })
}

for (const [role, message] of [
  ['', 'Role names cannot be the empty string'],
  ['/a', "Role '/a' cannot start with a slash"],
  ['a/', "Role 'a/' cannot end with a slash"],
  ['a//b', "Role 'a//b' cannot contain two adjacent slashes"],
  ['.', "Role '.' cannot include '.' as a component"],
  ['..', "Role '..' cannot include '..' as a component"],
  ['a/../b', "Role 'a/../b' cannot include '..' as a component"],
  ['a/*', "Role 'a/*' cannot include '*' as a component"],
  ['-a', "Role component '-a' is invalid because it starts with a dash"],
  ['a/-b', "Role component '-b' is invalid because it starts with a dash"],
  ['a b', "Role component 'a b' is invalid because it contains backspace or whitespace"],
  ['a\tb', "Role component 'a\tb' is invalid because it contains backspace or whitespace"],
  ['a\u007f', "Role component 'a\u007f' is invalid because it contains backspace or whitespace"],
  ['a\b', "Role component 'a\b' is invalid because it contains backspace or whitespace"],
] as const) {
  test(`${JSON.stringify(role)} is no role's name`, (t) => {
    t.deepEqual(validateRole(role), { ok: false, rejection: { code: 'ROLE_INVALID', message, role } })
  })
}

for (const [role, ancestor, expected] of [
  ['a/b', 'a', true],
  ['a/b/c', 'a', true],
  ['a', 'a', false],
  ['ab', 'a', false],
  ['ab/c', 'a', false],
  ['a', 'a/b', false],
  ['a', '*', false],
] as const) {
  test(`${role} ${expected ? 'lies' : 'does not lie'} below ${ancestor}`, (t) => {
    t.is(isStrictSubRoleOf(role, ancestor), expected)
    t.is(isSameOrSubRoleOf(role, ancestor), expected || role === ancestor)
  })
}

test('parents, ancestors and tops', (t) => {
  t.is(parentRole('a/b/c'), 'a/b')
  t.is(parentRole('a'), undefined)
  t.deepEqual(ancestorRoles('a/b/c'), ['a/b', 'a'])
  t.deepEqual(ancestorRoles('a'), [])
  t.is(topLevelRole('a/b/c'), 'a')
  t.is(topLevelRole('a'), 'a')
})

test('a role lies below each of its ancestors', (t) => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('a', 'b', 'ab'), { minLength: 1, maxLength: 5 }), (parts) => {
      const role = parts.join('/')
      const ancestors = ancestorRoles(role)
      t.is(ancestors.length, parts.length - 1)
      for (const ancestor of ancestors) t.true(isStrictSubRoleOf(role, ancestor))
      t.is(topLevelRole(role), ancestors.at(-1) ?? role)
    }),
  )
})
