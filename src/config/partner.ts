/** Project secrets → what the bots need of the partner. Apart from the rest, so that a partner's problems stop nothing else. */
import { TYPE_NAMES } from './policy.ts';
import { PARTNER_SETTINGS } from './partner-settings.ts';
import type { PartnerSettingName } from './partner-settings.ts';
import { problemsOf, valuesOf } from './read.ts';
import type { Secrets } from './read.ts';
import { clientOf, fhirUrlOf, problemsOfSignIn, signingKeyOf } from './sign-in.ts';
import type { ClientSettings, Values } from './sign-in.ts';

/** Another organization's FHIR server. */
export interface Partner extends ClientSettings {
  /** With a trailing slash. */
  readonly fhirUrl: string;
  /** Id of the Organization of the source that it is. */
  readonly organizationId: string;
  /** Origins that files may lie on, beside that of the FHIR endpoint. */
  readonly fileOrigins: readonly string[];
  /** `Patient`, `Group/<id>` or `system`. */
  readonly exports: string;
  readonly types: readonly string[];
  readonly typeFilter: string | undefined;
  readonly pullEveryMs: number;
  readonly purpose: string;
  readonly match: 'auto' | 'operation' | 'search' | 'off';
  readonly identifierSystems: readonly string[];
  /** In bits. */
  readonly thresholds: { readonly certain: number; readonly probable: number; readonly possible: number };
  readonly timeoutMs: number;
}

/** The partner, every problem by name and without values, or undefined where none is set. */
export type LoadedPartner = { readonly partner: Partner } | { readonly problems: readonly string[] } | undefined;

const EXPORT = /^(Patient|system|Group\/[A-Za-z0-9.-]{1,64})$/;
const HOST = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?$/i;
const DAY_MS = 86_400_000;

/**
 * Reads and judges the settings of the partner.
 *
 * @param secrets - `event.secrets`.
 * @param production - True when the environment is production: then files come by https alone.
 * @returns The partner, or all problems; undefined when PARTNER_BASE_URL is not set.
 */
export function loadPartner(secrets: Secrets, production: boolean): LoadedPartner {
  const values = valuesOf(secrets, PARTNER_SETTINGS);
  if (values.get('PARTNER_BASE_URL') === undefined) {
    return undefined;
  }
  const key = signingKeyOf(values, 'PARTNER');
  const of = (name: PartnerSettingName): string => values.get(name) ?? '';
  const types = listOf(of('PARTNER_TYPES'));
  const hosts = listOf(of('PARTNER_FILE_HOSTS'));
  const unknown = types.filter((type) => !TYPE_NAMES.includes(type));
  const problems = [
    ...problemsOf(values, PARTNER_SETTINGS, production),
    ...problemsOfSignIn(values, 'PARTNER', key),
    ...(of('PARTNER_AUTH') !== 'none' && !of('PARTNER_CLIENT_ID') ? ['PARTNER_CLIENT_ID is missing'] : []),
    ...(of('PARTNER_ORGANIZATION') === '' ? ['PARTNER_ORGANIZATION is missing'] : []),
    ...(/^(Organization\/[^,]+)?$/.test(of('PARTNER_ORGANIZATION'))
      ? []
      : ['PARTNER_ORGANIZATION must be one Organization']),
    ...(EXPORT.test(of('PARTNER_EXPORT')) ? [] : ['PARTNER_EXPORT must be Patient, system or Group/<id>']),
    ...(unknown.length > 0 ? [`PARTNER_TYPES must be of ${TYPE_NAMES.join(', ')}`] : []),
    ...(isOrdered(thresholdsOf(values))
      ? []
      : ['PARTNER_MATCH_CERTAIN, _PROBABLE and _POSSIBLE must be in this order, the first the highest']),
    ...(hosts.every((host) => HOST.test(host)) ? [] : ['PARTNER_FILE_HOSTS must be names of hosts']),
  ];
  return problems.length > 0 ? { problems: [...new Set(problems)] } : { partner: build(values, key, production) };
}

function build(values: Values, key: ReturnType<typeof signingKeyOf>, production: boolean): Partner {
  const of = (name: PartnerSettingName): string => values.get(name) ?? '';
  const types = listOf(of('PARTNER_TYPES'));
  return {
    ...clientOf(values, 'PARTNER', key),
    fhirUrl: fhirUrlOf(values, 'PARTNER'),
    organizationId: of('PARTNER_ORGANIZATION').split('/')[1] ?? '',
    fileOrigins: listOf(of('PARTNER_FILE_HOSTS')).flatMap((host) =>
      ['https', ...(production ? [] : ['http'])].map((scheme) => new URL(`${scheme}://${host}`).origin)
    ),
    exports: of('PARTNER_EXPORT'),
    types: types.length > 0 ? types : TYPE_NAMES,
    typeFilter: values.get('PARTNER_TYPE_FILTER'),
    pullEveryMs: Number(of('PARTNER_PULL_DAYS')) * DAY_MS,
    purpose: of('PARTNER_PURPOSE'),
    match: of('PARTNER_MATCH') as Partner['match'],
    identifierSystems: listOf(of('PARTNER_IDENTIFIER_SYSTEMS')),
    thresholds: thresholdsOf(values),
    timeoutMs: Number(of('PARTNER_TIMEOUT_MS')),
  };
}

function listOf(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean);
}

function thresholdsOf(values: Values): Partner['thresholds'] {
  const of = (name: PartnerSettingName): number => Number(values.get(name));
  return {
    certain: of('PARTNER_MATCH_CERTAIN'),
    probable: of('PARTNER_MATCH_PROBABLE'),
    possible: of('PARTNER_MATCH_POSSIBLE'),
  };
}

function isOrdered({ certain, probable, possible }: Partner['thresholds']): boolean {
  return !(certain < probable || probable < possible);
}
