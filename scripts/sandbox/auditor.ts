import type { AuditEvent, Project, Reference, Resource } from '@medplum/fhirtypes';
import { randomUUID } from 'node:crypto';
import { maySome } from './access.ts';
import { redacted, restEvent } from './audit.ts';
import type { AuditedInteraction } from './audit.ts';
import type { Backend, Caller } from './caller.ts';
import { compartmentsOf } from './compartment.ts';
import type { Transaction } from './transaction.ts';

/** Writes the AuditEvents of one caller. */
export class Auditor {
  readonly #backend: Backend;
  readonly #caller: Caller;

  constructor(backend: Backend, caller: Caller) {
    this.#backend = backend;
    this.#caller = caller;
  }

  /**
   * Records an interaction with a whole resource; within a transaction, once it is committed. It is written with the caller's
   * own policy, so a caller who may not create AuditEvents is not audited at all (platform.md §4.3).
   */
  record(interaction: AuditedInteraction, resource: Resource, transaction: Transaction | undefined): void {
    const { baseUrl, clock, projectId, saveAuditEvents, store } = this.#backend;
    const { author, system, trace } = this.#caller;
    if (
      !saveAuditEvents ||
      system ||
      resource.resourceType === 'AuditEvent' ||
      !maySome(this.#caller, 'create', 'AuditEvent')
    ) {
      return;
    }
    const project = store.row('Project', projectId)?.current.resource as Project | undefined;
    const make = (): AuditEvent =>
      redacted(restEvent(interaction, resource, author, trace, clock.iso(), baseUrl), project);
    if (transaction) {
      transaction.audits.push(make);
    } else {
      this.put(make());
    }
  }

  /** Stores an event that the server made; it needs no validation, and fires nothing. */
  put(event: AuditEvent): void {
    const { clock, projectId, store } = this.#backend;
    const meta = {
      versionId: randomUUID(),
      lastUpdated: store.timestamp(clock.now()),
      author: this.#caller.author as Reference<never>,
      project: projectId,
      compartment: compartmentsOf(event, projectId),
    };
    store.put({ ...event, id: randomUUID(), meta });
  }
}
