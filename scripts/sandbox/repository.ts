import {
  allOk,
  applyPatch,
  badRequest,
  deepEquals,
  fhirpathPatchTypedValue,
  forbidden,
  getStatus,
  gone,
  isGone,
  isUUID,
  normalizeOperationOutcome,
  notFound,
  OperationOutcomeError,
  parseFhirPathPatchParameters,
  preconditionFailed,
  toTypedValue,
  validateResource,
  validateResourceType,
} from '@medplum/core';
import type { Operation, SearchRequest, WithId } from '@medplum/core';
import { FhirRepository, getExtraEntries } from '@medplum/fhir-router';
import type {
  CreateResourceOptions,
  ReadHistoryOptions,
  TransactionOptions,
  UpdateResourceOptions,
} from '@medplum/fhir-router';
import type {
  Binary,
  Bundle,
  BundleEntry,
  OperationOutcome,
  Parameters,
  Reference,
  Resource,
  ResourceType,
} from '@medplum/fhirtypes';
import { randomUUID } from 'node:crypto';
import { maySome, permission, visible } from './access.ts';
import type { Access } from './access.ts';
import { restEvent } from './audit.ts';
import type { AuditedInteraction, Trace } from './audit.ts';
import type { SandboxClock } from './clock.ts';
import { compartmentsOf } from './compartment.ts';
import type { Quota } from './quota.ts';
import { restoreFields, satisfiesConstraints } from './fields.ts';
import { resolveConditionalReferences } from './references.ts';
import { linksOf, runSearch, subset } from './search.ts';
import type { Change, Store } from './store.ts';
import type { Row } from './table.ts';
import { Transaction } from './transaction.ts';
import type { Version } from './version.ts';

/** What all repositories of one server share. */
export interface Backend {
  readonly store: Store;
  readonly clock: SandboxClock;
  readonly quota: Quota;
  readonly projectId: string;
  /** Ends with a slash. Known once the server listens. */
  readonly baseUrl: string;
  readonly saveAuditEvents: boolean;
  /** Hears of each committed change, in the order of versions, before anyone else can write. */
  onCommit(changes: readonly Change[], trace: Trace): void;
}

/** On whose behalf a repository acts. */
export interface Caller extends Access {
  readonly author: Reference;
  /** Whose quota is used. */
  readonly membershipId: string;
  readonly trace: Trace;
  /** Whether the caller sees `meta.author`, `project` and `compartment` (header `X-Medplum: extended`). */
  readonly extended: boolean;
  /** The operator's own hands: no AuditEvents, no quota, and copies that may be changed. */
  readonly system: boolean;
}

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

  constructor(backend: Backend, caller: Caller, transaction?: Transaction) {
    super();
    this.#backend = backend;
    this.#caller = caller;
    this.#transaction = transaction;
  }

  setMode(): void {
    // There is one database, so reader and writer are the same.
  }

  generateId(): string {
    return randomUUID();
  }

  async withTransaction<TResult>(
    callback: (repository: this) => Promise<TResult>,
    _options?: TransactionOptions
  ): Promise<TResult> {
    if (this.#transaction) {
      return callback(this);
    }
    const { store } = this.#backend;
    return store.lock.run(async () => {
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
    return this.#write(async (repository) => {
      const created = await repository.#put({ ...resource, id }, undefined, 'create');
      repository.#audit('create', created);
      return created;
    });
  }

  async updateResource<T extends Resource>(resource: T, options?: UpdateResourceOptions): Promise<WithId<T>> {
    this.#consume(100);
    return this.#write(async (repository) => {
      const updated = await repository.#update(resource, options?.ifMatch);
      repository.#audit('update', updated);
      return updated;
    });
  }

  /** `If-Match` is ignored here, as on the real server (platform.md §12.1): lock a patch with its `test` operation. */
  async patchResource<T extends Resource>(
    resourceType: T['resourceType'],
    id: string,
    patch: Operation[] | Parameters
  ): Promise<WithId<T>> {
    this.#consume(100);
    return this.#write(async (repository) => {
      const patched = structuredClone(repository.#find<T>(resourceType, id));
      applyAnyPatch(patched, patch);
      if (patched.resourceType !== resourceType || patched.id !== id) {
        throw new OperationOutcomeError(badRequest('Incorrect ID'));
      }
      const updated = await repository.#update(patched, undefined);
      repository.#audit('patch', updated);
      return updated;
    });
  }

  async deleteResource(resourceType: string, id: string): Promise<void> {
    this.#consume(100);
    await this.#write(async (repository) => repository.#delete(resourceType, id));
  }

  async readResource<T extends Resource>(resourceType: string, id: string): Promise<WithId<T>> {
    this.#consume(1);
    await this.#settled();
    const resource = this.#find<T>(resourceType, id);
    this.#audit('read', resource);
    return this.#give(resource);
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
      try {
        const [type = '', id = ''] = reference?.split('/') ?? [];
        const resource = this.#find<T>(type, id);
        this.#audit('read', resource);
        return this.#give(resource);
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
    const live = this.#findUnlessGone(resourceType, id, 'history');
    const versions = [...(this.#row(resourceType, id)?.versions ?? [])].reverse();
    const from = Math.max(0, options?.offset ?? 0);
    const page = versions.slice(from, from + Math.min(options?.limit ?? DEFAULT_HISTORY, MAX_HISTORY));
    if (live) {
      this.#audit('history', live);
    }
    return {
      resourceType: 'Bundle',
      type: 'history',
      entry: page.map((version) => this.#historyEntry<T>(resourceType, id, version)),
      total: versions.length,
    };
  }

  async readVersion<T extends Resource>(resourceType: string, id: string, versionId: string): Promise<WithId<T>> {
    this.#consume(1);
    await this.#settled();
    this.#findUnlessGone(resourceType, id, 'vread');
    const version = this.#row(resourceType, id)?.versions.find((candidate) => candidate.versionId === versionId);
    if (!version) {
      throw new OperationOutcomeError(notFound);
    }
    if (!version.resource) {
      // The real server tries to parse the empty content of the tombstone (platform.md §8.1).
      throw new OperationOutcomeError(badRequest('Unexpected end of JSON input'));
    }
    return this.#give(version.resource as WithId<T>);
  }

  async search<T extends Resource>(request: SearchRequest<T>): Promise<Bundle<WithId<T>>> {
    this.#consume(20);
    await this.#settled();
    const { store, baseUrl } = this.#backend;
    const result = runSearch(store, request, this.#caller);
    const resources = result.rows.map((row) => this.#found<T>(request.resourceType, row));
    const entry = resources.map((resource): BundleEntry<WithId<T>> => ({
      fullUrl: this.#fullUrl(resource.resourceType, resource.id),
      search: { mode: 'match' },
      resource,
    }));
    if (request.include || request.revInclude) {
      await getExtraEntries(this, request, resources, entry as BundleEntry[], {
        fullUrl: (type, id) => this.#fullUrl(type, id),
      });
    }
    return {
      resourceType: 'Bundle',
      type: 'searchset',
      ...(entry.length > 0 && { entry: entry.map((item) => this.#reduced(item, request)) }),
      ...(result.total !== undefined && { total: result.total }),
      link: linksOf(result, baseUrl),
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

  /** Conditional updates ignore `If-Match`, as on the real server (platform.md §12.1). */
  override async conditionalUpdate<T extends Resource>(
    resource: T,
    search: SearchRequest,
    options?: CreateResourceOptions & UpdateResourceOptions
  ): Promise<{ resource: WithId<T>; outcome: OperationOutcome }> {
    return super.conditionalUpdate(resource, search, options?.assignedId ? { assignedId: true } : {});
  }

  /** Removes a resource with all its versions. No policy, no event: see `platform.md` §8.3. */
  async expungeResource(resourceType: string, id: string): Promise<void> {
    await this.#write(async (repository) => {
      repository.#transaction?.did(this.#backend.store.table(resourceType).expunge(id));
    });
  }

  async #write<R>(work: (repository: StrictRepository) => Promise<R>): Promise<R> {
    return this.#give(await this.withTransaction((repository) => work(repository)));
  }

  #commit(transaction: Transaction): void {
    const { store } = this.#backend;
    for (const audit of transaction.audits) {
      this.#putAudit(audit());
    }
    this.#backend.onCommit(transaction.changes, this.#caller.trace);
    store.compact([...transaction.changes.map((change) => change.type), 'AuditEvent']);
  }

  async #settled(): Promise<void> {
    if (!this.#transaction) {
      await this.#backend.store.lock.passed();
    }
  }

  async #update<T extends Resource>(resource: T, ifMatch: string | undefined): Promise<WithId<T>> {
    const { id } = resource;
    if (!id) {
      throw new OperationOutcomeError(badRequest('Missing id'));
    }
    if (!isUUID(id)) {
      throw new OperationOutcomeError(badRequest('Invalid id'));
    }
    this.#require('update', resource.resourceType);
    // A deleted resource may be written again (platform.md §8.2); one that never was may not.
    const existing = this.#findUnlessGone<T>(resource.resourceType, id, 'update');
    if (ifMatch && existing?.meta?.versionId !== ifMatch) {
      throw new OperationOutcomeError(preconditionFailed);
    }
    return this.#put({ ...resource, id }, existing, 'update');
  }

  async #put<T extends Resource>(
    resource: WithId<T>,
    existing: WithId<T> | undefined,
    interaction: 'create' | 'update'
  ): Promise<WithId<T>> {
    const { clock, projectId, store } = this.#backend;
    validateResourceType(resource.resourceType);
    this.#require(interaction, resource.resourceType);
    if (store.row(resource.resourceType, resource.id) && interaction === 'create') {
      throw new OperationOutcomeError(badRequest('Assigned ID is already in use'));
    }
    const next = restoreFields(this.#caller, this.#caller.system ? structuredClone(resource) : resource, existing);
    await resolveConditionalReferences(next, (request) => this.searchResources(request));
    next.meta = {
      ...next.meta,
      versionId: this.generateId(),
      lastUpdated: store.timestamp(clock.now()),
      author: this.#caller.author as Reference<never>,
      project: projectId,
    };
    next.meta.compartment = compartmentsOf(next, projectId);
    validateResource(next);
    if (existing && deepEquals(JSON.parse(JSON.stringify(existing)), next)) {
      return existing;
    }
    if (!satisfiesConstraints(permission(this.#caller, interaction, next), existing, next)) {
      throw new OperationOutcomeError(forbidden);
    }

    const data = takeContent(next);
    const previous = existing && store.row(next.resourceType, next.id)?.current;
    const { version, undo } = store.put(next);
    if (data) {
      store.setContent(next.id, data);
    }
    this.#transaction?.did(undo, { interaction, type: next.resourceType, id: next.id, version, previous });
    return version.resource as WithId<T>;
  }

  async #delete(type: string, id: string): Promise<void> {
    const { clock, store } = this.#backend;
    const resource = this.#findUnlessGone(type, id, 'delete');
    const version = this.#row(type, id)?.current;
    if (!resource || !version) {
      return;
    }
    const undo = store.bury(type, id, this.generateId(), store.timestamp(clock.now()));
    this.#transaction?.did(undo, { interaction: 'delete', type, id, version, previous: version });
    this.#audit('delete', resource);
  }

  /** @throws OperationOutcomeError 404, 410 or 403 in the order of the real server. */
  #find<T extends Resource>(type: string, id: string): WithId<T> {
    if (!isUUID(id)) {
      throw new OperationOutcomeError(notFound);
    }
    validateResourceType(type);
    this.#require('read', type);
    const row = this.#row(type, id);
    if (!row) {
      throw new OperationOutcomeError(notFound);
    }
    const { resource } = row.current;
    if (!resource) {
      throw new OperationOutcomeError(gone);
    }
    if (!permission(this.#caller, 'read', resource)) {
      throw new OperationOutcomeError(notFound);
    }
    return resource as WithId<T>;
  }

  /** As `#find`, and checks that the policy permits the interaction on what is found. Undefined if it is deleted. */
  #findUnlessGone<T extends Resource>(
    type: string,
    id: string,
    interaction: 'update' | 'delete' | 'history' | 'vread'
  ): WithId<T> | undefined {
    try {
      const resource = this.#find<T>(type, id);
      if (!permission(this.#caller, interaction, resource)) {
        throw new OperationOutcomeError(forbidden);
      }
      return resource;
    } catch (error) {
      if (isGone(normalizeOperationOutcome(error))) {
        return undefined;
      }
      throw error;
    }
  }

  #row(type: string, id: string): Row | undefined {
    return this.#backend.store.row(type, id);
  }

  #require(interaction: 'create' | 'read' | 'update', type: string): void {
    if (!maySome(this.#caller, interaction, type)) {
      throw new OperationOutcomeError(forbidden);
    }
  }

  #consume(points: number): void {
    if (!this.#caller.system) {
      this.#backend.quota.consume(this.#caller.membershipId, points);
    }
  }

  /** AuditEvents are written with the caller's own policy: a caller who may not create one is not audited (platform.md §4.3). */
  #audit(interaction: AuditedInteraction, resource: Resource): void {
    const { baseUrl, clock, saveAuditEvents } = this.#backend;
    const { author, system, trace } = this.#caller;
    if (!saveAuditEvents || system || resource.resourceType === 'AuditEvent' || !maySome(this.#caller, 'create', 'AuditEvent')) {
      return;
    }
    const make = (): ReturnType<typeof restEvent> =>
      restEvent(interaction, resource, author, trace, clock.iso(), baseUrl);
    if (this.#transaction) {
      this.#transaction.audits.push(make);
    } else {
      this.#putAudit(make());
    }
  }

  #putAudit(event: Resource): void {
    const { clock, projectId, store } = this.#backend;
    const meta = {
      versionId: this.generateId(),
      lastUpdated: store.timestamp(clock.now()),
      author: this.#caller.author as Reference<never>,
      project: projectId,
      compartment: compartmentsOf(event, projectId),
    };
    store.put({ ...event, id: this.generateId(), meta });
  }

  #give<R>(value: R): R {
    if (typeof value !== 'object' || value === null || !('resourceType' in value)) {
      return value;
    }
    const shown = visible(value as Resource, this.#caller, this.#caller.extended);
    return (this.#caller.system ? structuredClone(shown) : shown) as R;
  }

  #found<T extends Resource>(type: string, { id, current }: Row): WithId<T> {
    return this.#give(
      (current.resource ?? { resourceType: type as ResourceType, id, meta: { lastUpdated: current.lastUpdated } }) as WithId<T>
    );
  }

  #reduced<T extends Resource>(entry: BundleEntry<T>, request: SearchRequest): BundleEntry<T> {
    return entry.resource && (request.fields || request.summary)
      ? { ...entry, resource: subset(entry.resource, request) }
      : entry;
  }

  #fullUrl(type: string, id: string): string {
    return `${this.#backend.baseUrl}fhir/R4/${type}/${id}`;
  }

  #historyEntry<T extends Resource>(type: string, id: string, version: Version): BundleEntry<WithId<T>> {
    const outcome: OperationOutcome = version.resource
      ? allOk
      : {
          resourceType: 'OperationOutcome',
          id: 'gone',
          issue: [
            { severity: 'error', code: 'deleted', details: { text: `Deleted on ${version.lastUpdated}` } },
          ],
        };
    return {
      fullUrl: this.#fullUrl(type, id),
      request: { method: 'GET', url: `${type}/${id}/_history/${version.versionId}` },
      response: { status: getStatus(outcome).toString(), outcome },
      ...(version.resource && { resource: this.#give(version.resource as WithId<T>) }),
    };
  }
}

/** @throws OperationOutcomeError 400 if an operation fails, `test` included. Nothing is written then. */
function applyAnyPatch(resource: Resource, patch: Operation[] | Parameters): void {
  try {
    if (!Array.isArray(patch)) {
      fhirpathPatchTypedValue(toTypedValue(resource), parseFhirPathPatchParameters(patch));
      return;
    }
    const failures = applyPatch(resource, patch).filter((failure) => failure !== null);
    if (failures.length > 0) {
      throw new OperationOutcomeError(badRequest(failures.map((failure) => failure.message).join('\n')));
    }
  } catch (error) {
    throw new OperationOutcomeError(normalizeOperationOutcome(error));
  }
}

/** Takes the data out of a Binary: the real server keeps it elsewhere. */
function takeContent(resource: Resource): Uint8Array | undefined {
  const binary = resource as Binary;
  if (binary.resourceType !== 'Binary' || !binary.data) {
    return undefined;
  }
  const bytes = Buffer.from(binary.data, 'base64');
  delete binary.data;
  return bytes;
}
