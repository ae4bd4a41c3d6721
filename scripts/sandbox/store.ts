import type { Binary, Resource } from '@medplum/fhirtypes';
import { stringify } from '@medplum/core';
import { Lock } from './lock.ts';
import { Table } from './table.ts';
import type { Row, Undo } from './table.ts';
import { makeVersion } from './version.ts';
import type { Version } from './version.ts';

/** What a commit did to one resource, in the order in which it was done. */
export interface Change {
  readonly interaction: 'create' | 'update' | 'delete';
  readonly type: string;
  readonly id: string;
  /** The new version; for a delete, the last one that was alive. */
  readonly version: Version;
  readonly previous: Version | undefined;
}

/** All resources of one server, in memory. Knows versions and indexes; knows nothing of rules. */
export class Store {
  readonly lock = new Lock();
  readonly #tables = new Map<string, Table>();
  readonly #content = new Map<string, Uint8Array>();
  #lastMs = 0;

  table(type: string): Table {
    let table = this.#tables.get(type);
    if (!table) {
      table = new Table();
      this.#tables.set(type, table);
    }
    return table;
  }

  row(type: string, id: string): Row | undefined {
    return this.#tables.get(type)?.rows.get(id);
  }

  types(): string[] {
    return [...this.#tables.keys()];
  }

  /** The time for a new version: never earlier than an existing one, or the log would not be in order. */
  timestamp(nowMs: number): string {
    this.#lastMs = Math.max(this.#lastMs, nowMs);
    return new Date(this.#lastMs).toISOString();
  }

  /** Stores a resource whose id and meta are final, without its empty values (as the real server does). */
  put(resource: Resource & { id: string }): { readonly version: Version; readonly undo: Undo } {
    const version = makeVersion(stringify(resource));
    return { version, undo: this.table(resource.resourceType).put(resource.id, version) };
  }

  bury(type: string, id: string, versionId: string, lastUpdated: string): Undo {
    return this.table(type).put(id, { versionId, lastUpdated, text: undefined, resource: undefined });
  }

  /** The bytes of a Binary; the resource itself holds no data. */
  content(binary: Binary): Uint8Array {
    return this.#content.get(binary.id ?? '') ?? new Uint8Array();
  }

  setContent(id: string, bytes: Uint8Array): void {
    this.#content.set(id, bytes);
  }

  /** Frees what changes left behind. Only between transactions. */
  compact(types: Iterable<string>): void {
    for (const type of types) {
      this.#tables.get(type)?.compact();
    }
  }
}
