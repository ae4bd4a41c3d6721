/** Who is let into the console, rule by rule. */
import { expect, test } from 'vitest';
import { refusalOf } from '../../scripts/console/guard.ts';
import type { Knock } from '../../scripts/console/guard.ts';

const PORT = 4711;
const TOKEN = 'a-token';

const own: Knock = {
  method: 'POST',
  isApi: true,
  host: `127.0.0.1:${PORT}`,
  origin: `http://127.0.0.1:${PORT}`,
  token: TOKEN,
  contentType: 'application/json',
  site: 'same-origin',
};

test('the page itself is let in, under both names of this machine, and by clients that send no Sec-Fetch-Site', () => {
  expect(refusalOf(own, PORT, TOKEN)).toBeUndefined();
  const local = { ...own, host: `localhost:${PORT}`, origin: `http://localhost:${PORT}`, site: undefined };
  expect(refusalOf(local, PORT, TOKEN)).toBeUndefined();
  expect(refusalOf({ ...own, method: 'GET', origin: undefined, contentType: undefined }, PORT, TOKEN)).toBeUndefined();
  const opened = { ...own, method: 'GET', isApi: false, token: undefined, origin: undefined, site: 'cross-site' };
  expect(refusalOf(opened, PORT, TOKEN)).toBeUndefined();
});

test.each<[string, Partial<Knock>, string]>([
  ['another name for this machine (DNS rebinding)', { host: `evil.test:${PORT}` }, 'not asked for by its own name'],
  ['another port', { host: '127.0.0.1:80' }, 'not asked for by its own name'],
  ['no name', { host: undefined }, 'not asked for by its own name'],
  ['a page of another site', { site: 'cross-site' }, 'from another site'],
  ['another port of this machine', { site: 'same-site' }, 'from another site'],
  ['no token', { token: undefined }, 'without the token of the page'],
  ['another token', { token: 'b-token' }, 'without the token of the page'],
  ['no origin', { origin: undefined }, 'from another origin'],
  ['an opaque origin', { origin: 'null' }, 'from another origin'],
  ['the other of the two names', { origin: `http://localhost:${PORT}` }, 'from another origin'],
  ['a form', { contentType: 'application/x-www-form-urlencoded' }, 'not JSON'],
  ['text', { contentType: 'text/plain' }, 'not JSON'],
  ['another method', { method: 'PUT' }, 'no such method'],
  ['a page that is posted to', { isApi: false }, 'no such method'],
])('%s is refused', (_, change, refusal) => {
  expect(refusalOf({ ...own, ...change }, PORT, TOKEN)).toBe(refusal);
});
