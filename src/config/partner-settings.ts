/** The settings of the partner, another organization's FHIR server. None counts while PARTNER_BASE_URL is not set. */
import type { Setting } from './settings.ts';

export const PARTNER_SETTINGS = [
  {
    name: 'PARTNER_BASE_URL',
    kind: 'url',
    optional: true,
    why: 'The FHIR server of a partner, to pull records from and to look patients up on ([docs/partners.md](docs/partners.md)). Without it the bots for that are neither deployed nor do anything.',
  },
  {
    name: 'PARTNER_FHIR_PATH',
    kind: 'text',
    fallback: 'fhir/R4/',
    why: 'Its FHIR endpoint below the base URL.',
  },
  {
    name: 'PARTNER_TOKEN_PATH',
    kind: 'address',
    fallback: 'oauth2/token',
    why: 'Its token endpoint: below the base URL, or a URL of its own.',
  },
  {
    name: 'PARTNER_AUTH',
    kind: 'choice',
    choices: ['smart-backend-services', 'jwt-assertion', 'jwt-bearer', 'client-credentials', 'basic', 'none'],
    fallback: 'smart-backend-services',
    why: 'How the bots sign in there, as REPLICA_AUTH; `none` is for open test servers.',
  },
  {
    name: 'PARTNER_CLIENT_ID',
    kind: 'text',
    optional: true,
    why: 'The client that the partner has registered for us; required unless PARTNER_AUTH is `none`.',
  },
  { name: 'PARTNER_CLIENT_SECRET', kind: 'secret', optional: true, why: 'Its secret, where it has one.' },
  {
    name: 'PARTNER_CLIENT_AUTH',
    kind: 'choice',
    choices: ['client_secret_basic', 'client_secret_post'],
    fallback: 'client_secret_basic',
    why: 'As REPLICA_CLIENT_AUTH.',
  },
  { name: 'PARTNER_SCOPE', kind: 'text', fallback: 'system/*.read', why: 'The scopes to ask for.' },
  {
    name: 'PARTNER_PRIVATE_KEY',
    kind: 'private-key',
    optional: true,
    why: 'As REPLICA_PRIVATE_KEY, and another one.',
  },
  { name: 'PARTNER_PRIVATE_KEY_ID', kind: 'text', optional: true, why: 'As REPLICA_PRIVATE_KEY_ID.' },
  {
    name: 'PARTNER_SIGNING_ALGORITHM',
    kind: 'choice',
    choices: ['RS384', 'ES384', 'RS256'],
    optional: true,
    why: 'As REPLICA_SIGNING_ALGORITHM.',
  },
  { name: 'PARTNER_AUDIENCE', kind: 'address', optional: true, why: 'As REPLICA_AUDIENCE.' },
  {
    name: 'PARTNER_ORGANIZATION',
    kind: 'references',
    optional: true,
    why: 'The Organization of the source that the partner is, such as `Organization/1`: what is pulled is taken in its name, and Consents name it as recipient. Required with PARTNER_BASE_URL.',
  },
  {
    name: 'PARTNER_FILE_HOSTS',
    kind: 'text',
    optional: true,
    why: 'Hosts (comma-separated, with a port where it is not the usual one) that files of an export may lie on beside the partner’s own. No token is sent there.',
  },
  {
    name: 'PARTNER_EXPORT',
    kind: 'text',
    fallback: 'Patient',
    why: 'What is exported: `Patient`, `Group/<id>` or `system`.',
  },
  {
    name: 'PARTNER_TYPES',
    kind: 'text',
    optional: true,
    why: 'The types to pull (comma-separated); by default all that `ingest` takes.',
  },
  {
    name: 'PARTNER_TYPE_FILTER',
    kind: 'text',
    optional: true,
    why: 'A `_typeFilter` of the Bulk Data specification, such as `Observation?category=laboratory`. Servers may ignore it.',
  },
  {
    name: 'PARTNER_PULL_DAYS',
    kind: 'integer',
    fallback: '14',
    why: 'After how many days the next pull begins.',
  },
  {
    name: 'PARTNER_TIMEOUT_MS',
    kind: 'integer',
    fallback: '30000',
    why: 'How long one request to the partner may take, a slice of a file included, in milliseconds.',
  },
  {
    name: 'PARTNER_PURPOSE',
    kind: 'text',
    fallback: 'TREAT',
    why: 'The v3-ActReason purpose for which the partner is asked about patients.',
  },
  {
    name: 'PARTNER_MATCH',
    kind: 'choice',
    choices: ['auto', 'operation', 'search', 'off'],
    fallback: 'auto',
    why: 'How patients are looked up there: by `$match`, by search, or by whichever the server says that it has. `off`: not at all.',
  },
  {
    name: 'PARTNER_IDENTIFIER_SYSTEMS',
    kind: 'text',
    optional: true,
    why: 'Identifier systems (comma-separated) that both sides know: no other identifier is sent or compared. Without it none is.',
  },
  {
    name: 'PARTNER_MATCH_CERTAIN',
    kind: 'integer',
    fallback: '30',
    why: 'From how many bits of evidence on a match may be certain, and is linked without a person ([docs/partners.md](docs/partners.md#looking-patients-up)).',
  },
  { name: 'PARTNER_MATCH_PROBABLE', kind: 'integer', fallback: '18', why: 'From how many on it is probable.' },
  {
    name: 'PARTNER_MATCH_POSSIBLE',
    kind: 'integer',
    fallback: '8',
    why: 'From how many on it is possible, and shown to a person at all.',
  },
] as const satisfies readonly Setting[];

export type PartnerSettingName = (typeof PARTNER_SETTINGS)[number]['name'];
