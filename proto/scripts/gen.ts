// Reads the .proto files and writes what the rest of the code needs of them into src/gen:
//
//   src/gen/<file>.ts        one file of TypeScript types for each .proto file; nothing of it is left at run time
//   src/gen/descriptor.ts    the fields of every message as one table; codec.ts builds encoders and decoders from it
//
// How a proto type looks in TypeScript:
//   required T        T                       optional T     T | undefined, key may be absent
//   repeated T        readonly T[], absent when empty        map<string, T>  Readonly<Record<string, T>>, absent when empty
//   enum              union of its names      bytes          Uint8Array
//   64-bit integers   number, or bigint where a number would lose digits
// A nested type's name is its path without dots: FrameworkInfo.Capability becomes FrameworkInfoCapability.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import protobuf from 'protobufjs'

const here = dirname(fileURLToPath(import.meta.url))
const protoRoot = join(here, '..')
const outDir = join(here, '..', 'src', 'gen')

const PROTO_FILES = ['google/protobuf', 'mesos/v1', 'isthmus'].flatMap((folder) =>
  readdirSync(join(protoRoot, folder))
    .filter((name) => name.endsWith('.proto'))
    .sort()
    .map((name) => `${folder}/${name}`),
)

const SCALARS: Readonly<Record<string, string>> = {
  bool: 'boolean',
  bytes: 'Uint8Array',
  double: 'number',
  float: 'number',
  int32: 'number',
  uint32: 'number',
  sint32: 'number',
  fixed32: 'number',
  sfixed32: 'number',
  int64: 'Int64',
  uint64: 'Int64',
  sint64: 'Int64',
  fixed64: 'Int64',
  sfixed64: 'Int64',
  string: 'string',
}

interface SourceFile {
  readonly path: string
  readonly packageName: string
  /** The module's name in src/gen, without ending. */
  readonly module: string
  readonly types: (protobuf.Type | protobuf.Enum)[]
}

main()

function main(): void {
  const root = new protobuf.Root()
  const files = PROTO_FILES.map((path) => parseFile(root, path))
  root.resolveAll()
  const moduleOf = new Map<protobuf.ReflectionObject, string>()
  for (const file of files) for (const type of file.types) moduleOf.set(type, file.module)
  mkdirSync(outDir, { recursive: true })
  for (const file of files) writeFileSync(join(outDir, `${file.module}.ts`), typesOf(file, moduleOf))
  writeFileSync(join(outDir, 'descriptor.ts'), descriptorOf(files))
}

function parseFile(root: protobuf.Root, path: string): SourceFile {
  const before = new Set(allTypes(root))
  const parsed = protobuf.parse(readFileSync(join(protoRoot, path), 'utf8'), root, { keepCase: true })
  const packageName = parsed.package ?? ''
  const types = allTypes(root).filter((type) => !before.has(type))
  const base = path
    .replace(/^.*\//, '')
    .replace(/\.proto$/, '')
    .replaceAll('_', '-')
  return { path, packageName, module: base, types }
}

function allTypes(namespace: protobuf.NamespaceBase): (protobuf.Type | protobuf.Enum)[] {
  return namespace.nestedArray.flatMap((nested) => {
    if (nested instanceof protobuf.Enum) return [nested]
    if (nested instanceof protobuf.Type) return [nested, ...allTypes(nested)]
    return nested instanceof protobuf.Namespace ? allTypes(nested) : []
  })
}

function typesOf(file: SourceFile, moduleOf: ReadonlyMap<protobuf.ReflectionObject, string>): string {
  const imports = new Map<string, Set<string>>()
  const nameFor = (type: protobuf.ReflectionObject): string => {
    const module = moduleOf.get(type)
    if (module === undefined) throw new Error(`no module holds ${type.fullName}`)
    const name = typeName(type)
    if (module === file.module) return name
    const names = imports.get(module) ?? new Set()
    imports.set(module, names.add(name))
    return name
  }
  const bodies = file.types.map((type) => (type instanceof protobuf.Enum ? enumType(type) : messageType(type, nameFor)))
  const usesInt64 = bodies.some((body) => /\bInt64\b/.test(body))
  const importLines = [...imports].map(
    ([module, names]) => `import type { ${[...names].sort().join(', ')} } from './${module}.ts'`,
  )
  return [
    `// Generated from ${file.path} by \`npm run gen\`. Do not edit.`,
    '',
    ...(usesInt64 ? ["import type { Int64 } from '../codec.ts'"] : []),
    ...importLines,
    '',
    ...bodies,
  ].join('\n')
}

function typeName(type: protobuf.ReflectionObject): string {
  const parts: string[] = []
  for (let at: protobuf.ReflectionObject | null = type; isTypeOrEnum(at); at = at.parent) parts.unshift(at.name)
  return parts.join('')
}

function isTypeOrEnum(object: protobuf.ReflectionObject | null): object is protobuf.Type | protobuf.Enum {
  return object instanceof protobuf.Type || object instanceof protobuf.Enum
}

function enumType(type: protobuf.Enum): string {
  const names = Object.keys(type.values).map((name) => `'${name}'`)
  return `export type ${typeName(type)} = ${names.join(' | ')}\n`
}

function messageType(type: protobuf.Type, nameFor: (type: protobuf.ReflectionObject) => string): string {
  const lines = type.fieldsArray.map((field) => {
    const value = field.resolvedType ? nameFor(field.resolvedType) : scalarType(field.type)
    if (field instanceof protobuf.MapField)
      return `  readonly ${field.name}?: Readonly<Record<string, ${value}>> | undefined`
    if (field.repeated) return `  readonly ${field.name}?: readonly ${value}[] | undefined`
    return field.required ? `  readonly ${field.name}: ${value}` : `  readonly ${field.name}?: ${value} | undefined`
  })
  return `export interface ${typeName(type)} {\n${lines.join('\n')}\n}\n`
}

function scalarType(name: string): string {
  const scalar = SCALARS[name]
  if (scalar === undefined) throw new Error(`unknown scalar type ${name}`)
  return scalar
}

function descriptorOf(files: readonly SourceFile[]): string {
  const messages: string[] = []
  const enums: string[] = []
  const names: string[] = []
  for (const type of files.flatMap((file) => file.types)) {
    const fullName = type.fullName.slice(1)
    if (type instanceof protobuf.Enum) {
      enums.push(`  '${fullName}': ${JSON.stringify(type.values)},`)
      continue
    }
    names.push(fullName)
    messages.push(`  '${fullName}': [\n${type.fieldsArray.map((field) => `    ${fieldRow(field)},`).join('\n')}\n  ],`)
  }
  return [
    '// Generated by `npm run gen`. Do not edit.',
    '',
    "import type { FieldRow } from '../codec.ts'",
    ...typeMapImports(files),
    '',
    'export const MESSAGES: Readonly<Record<string, readonly FieldRow[]>> = {',
    ...messages,
    '}',
    '',
    'export const ENUMS: Readonly<Record<string, Readonly<Record<string, number>>>> = {',
    ...enums,
    '}',
    '',
    '/** The TypeScript type of each message, by its full proto name. */',
    'export interface MessageTypes {',
    ...typeMapRows(files),
    '}',
    '',
  ].join('\n')
}

/** One field: number, name, rule, kind, type (a scalar's name or a full type name) and, where it has some, its extras. */
function fieldRow(field: protobuf.Field): string {
  if (field.name in {}) throw new Error(`${field.fullName}: every object has a property of this name`)
  if (field instanceof protobuf.MapField && field.keyType !== 'string')
    throw new Error(`${field.fullName}: only strings can be keys of maps here`)
  if (field instanceof protobuf.MapField && !(field.resolvedType instanceof protobuf.Type) && field.type !== 'string')
    throw new Error(`${field.fullName}: only messages and strings can be values of maps here`)
  const rule =
    field instanceof protobuf.MapField ? 'map' : field.repeated ? 'repeated' : field.required ? 'required' : 'optional'
  const resolved = field.resolvedType
  const type = resolved ? resolved.fullName.slice(1) : field.type
  const kind = resolved instanceof protobuf.Enum ? 'enum' : resolved ? 'message' : 'scalar'
  const extras = fieldExtras(field)
  return JSON.stringify([field.id, field.name, rule, kind, type, ...(extras === undefined ? [] : [extras])])
}

/** What few fields have: a default that is written in the .proto file, `deprecated`, a oneof. */
function fieldExtras(field: protobuf.Field): Record<string, unknown> | undefined {
  const extras = {
    ...(field.options?.default === undefined ? {} : { default: field.options.default }),
    ...(field.options?.deprecated === true ? { isDeprecated: true } : {}),
    ...(field.partOf ? { oneof: field.partOf.name } : {}),
  }
  return Object.keys(extras).length === 0 ? undefined : extras
}

function typeMapImports(files: readonly SourceFile[]): string[] {
  return files.map((file) => `import type * as ${alias(file)} from './${file.module}.ts'`)
}

function typeMapRows(files: readonly SourceFile[]): string[] {
  return files.flatMap((file) =>
    file.types
      .filter((type) => type instanceof protobuf.Type)
      .map((type) => `  '${type.fullName.slice(1)}': ${alias(file)}.${typeName(type)}`),
  )
}

function alias(file: SourceFile): string {
  return file.module.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase())
}
