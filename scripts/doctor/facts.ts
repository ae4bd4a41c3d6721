/** Everything that the checks are made from. Gathered once, by reads alone; checks only judge. */
import type {
  AccessPolicy,
  AuditEvent,
  Basic,
  Bot,
  CapabilityStatement,
  Organization,
  Project,
  ProjectMembership,
  Subscription,
  Task,
  UserConfiguration,
} from '@medplum/fhirtypes';
import type { Loaded, Secrets } from '../../src/config/load.ts';
import type { Systems } from '../../src/fhir/systems.ts';
import type { Manifest } from '../deploy/manifest.ts';
import type { Answer, Listed } from './http.ts';

/** One server's trail and callers, as far as they can be seen. */
export interface Oversight {
  /** Undefined when the client may not read it. */
  readonly project: Project | undefined;
  readonly policies: Listed<AccessPolicy>;
  readonly memberships: Listed<ProjectMembership>;
  /** The newest AuditEvents that the platform wrote of REST requests. */
  readonly events: Listed<AuditEvent>;
}

/** What is known of the source. */
export interface SourceFacts extends Oversight {
  readonly baseUrl: string;
  readonly health: Answer;
  readonly capabilities: CapabilityStatement | undefined;
  readonly token: Answer;
  readonly isAdmin: boolean;
  readonly bots: Listed<Bot>;
  readonly subscriptions: Listed<Subscription>;
  readonly configurations: Listed<UserConfiguration>;
  readonly waiting: Listed<Task>;
  readonly failed: number | undefined;
  /** Whether the queue is paused, or its breaker open. */
  readonly queueControl: Listed<Basic>;
  readonly checkpoint: Listed<Basic>;
  /** How far the audit mirror has come. */
  readonly mirror: Listed<Basic>;
  readonly newestSeal: Listed<Basic>;
  /** What the bot `metrics` has kept of its last reading. */
  readonly figures: Listed<Basic>;
  /** The oldest event of our trail. */
  readonly oldestEvent: Listed<AuditEvent>;
  /** The newest events of complete reconciliations. */
  readonly reconciliations: Listed<AuditEvent>;
  /** Organizations that name a client of the bot `ingest`. */
  readonly senders: Listed<Organization>;
  /** Changed records of replicated types in the last hour. */
  readonly changes: number | undefined;
  /** How long parallel reads took, in milliseconds, and the statuses that were not 200. */
  readonly reads: readonly Answer[];
}

/** What is known of the replica; absent while the settings do not say where it is. */
export interface ReplicaFacts extends Oversight {
  readonly metadata: Answer;
  readonly capabilities: CapabilityStatement | undefined;
  readonly token: Answer;
  /** The project of the bots' client, if the token endpoint tells. */
  readonly projectId: string | undefined;
  /** An answer to the bots' own client. */
  readonly answer: Answer | undefined;
  /** What the bots' own client sees of the trail. */
  readonly trail: Answer | undefined;
  /** Id of the newest copy, and whether the trail knows it; undefined when either cannot be seen. */
  readonly newestCopy: { readonly id: string; readonly isAudited: boolean } | 'none' | undefined;
}

/** What is known of the partner; absent while none is set. */
export interface PartnerFacts {
  readonly problems: readonly string[];
  readonly metadata?: Answer;
  /** Undefined where none is needed. */
  readonly token?: Answer | undefined;
  /** The Organization of the source that it is. */
  readonly organization?: Answer;
}

export interface Facts {
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly manifest: Manifest;
  readonly secrets: Secrets;
  readonly loaded: Loaded;
  readonly systems: Systems;
  readonly source: SourceFacts;
  readonly replica: ReplicaFacts | undefined;
  readonly partner: PartnerFacts | undefined;
}
