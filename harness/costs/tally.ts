/**
 * Whole-number counts by name.
 *
 * @module
 */

export class Tally {
  readonly #counts = new Map<string, number>();

  add(name: string, count = 1): void {
    if (count !== 0) this.#counts.set(name, (this.#counts.get(name) ?? 0) + count);
  }

  snapshot(): ReadonlyMap<string, number> {
    return new Map(this.#counts);
  }

  /** Adds what was counted between two snapshots. */
  addBetween(from: ReadonlyMap<string, number>, to: ReadonlyMap<string, number>): void {
    for (const [name, count] of to) this.add(name, count - (from.get(name) ?? 0));
  }

  total(): number {
    let sum = 0;
    for (const count of this.#counts.values()) sum += count;
    return sum;
  }

  /** @returns The counts by name, in code-unit order of the names, so that equal counts are equal JSON. */
  sorted(): Record<string, number> {
    const names = [...this.#counts.keys()].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
    // fromEntries defines and never assigns, so even a reason called __proto__ stays a plain key.
    return Object.fromEntries(names.map((name) => [name, this.#counts.get(name)!]));
  }
}
