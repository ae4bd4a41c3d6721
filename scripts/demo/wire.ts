/** A request to the replica → a line of `wire.ndjson`: everything that left, but for the credentials. Pure. */
import type { WireEntry } from '../sandbox/wire.ts';

export interface WireLine {
  readonly sequence: number;
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: unknown;
  /** null when the connection was cut. */
  readonly status: number | null;
}

const REDACTED = '<redacted>';
const SECRET_HEADERS = ['authorization', 'proxy-authorization', 'cookie'];
const SECRET_FIELDS = ['client_secret', 'client_assertion', 'password', 'refresh_token', 'code_verifier'];

/**
 * @param entry - The exchange.
 * @param sequence - Its number, from 1.
 * @param baseUrl - The server's, ending with a slash.
 * @returns The line.
 */
export function wireLine(entry: WireEntry, sequence: number, baseUrl: string): WireLine {
  return {
    sequence,
    method: entry.method,
    url: new URL(entry.url, baseUrl).href,
    headers: Object.fromEntries(
      Object.entries(entry.headers).map(([name, value]) => [name, SECRET_HEADERS.includes(name) ? REDACTED : value])
    ),
    body: bodyOf(entry.body),
    status: entry.status ?? null,
  };
}

function bodyOf(text: string): unknown {
  if (text === '') {
    return null;
  }
  try {
    return JSON.parse(text) as unknown;
  } catch {
    const pattern = new RegExp(`(^|&)(${SECRET_FIELDS.join('|')})=[^&]*`, 'g');
    return text.replace(pattern, `$1$2=${REDACTED}`);
  }
}
