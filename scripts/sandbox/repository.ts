import { badRequest, forbidden, normalizeOperationOutcome, notFound, OperationOutcomeError } from '@medplum/core';
import type { Operation, SearchRequest, WithId } from '@medplum/core';
import { FhirRepository, getExtraEntries } from '@medplum/fhir-router';
import type { CreateResourceOptions, ReadHistoryOptions, UpdateResourceOptions } from '@medplum/fhir-router';
import type { Bundle, BundleEntry, OperationOutcome, Parameters, Reference, Resource } from '@medplum/fhirtypes';
import { randomUUID } from 'node:crypto';
import type { AuditedInteraction } from './audit.ts';
import { Auditor } from './auditor.ts';
import type { Backend, Caller } from './caller.ts';
import { patchResource } from './patch.ts';
import { Reader } from './reader.ts';
import { linksOf, runSearch, subset } from './search.ts';
import { Transaction } from './transaction.ts';
import { Writer } from './writer.ts';

const MAX_HISTORY = 1_000;
const DEFAULT_HISTORY = 100;

/**
 * FHIR storage with the rules of a real Medplum 5.0.10, where core's MemoryRepository has none: server-assigned ids,
 * validation, tombstones, rollback, policies, quota, audit. `test/sandbox/conformance.ts` states each rule.
 *
 * Every write is a transaction under one lock, and a read waits for the transaction that is going on: so everything
 * here is serializable. What it returns to HTTP is frozen and shared; in-process callers get copies.
 */
export class StrictRepository extends FhirRepository {
  readonly #backend: Backend;
  readonly #caller: Caller;
  readonly #transaction: Transaction | undefined;
  readonly #reader: Reader;
  readonly #auditor: Auditor;

  constructor(backend: Backend, caller: Caller, transaction?: Transaction) {
    super();
    this.#backend = backend;
    this.#caller = caller;
    this.#transaction = transaction;
    this.#reader = new Reader(backend, caller);
    this.#auditor = new Auditor(backend, caller);
  }

  setMode(): void {
    // There is one database, so reader and writer are the same.
  }

  generateId(): string {
    return randomUUID();
  }

  /** Runs a callback whose writes all happen or none. Within a transaction, it becomes a part of that. */
  async withTransaction<TResult>(callback: (repository: this) => Promise<TResult>): Promise<TResult> {
    if (this.#transaction) {
      return callback(this);
    }
    return this.#backend.store.lock.run(async () => {
      const transaction = new Transaction();
      try {
        const result = await callback(new StrictRepository(this.#backend, this.#caller, transaction) as this);
        this.#commit(transaction);
        return result;
      } catch (error) {
        transaction.rollback();
        throw error;
      }
    });
  }

  async createResource<T extends Resource>(resource: T, options?: CreateResourceOptions): Promise<WithId<T>> {
    this.#consume(100);
    const id = options?.assignedId && resource.id ? resource.id : this.generateId();
    return this.#write('create', (writer) => writer.create({ ...resource, id }));
  }

  async updateResource<T extends Resource>(resource: T, options?: UpdateResourceOptions): Promise<WithId<T>> {
    this.#consume(100);
    return this.#write('update', (writer) => writer.update(resource, options?.ifMatch));
  }

  /** `If-Match` is ignored here, as on the real server (platform.md §12.1): lock a patch with its `test` operation. */
  async patchResource<T extends Resource>(
    resourceType: T['resourceType'],
    id: string,
    patch: Operation[] | Parameters
  ): Promise<WithId<T>> {
    this.#consume(100);
    return this.#write('patch', async (writer) => {
      const patched = structuredClone(this.#reader.find<T>(resourceType, id));
      patchResource(patched, patch);
      return writer.update(patched, undefined);
    });
  }

  async deleteResource(resourceType: string, id: string): Promise<void> {
    this.#consume(100);
    await this.withTransaction(async (repository) => {
      const deleted = repository.#writer().delete(resourceType, id);
      if (deleted) {
        repository.#audit('delete', deleted);
      }
    });
  }

  async readResource<T extends Resource>(resourceType: string, id: string): Promise<WithId<T>> {
    this.#consume(1);
    await this.#settled();
    return this.#read<T>(resourceType, id);
  }

  async readReference<T extends Resource>(reference: Reference<T>): Promise<WithId<T>> {
    const [type, id, ...rest] = reference.reference?.split('/') ?? [];
    if (!type || !id || rest.length > 0) {
      throw new OperationOutcomeError(badRequest('Invalid reference'));
    }
    return this.readResource<T>(type, id);
  }

  async readReferences<T extends Resource>(references: readonly Reference<T>[]): Promise<(WithId<T> | Error)[]> {
    this.#consume(Math.max(references.length, 1));
    await this.#settled();
    return references.map(({ reference }) => {
      const [type = '', id = ''] = reference?.split('/') ?? [];
      try {
        return this.#read<T>(type, id);
      } catch (error) {
        return error instanceof Error ? error : new OperationOutcomeError(normalizeOperationOutcome(error));
      }
    });
  }

  async readHistory<T extends Resource>(
    resourceType: string,
    id: string,
    options?: ReadHistoryOptions
  ): Promise<Bundle<WithId<T>>> {
    this.#consume(10);
    await this.#settled();
    const live = this.#reader.findUnlessGone(resourceType, id, 'history');
    if (live) {
      this.#audit('history', live);
    }
    const versions = this.#backend.store.row(resourceType, id)?.versions.toReversed() ?? [];
    const from = Math.max(0, options?.offset ?? 0);
    const page = versions.slice(from, from + Math.min(options?.limit ?? DEFAULT_HISTORY, MAX_HISTORY));
    return {
      resourceType: 'Bundle',
      type: 'history',
      entry: page.map((version) => this.#reader.historyEntry<T>(resourceType, id, version)),
      total: versions.length,
    };
  }

  async readVersion<T extends Resource>(resourceType: string, id: string, versionId: string): Promise<WithId<T>> {
    this.#consume(1);
    await this.#settled();
    this.#reader.findUnlessGone(resourceType, id, 'vread');
    const { versions = [] } = this.#backend.store.row(resourceType, id) ?? {};
    const version = versions.find((candidate) => candidate.versionId === versionId);
    if (!version) {
      throw new OperationOutcomeError(notFound);
    }
    if (!version.resource) {
      // The real server tries to parse the empty content of the tombstone (platform.md §8.1).
      throw new OperationOutcomeError(badRequest('Unexpected end of JSON input'));
    }
    return this.#reader.show(version.resource as WithId<T>);
  }

  async search<T extends Resource>(request: SearchRequest<T>): Promise<Bundle<WithId<T>>> {
    this.#consume(20);
    await this.#settled();
    const result = runSearch(this.#backend.store, request, this.#caller);
    const resources = result.rows.map((row) => this.#reader.showRow<T>(request.resourceType, row));
    const fullUrl = (type: string, id: string): string => this.#reader.fullUrl(type, id);
    const entry = resources.map((resource): BundleEntry<WithId<T>> => ({
      fullUrl: fullUrl(resource.resourceType, resource.id),
      search: { mode: 'match' },
      resource,
    }));
    if (request.include || request.revInclude) {
      await getExtraEntries(this, request, resources, entry as BundleEntry[], { fullUrl });
    }
    return {
      resourceType: 'Bundle',
      type: 'searchset',
      ...(entry.length > 0 && { entry: entry.map((item) => reduced(item, request)) }),
      ...(result.total !== undefined && { total: result.total }),
      link: linksOf(result, this.#backend.baseUrl),
    };
  }

  async searchByReference<T extends Resource>(
    request: SearchRequest<T>,
    field: string,
    references: string[]
  ): Promise<Record<string, WithId<T>[]>> {
    const found: Record<string, WithId<T>[]> = {};
    for (const value of references) {
      const filters = [...(request.filters ?? []), { code: field, operator: 'eq' as const, value }];
      found[value] = await this.searchResources({ ...request, filters });
    }
    return found;
  }

  /**
   * Removes a resource with all its versions. Only for project admins; the AccessPolicy is not asked (platform.md §8.3).
   * @throws OperationOutcomeError 403 for others.
   */
  async expungeResource(resourceType: string, id: string): Promise<void> {
    if (!this.#caller.admin) {
      throw new OperationOutcomeError(forbidden);
    }
    await this.withTransaction(async (repository) => {
      repository.#transaction?.did(this.#backend.store.table(resourceType).expunge(id));
    });
  }

  /** Conditional updates ignore `If-Match`, as on the real server (platform.md §12.1). */
  override async conditionalUpdate<T extends Resource>(
    resource: T,
    search: SearchRequest,
    options?: CreateResourceOptions & UpdateResourceOptions
  ): Promise<{ resource: WithId<T>; outcome: OperationOutcome }> {
    return super.conditionalUpdate(resource, search, options?.assignedId ? { assignedId: true } : {});
  }

  async #write<T extends Resource>(
    interaction: AuditedInteraction,
    work: (writer: Writer) => Promise<WithId<T>>
  ): Promise<WithId<T>> {
    return this.withTransaction(async (repository) => {
      const written = await work(repository.#writer());
      repository.#audit(interaction, written);
      return this.#reader.show(written);
    });
  }

  #writer(): Writer {
    const transaction = this.#transaction as Transaction;
    return new Writer(this.#backend, this.#caller, this.#reader, transaction, (request) =>
      this.searchResources(request)
    );
  }

  #commit(transaction: Transaction): void {
    const { store } = this.#backend;
    for (const audit of transaction.audits) {
      this.#auditor.put(audit());
    }
    this.#backend.onCommit(transaction.changes, this.#caller.trace);
    store.compact(new Set(transaction.changes.map((change) => change.type)));
  }

  /** Waits until what was begun before is committed or undone. */
  async #settled(): Promise<void> {
    if (!this.#transaction) {
      await this.#backend.store.lock.passed();
    }
  }

  #read<T extends Resource>(type: string, id: string): WithId<T> {
    const resource = this.#reader.find<T>(type, id);
    this.#audit('read', resource);
    return this.#reader.show(resource);
  }

  #audit(interaction: AuditedInteraction, resource: Resource): void {
    this.#auditor.record(interaction, resource, this.#transaction);
  }

  #consume(points: number): void {
    if (!this.#caller.system) {
      this.#backend.quota.consume(this.#caller.membershipId, points);
    }
  }
}

function reduced<T extends Resource>(entry: BundleEntry<T>, request: SearchRequest): BundleEntry<T> {
  return entry.resource && (request.fields || request.summary)
    ? { ...entry, resource: subset(entry.resource, request) }
    : entry;
}
