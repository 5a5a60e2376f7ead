/** What /version and /state tell of the build; empty where a clone has nothing to tell. */
export const BUILD = { date: '', timeSeconds: 0, user: 'isthmus', gitSha: '', gitTag: '' } as const
