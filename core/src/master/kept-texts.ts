/** How much text of tasks is kept for pages, of all masters of a process. */

/** Characters that are kept at most. */
export const KEPT_MAX = 128 * 2 ** 20

/** What is kept now, or somewhat more: views-kept.ts counts anew now and then. */
export const keptTexts = { length: 0 }
