/** Every setting: its name, kind, default and reason. docs/settings.md is generated from this file. */
import { DATA_CLASSES } from '../fhir/data-classes.ts';
import { DOCUMENT_TYPES } from './policy.ts';

/** How the text of a setting is understood. */
export type Kind =
  | 'boolean'
  | 'url'
  | 'address'
  | 'text'
  | 'secret'
  | 'key'
  | 'integer'
  | 'choice'
  | 'choices'
  | 'references'
  | 'ed25519'
  | 'private-key';

/** One setting, read from the Project secrets of the source. */
export interface Setting {
  readonly name: string;
  readonly kind: Kind;
  /** What it is for and why the default is what it is. */
  readonly why: string;
  /** Used when neither the name nor an alias is set. Without it, and unless optional, the setting is required. */
  readonly fallback?: string;
  readonly optional?: true;
  /** The names of the seeds, accepted in Project secrets. */
  readonly aliases?: readonly string[];
  readonly choices?: readonly string[];
}

export const SETTINGS = [
  {
    name: 'SYNC_ENABLED',
    kind: 'boolean',
    fallback: 'true',
    aliases: ['ENABLE_MEDPLUM'],
    why: 'The main switch. Off: nothing is sent and nothing revealed; every bot but `health` and `admin` answers that it is off.',
  },
  {
    name: 'ENVIRONMENT',
    kind: 'choice',
    choices: ['development', 'production'],
    fallback: 'development',
    aliases: ['NODE_ENV'],
    why: 'In `production`, placeholder secrets, plain HTTP and loopback URLs are refused.',
  },
  {
    name: 'NAMESPACE',
    kind: 'url',
    fallback: 'https://holilabs.xyz/fhir',
    why: 'The root of our own identifier systems, tags and extensions.',
  },
  {
    name: 'REPLICA_BASE_URL',
    kind: 'url',
    aliases: ['MEDPLUM_BASE_URL'],
    why: 'The server that receives the de-identified copies.',
  },
  {
    name: 'REPLICA_FHIR_PATH',
    kind: 'text',
    fallback: 'fhir/R4/',
    aliases: ['MEDPLUM_FHIR_URL_PATH'],
    why: 'The FHIR endpoint below the base URL.',
  },
  {
    name: 'REPLICA_TOKEN_PATH',
    kind: 'address',
    fallback: 'oauth2/token',
    aliases: ['REPLICA_TOKEN_URL', 'MEDPLUM_TOKEN_URL'],
    why: 'The OAuth2 token endpoint: below the base URL, or a URL of its own.',
  },
  {
    name: 'REPLICA_AUTH',
    kind: 'choice',
    choices: [
      'client-credentials',
      'basic',
      'jwt-assertion',
      'jwt-bearer',
      'refresh-token',
      'authorization-code',
      'smart-backend-services',
    ],
    fallback: 'client-credentials',
    why: 'How the bots sign in ([docs/deploy.md](docs/deploy.md#how-the-bots-sign-in)). `authorization-code` means `refresh-token`, and `smart-backend-services` means `jwt-assertion`.',
  },
  {
    name: 'REPLICA_CLIENT_ID',
    kind: 'text',
    aliases: ['MEDPLUM_CLIENT_ID'],
    why: 'The ClientApplication of the replica.',
  },
  {
    name: 'REPLICA_CLIENT_SECRET',
    kind: 'secret',
    optional: true,
    aliases: ['MEDPLUM_CLIENT_SECRET'],
    why: 'Its secret; required for `client-credentials` and `basic`, and for `jwt-bearer` without a private key.',
  },
  {
    name: 'REPLICA_CLIENT_AUTH',
    kind: 'choice',
    choices: ['client_secret_basic', 'client_secret_post'],
    fallback: 'client_secret_basic',
    why: 'Where the secret goes when a token is asked for: the header, or the body (RFC 6749 §2.3.1).',
  },
  {
    name: 'REPLICA_SCOPE',
    kind: 'text',
    optional: true,
    why: 'The scopes to ask for, such as `system/*.cruds`. Medplum needs none; SMART Backend Services requires them.',
  },
  {
    name: 'REPLICA_PRIVATE_KEY',
    kind: 'private-key',
    optional: true,
    why: 'For `jwt-assertion` (and `jwt-bearer`): PEM or JWK, RSA of 2048 bits or more, or P-384. `npm run connect -- keygen` makes one.',
  },
  {
    name: 'REPLICA_PRIVATE_KEY_ID',
    kind: 'text',
    optional: true,
    why: 'Its `kid` in the JWKS of the client; by default that of the JWK, or the thumbprint of RFC 7638.',
  },
  {
    name: 'REPLICA_SIGNING_ALGORITHM',
    kind: 'choice',
    choices: ['RS384', 'ES384', 'RS256'],
    optional: true,
    why: 'By default RS384 for an RSA key and ES384 for P-384.',
  },
  {
    name: 'REPLICA_AUDIENCE',
    kind: 'address',
    optional: true,
    why: 'The `aud` of what is signed; by default the token endpoint, as SMART requires.',
  },
  { name: 'REPLICA_ISSUER', kind: 'text', optional: true, why: 'For `jwt-bearer`: its `iss`; by default the client.' },
  { name: 'REPLICA_SUBJECT', kind: 'text', optional: true, why: 'For `jwt-bearer`: its `sub`; by default the client.' },
  {
    name: 'REPLICA_REFRESH_TOKEN',
    kind: 'secret',
    optional: true,
    why: 'For `refresh-token`: the first of its family. `npm run connect` obtains and stores it.',
  },
  {
    name: 'REPLICA_PROJECT_ID',
    kind: 'text',
    optional: true,
    aliases: ['MEDPLUM_PROJECT_ID'],
    why: 'When set, a token of any other project is refused, so that a mix-up of credentials cannot send data to the wrong place.',
  },
  {
    name: 'ERASER_CLIENT_ID',
    kind: 'text',
    optional: true,
    why: 'A ClientApplication of the replica whose membership is admin, used for `$expunge` alone. Without it copies are deleted, and their history remains.',
  },
  {
    name: 'ERASER_CLIENT_SECRET',
    kind: 'secret',
    optional: true,
    why: 'Its secret.',
  },
  {
    name: 'REPLICA_TIMEOUT_MS',
    kind: 'integer',
    fallback: '10000',
    why: 'How long one request may take, in milliseconds. Medplum does not stop a waiting bot by itself.',
  },
  {
    name: 'REPLICA_ACTORS',
    kind: 'references',
    optional: true,
    why: 'References in the source (comma-separated, such as `Organization/1`) that stand for the replica in a Consent’s `actor`.',
  },
  {
    name: 'CONSENT_PURPOSE',
    kind: 'text',
    fallback: 'TREAT',
    why: 'The v3-ActReason purpose for which the replica is kept; the seeds’ CARE is TREAT.',
  },
  {
    name: 'DOCUMENTS_WHEN_FINISHED',
    kind: 'choices',
    choices: [...DOCUMENT_TYPES, 'NONE'],
    fallback: 'NONE',
    why: 'Types of documentation (comma-separated) that have a copy only while each Encounter they document is `finished`; `NONE`: copied when they change, like other records. After a change of it, `reconcile` brings the copies in line.',
  },
  {
    name: 'PSEUDONYM_KEY',
    kind: 'key',
    why: 'The secret from which all tokens and date shifts are derived: 64 hexadecimal digits (`openssl rand -hex 32`).',
  },
  {
    name: 'PSEUDONYM_KEY_VERSION',
    kind: 'integer',
    fallback: '1',
    why: 'The version of that key, part of every digest: a new number makes every copy differ.',
  },
  {
    name: 'PSEUDONYM_KEY_PREVIOUS',
    kind: 'key',
    optional: true,
    why: 'The key of the version before, during a rotation: copies under it are found, replaced and erased. Set by `npm run secrets -- rotate PSEUDONYM_KEY`.',
  },
  {
    name: 'PAYLOAD_KEY',
    kind: 'key',
    optional: true,
    why: 'The secret under which originals are kept encrypted in the source, for the bot `reveal`; made like PSEUDONYM_KEY, and another one. Without it none are kept.',
  },
  {
    name: 'PAYLOAD_KEY_VERSION',
    kind: 'integer',
    fallback: '1',
    why: 'The version of that key: a new number with each new key, and originals are encrypted anew.',
  },
  {
    name: 'PAYLOAD_KEY_PREVIOUS',
    kind: 'key',
    optional: true,
    why: 'The key of the version before, so that what it encrypted can still be revealed. While it is set, each sweep encrypts anew what lies under it.',
  },
  {
    name: 'REVEAL_CLIENTS',
    kind: 'references',
    optional: true,
    why: 'ClientApplications (comma-separated references) that count as ADMIN: a program has no PractitionerRole.',
  },
  {
    name: 'ADMIN_CLIENTS',
    kind: 'references',
    optional: true,
    why: 'ClientApplications (comma-separated references) that may call the bot `admin`, as `npm run admin` does; people may by PractitionerRole ADMIN.',
  },
  {
    name: 'EXPORT_CLASSES',
    kind: 'choices',
    // What is GENETICS never leaves, whatever the Consents permit.
    choices: [...DATA_CLASSES.filter((name) => name !== 'GENETICS'), 'NONE'],
    fallback: 'CLINICAL_NOTES,LAB_RESULTS,MEDICATIONS',
    why: 'The classes of data (comma-separated) that the Consents must permit before the bot `export` shows anything of a patient; `NONE`: each record is asked about by itself alone.',
  },
  {
    name: 'RESEARCH_K',
    kind: 'integer',
    fallback: '11',
    why: 'How many patients of a research export share what is shown of each at least ([docs/research.md](docs/research.md)); groups that are smaller are left out. An ask may want more, never fewer.',
  },
  {
    name: 'RESEARCH_MAX_PATIENTS',
    kind: 'integer',
    fallback: '5000',
    why: 'How many patients a cohort may have. Each is asked about three times, and their list is held in memory.',
  },
  {
    name: 'RESEARCH_FILES_HOURS',
    kind: 'integer',
    fallback: '72',
    why: 'How long the files of a complete research export can be had.',
  },
  {
    name: 'INGEST_MAX_ENTRIES',
    kind: 'integer',
    fallback: '200',
    why: 'Entries of a Bundle that the bot `ingest` takes ([docs/ingest.md](docs/ingest.md)).',
  },
  {
    name: 'INGEST_MAX_BYTES',
    kind: 'integer',
    fallback: '500000',
    why: 'Its size as JSON. Medplum itself takes a mebibyte, here and in the transaction that stores it with its Provenance.',
  },
  {
    name: 'INGEST_MAX_DEPTH',
    kind: 'integer',
    fallback: '32',
    why: 'Its levels of objects and lists; a Bundle of ordinary records has about ten.',
  },
  {
    name: 'INGEST_PER_MINUTE',
    kind: 'integer',
    fallback: '2000',
    why: 'Entries that one sender may send in a minute. Each costs two writes.',
  },
  {
    name: 'INGEST_CONSENT',
    kind: 'choice',
    choices: ['unless-denied', 'if-permitted'],
    fallback: 'unless-denied',
    why: 'Whether a record about a patient is taken unless a Consent denies that it is collected, or only if one permits it.',
  },
  {
    name: 'INGEST_REPLICATED',
    kind: 'boolean',
    fallback: 'false',
    why: 'Whether what came in is copied to the replica as far as patients consent. Off, as in the seeds: it is tagged `no-sync`, so it cannot come back to its sender.',
  },
  {
    name: 'SWEEP_OVERLAP_SECONDS',
    kind: 'integer',
    fallback: '120',
    why: 'How far a sweep, and the audit mirror, look back before their watermark. Rows become visible up to a minute after their `lastUpdated`.',
  },
  {
    name: 'AUDIT_SIGNING_KEY',
    kind: 'ed25519',
    optional: true,
    why: 'The Ed25519 key that makes changes of the trail evident: 64 hexadecimal digits, or PKCS #8 (`openssl genpkey -algorithm ed25519`). Without it events carry no keyed hash, days are not sealed, and nothing is archived.',
  },
  {
    name: 'AUDIT_RETENTION_DAYS',
    kind: 'integer',
    fallback: '365',
    why: 'How long events of the trail stay in the source before they go into a signed archive.',
  },
  {
    name: 'AUDIT_ARCHIVE_YEARS',
    kind: 'integer',
    fallback: '7',
    why: 'How long archives are kept; 45 CFR 164.316(b)(2) asks for six years.',
  },
  {
    name: 'QUEUE_CONCURRENCY',
    kind: 'integer',
    fallback: '5',
    why: 'How many patients’ jobs one run of `retry-jobs` works on at a time.',
  },
  {
    name: 'QUEUE_JOBS_PER_SECOND',
    kind: 'integer',
    fallback: '10',
    why: 'How many jobs one run takes in a second at most, so that catching up does not use up the quota that events need.',
  },
  {
    name: 'QUEUE_ATTEMPTS',
    kind: 'integer',
    fallback: '3',
    why: 'How often a job is tried before it is a dead letter. An outage of the replica costs no attempt.',
  },
  {
    name: 'RECONCILE_HOUR',
    kind: 'integer',
    fallback: '3',
    why: 'The hour (UTC) in which the nightly reconciliation of everything begins.',
  },
  {
    name: 'METRICS_MAX_AGE_MS',
    kind: 'integer',
    fallback: '30000',
    why: 'How old figures of the bot `metrics` may be, in milliseconds: a scrape within that time gets those of the last one, for one request. Each reading is a version of one Basic (some 10 kB).',
  },
] as const satisfies readonly Setting[];

export type SettingName = (typeof SETTINGS)[number]['name'];
