/** The source project over HTTP, as a project admin. One request at a time; what is retried cannot be done twice. */
import type { Bundle, OperationOutcome, Resource } from '@medplum/fhirtypes';
import { setTimeout as sleep } from 'node:timers/promises';

/** Where and as whom; never printed. */
export interface Credentials {
  readonly baseUrl: string;
  readonly fhirPath: string;
  readonly clientId: string;
  readonly clientSecret: string;
}

/** The project that the client belongs to. */
export interface Session {
  readonly projectId: string;
  readonly projectName: string;
  readonly isAdmin: boolean;
}

/** A failure with what to do about it. */
export class Refusal extends Error {
  readonly status: number | undefined;
  readonly remedy: string;

  constructor(message: string, remedy: string, status?: number) {
    super(message);
    this.remedy = remedy;
    this.status = status;
  }
}

/** What the rest of the deployment asks of a server; tests have one in memory. */
export interface Server {
  /** @returns The project, or throws Refusal. */
  session(): Promise<Session>;
  read<T extends Resource>(path: string): Promise<T & { id: string }>;
  /** @returns All pages of a search. */
  search<T extends Resource>(query: string): Promise<(T & { id: string })[]>;
  create<T extends Resource>(resource: T): Promise<T & { id: string }>;
  /** Writes over the version that was read; somebody else's change in between is a Refusal. */
  update<T extends Resource>(resource: T): Promise<T & { id: string }>;
  remove(path: string): Promise<void>;
  /** @returns The id of a new Binary of text. */
  upload(text: string, contentType: string, filename: string): Promise<string>;
  /** Any other request, relative to the base URL. */
  call<T>(method: 'GET' | 'POST', path: string, body?: unknown): Promise<T>;
  /** Medplum's own `$deploy`, which Lambda needs. */
  deploy(botId: string, code: string, filename: string): Promise<void>;
  /** @returns The answer of a bot. */
  execute<T>(botId: string, input: unknown): Promise<T>;
}

/** Longer than the server's own limit for a statement, so that it can still say what it waited for. */
const TIMEOUT_MS = 90_000;
const TRIES = 6;

/** What a status usually means to somebody who deploys. */
const REMEDIES: Readonly<Record<number, string>> = {
  400: 'The server refuses what was sent; its reason is above. Nothing after this step was done: repair it and run the same command again.',
  401: 'Check MEDPLUM_CLIENT_ID and MEDPLUM_CLIENT_SECRET: they must belong to a ClientApplication of the source project.',
  403: 'The client must be an admin of the project: set "admin" on its ProjectMembership (Project Admin → Clients → Access).',
  404: 'Check MEDPLUM_BASE_URL, and that nobody removes resources of this project meanwhile; then run the same command again.',
  409: 'Somebody else writes at the same time: run the same command again.',
  412: 'Somebody else has changed this resource meanwhile: run the same command again.',
  504: 'The server waited in vain for a lock on this row. Medplum 5.0.10 with saved AuditEvents can keep one for ever after a request that wrote more than once ($deploy is such a request): if it stays, the operator has to restart the server.',
  429: 'The quota of the client is used up: wait a minute, and run the same command again.',
};
const AGAIN =
  'The server did not answer as it should. Every step can be repeated: run the same command again, and look at the server’s log if it stays.';

/**
 * Connects on first use.
 *
 * @param credentials - Where and as whom.
 * @returns The server.
 */
export function connect(credentials: Credentials): Server {
  const base = credentials.baseUrl.replace(/\/*$/, '/');
  const fhir = credentials.fhirPath.replace(/^\/+|\/*$/g, '') + '/';
  let token: Promise<string> | undefined;

  async function send(
    method: string,
    path: string,
    init: { body?: string | undefined; headers?: Record<string, string> },
    canRepeat: boolean
  ): Promise<Response> {
    for (let tries = 1; ; tries++) {
      let response: Response | undefined;
      try {
        const { body, headers = {} } = init;
        response = await fetch(base + path, {
          method,
          headers,
          signal: AbortSignal.timeout(TIMEOUT_MS),
          redirect: 'error',
          ...(body !== undefined && { body }),
        });
      } catch (error) {
        if (!canRepeat || tries >= 3) {
          throw new Refusal(
            `${method} ${path}: no answer from ${base} (${causeOf(error)})`,
            'Check MEDPLUM_BASE_URL and that the server is up.'
          );
        }
      }
      const wait = response ? waitOf(response, tries, canRepeat) : 1000 * tries;
      if (response && wait === undefined) {
        return response;
      }
      await sleep(wait ?? 0);
    }
  }

  async function login(): Promise<string> {
    const { clientId, clientSecret } = credentials;
    const body = new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: clientId,
      client_secret: clientSecret,
    }).toString();
    const response = await send(
      'POST',
      'oauth2/token',
      { body, headers: { 'content-type': 'application/x-www-form-urlencoded' } },
      true
    );
    if (!response.ok) {
      // A wrong secret is a 400 or 401 here; the body is not shown, it may repeat what was sent.
      throw new Refusal(
        `${base}oauth2/token: ${response.status}`,
        response.status < 500 && response.status !== 404 ? REMEDIES[401]! : (REMEDIES[response.status] ?? AGAIN),
        response.status
      );
    }
    return ((await response.json()) as { access_token: string }).access_token;
  }

  async function request<T>(
    method: string,
    path: string,
    options: { body?: string; type?: string; ifMatch?: string; canRepeat?: boolean } = {}
  ): Promise<T> {
    token ??= login();
    const { body, type = 'application/fhir+json', ifMatch, canRepeat = method !== 'POST' } = options;
    const headers = {
      authorization: `Bearer ${await token}`,
      accept: 'application/fhir+json',
      ...(body !== undefined && { 'content-type': type }),
      ...(ifMatch && { 'if-match': `W/"${ifMatch}"` }),
    };
    const response = await send(method, path, { body, headers }, canRepeat);
    const text = await response.text();
    if (!response.ok) {
      throw new Refusal(
        `${method} ${path}: ${response.status} ${reasonOf(text)}`,
        REMEDIES[response.status] ?? AGAIN,
        response.status
      );
    }
    try {
      return JSON.parse(text) as T;
    } catch {
      return text as T;
    }
  }

  return {
    async session() {
      const me = await request<{ project?: { id: string; name?: string }; membership?: { admin?: boolean } }>(
        'GET',
        'auth/me'
      );
      return {
        projectId: me.project?.id ?? '',
        projectName: me.project?.name ?? '',
        isAdmin: me.membership?.admin === true,
      };
    },
    read: (path) => request('GET', fhir + path),
    async search<T extends Resource>(query: string) {
      const found: (T & { id: string })[] = [];
      for (let offset = 0; ; offset += 1000) {
        const page = await request<Bundle<T & { id: string }>>(
          'GET',
          `${fhir}${query}&_count=1000${offset ? `&_offset=${offset}` : ''}`
        );
        const rows = (page.entry ?? []).flatMap(({ resource }) => resource ?? []);
        found.push(...rows);
        if (rows.length < 1000) {
          return found;
        }
      }
    },
    create: (resource) => request('POST', fhir + resource.resourceType, { body: JSON.stringify(resource) }),
    update: (resource) =>
      request('PUT', `${fhir}${resource.resourceType}/${resource.id}`, {
        body: JSON.stringify(resource),
        ...(resource.meta?.versionId && { ifMatch: resource.meta.versionId }),
        canRepeat: false,
      }),
    async remove(path) {
      await request('DELETE', fhir + path);
    },
    async upload(text, contentType, filename) {
      const { id } = await request<{ id: string }>('POST', `${fhir}Binary?_filename=${encodeURIComponent(filename)}`, {
        body: text,
        type: contentType,
        canRepeat: true,
      });
      return id;
    },
    call: (method, path, body) =>
      request(method, path, body === undefined ? {} : { body: JSON.stringify(body), type: 'application/json' }),
    async deploy(botId, code, filename) {
      await request('POST', `${fhir}Bot/${botId}/$deploy`, {
        body: JSON.stringify({ code, filename }),
        type: 'application/json',
        canRepeat: true,
      });
    },
    execute: (botId, input) =>
      request('POST', `${fhir}Bot/${botId}/$execute`, { body: JSON.stringify(input), type: 'application/json' }),
  };
}

/** Whether to go again: lost races and throttling did nothing; a 5xx may have, so only what may be done twice is repeated. */
function waitOf({ status, headers }: Response, tries: number, canRepeat: boolean): number | undefined {
  if (tries >= TRIES) {
    return undefined;
  }
  if (status === 409) {
    return 50 * 2 ** tries * (0.5 + Math.random());
  }
  if (status === 429) {
    return tries > 2 ? undefined : 1000 * Number(/(?:^|;)\s*t=(\d+)/.exec(headers.get('ratelimit') ?? '')?.[1] ?? 60);
  }
  return status >= 500 && canRepeat && tries < 3 ? 1000 * tries : undefined;
}

/** The server's own words, cut: an OperationOutcome about resources that hold no PHI. */
function reasonOf(text: string): string {
  try {
    const { issue = [] } = JSON.parse(text) as Partial<OperationOutcome>;
    return issue
      .map(({ details, diagnostics, expression }) =>
        [details?.text ?? diagnostics, expression?.join()].filter(Boolean).join(' at ')
      )
      .join('; ')
      .slice(0, 500);
  } catch {
    return '';
  }
}

function causeOf(error: unknown): string {
  const { cause, name, message } = error as Error;
  return (cause as { code?: string } | undefined)?.code ?? (name === 'TimeoutError' ? 'no answer in time' : message);
}

/**
 * Reads the settings that Medplum's CLI reads.
 *
 * @param env - The environment.
 * @returns The credentials.
 * @throws Refusal naming everything that is missing.
 */
export function credentialsOf(env: Readonly<Record<string, string | undefined>>): Credentials {
  const { MEDPLUM_BASE_URL: baseUrl, MEDPLUM_CLIENT_ID: clientId, MEDPLUM_CLIENT_SECRET: clientSecret } = env;
  if (!baseUrl || !clientId || !clientSecret) {
    const missing = ['MEDPLUM_BASE_URL', 'MEDPLUM_CLIENT_ID', 'MEDPLUM_CLIENT_SECRET'].filter((name) => !env[name]);
    throw new Refusal(
      `missing in the environment: ${missing.join(', ')}`,
      'They name the source project: the server, and a ClientApplication that is an admin of the project.'
    );
  }
  if (!URL.canParse(baseUrl) || !/^https?:$/.test(new URL(baseUrl).protocol)) {
    throw new Refusal(
      'MEDPLUM_BASE_URL is not an http or https URL',
      'Set it to the server, such as https://api.medplum.com/'
    );
  }
  return { baseUrl, clientId, clientSecret, fhirPath: env.MEDPLUM_FHIR_URL_PATH ?? 'fhir/R4/' };
}
