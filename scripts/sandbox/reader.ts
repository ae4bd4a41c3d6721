import {
  allOk,
  forbidden,
  getStatus,
  gone,
  isGone,
  isUUID,
  normalizeOperationOutcome,
  notFound,
  OperationOutcomeError,
  validateResourceType,
} from '@medplum/core';
import type { WithId } from '@medplum/core';
import type { BundleEntry, OperationOutcome, Resource, ResourceType } from '@medplum/fhirtypes';
import { maySome, permission, visible } from './access.ts';
import type { Backend, Caller } from './caller.ts';
import type { Row } from './table.ts';
import type { Version } from './version.ts';

/** What one caller can see of what is stored. */
export class Reader {
  readonly #backend: Backend;
  readonly #caller: Caller;

  constructor(backend: Backend, caller: Caller) {
    this.#backend = backend;
    this.#caller = caller;
  }

  /**
   * The current version, frozen.
   * @throws OperationOutcomeError 404, 400, 403 or 410, in the order of the real server; 404 for what the criteria hide.
   */
  find<T extends Resource>(type: string, id: string): WithId<T> {
    if (!isUUID(id)) {
      throw new OperationOutcomeError(notFound);
    }
    validateResourceType(type);
    if (!maySome(this.#caller, 'read', type)) {
      throw new OperationOutcomeError(forbidden);
    }
    const row = this.#backend.store.row(type, id);
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

  /**
   * The current version of what the caller may do this to; undefined if it is deleted.
   * @throws OperationOutcomeError as `find`, and 403 if the policy does not permit the interaction.
   */
  findUnlessGone<T extends Resource>(
    type: string,
    id: string,
    interaction: 'update' | 'delete' | 'history' | 'vread'
  ): WithId<T> | undefined {
    try {
      const resource = this.find<T>(type, id);
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

  /** What the caller gets of a stored resource: without what is hidden, and a copy if the caller may change it. */
  show<T extends Resource>(resource: T): T {
    const shown = visible(resource, this.#caller, this.#caller.extended);
    return this.#caller.system ? structuredClone(shown) : shown;
  }

  /** What a search shows of a row; of a deleted one, id and time (platform.md §5.8). */
  showRow<T extends Resource>(type: string, { id, current }: Row): WithId<T> {
    const tombstone = { resourceType: type as ResourceType, id, meta: { lastUpdated: current.lastUpdated } };
    return this.show((current.resource ?? tombstone) as WithId<T>);
  }

  historyEntry<T extends Resource>(type: string, id: string, version: Version): BundleEntry<WithId<T>> {
    const outcome = version.resource ? allOk : deletedOn(version.lastUpdated);
    return {
      fullUrl: this.fullUrl(type, id),
      request: { method: 'GET', url: `${type}/${id}/_history/${version.versionId}` },
      response: { status: getStatus(outcome).toString(), outcome },
      ...(version.resource && { resource: this.show(version.resource as WithId<T>) }),
    };
  }

  fullUrl(type: string, id: string): string {
    return `${this.#backend.baseUrl}fhir/R4/${type}/${id}`;
  }
}

function deletedOn(time: string): OperationOutcome {
  return {
    resourceType: 'OperationOutcome',
    id: 'gone',
    issue: [{ severity: 'error', code: 'deleted', details: { text: `Deleted on ${time}` } }],
  };
}
