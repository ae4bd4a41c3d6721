import { badRequest, ContentType, getStatus, OperationOutcomeError, stringify } from '@medplum/core';
import type { OperationOutcome, Resource } from '@medplum/fhirtypes';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { Trace } from './audit.ts';
import { storedText } from './version.ts';

/** A request as it came in. */
export interface SandboxRequest {
  readonly method: string;
  /** Path and query, as sent. */
  readonly url: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
  readonly trace: Trace;
}

/** A response before it goes out. */
export interface SandboxResponse {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: string | Uint8Array;
}

/** platform.md §9.5. Binaries are not limited (§9.1). */
const MAX_JSON = 1024 * 1024;
const MAX_TEXT = 100 * 1024;
const MAX_DISCARDED = 16 * 1024 * 1024;
const FHIR_JSON = `${ContentType.FHIR_JSON}; charset=utf-8`;

/** Reads a request to its end, so that even a refused one is answered. */
export async function readRequest(message: IncomingMessage, trace: Trace): Promise<SandboxRequest> {
  const url = message.url ?? '/';
  const isBinary = /\/Binary(\/|$|\?)/.test(url);
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of message as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (isBinary || length <= MAX_DISCARDED) {
      chunks.push(chunk);
    }
  }
  const queryStart = url.indexOf('?');
  return {
    method: message.method ?? 'GET',
    url,
    path: queryStart < 0 ? url : url.slice(0, queryStart),
    query: new URLSearchParams(queryStart < 0 ? '' : url.slice(queryStart + 1)),
    headers: message.headers,
    bytes: chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks),
    trace,
  };
}

/**
 * The body as the real server's parsers hand it on: an object for JSON and forms, text for text and HL7, and `{}` for the rest.
 * @throws OperationOutcomeError 400 if it is too large or not what it says it is.
 */
export function parseBody({ headers, bytes }: SandboxRequest): unknown {
  const type = headers['content-type']?.split(';')[0]?.trim() ?? '';
  const isText = type === ContentType.TEXT || type === ContentType.HL7_V2;
  if (bytes.length > (isText ? MAX_TEXT : MAX_JSON)) {
    throw new OperationOutcomeError(badRequest('File too large'));
  }
  if (bytes.length === 0) {
    return {};
  }
  if (isText) {
    return bytes.toString('utf8');
  }
  if (type === ContentType.FORM_URL_ENCODED) {
    return Object.fromEntries(new URLSearchParams(bytes.toString('utf8')));
  }
  if (!/^application\/(.+\+)?json$/.test(type)) {
    return {};
  }
  try {
    return JSON.parse(bytes.toString('utf8')) as unknown;
  } catch {
    throw new OperationOutcomeError(badRequest('Content could not be parsed'));
  }
}

export function sendJson(status: number, value: unknown): SandboxResponse {
  return { status, headers: { 'Content-Type': 'application/json; charset=utf-8' }, body: JSON.stringify(value) };
}

/** An OperationOutcome, with the status that core derives from it. */
export function sendOutcome(outcome: OperationOutcome): SandboxResponse {
  return { status: getStatus(outcome), headers: { 'Content-Type': FHIR_JSON }, body: JSON.stringify(outcome) };
}

/** A resource, with `ETag`, `Last-Modified`, and `Location` if it was created. */
export function sendResource(outcome: OperationOutcome, resource: Resource, baseUrl: string): SandboxResponse {
  const { meta, resourceType, id } = resource;
  return {
    status: getStatus(outcome),
    headers: {
      'Content-Type': FHIR_JSON,
      ...(meta?.versionId && { ETag: `W/"${meta.versionId}"` }),
      ...(meta?.lastUpdated && { 'Last-Modified': new Date(meta.lastUpdated).toUTCString() }),
      ...(outcome.id === 'created' && { Location: `${baseUrl}fhir/R4/${resourceType}/${id}` }),
    },
    body: storedText(resource) ?? bundleText(resource) ?? stringify(resource),
  };
}

/** A page of stored resources need not be stringified again: their texts are put together. */
function bundleText(resource: Resource): string | undefined {
  if (resource.resourceType !== 'Bundle' || resource.type !== 'searchset' || !resource.entry) {
    return undefined;
  }
  const entries = resource.entry.map(({ resource: content, ...entry }) => {
    const text = (content && storedText(content)) ?? stringify(content);
    const head = JSON.stringify(entry);
    return `${head.slice(0, -1)}${head === '{}' ? '' : ','}"resource":${text}}`;
  });
  const { entry: _entry, ...bundle } = resource;
  return `${JSON.stringify(bundle).slice(0, -1)},"entry":[${entries.join(',')}]}`;
}

/** Sends a response and ends it. */
export function writeResponse(response: ServerResponse, { status, headers, body }: SandboxResponse): void {
  response.writeHead(status, { ...headers, 'Content-Length': Buffer.byteLength(body) });
  response.end(body);
}
