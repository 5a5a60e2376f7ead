// Modules of a user's own, by package name (looked for from the working directory first, as npm installs them, then from here) or by path.

import * as loader from 'node:module'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { IoError } from '../io-error.ts'

/** What is loaded, and for whom. */
export interface ModuleRequest {
  /** `my-package`, `@scope/package/part`, `./file.mjs`, `/folder/file.ts`. */
  readonly specifier: string
  /** The function it must export. */
  readonly exported: string
  /** Where the name was read, for errors: `flag --role_sorter`. */
  readonly from: string
}

/**
 * Loads a module and returns the function it must export.
 *
 * Throws IoError with where the name came from: not found, failed while it was loaded, no such function.
 */
export async function loadFunction(request: ModuleRequest): Promise<(...parameters: unknown[]) => unknown> {
  const { specifier, exported, from } = request
  const loaded = (await load(request)) as Readonly<Record<string, unknown>>
  const found = loaded[exported] ?? (loaded.default as Readonly<Record<string, unknown>> | undefined)?.[exported]
  if (typeof found === 'function') return found as (...parameters: unknown[]) => unknown
  const names = Object.keys(loaded).join(', ') || 'nothing'
  throw new IoError('OTHER', `${from}: module '${specifier}' exports no function ${exported} (it exports ${names})`)
}

async function load({ specifier, from }: ModuleRequest): Promise<unknown> {
  const isPath = /^(\.{1,2})?[/\\]/.test(specifier)
  try {
    if (isPath) return await import(pathToFileURL(resolve(specifier)).href)
    return await importFromHere(specifier)
  } catch (error) {
    if (isMissing(error, isPath ? resolve(specifier) : specifier)) {
      const where = isPath ? resolve(specifier) : `${process.cwd()} and from isthmus`
      const what = isPath ? 'no file is there' : 'no such package is installed; a path begins with / or ./'
      throw new IoError('OTHER', `${from}: module '${specifier}' was not found from ${where}: ${what}`, {
        cause: error,
      })
    }
    throw new IoError('OTHER', `${from}: module '${specifier}' failed while it was loaded: ${textOf(error)}`, {
      cause: error,
    })
  }
}

/** A bare name means what it means to a program in the working directory; what is not there may be beside this program. */
async function importFromHere(specifier: string): Promise<unknown> {
  try {
    return await importFrom(pathToFileURL(resolve('isthmus')).href, specifier)
  } catch (error) {
    if (!isMissing(error, specifier)) throw error
  }
  return import(specifier)
}

async function importFrom(parentURL: string, specifier: string): Promise<unknown> {
  // Older than Node 22.15: packages that can only be imported are not found this way.
  if (typeof loader.registerHooks !== 'function') {
    return import(pathToFileURL(loader.createRequire(parentURL).resolve(specifier)).href)
  }
  const hooks = loader.registerHooks({
    resolve: (asked, context, next) => next(asked, asked === specifier ? { ...context, parentURL } : context),
  })
  try {
    return await import(specifier)
  } finally {
    hooks.deregister()
  }
}

/** Whether the module itself is missing, and not one that it imports. */
function isMissing(error: unknown, specifier: string): boolean {
  const { code, message } = error as { code?: unknown; message?: unknown }
  if (code !== 'ERR_MODULE_NOT_FOUND' && code !== 'MODULE_NOT_FOUND' && code !== 'ERR_PACKAGE_PATH_NOT_EXPORTED')
    return false
  const subject = String(message).match(/Cannot find (?:module|package) '([^']+)'/)?.[1] ?? ''
  return subject === '' || subject === specifier || specifier.startsWith(`${subject}/`)
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
