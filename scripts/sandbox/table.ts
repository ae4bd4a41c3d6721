import type { Version } from './version.ts';
import { termsOf } from './terms.ts';

/** A resource with all its versions, newest last. */
export interface Row {
  readonly id: string;
  current: Version;
  readonly versions: Version[];
  /** Where the row stands in `Table.log`. */
  position: number;
}

/** Undoes one change of a table. Undoing in reverse order restores the table exactly. */
export type Undo = () => void;

/**
 * The rows of one resource type. `log` holds them in the order of their last change, which is the order of
 * `lastUpdated`: a change leaves a hole and appends, so a range of time is found by bisection and a page of it is a walk.
 */
export class Table {
  readonly rows = new Map<string, Row>();
  readonly log: (Row | undefined)[] = [];
  readonly #terms = new Map<string, Set<Row>>();
  #holes = 0;

  /** Appends a version to a row, which is made if there is none. */
  put(id: string, version: Version): Undo {
    const existing = this.rows.get(id);
    if (!existing) {
      const row: Row = { id, current: version, versions: [version], position: this.log.length };
      this.rows.set(id, row);
      this.log.push(row);
      this.#index(row, version);
      return () => {
        this.#unindex(row, version);
        this.log.pop();
        this.rows.delete(id);
      };
    }

    const { current: previous, position } = existing;
    this.#unindex(existing, previous);
    this.#index(existing, version);
    this.log[position] = undefined;
    this.#holes++;
    existing.position = this.log.length;
    this.log.push(existing);
    existing.current = version;
    existing.versions.push(version);
    return () => {
      this.#unindex(existing, version);
      this.#index(existing, previous);
      this.log.pop();
      this.log[position] = existing;
      this.#holes--;
      existing.position = position;
      existing.current = previous;
      existing.versions.pop();
    };
  }

  /** Removes a row and all its versions (`$expunge`). */
  expunge(id: string): Undo {
    const row = this.rows.get(id);
    if (!row) {
      return () => undefined;
    }
    this.#unindex(row, row.current);
    this.log[row.position] = undefined;
    this.#holes++;
    this.rows.delete(id);
    return () => {
      this.rows.set(id, row);
      this.#holes--;
      this.log[row.position] = row;
      this.#index(row, row.current);
    };
  }

  /** The rows that have a term. */
  withTerm(term: string): ReadonlySet<Row> | undefined {
    return this.#terms.get(term);
  }

  /** The position in `log` of the first row changed at `lastUpdated` or later. */
  positionOf(lastUpdated: string): number {
    let low = 0;
    let high = this.log.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      let probe = middle;
      while (probe < high && !this.log[probe]) {
        probe++;
      }
      const row = this.log[probe];
      if (probe < high && row && row.current.lastUpdated < lastUpdated) {
        low = probe + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

  /** Closes the holes of the log when they are most of it. Never during a transaction: an `Undo` remembers positions. */
  compact(): void {
    if (this.#holes < 1_000 || this.#holes * 2 < this.log.length) {
      return;
    }
    let position = 0;
    for (const row of this.log) {
      if (row) {
        row.position = position;
        this.log[position++] = row;
      }
    }
    this.log.length = position;
    this.#holes = 0;
  }

  #index(row: Row, version: Version): void {
    for (const term of version.resource ? termsOf(version.resource) : []) {
      const rows = this.#terms.get(term);
      if (rows) {
        rows.add(row);
      } else {
        this.#terms.set(term, new Set([row]));
      }
    }
  }

  #unindex(row: Row, version: Version): void {
    for (const term of version.resource ? termsOf(version.resource) : []) {
      const rows = this.#terms.get(term);
      rows?.delete(row);
      if (rows?.size === 0) {
        this.#terms.delete(term);
      }
    }
  }
}
