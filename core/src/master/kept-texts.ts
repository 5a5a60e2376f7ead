/** How much text of tasks is kept for pages, of all masters of a process. */

/** Characters that are kept at most. */
export const KEPT_MAX = 128 * 2 ** 20

/** What is kept now; tasks that leave the books take their text along. */
export const keptTexts = { length: 0 }
