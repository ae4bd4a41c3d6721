import { allOk, badRequest, ContentType, getStatus, isResource, notFound, OperationOutcomeError } from '@medplum/core';
import type { WithId } from '@medplum/core';
import type { Binary, Bot } from '@medplum/fhirtypes';
import type { Bots } from './bots.ts';
import type { BotResult } from './bot-runtime.ts';
import type { Backend, Caller } from './caller.ts';
import { parseBody, sendJson, sendResource } from './http.ts';
import type { SandboxRequest, SandboxResponse } from './http.ts';
import type { StrictRepository } from './repository.ts';

/** The id in an `$execute` path: undefined for `Bot/$execute`. A path after it is accepted and ignored (platform.md §3.11). */
const PATH = /^\/?Bot(?:\/([^/]+))?\/(?:\$|%24)execute(?:\/.*)?$/;

export function isExecute(method: string, path: string): boolean {
  return (method === 'GET' || method === 'POST') && PATH.test(path);
}

/**
 * Runs a bot for a caller: whoever may read the Bot may execute it (platform.md §6.4).
 * @throws OperationOutcomeError as reading or searching the Bot does; 400 without id and identifier.
 */
export async function execute(
  request: SandboxRequest,
  path: string,
  caller: Caller,
  repository: StrictRepository,
  bots: Bots,
  backend: Backend
): Promise<SandboxResponse> {
  const found = await findBot(PATH.exec(path)?.[1], request.query.get('identifier'), repository);
  // The caller's copy may lack hidden fields; the bot runs with all of them.
  const bot = backend.store.row('Bot', found.id)?.current.resource as WithId<Bot>;
  const result = await bots.run({
    bot,
    trigger: 'execute',
    input: request.method === 'POST' ? parseBody(request) : queryObject(request.query),
    contentType: request.headers['content-type'],
    requester: caller.author,
    headers: request.headers,
    trace: request.trace,
  });
  return respond(request, result, backend);
}

async function findBot(
  id: string | undefined,
  identifier: string | null,
  repository: StrictRepository
): Promise<WithId<Bot>> {
  if (id) {
    return repository.readResource<Bot>('Bot', id);
  }
  if (!identifier) {
    throw new OperationOutcomeError(badRequest('Must specify bot ID or identifier.'));
  }
  const bot = await repository.searchOne<Bot>({
    resourceType: 'Bot',
    filters: [{ code: 'identifier', operator: 'exact', value: identifier }],
  });
  if (!bot) {
    throw new OperationOutcomeError(notFound);
  }
  return bot;
}

/** The query as Express parses it: a repeated name is an array. */
function queryObject(query: URLSearchParams): Record<string, string | string[]> {
  return Object.fromEntries(
    [...new Set(query.keys())].map((key) => {
      const values = query.getAll(key);
      return [key, values.length > 1 ? values : (values[0] as string)];
    })
  );
}

/** bots/utils.ts of 5.0.10: only success and failure decide the status; what was thrown becomes the body. */
function respond(request: SandboxRequest, result: BotResult, backend: Backend): SandboxResponse {
  const outcome = result.success ? allOk : badRequest(result.output);
  const value = result.returnValue ?? outcome;
  if (isResource(value, 'Binary')) {
    return sendBinary(request, value as Binary, backend, getStatus(outcome));
  }
  const mirrored = [ContentType.TEXT, ContentType.HL7_V2].find((type) => type === request.headers['content-type']);
  const body = bodyOf(value);
  if (body === undefined) {
    return sendJson(500, { msg: 'Internal Server Error' });
  }
  return {
    status: getStatus(outcome),
    headers: { 'Content-Type': `${mirrored ?? ContentType.JSON}; charset=utf-8` },
    body,
  };
}

/** What Express sends for a value; undefined for what it fails on (platform.md §3.10). */
function bodyOf(value: unknown): string | undefined {
  if (typeof value === 'string' || typeof value === 'number') {
    return String(value);
  }
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
}

/** A Binary goes out raw on GET, unless FHIR JSON is asked for (platform.md §9.2). */
export function sendBinary(request: SandboxRequest, binary: Binary, backend: Backend, status: number): SandboxResponse {
  if (request.method !== 'GET' || request.headers.accept?.startsWith(ContentType.FHIR_JSON)) {
    return { ...sendResource(allOk, binary, backend.baseUrl), status };
  }
  const body = binary.data === undefined ? backend.store.content(binary) : Buffer.from(binary.data, 'base64');
  return { status, headers: { 'Content-Type': binary.contentType }, body };
}
