/** Parts of the partner's files: by Range (RFC 9110 §14) where there is one, over redirects to listed hosts, as much as comes in time. */
import { Buffer } from 'node:buffer';
import { Fault } from '../observability/fault.ts';
import type { Clock, Slice, Wanted } from '../ports.ts';
import { within } from './within.io.ts';

/** Where files may lie. */
export interface FileParts {
  readonly clock: Clock;
  /** Origins. */
  readonly allowed: readonly string[];
}

/** A file that was opened: nothing of it is read yet. */
export interface Opened {
  readonly status: number;
  readonly response: BotResponse;
}

const MOST_REDIRECTS = 3;
const REDIRECTS = [301, 302, 303, 307, 308];
const GONE = [401, 403, 404, 410];
/** A server without Range sends a file from its begin each time: so more of it is taken at once. */
const WHOLE_FACTOR = 8;

/**
 * Asks for a part of a file.
 *
 * @param parts - Clock, and where files may lie.
 * @param wanted - The part.
 * @param authorization - The header, for the host of the link alone: a redirect to another host goes without.
 * @param until - The instant by which it has to have begun, in milliseconds since the epoch.
 * @returns The answer.
 * @throws Fault `partner-unavailable` when nothing answers; `partner-rejected` for a host that is not listed.
 */
export async function openFile(
  { clock, allowed }: FileParts,
  wanted: Wanted,
  authorization: Readonly<Record<string, string>>,
  until: number
): Promise<Opened> {
  const { offset, length, etag } = wanted;
  let url = new URL(wanted.url);
  for (let hops = 0; hops <= MOST_REDIRECTS; hops++) {
    if (!allowed.includes(url.origin)) {
      throw new Fault('partner-rejected', ['a file on a host that is not in PARTNER_FILE_HOSTS']);
    }
    const isOwn = url.origin === new URL(wanted.url).origin;
    const headers = {
      Accept: 'application/fhir+ndjson',
      // Of what is compressed on the way, no byte has a place of its own.
      'Accept-Encoding': 'identity',
      Range: `bytes=${offset}-${offset + length - 1}`,
      ...(etag?.startsWith('"') && { 'If-Range': etag }),
      ...(isOwn && authorization),
    };
    const response = await answered(clock, url.href, headers, until);
    if (!REDIRECTS.includes(response.status)) {
      return { status: response.status, response };
    }
    url = new URL(response.headers.get('Location') ?? '', url.href);
  }
  throw new Fault('partner-rejected', ['too many redirects']);
}

async function answered(
  clock: Clock,
  url: string,
  headers: Record<string, string>,
  until: number
): Promise<BotResponse> {
  const none = (): Fault => new Fault('partner-unavailable', ['a file was not answered']);
  try {
    const left = Math.max(1, until - clock.now());
    const asked = fetch(url, { method: 'GET', headers, redirect: 'manual', timeout: left });
    return await within(clock, left, asked, none);
  } catch {
    throw none();
  }
}

/**
 * Reads what was asked for, and not further: leaving closes the connection.
 *
 * @param parts - The clock.
 * @param wanted - The part.
 * @param opened - The answer.
 * @param until - No byte is waited for beyond this instant.
 * @returns The bytes, as far as they came.
 * @throws Fault `partner-unavailable` when none came though there are some.
 */
export async function readSlice({ clock }: FileParts, wanted: Wanted, opened: Opened, until: number): Promise<Slice> {
  const { status, response } = opened;
  const header = (name: string): string | undefined => response.headers.get(name) ?? undefined;
  const etag = header('ETag');
  if (GONE.includes(status)) {
    return { kind: 'expired' };
  }
  const [, from, to, total] = /^bytes (?:(\d+)-(\d+)|\*)\/(\d+|\*)$/.exec(header('Content-Range') ?? '') ?? [];
  if (status === 416) {
    // RFC 9110 §15.5.17: nothing lies there, so what came before was all, or there is less than there was.
    const isEnd = total === undefined || total === '*' || Number(total) === wanted.offset;
    return isEnd ? { kind: 'bytes', bytes: Buffer.alloc(0), isEnd: true, etag } : { kind: 'changed' };
  }
  if (status !== 200 && status !== 206) {
    throw new Fault('partner-unavailable', [`a file answered ${status}`]);
  }
  if (wanted.offset > 0 && wanted.etag !== undefined && etag !== undefined && etag !== wanted.etag) {
    return { kind: 'changed' };
  }
  if (status === 206 && Number(from) !== wanted.offset) {
    throw new Fault('partner-unavailable', ['a file answered another part']);
  }
  const skip = status === 200 ? wanted.offset : 0;
  const length = status === 200 ? wanted.length * WHOLE_FACTOR : wanted.length;
  const read = await readBytes(clock, response, { skip, length }, until);
  const sent = header('Content-Encoding') ? undefined : header('Content-Length');
  const isWhole =
    status === 206
      ? total !== '*' && wanted.offset + read.bytes.length >= Number(total)
      : read.hasEnded && (sent === undefined || read.seen >= Number(sent));
  if (read.bytes.length === 0 && !isWhole && !(status === 206 && Number(to) < Number(from))) {
    throw new Fault('partner-unavailable', ['a file sent nothing']);
  }
  if (isWhole && read.seen < skip) {
    return { kind: 'changed' };
  }
  return { kind: 'bytes', bytes: read.bytes, isEnd: isWhole, etag };
}

interface Read {
  readonly bytes: Buffer;
  /** All that came, also what was dropped. */
  readonly seen: number;
  /** Whether the server said that this was all; a connection that breaks says nothing. */
  readonly hasEnded: boolean;
}

async function readBytes(
  clock: Clock,
  { body }: BotResponse,
  { skip, length }: { readonly skip: number; readonly length: number },
  until: number
): Promise<Read> {
  const kept: Uint8Array[] = [];
  let [seen, size] = [0, 0];
  const done = (hasEnded: boolean): Read => ({ bytes: Buffer.concat(kept), seen, hasEnded });
  if (!body) {
    return done(true);
  }
  const chunks = body[Symbol.asyncIterator]();
  // Not waited for: a stream that hangs would hang here as well.
  const leave = (): void => {
    chunks.return?.().catch(() => undefined);
  };
  while (size < length) {
    let next: IteratorResult<Uint8Array>;
    try {
      next = await within(clock, until - clock.now(), chunks.next(), () => new Fault('partner-unavailable'));
    } catch {
      leave();
      return done(false);
    }
    if (next.done) {
      return done(true);
    }
    const chunk = next.value.subarray(Math.max(0, skip - seen));
    seen += next.value.length;
    const part = chunk.subarray(0, length - size);
    size += part.length;
    if (part.length > 0) {
      kept.push(part);
    }
  }
  leave();
  return done(false);
}
