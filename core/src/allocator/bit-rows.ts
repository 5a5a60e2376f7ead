/**
 * A set of small integers for each of many rows, all in one array: a question costs one look into memory, wherever the row lies. Takes
 * rows × members / 8 bytes from the first member on, so it is for questions that are asked of every row.
 */

/** See the file's header. A row or member beyond what was set is not there. */
export class BitRows {
  #words = new Int32Array(0)
  /** Words a row. */
  #stride = 1

  /** Whether the member is in the row's set. */
  has(row: number, member: number): boolean {
    const word = member >>> 5
    return word < this.#stride && ((this.#words[row * this.#stride + word] ?? 0) & (1 << (member & 31))) !== 0
  }

  /** Puts the member into the row's set. */
  set(row: number, member: number): void {
    const word = member >>> 5
    if (word >= this.#stride) this.#widen(word + 1)
    const at = row * this.#stride + word
    if (at >= this.#words.length) this.#lengthen(row + 1)
    this.#words[at]! |= 1 << (member & 31)
  }

  /** Takes the member out of the row's set. */
  clear(row: number, member: number): void {
    if (this.has(row, member)) this.#words[row * this.#stride + (member >>> 5)]! &= ~(1 << (member & 31))
  }

  /** Empties the row's set. */
  clearRow(row: number): void {
    this.#words.fill(0, row * this.#stride, (row + 1) * this.#stride)
  }

  #widen(needed: number): void {
    const before = this.#words
    const stride = Math.max(needed, this.#stride * 2)
    const rows = before.length / this.#stride
    const words = new Int32Array(rows * stride)
    for (let row = 0; row < rows; row++) {
      words.set(before.subarray(row * this.#stride, (row + 1) * this.#stride), row * stride)
    }
    this.#words = words
    this.#stride = stride
  }

  #lengthen(needed: number): void {
    const rows = Math.max(needed, Math.ceil((this.#words.length / this.#stride) * 1.5))
    const words = new Int32Array(rows * this.#stride)
    words.set(this.#words)
    this.#words = words
  }
}
