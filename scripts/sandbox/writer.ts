import {
  badRequest,
  deepEquals,
  forbidden,
  isUUID,
  OperationOutcomeError,
  preconditionFailed,
  validateResource,
  validateResourceType,
} from '@medplum/core';
import type { WithId } from '@medplum/core';
import type { Binary, Resource } from '@medplum/fhirtypes';
import { randomUUID } from 'node:crypto';
import { maySome, permission } from './access.ts';
import type { Backend, Caller } from './caller.ts';
import { compartmentsOf } from './compartment.ts';
import { restoreFields, satisfiesConstraints } from './fields.ts';
import type { Reader } from './reader.ts';
import { resolveConditionalReferences } from './references.ts';
import type { FindTwo } from './references.ts';
import type { Transaction } from './transaction.ts';

/** Writes on behalf of one caller within one transaction. */
export class Writer {
  readonly #backend: Backend;
  readonly #caller: Caller;
  readonly #reader: Reader;
  readonly #transaction: Transaction;
  readonly #find: FindTwo;

  /** @param find - How conditional references are looked up: within the same transaction. */
  constructor(backend: Backend, caller: Caller, reader: Reader, transaction: Transaction, find: FindTwo) {
    this.#backend = backend;
    this.#caller = caller;
    this.#reader = reader;
    this.#transaction = transaction;
    this.#find = find;
  }

  /** @throws OperationOutcomeError 400 if it is invalid or its id is taken, 403 if the policy forbids it. */
  async create<T extends Resource>(resource: WithId<T>): Promise<WithId<T>> {
    if (this.#backend.store.row(resource.resourceType, resource.id)) {
      throw new OperationOutcomeError(badRequest('Assigned ID is already in use'));
    }
    return this.#put(resource, undefined, 'create');
  }

  /**
   * Writes the next version. A deleted resource may be written again (platform.md §8.2); one that never was may not.
   * @throws OperationOutcomeError as `create`; 404 if there is none, 412 if `ifMatch` is not its version.
   */
  async update<T extends Resource>(resource: T, ifMatch: string | undefined): Promise<WithId<T>> {
    const { resourceType, id } = resource;
    if (!id || !isUUID(id)) {
      throw new OperationOutcomeError(badRequest(id ? 'Invalid id' : 'Missing id'));
    }
    this.#require('update', resourceType);
    const existing = this.#reader.findUnlessGone<T>(resourceType, id, 'update');
    if (ifMatch && existing?.meta?.versionId !== ifMatch) {
      throw new OperationOutcomeError(preconditionFailed);
    }
    return this.#put({ ...resource, id }, existing, 'update');
  }

  /** Buries a resource and returns its last version; undefined if it was buried before. */
  delete(type: string, id: string): Resource | undefined {
    const { clock, store } = this.#backend;
    const resource = this.#reader.findUnlessGone(type, id, 'delete');
    const version = store.row(type, id)?.current;
    if (!resource || !version) {
      return undefined;
    }
    const undo = store.bury(type, id, randomUUID(), store.timestamp(clock.now()));
    this.#transaction.did(undo, { interaction: 'delete', type, id, version, previous: version });
    return resource;
  }

  async #put<T extends Resource>(
    resource: WithId<T>,
    existing: WithId<T> | undefined,
    interaction: 'create' | 'update'
  ): Promise<WithId<T>> {
    const { store } = this.#backend;
    validateResourceType(resource.resourceType);
    this.#require(interaction, resource.resourceType);
    const next = await this.#prepare(resource, existing);
    if (existing && deepEquals(JSON.parse(JSON.stringify(existing)), next)) {
      return existing;
    }
    if (!satisfiesConstraints(permission(this.#caller, interaction, next), existing, next)) {
      throw new OperationOutcomeError(forbidden);
    }
    const data = takeContent(next);
    const previous = store.row(next.resourceType, next.id)?.current;
    const { version, undo } = store.put(next);
    if (data) {
      store.setContent(next.id, data);
    }
    this.#transaction.did(undo, {
      interaction,
      type: next.resourceType,
      id: next.id,
      version,
      previous: previous?.resource && previous,
    });
    return version.resource as WithId<T>;
  }

  /** Fills in what the server decides, and validates the whole. */
  async #prepare<T extends Resource>(resource: WithId<T>, existing: WithId<T> | undefined): Promise<WithId<T>> {
    const { clock, projectId, store } = this.#backend;
    const own = this.#caller.system ? structuredClone(resource) : resource;
    const next = restoreFields(this.#caller, own, existing);
    await resolveConditionalReferences(next, this.#find);
    next.meta = {
      ...next.meta,
      versionId: randomUUID(),
      lastUpdated: store.timestamp(clock.now()),
      author: this.#caller.author,
      project: projectId,
    };
    next.meta.compartment = compartmentsOf(next, projectId);
    validateResource(next);
    return next;
  }

  #require(interaction: 'create' | 'update', type: string): void {
    if (!maySome(this.#caller, interaction, type)) {
      throw new OperationOutcomeError(forbidden);
    }
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
