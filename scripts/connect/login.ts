/**
 * Authorization code with PKCE for a program on somebody's machine: RFC 8252 (loopback redirect), RFC 7636 (S256), RFC 9207's
 * `state`, SMART App Launch 2.2 (discovery, `aud`, `offline_access`).
 */
import { createHash, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { codeRequest } from '../../src/remote/grant.ts';
import type { Client } from '../../src/remote/grant.ts';
import { Refusal } from '../deploy/server.ts';

/** What a login takes. */
export interface LoginOptions {
  readonly client: Client;
  /** The FHIR endpoint, with a trailing slash. */
  readonly fhirUrl: string;
  /** Asked of the server's discovery document when it is not given. */
  readonly authorizeUrl: string | undefined;
  /** True when the token endpoint was said, and is not to be discovered. */
  readonly isTokenUrlGiven: boolean;
  readonly scope: string;
  /** 0 for any that is free; servers that compare redirect URIs to the letter need a fixed one. */
  readonly port: number;
  /** How long somebody has to sign in. */
  readonly timeoutMs: number;
  /** Shows the address to somebody, or opens it. */
  readonly open: (url: string) => void;
}

/** What came of it. */
export interface Login {
  readonly refreshToken: string;
  readonly tokenUrl: string;
}

const TIMEOUT_MS = 15_000;
export const CALLBACK = '/callback';

/**
 * @param options - Who signs in where.
 * @returns The first refresh token of a family.
 * @throws Refusal when the server or its user says no, when anything of the answer is not ours, or when the time is up.
 */
export async function login(options: LoginOptions): Promise<Login> {
  const { authorizeUrl, tokenUrl } = await endpoints(options);
  const [state, verifier] = [randomBytes(32).toString('base64url'), randomBytes(32).toString('base64url')];
  const waiting = await listen(options, state);
  try {
    const url = new URL(authorizeUrl);
    const query = {
      response_type: 'code',
      client_id: options.client.clientId,
      redirect_uri: waiting.redirectUri,
      scope: options.scope,
      state,
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
      aud: options.fhirUrl.replace(/\/$/, ''),
    };
    Object.entries(query).forEach(([name, value]) => {
      url.searchParams.set(name, value);
    });
    options.open(url.href);
    const code = await waiting.code;
    const moment = { now: Date.now(), jti: randomUUID() };
    const given = { code, redirectUri: waiting.redirectUri, verifier };
    const { headers, body } = codeRequest({ ...options.client, tokenUrl }, moment, given);
    const answer = await json(tokenUrl, { method: 'POST', headers, body });
    const { refresh_token: refreshToken } = answer;
    if (typeof refreshToken !== 'string') {
      throw new Refusal(
        'the server gave no refresh token',
        'Ask for one: --scope with offline_access (SMART), or whatever the server calls it.'
      );
    }
    return { refreshToken, tokenUrl };
  } finally {
    waiting.close();
  }
}

async function endpoints({ client, fhirUrl, authorizeUrl, isTokenUrlGiven }: LoginOptions): Promise<{
  readonly authorizeUrl: string;
  readonly tokenUrl: string;
}> {
  const isKnown = authorizeUrl !== undefined && isTokenUrlGiven;
  const found = isKnown ? {} : await json(`${fhirUrl}.well-known/smart-configuration`);
  const chosen = {
    authorizeUrl: authorizeUrl ?? found['authorization_endpoint'],
    tokenUrl: isTokenUrlGiven ? client.tokenUrl : found['token_endpoint'],
  };
  const methods = found['code_challenge_methods_supported'];
  if (Array.isArray(methods) && !methods.includes('S256')) {
    throw new Refusal(
      'the server does not support PKCE with S256',
      'SMART App Launch 2 requires it: ask its operator.'
    );
  }
  for (const url of Object.values(chosen)) {
    if (typeof url !== 'string' || !isSafe(url)) {
      throw new Refusal(
        'the server does not say where to sign in, or says an address without TLS',
        'Give both addresses: --authorize-url and --token-url.'
      );
    }
  }
  return chosen as { readonly authorizeUrl: string; readonly tokenUrl: string };
}

/** Credentials go over TLS, or not off this machine. */
function isSafe(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return (
    url?.protocol === 'https:' || (url?.protocol === 'http:' && /^(127\.0\.0\.1|localhost|\[::1\])$/.test(url.hostname))
  );
}

interface Waiting {
  readonly redirectUri: string;
  readonly code: Promise<string>;
  close(): void;
}

/** Listens on the loopback address alone, for one answer. What is not that answer is turned away, and ends nothing. */
async function listen({ port, timeoutMs }: LoginOptions, state: string): Promise<Waiting> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  promise.catch(() => undefined);
  const server = createServer((request, response) => {
    const { pathname, searchParams: query } = new URL(request.url ?? '/', 'http://127.0.0.1');
    const say = (status: number, text: string): void => {
      response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', connection: 'close' }).end(text);
    };
    if (request.method !== 'GET' || pathname !== CALLBACK) {
      say(404, 'Nothing is here.');
    } else if (!isSame(query.get('state') ?? '', state)) {
      say(400, 'This answer does not belong to the login that is waiting. You can close this window.');
      reject(
        new Refusal(
          'an answer came with another state',
          'Somebody may have tried to slip in a login of theirs: run the command again.'
        )
      );
    } else if (query.has('error') || !query.get('code')) {
      say(400, 'The server refused. You can close this window.');
      const why = [query.get('error'), query.get('error_description')].map((text) => plain(text ?? '')).filter(Boolean);
      reject(new Refusal(`the server refused: ${why.join(': ') || 'it sent no code'}`, 'Its operator can tell why.'));
    } else {
      say(200, 'Connected. You can close this window.');
      resolve(query.get('code') ?? '');
    }
  });
  await new Promise<void>((done, failed) => {
    server.once('error', () => {
      failed(new Refusal(`port ${port} is in use`, 'Choose another one: --port.'));
    });
    server.listen(port, '127.0.0.1', done);
  });
  const timer = setTimeout(() => {
    reject(new Refusal('nobody signed in in time', 'Run the command again; with --no-browser it prints the address.'));
  }, timeoutMs);
  return {
    redirectUri: `http://127.0.0.1:${(server.address() as AddressInfo).port}${CALLBACK}`,
    code: promise,
    close() {
      clearTimeout(timer);
      server.close();
    },
  };
}

function isSame(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** From a URL that anybody can make up, into a terminal. */
function plain(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, ' ').slice(0, 200);
}

async function json(url: string, init: RequestInit = {}): Promise<Record<string, unknown>> {
  const where = new URL(url).origin;
  const answer = await fetch(url, { ...init, redirect: 'error', signal: AbortSignal.timeout(TIMEOUT_MS) }).catch(
    (error: unknown) => {
      throw new Refusal(`${where} does not answer (${(error as Error).name})`, 'Check the address.');
    }
  );
  const body = (await answer.json().catch(() => ({}))) as Record<string, unknown>;
  if (!answer.ok) {
    const said = typeof body['error'] === 'string' ? `: ${plain(body['error'])}` : '';
    throw new Refusal(
      `${where} answered ${answer.status}${said}`,
      'Check the client: its id, how it authenticates, its redirect URI.'
    );
  }
  return body;
}
