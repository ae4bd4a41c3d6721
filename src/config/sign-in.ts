/** How the bots sign in to another server: the settings of one prefix, `REPLICA_…` or `PARTNER_…`. Pure. */
import { readSigningKey } from './client-key.ts';
import type { SigningKey } from './client-key.ts';

/** How a client signs in. */
export type SignIn = 'client-credentials' | 'basic' | 'jwt-assertion' | 'jwt-bearer' | 'refresh-token' | 'none';

/** Other names for them: of the seed's CLI, and of the specification. */
const ALSO: Readonly<Record<string, SignIn>> = {
  'authorization-code': 'refresh-token',
  'smart-backend-services': 'jwt-assertion',
};

/** What a client signs in with. */
export interface ClientSettings {
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
}

/** Settings by name. */
export type Values = ReadonlyMap<string, string | undefined>;

/** Whose settings. */
export type Prefix = 'REPLICA' | 'PARTNER';

/** A key, or what is wrong with it; undefined when none is set. */
export type ReadKey = ReturnType<typeof readSigningKey> | undefined;

/**
 * @param values - The settings.
 * @param prefix - Whose.
 * @returns How it signs in, under one name for each way.
 */
function signInOf(values: Values, prefix: Prefix): SignIn {
  const name = values.get(`${prefix}_AUTH`) ?? '';
  return ALSO[name] ?? (name as SignIn);
}

/**
 * @param values - The settings.
 * @param prefix - Whose.
 * @returns The private key, or what is wrong with it.
 */
export function signingKeyOf(values: Values, prefix: Prefix): ReadKey {
  const text = values.get(`${prefix}_PRIVATE_KEY`);
  return text === undefined
    ? undefined
    : readSigningKey(text, values.get(`${prefix}_SIGNING_ALGORITHM`), values.get(`${prefix}_PRIVATE_KEY_ID`));
}

/**
 * What each way of signing in cannot do without.
 *
 * @param values - The settings.
 * @param prefix - Whose.
 * @param signingKey - From `signingKeyOf`.
 * @returns Problems by name, without values.
 */
export function problemsOfSignIn(values: Values, prefix: Prefix, signingKey: ReadKey): string[] {
  const isMissing = (name: string): boolean => values.get(`${prefix}_${name}`) === undefined;
  const needs: Readonly<Partial<Record<SignIn, readonly string[]>>> = {
    'client-credentials': ['CLIENT_SECRET'],
    basic: ['CLIENT_SECRET'],
    'jwt-assertion': ['PRIVATE_KEY'],
    'jwt-bearer': isMissing('PRIVATE_KEY') ? ['CLIENT_SECRET'] : [],
    'refresh-token': ['REFRESH_TOKEN'],
  };
  return [
    ...(needs[signInOf(values, prefix)] ?? []).filter(isMissing).map((name) => `${prefix}_${name} is missing`),
    ...(signingKey && 'problem' in signingKey ? [`${prefix}_PRIVATE_KEY ${signingKey.problem}`] : []),
  ];
}

/**
 * @param values - The settings.
 * @param prefix - Whose.
 * @returns The FHIR endpoint, with a trailing slash.
 */
export function fhirUrlOf(values: Values, prefix: Prefix): string {
  return baseOf(values, prefix) + (values.get(`${prefix}_FHIR_PATH`) ?? '').replace(/^\/*/, '').replace(/\/*$/, '/');
}

/**
 * @param values - Settings without problems.
 * @param prefix - Whose.
 * @param signingKey - From `signingKeyOf`.
 * @returns What the client signs in with.
 */
export function clientOf(values: Values, prefix: Prefix, signingKey: ReadKey): ClientSettings {
  const of = (name: string): string | undefined => values.get(`${prefix}_${name}`);
  const base = baseOf(values, prefix);
  const address = (value: string): string => (value.includes('://') ? value : base + value.replace(/^\/*/, ''));
  const audience = of('AUDIENCE');
  const auth = signInOf(values, prefix);
  return {
    tokenUrl: address(of('TOKEN_PATH') ?? ''),
    auth,
    clientId: of('CLIENT_ID') ?? '',
    clientSecret: of('CLIENT_SECRET') ?? '',
    clientAuth: of('CLIENT_AUTH') as ClientSettings['clientAuth'],
    scope: of('SCOPE'),
    signingKey: signingKey && 'key' in signingKey ? signingKey : undefined,
    audience: audience === undefined ? undefined : address(audience),
    issuer: of('ISSUER'),
    subject: of('SUBJECT'),
    refreshToken: auth === 'refresh-token' ? (of('REFRESH_TOKEN') ?? '') : '',
    projectId: of('PROJECT_ID'),
  };
}

function baseOf(values: Values, prefix: Prefix): string {
  return (values.get(`${prefix}_BASE_URL`) ?? '').replace(/\/*$/, '/');
}
