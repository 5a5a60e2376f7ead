import { createLogger, format, type Logger, transports } from 'winston'

/** Facts of a log line; never a secret. */
export type LogFields = Readonly<Record<string, unknown>>

/** What programs log with: a constant lowercase message, the facts as fields. */
export interface Log {
  readonly debug: (message: string, fields?: LogFields) => void
  readonly info: (message: string, fields?: LogFields) => void
  readonly warn: (message: string, fields?: LogFields) => void
  /** Someone must act. */
  readonly error: (message: string, fields?: LogFields) => void
  /** The level as Mesos counts it: 0 normally, higher tells more. */
  readonly level: () => number
  readonly setLevel: (level: number) => void
  /** Waits until everything written is out. */
  readonly end: () => Promise<void>
}

/** How to log. */
export interface LogOptions {
  /** First word of each line: master, agent … */
  readonly program: string
  /** INFO, WARNING, ERROR or DEBUG, in any case. */
  readonly level: string
  /** Nothing on the terminal. */
  readonly isQuiet: boolean
  /** File that gets the lines too. */
  readonly file?: string | undefined
}

const LEVELS: Readonly<Record<string, string>> = { DEBUG: 'debug', INFO: 'info', WARNING: 'warn', ERROR: 'error' }

/** Says whether a name is a level that `openLog` knows. */
export function isLogLevel(name: string): boolean {
  return Object.hasOwn(LEVELS, name.toUpperCase())
}

/** Makes the log of a process: lines on stderr, and in a file when one is named. */
export function openLog(options: LogOptions): Log {
  const normalLevel = LEVELS[options.level.toUpperCase()] ?? 'info'
  const line = format.printf(({ level, message, timestamp, ...fields }) => {
    return `${timestamp} ${options.program} ${level}: ${message}${fieldText(fields)}`
  })
  const logger = createLogger({ level: normalLevel, format: format.combine(format.timestamp(), line) })
  const stderrLevels = ['error', 'warn', 'info', 'debug']
  if (!options.isQuiet) logger.add(new transports.Console({ stderrLevels }))
  if (options.file !== undefined) logger.add(new transports.File({ filename: options.file }))
  if (options.isQuiet && options.file === undefined) logger.silent = true
  let toggled = 0
  return {
    debug: (message, fields) => void logger.debug(message, fields),
    info: (message, fields) => void logger.info(message, fields),
    warn: (message, fields) => void logger.warn(message, fields),
    error: (message, fields) => void logger.error(message, fields),
    level: () => toggled,
    setLevel: (level) => {
      toggled = level
      logger.level = level > 0 ? 'debug' : normalLevel
    },
    end: () => endLogger(logger),
  }
}

/** A log that says nothing, for tests. */
export const silentLog: Log = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  level: () => 0,
  setLevel: () => {},
  end: async () => {},
}

function fieldText(fields: Readonly<Record<string, unknown>>): string {
  const parts = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${typeof value === 'string' && /^[^\s"]+$/.test(value) ? value : show(value)}`)
  return parts.length === 0 ? '' : ` ${parts.join(' ')}`
}

function show(value: unknown): string {
  if (value instanceof Error) return JSON.stringify(value.stack ?? value.message)
  return (
    JSON.stringify(value, (_key, part: unknown) => (typeof part === 'bigint' ? part.toString() : part)) ?? String(value)
  )
}

function endLogger(logger: Logger): Promise<void> {
  return new Promise((resolve) => {
    logger.once('finish', () => resolve())
    logger.end()
  })
}
