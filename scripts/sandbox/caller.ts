import type { Reference } from '@medplum/fhirtypes';
import type { Access } from './access.ts';
import type { Trace } from './audit.ts';
import type { SandboxClock } from './clock.ts';
import type { Quota } from './quota.ts';
import type { Change, Store } from './store.ts';

/** What all repositories of one server share. */
export interface Backend {
  readonly store: Store;
  readonly clock: SandboxClock;
  readonly quota: Quota;
  readonly projectId: string;
  /** Ends with a slash. */
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
  /** The server itself or its operator: no AuditEvents, no quota, and copies that may be changed. */
  readonly system: boolean;
}

/** A caller who may do everything and leaves no trace but `meta.author`. */
export function systemCaller(author: Reference, trace: Trace): Caller {
  return { author, membershipId: 'system', admin: true, policy: undefined, trace, extended: true, system: true };
}
