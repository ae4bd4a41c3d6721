/** Who may talk to the console: its own page, on this machine. Pure, but for the comparison of secrets. */
import { timingSafeEqual } from 'node:crypto';

/** What of a request decides. */
export interface Knock {
  readonly method: string;
  readonly isApi: boolean;
  readonly host: string | undefined;
  readonly origin: string | undefined;
  readonly token: string | undefined;
  readonly contentType: string | undefined;
  /** `Sec-Fetch-Site`, which browsers set and pages cannot. */
  readonly site: string | undefined;
}

/**
 * A page elsewhere can make a browser send requests here, and can have its own name resolve to this machine (DNS rebinding). So the name that was
 * asked for has to be ours, whatever changes something has to come from our own origin, and the API wants a token that only our page has.
 *
 * @param knock - The request.
 * @param port - Where we listen.
 * @param token - What our page was given.
 * @returns Why it is refused; undefined when it is let in.
 */
export function refusalOf(knock: Knock, port: number, token: string): string | undefined {
  const hosts = [`127.0.0.1:${port}`, `localhost:${port}`];
  if (!hosts.includes(knock.host ?? '')) {
    return 'not asked for by its own name';
  }
  if (!knock.isApi) {
    return knock.method === 'GET' ? undefined : 'no such method';
  }
  if (knock.site !== undefined && knock.site !== 'same-origin') {
    return 'from another site';
  }
  if (!isEqual(knock.token ?? '', token)) {
    return 'without the token of the page';
  }
  if (knock.method === 'GET') {
    return undefined;
  }
  if (knock.method !== 'POST') {
    return 'no such method';
  }
  if (knock.origin !== `http://${knock.host}`) {
    return 'from another origin';
  }
  return /^application\/json\b/.test(knock.contentType ?? '') ? undefined : 'not JSON';
}

function isEqual(a: string, b: string): boolean {
  const [one, other] = [Buffer.from(a), Buffer.from(b)];
  return one.length === other.length && timingSafeEqual(one, other);
}
