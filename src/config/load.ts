/** Project secrets → a validated Config, or all the problems at once. Nothing else reads `event.secrets`. */
import { systemsOf } from '../fhir/systems.ts';
import type { Systems } from '../fhir/systems.ts';
import { problemOf } from './check.ts';
import { PROFILE, STUB_TYPES } from './policy.ts';
import type { ReplicatedType, StubType } from './policy.ts';
import { SETTINGS } from './settings.ts';
import { seedOf } from './signing-key.ts';
import type { Setting, SettingName } from './settings.ts';
import { readSigningKey } from './client-key.ts';
import type { SigningKey } from './client-key.ts';

/** One version of PSEUDONYM_KEY. */
interface ProjectKey {
  readonly version: number;
  readonly secret: string;
}

/** How the bots sign in to the replica. */
export type SignIn = 'client-credentials' | 'basic' | 'jwt-assertion' | 'jwt-bearer' | 'refresh-token';

/** Other names for them: of the seed's CLI, and of the specification. */
const ALSO: Readonly<Record<string, SignIn>> = {
  'authorization-code': 'refresh-token',
  'smart-backend-services': 'jwt-assertion',
};

/** What the bots work with. */
export interface Config {
  readonly syncEnabled: boolean;
  readonly production: boolean;
  readonly systems: Systems;
  readonly replica: {
    readonly fhirUrl: string;
    readonly tokenUrl: string;
    readonly auth: SignIn;
    readonly clientId: string;
    /** Empty when the client has none. */
    readonly clientSecret: string;
    readonly clientAuth: 'client_secret_basic' | 'client_secret_post';
    readonly scope: string | undefined;
    readonly signingKey: SigningKey | undefined;
    readonly audience: string | undefined;
    readonly issuer: string | undefined;
    readonly subject: string | undefined;
    /** Empty unless that is how it signs in. */
    readonly refreshToken: string;
    readonly projectId: string | undefined;
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

/** As Medplum hands them over: `event.secrets`. */
export type Secrets = Readonly<Record<string, { readonly valueString?: string } | undefined>>;

/** The Config, or every problem, by name and without values. */
export type Loaded = { readonly config: Config } | { readonly problems: readonly string[] };

/**
 * Reads and judges all settings. Problems are gathered, so that one round of repairs is enough.
 *
 * @param secrets - `event.secrets`.
 * @returns The Config or all problems.
 */
export function load(secrets: Secrets): Loaded {
  const read = (setting: Setting): string | undefined =>
    [setting.name, ...(setting.aliases ?? [])].map((name) => secrets[name]?.valueString?.trim()).find(Boolean) ??
    setting.fallback;
  const values = new Map<string, string | undefined>(SETTINGS.map((setting) => [setting.name, read(setting)]));
  const production = values.get('ENVIRONMENT') === 'production';
  const problems = (SETTINGS as readonly Setting[]).flatMap((setting) => {
    const value = values.get(setting.name);
    if (value === undefined) {
      return setting.optional ? [] : [`${setting.name} is missing`];
    }
    const problem = problemOf(setting, value, production);
    return problem ? [`${setting.name} ${problem}`] : [];
  });
  if (Boolean(values.get('ERASER_CLIENT_ID')) !== Boolean(values.get('ERASER_CLIENT_SECRET'))) {
    problems.push('ERASER_CLIENT_ID and ERASER_CLIENT_SECRET go together');
  }
  const signingKey = signingKeyOf(values);
  problems.push(...problemsOfSignIn(values, signingKey));
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

type Values = ReadonlyMap<string, string | undefined>;

function signInOf(values: Values): SignIn {
  const name = values.get('REPLICA_AUTH') ?? '';
  return ALSO[name] ?? (name as SignIn);
}

function signingKeyOf(values: Values): ReturnType<typeof readSigningKey> | undefined {
  const text = values.get('REPLICA_PRIVATE_KEY');
  return text === undefined
    ? undefined
    : readSigningKey(text, values.get('REPLICA_SIGNING_ALGORITHM'), values.get('REPLICA_PRIVATE_KEY_ID'));
}

/** What each way of signing in cannot do without. */
function problemsOfSignIn(values: Values, signingKey: ReturnType<typeof readSigningKey> | undefined): string[] {
  const auth = signInOf(values);
  const isMissing = (name: SettingName): boolean => values.get(name) === undefined;
  const needs: Readonly<Partial<Record<SignIn, readonly SettingName[]>>> = {
    'client-credentials': ['REPLICA_CLIENT_SECRET'],
    basic: ['REPLICA_CLIENT_SECRET'],
    'jwt-assertion': ['REPLICA_PRIVATE_KEY'],
    'jwt-bearer': isMissing('REPLICA_PRIVATE_KEY') ? ['REPLICA_CLIENT_SECRET'] : [],
    'refresh-token': ['REPLICA_REFRESH_TOKEN'],
  };
  return [
    ...(needs[auth] ?? []).filter(isMissing).map((name) => `${name} is missing`),
    ...(signingKey && 'problem' in signingKey ? [`REPLICA_PRIVATE_KEY ${signingKey.problem}`] : []),
  ];
}

function build(
  values: ReadonlyMap<SettingName, string | undefined>,
  production: boolean,
  signingKey: ReturnType<typeof readSigningKey> | undefined
): Config {
  const text = (name: SettingName): string => values.get(name) ?? '';
  const list = (name: SettingName): string[] =>
    text(name)
      .split(',')
      .map((part) => part.trim())
      .filter(Boolean);
  const version = Number(text('PSEUDONYM_KEY_VERSION'));
  const base = text('REPLICA_BASE_URL').replace(/\/*$/, '/');
  const address = (value: string): string => (value.includes('://') ? value : base + value.replace(/^\/*/, ''));
  const audience = values.get('REPLICA_AUDIENCE');
  const auth = signInOf(values);
  return {
    syncEnabled: text('SYNC_ENABLED') === 'true',
    production,
    systems: systemsOf(text('NAMESPACE').replace(/\/*$/, '')),
    replica: {
      fhirUrl: base + text('REPLICA_FHIR_PATH').replace(/^\/*/, '').replace(/\/*$/, '/'),
      tokenUrl: address(text('REPLICA_TOKEN_PATH')),
      auth,
      clientId: text('REPLICA_CLIENT_ID'),
      clientSecret: text('REPLICA_CLIENT_SECRET'),
      clientAuth: text('REPLICA_CLIENT_AUTH') as Config['replica']['clientAuth'],
      scope: values.get('REPLICA_SCOPE'),
      signingKey: signingKey && 'key' in signingKey ? signingKey : undefined,
      audience: audience === undefined ? undefined : address(audience),
      issuer: values.get('REPLICA_ISSUER'),
      subject: values.get('REPLICA_SUBJECT'),
      refreshToken: auth === 'refresh-token' ? text('REPLICA_REFRESH_TOKEN') : '',
      projectId: values.get('REPLICA_PROJECT_ID'),
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
