/** All that the inside may ask of the outside. Adapters live in `*.io.ts` files; `bots/wire.ts` joins them. */
import type { Buffer } from 'node:buffer';
import type { AuditEvent, Basic, Bundle, BundleEntry, Consent, Resource, Task } from '@medplum/fhirtypes';
import type { Sealed } from './fhir/sealed.ts';

/** Time. */
export interface Clock {
  /** @returns Milliseconds since the epoch. */
  now(): number;
  /** @param ms - How long to wait, in milliseconds. */
  sleep(ms: number): Promise<void>;
}

/** Chance: jitter and correlation ids only, never anything that must be secret. */
export interface Random {
  /** @returns A number in [0, 1). */
  unit(): number;
  /** @returns A fresh UUID (RFC 9562). */
  uuid(): string;
}

/** One answer of a read batch: the resource, or the status that came instead of it. */
export interface Fetched {
  readonly status: number;
  readonly resource?: Resource;
}

/** What a server has against what was to be written. */
export interface RefusedIssue {
  /** FHIRPath. */
  readonly expression?: string | undefined;
  /** Its words, which may quote the data. */
  readonly text: string;
}

/** What became of a transaction. */
export type Committed =
  | { readonly kind: 'stored'; readonly resources: readonly (Resource | undefined)[] }
  /** Something is in another version than the caller knows. Nothing was stored. */
  | { readonly kind: 'raced' }
  /** Something is not as the server wants it. Nothing was stored. */
  | { readonly kind: 'refused'; readonly issues: readonly RefusedIssue[] };

/** The Medplum project that the bots are deployed into. */
export interface SourceFhir {
  /**
   * Sends one batch of GETs. Reads only: a batch with writes leaks connections on Medplum (`platform.md` §4.1).
   *
   * @param urls - FHIR-relative URLs, or the next link of a page.
   * @returns One answer per URL, in order. A missing resource is a status, not an error.
   */
  read(urls: readonly string[]): Promise<readonly Fetched[]>;
  /**
   * @param url - A FHIR-relative search URL, or a `next` link of the server itself.
   * @returns The page.
   */
  search(url: string): Promise<Bundle>;
  /** @param event - An audit event of ours. */
  record(event: AuditEvent): Promise<void>;
  /**
   * Creates a control resource unless one with the same identifier exists (conditional create).
   *
   * @param control - The resource; its first identifier is the condition.
   * @returns What is there now: the new one, or the one that was there.
   */
  ensure(control: Basic): Promise<Basic>;
  /**
   * Creates a Consent unless one with the same identifier exists (conditional create).
   *
   * @param consent - The Consent; its first identifier is the condition.
   * @returns What is there now: the new one, or the one that was there.
   */
  ensureConsent(consent: Consent): Promise<Consent>;
  /**
   * Replaces a Consent unless somebody else has changed it (`If-Match`).
   *
   * @param consent - The Consent, with its id and the version that it was made from.
   * @returns False when there is another version by now.
   */
  replaceConsent(consent: Consent): Promise<boolean>;
  /**
   * Creates or replaces a control resource by its first identifier.
   *
   * @param control - The resource.
   */
  save(control: Basic): Promise<void>;
  /**
   * Creates a job unless one with the same identifier exists (conditional create).
   *
   * @param job - The job; its first identifier is the condition.
   * @returns What is there now: the new one, or the one that was there.
   */
  enlist(job: Task): Promise<Task>;
  /**
   * Replaces jobs in one transaction, each by its id and only if its version is the newest (`If-Match`).
   *
   * @param jobs - At most 50 (`platform.md` §11.5), with id and `meta.versionId`.
   * @returns The jobs with their new versions; undefined when any has another version by now, and none was replaced.
   */
  change(jobs: readonly Task[]): Promise<readonly Task[] | undefined>;
  /** @param jobs - To be deleted, in one transaction. What is not there is gone. */
  dismiss(jobs: readonly Task[]): Promise<void>;
  /**
   * Replaces a control resource unless somebody else has changed it (`If-Match`).
   *
   * @param control - The resource, with its id.
   * @param versionId - The version that it was made from.
   * @returns False when there is another version by now.
   */
  replace(control: Basic, versionId: string): Promise<boolean>;
  /**
   * Creates a Binary.
   *
   * @param content - Its text.
   * @param contentType - Its media type.
   * @param securityContext - The resource whose readers may read it.
   * @returns `Binary/id`.
   */
  store(content: string, contentType: string, securityContext: string): Promise<string>;
  /**
   * @param binary - `Binary/id`.
   * @returns Its text; undefined when there is none.
   */
  load(binary: string): Promise<string | undefined>;
  /**
   * Stores events and replaces a control resource, all in one transaction or nothing of it. The control resource is the fence:
   * when it is not in the version that the caller knows, somebody else has written.
   *
   * @param control - The control resource, with its id.
   * @param versionId - The version that it was made from.
   * @param events - At most two hundred, and less than a megabyte.
   * @returns The new version; undefined when there is another version by now, and then nothing was stored.
   * @throws Fault `source-refused` when the source refuses any of it; then nothing was stored either.
   */
  append(control: Basic, versionId: string, events: readonly AuditEvent[]): Promise<string | undefined>;
  /**
   * Writes in one transaction, or nothing.
   *
   * @param entries - At most 50 updates by id (`platform.md` §11.5), none of them conditional, and less than a megabyte.
   * @returns What was stored, in the order of the entries; or why nothing was.
   * @throws Fault `source-*` for anything but a precondition that failed and content that is refused.
   */
  commit(entries: readonly BundleEntry[]): Promise<Committed>;
  /**
   * Deletes resources in one transaction.
   *
   * @param references - `Type/id`, at most a hundred; what is gone stays gone.
   */
  remove(references: readonly string[]): Promise<void>;
  /** @param binary - `Binary/id`, to be deleted if it is there. */
  discard(binary: string): Promise<void>;
}

/** The other bots of the bundle, each with rights of its own. */
export interface Bots {
  /**
   * Calls a bot by `$execute`, in the name of the running one.
   *
   * @param bot - Its name, as in `bots.config.json`.
   * @param input - What it is called with.
   * @returns Its answer.
   * @throws Its own Fault; `bot-failed` when it has none.
   */
  ask(bot: string, input: unknown): Promise<object>;
}

/** Which record, and which version of it, an encrypted original is. */
export interface Label {
  readonly token: string;
  readonly version: string;
}

/** Encrypts originals. Whoever has the replica, and whoever has the source's storage without the key, learns nothing from them. */
export interface Sealer {
  /** Names the key: what was sealed under another is sealed anew when it is next looked at. */
  readonly kid: string;
  /** Names the key of the version before, while there is one. */
  readonly formerKid?: string;
  seal(text: string, label: Label): string;
}

/** Opens them as well. */
export interface Vault extends Sealer {
  /** @returns The text; undefined when it was sealed under an unknown key or for another label, or has been changed. */
  open(sealed: string, label: Label): string | undefined;
}

/** What the replica answered, as far as anyone has to tell answers apart. */
export type ReplicaOutcome =
  | { readonly kind: 'done'; readonly status: number }
  /** What was to be read or changed by its id is not there, or not any more. */
  | { readonly kind: 'gone'; readonly status: number }
  | { readonly kind: 'duplicate' }
  | { readonly kind: 'rejected'; readonly status: number }
  | { readonly kind: 'unauthorised'; readonly status: number }
  | { readonly kind: 'conflict' }
  | { readonly kind: 'throttled'; readonly retryAfterMs?: number }
  | { readonly kind: 'unavailable'; readonly status?: number };

/** A copy on the replica, as a search for its token finds it. */
export interface Copy {
  readonly resourceType: string;
  readonly id: string;
  readonly token: string;
  readonly digest: string | undefined;
  /** What its subject and encounter refer to, `Type/id` on the replica. */
  readonly references: readonly string[];
}

/** A copy with all that the replica holds of it, to be checked against its digest. */
export interface Inspected extends Copy {
  readonly content: Resource;
}

/** One page of a walk over the replica. */
export interface CopyPage {
  readonly copies: readonly Inspected[];
  /** Where the next one is, relative to the FHIR endpoint. */
  readonly next: string | undefined;
}

/** A copy by the names that it has for us. */
export interface CopyName {
  readonly resourceType: string;
  readonly token: string;
  readonly tokenSystem: string;
}

/**
 * Removes copies with their history. It signs in with credentials of its own, which only it has: on Medplum `$expunge` needs an
 * admin membership and looks at neither AccessPolicy nor project (`platform.md` §8).
 */
export interface Eraser {
  /**
   * Expunges copies, and looks whether they are gone: by search, read and history.
   *
   * @param names - At most a page of copies. What is not there is gone.
   * @param only - Of what is found under the names, only these: the others stay.
   * @throws Fault `replica-*` when not everything could be seen to be gone.
   */
  erase(names: readonly CopyName[], only?: readonly Copy[]): Promise<void>;
}

/** One change of the bulk path. */
export type Change =
  | { readonly action: 'create'; readonly sealed: Sealed }
  | { readonly action: 'update'; readonly sealed: Sealed; readonly id: string }
  | { readonly action: 'delete'; readonly copy: Copy };

/** The other FHIR server. Nothing but a `Sealed` resource can be handed to it. */
export interface ReplicaFhir {
  /**
   * One conditional update by token (FHIR R4 http.html#cond-update).
   *
   * @param sealed - The copy to create or replace.
   */
  upsert(sealed: Sealed): Promise<ReplicaOutcome>;
  /**
   * The same for several resources in one transaction, parents first.
   *
   * @param sealed - At most eight: Medplum refuses more in one transaction that may create (`platform.md` §11.5).
   */
  upsertTogether(sealed: readonly Sealed[]): Promise<ReplicaOutcome>;
  /**
   * Conditional delete by token; deleting what is not there is done as well.
   *
   * @param resourceType - The FHIR type.
   * @param tokenSystem - The identifier system of the token.
   * @param token - The token.
   */
  withdraw(resourceType: string, tokenSystem: string, token: string): Promise<ReplicaOutcome>;
  /**
   * Plain creates, updates and deletes by id in one transaction.
   *
   * @param changes - At most 50 updates (`platform.md` §11.5), parents before children.
   */
  write(changes: readonly Change[]): Promise<ReplicaOutcome>;
  /**
   * Finds copies by search, all pages, in as few requests as possible.
   *
   * @param queries - FHIR-relative searches; every one must be of tokens or of a replica id.
   * @returns The copies.
   * @throws Fault `replica-*` when any page cannot be read: an unread page is never an empty one.
   */
  find(queries: readonly string[]): Promise<readonly Copy[]>;
  /**
   * The same with contents.
   *
   * @param queries - FHIR-relative searches without `_fields`.
   * @returns The copies.
   * @throws Fault `replica-*` when any page cannot be read.
   */
  inspect(queries: readonly string[]): Promise<readonly Inspected[]>;
  /**
   * How many resources searches find, all asked in one request.
   *
   * @param queries - FHIR-relative searches without paging parameters.
   * @returns One count per search, in order.
   * @throws Fault `replica-*` when any cannot be counted.
   */
  count(queries: readonly string[]): Promise<readonly number[]>;
  /**
   * One page of a walk.
   *
   * @param url - A FHIR-relative search, or the `next` of the page before.
   * @returns The page.
   * @throws Fault `replica-*` when it cannot be read.
   */
  page(url: string): Promise<CopyPage>;
}

/** The replica's own trail. Reads only. */
export interface ReplicaTrail {
  /**
   * @param since - From this `lastUpdated` on, an ISO 8601 instant; undefined for the oldest.
   * @param offset - How many to leave out.
   * @returns At most a thousand events in the order of (`lastUpdated`, `id`), as far as they are visible now.
   * @throws Fault `replica-*` when the page cannot be read.
   */
  page(since: string | undefined, offset: number): Promise<readonly AuditEvent[]>;
}

/** Hides texts that lie in the source from whoever can read it. */
export interface Sealing {
  seal(text: string): string;
  /** @returns The text; undefined when it was sealed under another key or has been changed. */
  open(sealed: string): string | undefined;
}

/** What the partner answered, with what its headers say (FHIR Bulk Data Access 2.0, RFC 9110 §10.2.3). */
export interface PartnerAnswer {
  readonly status: number;
  readonly body: string;
  /** How long it asks to wait, in milliseconds. */
  readonly waitMs: number | undefined;
  /** `Content-Location`, as sent. */
  readonly location: string | undefined;
  /** What `X-Progress` says in percent, where it says a number. */
  readonly percent: number | undefined;
}

/** What is wanted of a file. */
export interface Wanted {
  readonly url: string;
  readonly needsToken: boolean;
  /** In bytes. */
  readonly offset: number;
  readonly length: number;
  /** Of the file that the bytes before came from. */
  readonly etag: string | undefined;
}

/** Bytes of a file, or why there are none. */
export type Slice =
  | {
      readonly kind: 'bytes';
      readonly bytes: Buffer;
      /** Whether the file ends here. Bytes that just stopped coming are no end. */
      readonly isEnd: boolean;
      readonly etag: string | undefined;
    }
  /** The link is not good any more, or never was. */
  | { readonly kind: 'expired' }
  /** There is another file under the link than before. */
  | { readonly kind: 'changed' };

/** Another organization's FHIR server. Whatever it says is somebody else's word. */
export interface PartnerFhir {
  /**
   * One request to the FHIR server itself, signed in.
   *
   * @param method - Reads, and DELETE of an export of ours; POST for operations.
   * @param url - Absolute, or relative to the FHIR endpoint.
   * @param extra - Headers beside the usual ones, and a body.
   * @returns The answer, whatever its status.
   * @throws Fault `partner-unavailable` without an answer; `partner-unauthorised`; `partner-rejected` for another host.
   */
  ask(
    method: 'GET' | 'POST' | 'DELETE',
    url: string,
    extra?: { readonly headers?: Readonly<Record<string, string>>; readonly body?: string }
  ): Promise<PartnerAnswer>;
  /**
   * Part of a file. Where the server knows no Range, what lies before is read and dropped.
   *
   * @param wanted - Which part.
   * @returns As many bytes as came in time, up to the length, or more from a server without Range.
   * @throws Fault `partner-unavailable` when none came; `partner-unauthorised`; `partner-rejected` for a host that is not listed.
   */
  slice(wanted: Wanted): Promise<Slice>;
}

/** Whether the replica can be worked with. Reads only. */
export interface ReplicaProbe {
  /** @throws Fault `replica-*` unless a FHIR server answers. */
  reach(): Promise<void>;
  /** @throws Fault `replica-*` unless it accepts our credentials. */
  signIn(): Promise<void>;
}

export type LogLevel = 'info' | 'warn' | 'error';

/** What can happen. */
export type LogEvent =
  | 'change-synced'
  | 'page-synced'
  | 'patient-synced'
  | 'consent-ambiguous'
  | 'sweep-finished'
  | 'jobs-drained'
  | 'job-queued'
  | 'breaker-opened'
  | 'breaker-closed'
  | 'reconciliation-advanced'
  | 'sync-is-off'
  | 'input-ignored'
  | 'reveal-answered'
  | 'export-answered'
  | 'gateway-answered'
  | 'research-answered'
  | 'admin-answered'
  | 'ingest-answered'
  | 'audit-mirrored'
  | 'audit-sealed'
  | 'audit-retained'
  | 'partner-pulled'
  | 'match-answered'
  | 'run-failed';

/** What may be said about it. */
export interface LogFields {
  readonly bot?: string;
  readonly resourceType?: string;
  readonly token?: string;
  readonly action?: string;
  readonly reason?: string;
  readonly fault?: string;
  readonly attempt?: number;
  readonly durationMs?: number;
  readonly put?: number;
  readonly unchanged?: number;
  readonly withdrawn?: number;
  readonly skipped?: number;
  readonly quarantined?: number;
  readonly failed?: number;
  readonly pages?: number;
  readonly fetched?: number;
  readonly mirrored?: number;
  readonly errors?: number;
  readonly sealed?: number;
  readonly archived?: number;
  readonly deleted?: number;
  readonly jobs?: number;
}

export type Log = (level: LogLevel, event: LogEvent, fields?: LogFields) => void;
