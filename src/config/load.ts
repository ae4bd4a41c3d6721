/** Project secrets → a validated Config, or all the problems at once. Nothing else reads `event.secrets`. */
import { systemsOf } from '../fhir/systems.ts';
import type { Systems } from '../fhir/systems.ts';
import { PROFILE, STUB_TYPES } from './policy.ts';
import type { ReplicatedType, StubType } from './policy.ts';
import { problemsOf, valuesOf } from './read.ts';
import type { Secrets } from './read.ts';
import { SETTINGS } from './settings.ts';
import { seedOf } from './signing-key.ts';
import type { SettingName } from './settings.ts';
import { clientOf, fhirUrlOf, problemsOfSignIn, signingKeyOf } from './sign-in.ts';
import type { ClientSettings, ReadKey } from './sign-in.ts';

/** One version of PSEUDONYM_KEY. */
interface ProjectKey {
  readonly version: number;
  readonly secret: string;
}

/** What the bots work with. */
export interface Config {
  readonly syncEnabled: boolean;
  readonly production: boolean;
  readonly systems: Systems;
  readonly replica: ClientSettings & {
    readonly fhirUrl: string;
    readonly timeoutMs: number;
  };
  /** Credentials for `$expunge` on the replica. */
  readonly eraser: { readonly clientId: string; readonly clientSecret: string } | undefined;
  readonly consent: { readonly purpose: string; readonly actors: readonly string[] };
  /** Types of documentation that wait until their Encounters are finished. */
  readonly heldDocuments: readonly ReplicatedType[];
  /** How copies are de-identified: the build's, of `bots.config.json`. */
  readonly profile: 'pseudonymised' | 'safe-harbor';
  /** Of which types there are stubs: the build's as well. */
  readonly stubTypes: readonly StubType[];
  readonly key: ProjectKey;
  /** The key of the version before, while copies under it may still be on the replica. */
  readonly previousKey: ProjectKey | undefined;
  /** Under which originals are kept encrypted; undefined when none are. `previous` is the key of the version before. */
  readonly payloadKey:
    { readonly version: number; readonly secret: string; readonly previous: string | undefined } | undefined;
  /** ClientApplications that count as ADMIN when an original is asked for. */
  readonly revealClients: readonly string[];
  /** ClientApplications that may call the bot `admin`. */
  readonly adminClients: readonly string[];
  /** The classes of data that the Consents must permit before anything of a patient is exported. */
  readonly exportClasses: readonly string[];
  readonly research: { readonly k: number; readonly maxPatients: number; readonly filesMs: number };
  readonly ingest: {
    readonly bounds: { readonly entries: number; readonly bytes: number; readonly depth: number };
    readonly perMinute: number;
    /** Whether silence of the Consents is not enough. */
    readonly needsPermit: boolean;
    /** Whether what came in may be copied. */
    readonly isCopied: boolean;
  };
  readonly sweepOverlapMs: number;
  readonly audit: {
    /** The Ed25519 seed, hexadecimal; undefined while the trail is not sealed. */
    readonly seed: string | undefined;
    readonly retentionDays: number;
    readonly archiveYears: number;
  };
  readonly metricsMaxAgeMs: number;
  readonly queue: { readonly concurrency: number; readonly jobsPerSecond: number; readonly attempts: number };
  /** The hour (UTC) in which the nightly reconciliation begins. */
  readonly reconcileHour: number;
}

export type { Secrets };

/** The Config, or every problem, by name and without values. */
export type Loaded = { readonly config: Config } | { readonly problems: readonly string[] };

/**
 * Reads and judges all settings. Problems are gathered, so that one round of repairs is enough.
 *
 * @param secrets - `event.secrets`.
 * @returns The Config or all problems.
 */
export function load(secrets: Secrets): Loaded {
  const values = valuesOf(secrets, SETTINGS);
  const production = values.get('ENVIRONMENT') === 'production';
  const problems = problemsOf(values, SETTINGS, production);
  if (Boolean(values.get('ERASER_CLIENT_ID')) !== Boolean(values.get('ERASER_CLIENT_SECRET'))) {
    problems.push('ERASER_CLIENT_ID and ERASER_CLIENT_SECRET go together');
  }
  if (values.get('RESEARCH_K') === '1') {
    problems.push('RESEARCH_K must be 2 at least: one is nobody to be mistaken for');
  }
  const signingKey = signingKeyOf(values, 'REPLICA');
  problems.push(...problemsOfSignIn(values, 'REPLICA', signingKey));
  if (values.get('PAYLOAD_KEY') !== undefined && values.get('PAYLOAD_KEY') === values.get('PSEUDONYM_KEY')) {
    problems.push('PAYLOAD_KEY must not be PSEUDONYM_KEY');
  }
  if (values.get('PSEUDONYM_KEY_PREVIOUS') !== undefined) {
    if (values.get('PSEUDONYM_KEY_PREVIOUS') === values.get('PSEUDONYM_KEY')) {
      problems.push('PSEUDONYM_KEY_PREVIOUS must not be PSEUDONYM_KEY');
    }
    if (values.get('PSEUDONYM_KEY_VERSION') === '1') {
      problems.push('PSEUDONYM_KEY_PREVIOUS is set, so PSEUDONYM_KEY_VERSION must be above 1');
    }
  }
  return problems.length > 0
    ? { problems }
    : { config: build(values as ReadonlyMap<SettingName, string | undefined>, production, signingKey) };
}

function build(values: ReadonlyMap<SettingName, string | undefined>, production: boolean, signingKey: ReadKey): Config {
  const text = (name: SettingName): string => values.get(name) ?? '';
  const list = (name: SettingName): string[] =>
    text(name)
      .split(',')
      .map((part) => part.trim())
      .filter(Boolean);
  const version = Number(text('PSEUDONYM_KEY_VERSION'));
  return {
    syncEnabled: text('SYNC_ENABLED') === 'true',
    production,
    systems: systemsOf(text('NAMESPACE').replace(/\/*$/, '')),
    replica: {
      ...clientOf(values, 'REPLICA', signingKey),
      fhirUrl: fhirUrlOf(values, 'REPLICA'),
      timeoutMs: Number(text('REPLICA_TIMEOUT_MS')),
    },
    eraser:
      text('ERASER_CLIENT_ID') && text('ERASER_CLIENT_SECRET')
        ? { clientId: text('ERASER_CLIENT_ID'), clientSecret: text('ERASER_CLIENT_SECRET') }
        : undefined,
    consent: {
      purpose: text('CONSENT_PURPOSE'),
      actors: list('REPLICA_ACTORS'),
    },
    heldDocuments: list('DOCUMENTS_WHEN_FINISHED').filter((name) => name !== 'NONE') as ReplicatedType[],
    profile: PROFILE,
    stubTypes: STUB_TYPES,
    key: { version, secret: text('PSEUDONYM_KEY') },
    previousKey: text('PSEUDONYM_KEY_PREVIOUS')
      ? { version: version - 1, secret: text('PSEUDONYM_KEY_PREVIOUS') }
      : undefined,
    payloadKey: text('PAYLOAD_KEY')
      ? {
          version: Number(text('PAYLOAD_KEY_VERSION')),
          secret: text('PAYLOAD_KEY'),
          previous: values.get('PAYLOAD_KEY_PREVIOUS'),
        }
      : undefined,
    revealClients: list('REVEAL_CLIENTS'),
    adminClients: list('ADMIN_CLIENTS'),
    exportClasses: list('EXPORT_CLASSES').filter((name) => name !== 'NONE'),
    research: {
      k: Number(text('RESEARCH_K')),
      maxPatients: Number(text('RESEARCH_MAX_PATIENTS')),
      filesMs: Number(text('RESEARCH_FILES_HOURS')) * 3_600_000,
    },
    ingest: {
      bounds: {
        entries: Number(text('INGEST_MAX_ENTRIES')),
        bytes: Number(text('INGEST_MAX_BYTES')),
        depth: Number(text('INGEST_MAX_DEPTH')),
      },
      perMinute: Number(text('INGEST_PER_MINUTE')),
      needsPermit: text('INGEST_CONSENT') === 'if-permitted',
      isCopied: text('INGEST_REPLICATED') === 'true',
    },
    sweepOverlapMs: Number(text('SWEEP_OVERLAP_SECONDS')) * 1000,
    audit: {
      seed: seedOf(text('AUDIT_SIGNING_KEY')),
      retentionDays: Number(text('AUDIT_RETENTION_DAYS')),
      archiveYears: Number(text('AUDIT_ARCHIVE_YEARS')),
    },
    metricsMaxAgeMs: Number(text('METRICS_MAX_AGE_MS')),
    queue: {
      concurrency: Number(text('QUEUE_CONCURRENCY')),
      jobsPerSecond: Number(text('QUEUE_JOBS_PER_SECOND')),
      attempts: Number(text('QUEUE_ATTEMPTS')),
    },
    reconcileHour: Number(text('RECONCILE_HOUR')),
  };
}
