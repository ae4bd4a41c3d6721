/** A FHIR client of a few lines, so that the story asks over the same HTTP that a user would. */
import type { Bundle, Resource } from '@medplum/fhirtypes';
import { setTimeout as sleep } from 'node:timers/promises';

const TRIES = 8;

/** One server, seen by one client. */
export interface Rest {
  readonly baseUrl: string;
  get<T extends Resource>(path: string): Promise<T>;
  send<T extends Resource>(method: 'POST' | 'PUT' | 'DELETE', path: string, body?: Resource): Promise<T>;
  /** How many resources a search matches. */
  count(search: string): Promise<number>;
}

/**
 * Signs in with client credentials.
 *
 * @param baseUrl - The server, with a trailing slash.
 * @param client - Id and secret.
 * @returns The client.
 * @throws Error with the status and text of an unsuccessful answer.
 */
export async function signIn(baseUrl: string, client: { readonly id: string; readonly secret: string }): Promise<Rest> {
  const answer = await fetch(`${baseUrl}oauth2/token`, {
    method: 'POST',
    headers: { Authorization: `Basic ${Buffer.from(`${client.id}:${client.secret}`).toString('base64')}` },
    body: new URLSearchParams({ grant_type: 'client_credentials' }),
  });
  const { access_token: token } = (await answer.json()) as { access_token?: string };
  if (!token) {
    throw new Error(`${baseUrl} gave no token: status ${answer.status}`);
  }
  const request = async <T extends Resource>(method: string, path: string, body?: Resource): Promise<T> => {
    for (let tries = 1; ; tries++) {
      const response = await fetch(`${baseUrl}fhir/R4/${path}`, {
        method,
        headers: { Authorization: `Bearer ${token}`, ...(body && { 'Content-Type': 'application/fhir+json' }) },
        ...(body && { body: JSON.stringify(body) }),
      });
      // A lost race did nothing (`platform.md` §11.2): while bots are at work, that happens to everybody.
      if (response.status === 409 && tries < TRIES) {
        await sleep(20 * 2 ** tries * (0.5 + Math.random()));
        continue;
      }
      if (!response.ok) {
        throw new Error(`${method} ${path}: status ${response.status}, ${await response.text()}`);
      }
      return (await response.json()) as T;
    }
  };
  return {
    baseUrl,
    get: (path) => request('GET', path),
    send: (method, path, body) => request(method, path, body),
    count: async (search) =>
      (await request<Bundle>('GET', `${search}${search.includes('?') ? '&' : '?'}_summary=count`)).total ?? 0,
  };
}
