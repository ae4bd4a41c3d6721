import type {
  Bundle,
  BundleEntry,
  Meta,
  OperationOutcome,
  OperationOutcomeIssue,
  Patient,
  Reference,
  Resource,
} from '@medplum/fhirtypes';
import { randomUUID } from 'node:crypto';

/** What a rule needs of the server under test. The sandbox gives all; a real server gives the optional parts or skips their rules. */
export interface Driver {
  /** Ends with a slash. */
  readonly baseUrl: string;
  /** Credentials of a client without AccessPolicy. */
  readonly client: Credentials;
  /** Makes a bot of this bundle, executable and with a membership of its own; returns its id. */
  deployBot(code: string): Promise<string>;
  /** Makes a client with an AccessPolicy of these rules. */
  restrictedClient(resource: readonly PolicyRule[]): Promise<Credentials>;
  /** Resolves when Subscription runs and AuditEvents of what was done before are there. */
  settle(): Promise<void>;
  /** Lets time pass, as far as the server is concerned. */
  readonly advance?: (ms: number) => Promise<void>;
  /** Limits the interaction units per membership and minute; undefined takes the limit away. */
  readonly limitQuota?: (units: number | undefined) => void;
}

export interface Credentials {
  readonly id: string;
  readonly secret: string;
}

export interface PolicyRule {
  readonly resourceType: string;
  readonly criteria?: string;
  readonly readonly?: boolean;
  readonly interaction?: ('read' | 'search' | 'create' | 'update' | 'delete' | 'history' | 'vread')[];
  readonly hiddenFields?: string[];
  readonly readonlyFields?: string[];
}

/** At least two, as far as the compiler is concerned: a rule that looks at what is not there fails. */
type Several<T> = readonly [T, T, ...T[]];

/** What the rules look at in a body, be it a resource, a Bundle, an outcome or a token. Anything else is unknown. */
export interface Body {
  readonly [field: string]: unknown;
  readonly resourceType: string;
  readonly id: string;
  readonly meta: Meta & { readonly versionId: string; readonly lastUpdated: string };
  readonly subject: Reference;
  readonly entry: Several<{
    readonly resource: Body;
    readonly request: { readonly url: string };
    readonly response: { readonly status: string };
    readonly search: { readonly mode: string };
  }>;
  readonly link: Several<{ readonly relation: string; readonly url: string }>;
  readonly issue: Several<OperationOutcomeIssue>;
  readonly access_token: string;
  readonly profile: { readonly resourceType: string; readonly id: string };
}

/** What a bot returned. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- each rule knows the shape of its own bot
export type Returned = any;

export interface Answer<T = unknown> {
  readonly status: number;
  readonly headers: Headers;
  /** Parsed if it is JSON, else the text. */
  readonly body: T;
}

/** A caller of the FHIR API who says exactly what is sent: no retries, no cache, no conversion. */
export class Api {
  readonly baseUrl: string;
  #authorization: string | undefined;
  readonly #credentials: Credentials;

  constructor(baseUrl: string, credentials: Credentials) {
    this.baseUrl = baseUrl;
    this.#credentials = credentials;
  }

  /** Sends a request to a FHIR path. A body that is not a string goes out as FHIR JSON. */
  async fhir<T = Body>(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {}
  ): Promise<Answer<T>> {
    this.#authorization ??= `Bearer ${await fetchToken(this.baseUrl, this.#credentials)}`;
    return send<T>(this.baseUrl, method, `fhir/R4/${path}`, body, {
      authorization: this.#authorization,
      'x-medplum': 'extended',
      ...headers,
    });
  }

  /** Creates a resource and returns it. */
  async create<T extends Resource>(resource: T): Promise<T & { id: string }> {
    const { status, body } = await this.fhir<T & { id: string }>('POST', resource.resourceType, resource);
    if (status !== 201) {
      throw new Error(`Creating failed with ${status}: ${JSON.stringify(body)}`);
    }
    return body;
  }

  /** The resources that a search finds. */
  async find<T extends Resource>(query: string): Promise<T[]> {
    const { status, body } = await this.fhir<Bundle<T>>('GET', query);
    if (status !== 200) {
      throw new Error(`Searching failed with ${status}: ${JSON.stringify(body)}`);
    }
    return (body.entry ?? []).map((entry) => entry.resource as T);
  }

  /** Sends entries as one bundle. */
  async bundle(type: 'batch' | 'transaction', entry: BundleEntry[]): Promise<Answer<Body>> {
    return this.fhir('POST', '', { resourceType: 'Bundle', type, entry });
  }
}

/** Sends a request to any path of the server. */
export async function send<T>(
  baseUrl: string,
  method: string,
  path: string,
  body: unknown,
  headers: Record<string, string>
): Promise<Answer<T>> {
  const isText = typeof body === 'string';
  const response = await fetch(baseUrl + path, {
    method,
    headers: { ...(body !== undefined && !isText && { 'content-type': 'application/fhir+json' }), ...headers },
    ...(body !== undefined && { body: isText ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.includes('json') && text !== '';
  return { status: response.status, headers: response.headers, body: (isJson ? parse(text) : text) as T };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** @throws Error if the credentials are refused. */
export async function fetchToken(baseUrl: string, { id, secret }: Credentials): Promise<string> {
  const form = new URLSearchParams({ grant_type: 'client_credentials', client_id: id, client_secret: secret });
  const { status, body } = await send<{ access_token: string }>(baseUrl, 'POST', 'oauth2/token', form.toString(), {
    'content-type': 'application/x-www-form-urlencoded',
  });
  if (status !== 200) {
    throw new Error(`No token: ${status}`);
  }
  return body.access_token;
}

/** A new identifier, so that the suite can run again on the same server. */
export function anIdentifier(): { system: string; value: string; token: string } {
  const system = 'https://example.com/conformance';
  const value = randomUUID();
  return { system, value, token: `${system}|${value}` };
}

/** A patient that nobody else has. */
export function aPatient(
  override: Partial<Patient> = {}
): Patient & { identifier: [{ system: string; value: string }] } {
  const { system, value } = anIdentifier();
  return { resourceType: 'Patient', identifier: [{ system, value }], ...override } as ReturnType<typeof aPatient>;
}

/** The text of an outcome's first issue. */
export function reason(body: unknown): string | undefined {
  return (body as OperationOutcome).issue?.[0]?.details?.text;
}
