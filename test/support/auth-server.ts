/**
 * An authorization server that refuses every deviation: RFC 6749, 7523, 7636, 9700 and SMART App Launch 2.2 to the letter. JWTs are
 * verified by `jose`, which shares no code with what is tested.
 */
import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose';
import type { JSONWebKeySet } from 'jose';

export interface RegisteredClient {
  readonly id: string;
  readonly method: 'client_secret_basic' | 'client_secret_post' | 'private_key_jwt' | 'none';
  readonly grants: readonly string[];
  readonly secret?: string;
  readonly jwks?: JSONWebKeySet;
  /** Exactly what has to be asked for, where scope is sent at all. */
  readonly scope?: string;
  readonly redirectPath?: string;
}

interface Code {
  readonly client: string;
  readonly challenge: string;
  readonly redirectUri: string;
}

export interface AuthServer {
  readonly origin: string;
  readonly tokenUrl: string;
  /** What was refused, and why; empty when every request was to the letter. */
  readonly refusals: string[];
  /** Token requests that were granted. */
  readonly granted: URLSearchParams[];
  /** What the FHIR endpoint was asked, with which token. */
  readonly asked: string[];
  /** Begins a family of refresh tokens. */
  readonly startFamily: (client: string) => string;
  /** Ends access tokens, but not their families. */
  expireAccess(): void;
  /** Answers the next token requests with these instead. */
  readonly failures: { readonly status: number }[];
  /** Answers the next authorization with this error. */
  denyWith: string | undefined;
  /** Sends this back instead of the state that was given. */
  forgedState: string | undefined;
  close(): Promise<void>;
}

class Refused extends Error {
  readonly status: number;
  constructor(code: string, why: string, status = 400) {
    super(`${code}: ${why}`);
    this.status = status;
  }
}

const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
const PARAMETERS: Readonly<Record<string, readonly string[]>> = {
  client_credentials: ['scope'],
  [JWT_BEARER]: ['assertion', 'scope'],
  refresh_token: ['refresh_token'],
  authorization_code: ['code', 'redirect_uri', 'code_verifier'],
};
const AUTHENTICATION = ['client_id', 'client_secret', 'client_assertion', 'client_assertion_type'];

/** @returns A server on this machine, until it is closed. */
export async function startAuthServer(
  clients: readonly RegisteredClient[],
  options: {
    readonly rotate?: boolean;
    readonly expiresIn?: number;
    /** Where access tokens come from, when another server has to accept them. */
    readonly mint?: () => Promise<string>;
  } = {}
): Promise<AuthServer> {
  const seen = new Set<string>();
  const codes = new Map<string, Code>();
  /** Refresh token → family; used ones stay, to be known when they come again. */
  const families = new Map<string, string>();
  const used = new Set<string>();
  const revoked = new Set<string>();
  let access = new Set<string>();

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      // What `jose` refuses is an assertion that does not hold.
      const { message, status = 401 } = error as Partial<Refused>;
      state.refusals.push(message ?? String(error));
      send(response, status, { error: message?.split(':')[0] });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const tokenUrl = `${origin}/oauth2/token`;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', origin);
    if (url.pathname === '/fhir/R4/.well-known/smart-configuration') {
      return send(response, 200, {
        authorization_endpoint: `${origin}/oauth2/authorize`,
        token_endpoint: tokenUrl,
        code_challenge_methods_supported: ['S256'],
        grant_types_supported: ['authorization_code', 'client_credentials'],
        capabilities: ['permission-offline'],
      });
    }
    if (url.pathname === '/oauth2/authorize') {
      return authorize(url, response);
    }
    if (url.pathname === '/oauth2/token') {
      return send(response, 200, await token(request, url), { 'cache-control': 'no-store' });
    }
    const bearer = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
    state.asked.push(`${request.method} ${url.pathname}${url.search}`);
    return access.has(bearer)
      ? send(response, 200, { resourceType: 'Bundle', type: 'searchset', entry: [] })
      : send(response, 401, { resourceType: 'OperationOutcome', issue: [{ severity: 'error', code: 'login' }] });
  }

  function authorize(url: URL, response: ServerResponse): void {
    const query = Object.fromEntries(url.searchParams);
    const client = clients.find(({ id }) => id === query['client_id']);
    const back = new URL(query['redirect_uri'] ?? '', origin);
    // RFC 8252 §7.3: any port of the loopback address, and nothing else of it.
    if (!client || back.hostname !== '127.0.0.1' || back.pathname !== client.redirectPath) {
      throw new Refused('invalid_request', 'client or redirect_uri');
    }
    const isPkce = query['code_challenge_method'] === 'S256' && /^[\w-]{43}$/.test(query['code_challenge'] ?? '');
    if (query['response_type'] !== 'code' || !isPkce || (query['state'] ?? '').length < 22) {
      throw new Refused('invalid_request', 'response_type, PKCE or state');
    }
    if (query['scope'] !== client.scope || query['aud'] !== `${origin}/fhir/R4`) {
      throw new Refused('invalid_scope', 'scope or aud');
    }
    back.searchParams.set('state', state.forgedState ?? query['state'] ?? '');
    if (state.denyWith) {
      back.searchParams.set('error', state.denyWith);
    } else {
      const code = randomBytes(16).toString('base64url');
      codes.set(code, { client: client.id, challenge: query['code_challenge']!, redirectUri: query['redirect_uri']! });
      back.searchParams.set('code', code);
    }
    response.writeHead(302, { location: back.href }).end();
  }

  async function token(request: IncomingMessage, url: URL): Promise<object> {
    const failure = state.failures.shift();
    if (failure) {
      throw new Refused('temporarily_unavailable', 'planned', failure.status);
    }
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) {
      chunks.push(chunk);
    }
    const isForm = request.headers['content-type'] === 'application/x-www-form-urlencoded';
    if (request.method !== 'POST' || !isForm || url.search !== '') {
      throw new Refused('invalid_request', 'not a form by POST');
    }
    const form = new URLSearchParams(Buffer.concat(chunks).toString('latin1'));
    const names = [...form.keys()];
    const grant = form.get('grant_type') ?? '';
    const allowed = ['grant_type', ...(PARAMETERS[grant] ?? []), ...AUTHENTICATION];
    if (new Set(names).size !== names.length || names.some((name) => !allowed.includes(name))) {
      throw new Refused('invalid_request', `parameters ${names.join(' ')}`);
    }
    const client = await authenticate(request, form);
    if (!client.grants.includes(grant)) {
      throw new Refused('unauthorized_client', grant);
    }
    if ((PARAMETERS[grant] ?? []).includes('scope') && (form.get('scope') ?? undefined) !== client.scope) {
      throw new Refused('invalid_scope', String(form.get('scope')));
    }
    const refresh = await granted(grant, form, client);
    state.granted.push(form);
    const value = (await options.mint?.()) ?? randomBytes(24).toString('base64url');
    access.add(value);
    return {
      access_token: value,
      token_type: 'Bearer',
      expires_in: options.expiresIn ?? 3600,
      ...(refresh && { refresh_token: refresh }),
    };
  }

  async function authenticate(request: IncomingMessage, form: URLSearchParams): Promise<RegisteredClient> {
    const header = request.headers.authorization;
    const assertion = form.get('client_assertion');
    const ways = [header !== undefined, form.has('client_secret'), assertion !== null].filter(Boolean).length;
    if (ways > 1) {
      throw new Refused('invalid_request', 'more than one way of client authentication');
    }
    const [headerId, headerSecret] = header ? basicOf(header) : [];
    const id = headerId ?? form.get('client_id') ?? (assertion ? decodeJwt(assertion).iss : undefined);
    const client = clients.find((one) => one.id === id);
    if (!client) {
      throw new Refused('invalid_client', 'unknown', 401);
    }
    const isRight: Record<RegisteredClient['method'], () => Promise<boolean>> = {
      client_secret_basic: () =>
        Promise.resolve(headerSecret !== undefined && headerSecret === client.secret && !form.has('client_id')),
      client_secret_post: () => Promise.resolve(form.get('client_secret') === client.secret),
      private_key_jwt: async () => verifyAssertion(assertion ?? '', form, client),
      none: () => Promise.resolve(ways === 0 && form.get('client_id') === client.id),
    };
    if (!(await isRight[client.method]())) {
      throw new Refused('invalid_client', client.method, 401);
    }
    return client;
  }

  function basicOf(header: string): [string, string] {
    const [, encoded = ''] = /^Basic ([A-Za-z0-9+/]+=*)$/.exec(header) ?? [];
    const text = Buffer.from(encoded, 'base64').toString('latin1');
    const colon = text.indexOf(':');
    const decode = (part: string): string => decodeURIComponent(part.replaceAll('+', ' '));
    // Form-encoded text is of these characters alone (RFC 6749 appendix B).
    if (colon < 0 || !/^[A-Za-z0-9*._+%-]*:[A-Za-z0-9*._+%-]*$/.test(text)) {
      throw new Refused('invalid_client', 'id and secret are not form-encoded', 401);
    }
    return [decode(text.slice(0, colon)), decode(text.slice(colon + 1))];
  }

  async function verifyAssertion(jwt: string, form: URLSearchParams, client: RegisteredClient): Promise<boolean> {
    if (form.get('client_assertion_type') !== 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer') {
      throw new Refused('invalid_client', 'client_assertion_type', 401);
    }
    await verify(jwt, client, client.id, client.id);
    return true;
  }

  async function verify(jwt: string, client: RegisteredClient, issuer: string, subject: string): Promise<void> {
    if (!/^[\w-]+\.[\w-]+\.[\w-]+$/.test(jwt)) {
      throw new Refused('invalid_client', 'not a JWT in base64url', 401);
    }
    const { alg, kid, typ } = decodeProtectedHeader(jwt);
    if (typ !== 'JWT' || (alg !== 'HS256' && !kid)) {
      throw new Refused('invalid_client', 'typ or kid', 401);
    }
    const check = { audience: tokenUrl, issuer, subject, requiredClaims: ['exp', 'jti'] };
    const { payload } = client.jwks
      ? await jwtVerify(jwt, createLocalJWKSet(client.jwks), { ...check, algorithms: ['RS384', 'ES384', 'RS256'] })
      : await jwtVerify(jwt, Buffer.from(client.secret ?? ''), { ...check, algorithms: ['HS256'] });
    if (payload.exp! - Date.now() / 1000 > 300 || seen.has(payload.jti!)) {
      throw new Refused('invalid_client', 'exp or jti', 401);
    }
    seen.add(payload.jti!);
  }

  async function granted(grant: string, form: URLSearchParams, client: RegisteredClient): Promise<string | undefined> {
    switch (grant) {
      case JWT_BEARER:
        await verify(form.get('assertion') ?? '', client, 'the-issuer', 'the-subject');
        return undefined;
      case 'refresh_token':
        return refreshed(form.get('refresh_token') ?? '', client);
      case 'authorization_code': {
        const code = codes.get(form.get('code') ?? '');
        codes.delete(form.get('code') ?? '');
        const challenge = createHash('sha256')
          .update(form.get('code_verifier') ?? '')
          .digest('base64url');
        const isWellFormed = /^[\w.~-]{43,128}$/.test(form.get('code_verifier') ?? '');
        if (code?.client !== client.id || code.redirectUri !== form.get('redirect_uri')) {
          throw new Refused('invalid_grant', 'code or redirect_uri');
        }
        if (!isWellFormed || challenge !== code.challenge) {
          throw new Refused('invalid_grant', 'code_verifier');
        }
        return state.startFamily(client.id);
      }
      default:
        return undefined;
    }
  }

  /** One that comes a second time was stolen from somebody: the family ends (RFC 9700 §4.14.2). */
  function refreshed(given: string, client: RegisteredClient): string | undefined {
    const family = families.get(given);
    if (!family?.startsWith(`${client.id} `) || revoked.has(family)) {
      throw new Refused('invalid_grant', 'refresh_token');
    }
    if (used.has(given)) {
      revoked.add(family);
      throw new Refused('invalid_grant', 'refresh_token was used before');
    }
    if (!options.rotate) {
      return undefined;
    }
    used.add(given);
    const next = randomBytes(24).toString('base64url');
    families.set(next, family);
    return next;
  }

  const state: AuthServer = {
    origin,
    tokenUrl,
    refusals: [],
    granted: [],
    asked: [],
    failures: [],
    denyWith: undefined,
    forgedState: undefined,
    startFamily(client) {
      const first = randomBytes(24).toString('base64url');
      families.set(first, `${client} ${first}`);
      return first;
    },
    expireAccess() {
      access = new Set();
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => {
          resolve();
        });
      }),
  };
  return state;
}

function send(response: ServerResponse, status: number, body: object, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}
