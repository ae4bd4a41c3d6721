/**
 * Another organization's FHIR server with Bulk Data Access 2.0, on loopback: as slow, as strict and as forgetful as real ones are. What it does is
 * the specification's; how it misbehaves is what clients of public servers report: files on other hosts that refuse a token, links that end, bodies that
 * break off, no Range, HTTP dates.
 */
import { createHash, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createLocalJWKSet, jwtVerify } from 'jose';
import type { JSONWebKeySet } from 'jose';
import type { Parameters, Patient, Resource } from '@medplum/fhirtypes';

/** What it does beside what it should. Everything may be changed while it runs. */
export interface Behaviour {
  /** Answers of 202 before an export is complete. */
  polls: number;
  retryAfter: 'seconds' | 'date' | 'none';
  retrySeconds: number;
  /** Lines of one file. */
  linesPerFile: number;
  hasRange: boolean;
  /** Whether files are on the FHIR server and need the token; else they lie elsewhere, and refuse one as S3 does. */
  needsToken: boolean;
  /** Files are reached by a redirect. */
  redirects: boolean;
  /** Requests for files that links are good for. */
  linksFor: number;
  /** Whether an export is forgotten when its links have ended. */
  isForgetful: boolean;
  /** After how many bytes the body of the next answer with a file breaks off; undefined: not. */
  cut: () => number | undefined;
  /** Whether a body that breaks off says how long it should have been, or ends as if it were whole. */
  isCutSilent: boolean;
  /** Answers to the next requests for FHIR, each once. */
  readonly statuses: number[];
  /** Whether the manifest says how many lines a file has. */
  hasCounts: boolean;
  /** Milliseconds between two parts of a file. */
  slowMs: number;
  /** Whether there is a `$match`, and whether the CapabilityStatement says so. */
  match: 'declared' | 'hidden' | 'none';
  /** Whether there is a CapabilityStatement. */
  hasMetadata: boolean;
}

/** The server. */
export interface PartnerServer {
  /** With a trailing slash. */
  readonly baseUrl: string;
  /** Host and port of the files that lie elsewhere. */
  readonly fileHost: string;
  readonly behaviour: Behaviour;
  /** What it holds; may be changed while it runs. */
  readonly records: Resource[];
  /** What it has deleted, and when. */
  readonly deleted: { readonly reference: string; readonly at: string }[];
  /** OperationOutcomes of its error files. */
  readonly errors: object[];
  /** `METHOD path?query` of each request for FHIR, and `FILE n from` of each for a file. */
  readonly asked: string[];
  /** What it was asked that it must not be. */
  readonly violations: string[];
  close(): Promise<void>;
}

interface Export {
  readonly files: readonly {
    readonly role: string;
    readonly type: string;
    readonly text: string;
    readonly count: number;
  }[];
  readonly at: string;
  readonly request: string;
  polls: number;
  /** Part of each link; another one after they were renewed. */
  signature: string;
  uses: number;
}

const OUTCOME = (code: string): string =>
  JSON.stringify({ resourceType: 'OperationOutcome', issue: [{ severity: 'error', code }] });
const FHIR = '/fhir/R4/';

/**
 * Starts a partner.
 *
 * @param options - The keys of the one client that may sign in; without them everybody may ask.
 * @returns It, with what it holds.
 */
export async function startPartner(
  options: { readonly clientId?: string; readonly jwks?: JSONWebKeySet; readonly now?: () => number } = {}
): Promise<PartnerServer> {
  const { now = Date.now } = options;
  const exports = new Map<string, Export>();
  const tokens = new Set<string>();
  const server = createServer((request, response) => void handle(fhir, request, response));
  const store = createServer((request, response) => void handle(files, request, response));
  const origins = [await listen(server), await listen(store)] as const;
  const partner: PartnerServer = {
    baseUrl: `${origins[0]}/`,
    fileHost: new URL(origins[1]).host,
    behaviour: {
      polls: 0,
      retryAfter: 'seconds',
      retrySeconds: 1,
      linesPerFile: 1000,
      hasRange: true,
      needsToken: false,
      redirects: false,
      linksFor: Number.POSITIVE_INFINITY,
      isForgetful: false,
      cut: () => undefined,
      isCutSilent: false,
      statuses: [],
      hasCounts: true,
      slowMs: 0,
      match: 'none',
      hasMetadata: true,
    },
    records: [],
    deleted: [],
    errors: [],
    asked: [],
    violations: [],
    close: async () => {
      await Promise.all([server, store].map(stop));
    },
  };
  const { behaviour } = partner;
  return partner;

  async function handle(work: typeof fhir, request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      await work(request, response);
    } catch (error) {
      partner.violations.push(String(error));
      send(response, 500, OUTCOME('exception'));
    }
  }

  async function fhir(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', origins[0]);
    if (url.pathname === '/oauth2/token') {
      return token(request, response);
    }
    if (url.pathname.startsWith('/files/')) {
      return files(request, response);
    }
    const path = url.pathname.slice(FHIR.length);
    partner.asked.push(`${request.method} ${path}${url.search}`);
    if (path === 'metadata') {
      return behaviour.hasMetadata
        ? send(response, 200, JSON.stringify(capabilities()))
        : send(response, 404, OUTCOME('not-found'));
    }
    if (!isSignedIn(request)) {
      return send(response, 401, OUTCOME('login'));
    }
    const status = behaviour.statuses.shift();
    if (status !== undefined) {
      return send(response, status, OUTCOME(status >= 500 || status === 429 ? 'transient' : 'processing'), waiting());
    }
    if (/^(?:Patient\/|Group\/[\w-]+\/)?\$export$/.test(path)) {
      return kickOff(request, url, response);
    }
    if (path === 'Patient/_search' && request.method === 'POST') {
      return search(new URLSearchParams(await textOf(request)), response);
    }
    if (path === 'Patient/$match' && request.method === 'POST' && behaviour.match !== 'none') {
      return match(JSON.parse(await textOf(request)) as Parameters, response);
    }
    if (path === 'Patient' && url.search !== '') {
      partner.violations.push('demographics in a URL');
    }
    const found = exports.get(path.replace('bulk-status/', ''));
    if (!path.startsWith('bulk-status/') || !found) {
      return send(response, 404, OUTCOME('not-found'));
    }
    if (request.method === 'DELETE') {
      exports.delete(path.replace('bulk-status/', ''));
      return send(response, 202, '');
    }
    return answerStatus(path.replace('bulk-status/', ''), found, response);
  }

  async function token(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const form = new URLSearchParams(await textOf(request));
    try {
      const verified = await jwtVerify(
        form.get('client_assertion') ?? '',
        createLocalJWKSet(options.jwks ?? { keys: [] }),
        {
          issuer: options.clientId ?? '',
          subject: options.clientId ?? '',
          audience: `${origins[0]}/oauth2/token`,
          currentDate: new Date(now()),
        }
      );
      if (!verified.payload.jti || form.get('grant_type') !== 'client_credentials' || !form.get('scope')) {
        throw new Error('jti, grant_type or scope');
      }
    } catch (error) {
      partner.violations.push(`token: ${String(error)}`);
      return send(response, 400, JSON.stringify({ error: 'invalid_client' }));
    }
    const value = randomUUID();
    tokens.add(value);
    send(response, 200, JSON.stringify({ access_token: value, token_type: 'bearer', expires_in: 300 }));
  }

  function isSignedIn(request: IncomingMessage): boolean {
    const bearer = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
    return options.jwks === undefined || tokens.has(bearer);
  }

  function kickOff(request: IncomingMessage, url: URL, response: ServerResponse): void {
    const isAsync = /\brespond-async\b/.test(String(request.headers.prefer));
    if (!isAsync || request.headers.accept !== 'application/fhir+json') {
      partner.violations.push('kick-off without Prefer or Accept');
      return send(response, 400, OUTCOME('required'));
    }
    const id = randomUUID();
    const at = new Date(now()).toISOString();
    const types = url.searchParams.get('_type')?.split(',');
    const since = url.searchParams.get('_since') ?? '';
    const wanted = partner.records.filter(
      ({ resourceType, meta }) =>
        (types === undefined || types.includes(resourceType)) && (since === '' || (meta?.lastUpdated ?? at) > since)
    );
    const ndjson = (rows: readonly object[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join('');
    const output = [...new Set(wanted.map(({ resourceType }) => resourceType))].flatMap((type) => {
      const own = wanted.filter(({ resourceType }) => resourceType === type);
      return pagesOf(own, behaviour.linesPerFile).map((rows) => ({
        role: 'output',
        type,
        text: ndjson(rows),
        count: rows.length,
      }));
    });
    const gone = since === '' ? [] : partner.deleted.filter((each) => each.at > since);
    const bundles = gone.map(({ reference }) => ({
      resourceType: 'Bundle',
      type: 'transaction',
      entry: [{ request: { method: 'DELETE', url: reference } }],
    }));
    exports.set(id, {
      // As real ones do: in no order that helps anybody.
      files: [
        ...output.reverse(),
        ...(bundles.length > 0
          ? [{ role: 'deleted', type: 'Bundle', text: ndjson(bundles), count: bundles.length }]
          : []),
        ...(partner.errors.length > 0
          ? [{ role: 'error', type: 'OperationOutcome', text: ndjson(partner.errors), count: partner.errors.length }]
          : []),
      ],
      at,
      request: url.href,
      polls: 0,
      signature: randomUUID(),
      uses: 0,
    });
    send(response, 202, '', { 'content-location': `${origins[0]}${FHIR}bulk-status/${id}` });
  }

  function answerStatus(id: string, found: Export, response: ServerResponse): void {
    if (found.polls < behaviour.polls) {
      found.polls++;
      const percent = Math.floor((100 * found.polls) / (behaviour.polls + 1));
      return send(response, 202, '', { 'x-progress': `in progress, ${percent}%`, ...waiting() });
    }
    if (found.uses >= behaviour.linksFor) {
      if (behaviour.isForgetful) {
        exports.delete(id);
        return send(response, 404, OUTCOME('not-found'));
      }
      found.signature = randomUUID();
      found.uses = 0;
    }
    const origin = behaviour.needsToken ? origins[0] : origins[1];
    const rows = (role: string): object[] =>
      found.files.flatMap((file, index) =>
        file.role === role
          ? [
              {
                type: file.type,
                url: `${origin}/files/${id}/${index}?signature=${found.signature}`,
                ...(behaviour.hasCounts && { count: file.count }),
              },
            ]
          : []
      );
    const manifest = {
      transactionTime: found.at,
      request: found.request,
      requiresAccessToken: behaviour.needsToken,
      output: rows('output'),
      deleted: rows('deleted'),
      error: rows('error'),
    };
    send(response, 200, JSON.stringify(manifest), {
      'content-type': 'application/json',
      expires: new Date(now() + 3_600_000).toUTCString(),
    });
  }

  async function files(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', origins[0]);
    const [, , id = '', index = ''] = url.pathname.split('/');
    const found = exports.get(id);
    const file = found?.files[Number(index)];
    if (behaviour.needsToken ? !isSignedIn(request) : request.headers.authorization !== undefined) {
      if (!behaviour.needsToken) {
        partner.violations.push('a token was sent to the host of the files');
      }
      return send(response, behaviour.needsToken ? 401 : 400, OUTCOME('login'));
    }
    if (!found || !file || url.searchParams.get('signature') !== found.signature || found.uses >= behaviour.linksFor) {
      return send(response, 403, '<Error><Code>AccessDenied</Code></Error>', { 'content-type': 'application/xml' });
    }
    if (behaviour.redirects && !url.searchParams.has('hop')) {
      url.searchParams.set('hop', '1');
      return send(response, 307, '', { location: url.pathname + url.search });
    }
    found.uses++;
    const bytes = Buffer.from(file.text, 'utf8');
    const etag = `"${createHash('sha256').update(bytes).digest('hex').slice(0, 16)}"`;
    const [, from = '', to = ''] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
    const isRange =
      behaviour.hasRange && from !== '' && [undefined, etag].includes(request.headers['if-range'] as string);
    partner.asked.push(`FILE ${index} ${isRange ? from : '-'}`);
    if (isRange && Number(from) >= bytes.length) {
      return send(response, 416, '', { 'content-range': `bytes */${bytes.length}` });
    }
    const last = isRange && to !== '' ? Math.min(Number(to), bytes.length - 1) : bytes.length - 1;
    const part = isRange ? bytes.subarray(Number(from), last + 1) : bytes;
    const cut = behaviour.cut();
    const sent = cut === undefined ? part : part.subarray(0, cut);
    const isBroken = sent.length < part.length;
    response.writeHead(isRange ? 206 : 200, {
      'content-type': 'application/fhir+ndjson',
      etag,
      ...(isRange && { 'content-range': `bytes ${from}-${last}/${bytes.length}`, 'accept-ranges': 'bytes' }),
      ...(!(isBroken && behaviour.isCutSilent) && { 'content-length': part.length }),
    });
    for (const chunk of pagesOf([...new Array(Math.ceil(sent.length / 16_384)).keys()], 1)) {
      const at = (chunk[0] ?? 0) * 16_384;
      response.write(sent.subarray(at, at + 16_384));
      if (behaviour.slowMs > 0) {
        await new Promise((resolve) => setTimeout(resolve, behaviour.slowMs));
      }
    }
    if (isBroken && !behaviour.isCutSilent) {
      // Once what was written has left.
      setTimeout(() => response.destroy(), 20);
      return;
    }
    response.end();
  }

  function capabilities(): object {
    const operation =
      behaviour.match === 'declared'
        ? [{ name: 'match', definition: 'http://hl7.org/fhir/OperationDefinition/Patient-match' }]
        : [];
    return {
      resourceType: 'CapabilityStatement',
      rest: [{ mode: 'server', resource: [{ type: 'Patient', operation }] }],
    };
  }

  function people(): Patient[] {
    return partner.records.filter((each): each is Patient => each.resourceType === 'Patient');
  }

  function search(query: URLSearchParams, response: ServerResponse): void {
    const plain = (text = ''): string => text.toLowerCase();
    const values: Readonly<Record<string, (patient: Patient) => string[]>> = {
      family: ({ name = [] }) => name.map(({ family }) => plain(family)),
      given: ({ name = [] }) => name.flatMap(({ given = [] }) => given.map(plain)),
      birthdate: ({ birthDate = '' }) => [birthDate],
      phone: ({ telecom = [] }) => telecom.map(({ value = '' }) => value),
      email: ({ telecom = [] }) => telecom.map(({ value = '' }) => value),
      identifier: ({ identifier = [] }) => identifier.map(({ system, value }) => `${system}|${value}`),
    };
    const wanted = [...query].filter(([name]) => !name.startsWith('_'));
    if (wanted.length === 0 || wanted.some(([name]) => !values[name])) {
      partner.violations.push(`search by ${wanted.map(([name]) => name).join()}`);
      return send(response, 400, OUTCOME('invalid'));
    }
    const found = people().filter((patient) =>
      wanted.every(([name, text]) =>
        text.split(',').some((each) => values[name]?.(patient).some((own) => plain(own).startsWith(plain(each))))
      )
    );
    const entry = found.map((resource) => ({ resource, search: { mode: 'match' } }));
    send(response, 200, JSON.stringify({ resourceType: 'Bundle', type: 'searchset', entry }));
  }

  /** Its opinion is not ours: whoever has the same family name is certain. */
  function match({ parameter = [] }: Parameters, response: ServerResponse): void {
    const asked = parameter.find(({ name }) => name === 'resource')?.resource as Patient | undefined;
    const family = asked?.name?.[0]?.family;
    const entry = people()
      .filter(({ name, birthDate }) => name?.[0]?.family === family || birthDate === asked?.birthDate)
      .map((resource) => {
        const grade = resource.name?.[0]?.family === family ? 'certain' : 'possible';
        const extension = [{ url: 'http://hl7.org/fhir/StructureDefinition/match-grade', valueCode: grade }];
        return { resource, search: { mode: 'match', score: 0.9, extension } };
      });
    send(response, 200, JSON.stringify({ resourceType: 'Bundle', type: 'searchset', entry }));
  }

  function waiting(): Record<string, string> {
    const { retryAfter, retrySeconds } = behaviour;
    switch (retryAfter) {
      case 'seconds':
        return { 'retry-after': String(retrySeconds) };
      case 'date':
        return { 'retry-after': new Date(now() + retrySeconds * 1000).toUTCString() };
      default:
        return {};
    }
  }
}

function send(
  response: ServerResponse,
  status: number,
  body: string,
  headers: Readonly<Record<string, string>> = {}
): void {
  response.writeHead(status, { 'content-type': 'application/fhir+json', ...headers }).end(body);
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) {
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function pagesOf<T>(rows: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(rows.length / size) }, (_, index) =>
    rows.slice(index * size, (index + 1) * size)
  );
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function stop(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
