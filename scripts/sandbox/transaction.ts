import type { AuditEvent } from '@medplum/fhirtypes';
import type { Change } from './store.ts';
import type { Undo } from './table.ts';

/** What a transaction did so far: how to undo it, and what the world hears of it once it is committed. */
export class Transaction {
  readonly #undo: Undo[] = [];
  readonly changes: Change[] = [];
  readonly audits: (() => AuditEvent)[] = [];

  did(undo: Undo, change?: Change): void {
    this.#undo.push(undo);
    if (change) {
      this.changes.push(change);
    }
  }

  rollback(): void {
    for (const undo of this.#undo.reverse()) {
      undo();
    }
  }
}
