import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { HadoopError } from './hadoop-error.ts'

/** A Java installation. */
export interface Java {
  /** What JAVA_HOME should be. */
  readonly home: string
  /** The `java` program. */
  readonly program: string
}

const OLDEST_JAVA = 17

/**
 * Finds Java: JAVA_HOME when it holds one, else the first `java` of PATH.
 *
 * Throws HadoopError TOOL_MISSING when there is none or it is older than 17.
 */
export function findJava(): Java {
  const fromHome = join(process.env.JAVA_HOME ?? '', 'bin', 'java')
  const program = process.env.JAVA_HOME && existsSync(fromHome) ? fromHome : findProgram('java')
  const settings = program === undefined ? '' : askSettings(program)
  const home = /^ *java\.home = (.+)$/m.exec(settings)?.[1]
  const version = Number(/^ *java\.specification\.version = (\d+)/m.exec(settings)?.[1] ?? 0)
  if (home === undefined || version < OLDEST_JAVA) {
    throw new HadoopError('TOOL_MISSING', 'Java 17 or newer is missing (Debian package: openjdk-17-jdk-headless)')
  }
  return { home, program: join(home, 'bin', 'java') }
}

/** The first file of that name in the folders of PATH. */
export function findProgram(name: string): string | undefined {
  return (process.env.PATH ?? '')
    .split(delimiter)
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, name))
    .find((path) => existsSync(path))
}

function askSettings(program: string): string {
  const { stderr } = spawnSync(program, ['-XshowSettings:properties', '-version'], { encoding: 'utf8' })
  return stderr ?? ''
}
