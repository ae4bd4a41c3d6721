/** Reads over HTTP that never throw: what did not work is what a doctor looks for. */
import type { Bundle, Resource } from '@medplum/fhirtypes';

/** One answer. */
export interface Answer {
  /** 0 when there was none. */
  readonly status: number;
  /** Why there was none, or what the status means; empty when all is well. */
  readonly problem: string;
  readonly body: unknown;
  /** How far the server's clock is ahead of ours, in milliseconds; its header has whole seconds. */
  readonly skewMs: number | undefined;
  /** Units that are left in this minute, as far as the server tells. */
  readonly unitsLeft: number | undefined;
  readonly ms: number;
}

/** Rows of a search, or why they cannot be seen. */
export type Listed<T> = { readonly rows: readonly (T & { id: string })[] } | { readonly problem: string };

/** A server seen by one client. */
export interface View {
  get(path: string): Promise<Answer>;
  list<T extends Resource>(search: string): Promise<Listed<T>>;
  /** How many resources a search matches; undefined when it is not answered. */
  count(search: string): Promise<number | undefined>;
}

const TIMEOUT_MS = 10_000;
const PAGE = 1000;

/**
 * Sends one request.
 *
 * @param url - Where to.
 * @param init - Method, headers and body; GET by default.
 * @returns The answer, whatever happens.
 */
export async function ask(url: string, init: RequestInit = {}): Promise<Answer> {
  const started = performance.now();
  try {
    const response = await fetch(url, { ...init, redirect: 'error', signal: AbortSignal.timeout(TIMEOUT_MS) });
    const text = await response.text();
    const left = /"fhirInteractions";r=(\d+)/.exec(response.headers.get('ratelimit') ?? '')?.[1];
    const date = Date.parse(response.headers.get('date') ?? '');
    return {
      status: response.status,
      problem: response.ok ? '' : `status ${response.status}`,
      body: parse(text),
      skewMs: Number.isNaN(date) ? undefined : date - Date.now(),
      unitsLeft: left === undefined ? undefined : Number(left),
      ms: performance.now() - started,
    };
  } catch (error) {
    const { name, cause } = error as Error & { cause?: { code?: string } };
    const problem =
      name === 'TimeoutError' ? `no answer in ${TIMEOUT_MS / 1000} s` : `no answer (${cause?.code ?? name})`;
    return {
      status: 0,
      problem,
      body: undefined,
      skewMs: undefined,
      unitsLeft: undefined,
      ms: performance.now() - started,
    };
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * @param fhirUrl - The FHIR endpoint, with a trailing slash.
 * @param authorization - The header.
 * @returns The server as this client sees it.
 */
export function viewOf(fhirUrl: string, authorization: string): View {
  const headers = { authorization, accept: 'application/fhir+json' };
  const get = (path: string): Promise<Answer> => ask(fhirUrl + path, { headers });
  return {
    get,
    async list<T extends Resource>(search: string): Promise<Listed<T>> {
      const rows: (T & { id: string })[] = [];
      for (let offset = 0; ; offset += PAGE) {
        const { problem, body } = await get(
          `${search}${search.includes('?') ? '&' : '?'}_count=${PAGE}${offset ? `&_offset=${offset}` : ''}`
        );
        if (problem) {
          return { problem };
        }
        const page = ((body as Bundle<T & { id: string }>).entry ?? []).flatMap(({ resource }) => resource ?? []);
        rows.push(...page);
        if (page.length < PAGE) {
          return { rows };
        }
      }
    },
    async count(search) {
      const { body } = await get(`${search}${search.includes('?') ? '&' : '?'}_summary=count`);
      return (body as Bundle | undefined)?.total;
    },
  };
}

/**
 * The client-credentials grant.
 *
 * @param tokenUrl - The token endpoint.
 * @param client - Id and secret.
 * @returns The answer; its body has the token.
 */
export function askToken(tokenUrl: string, client: { readonly id: string; readonly secret: string }): Promise<Answer> {
  return ask(tokenUrl, {
    method: 'POST',
    headers: { authorization: basicOf(client), 'content-type': 'application/x-www-form-urlencoded' },
    body: 'grant_type=client_credentials',
  });
}

/** @returns The header of RFC 7617. */
export function basicOf({ id, secret }: { readonly id: string; readonly secret: string }): string {
  return `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`;
}

/** @returns The header with the token of an answer; undefined when there is none in it. */
export function bearerOf({ body }: Answer): string | undefined {
  const token = (body as { access_token?: unknown } | undefined)?.access_token;
  return typeof token === 'string' ? `Bearer ${token}` : undefined;
}
