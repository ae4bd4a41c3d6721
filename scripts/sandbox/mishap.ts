/** What can befall a request on its way, as data: what reaches the server, and what comes back. */

/** How one request goes wrong. */
export interface Mishap {
  /** Whether the server gets the request: then it takes effect, whatever the caller hears. */
  readonly isForwarded: boolean;
  /** Waits before the request is forwarded or answered, longer than any caller has patience. */
  readonly delay?: 'request' | 'answer';
  /** What the caller gets. `cut`: the connection is reset. `half`: its second half is missing, and the connection is reset. */
  readonly answer: 'whole' | 'cut' | 'half' | Canned;
}

/** An answer that no FHIR server has given. */
export interface Canned {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const FHIR = { 'Content-Type': 'application/fhir+json; charset=utf-8' };
const HTML = { 'Content-Type': 'text/html; charset=utf-8' };

function outcome(code: string, text: string): string {
  return JSON.stringify({
    resourceType: 'OperationOutcome',
    issue: [{ severity: 'error', code, details: { text } }],
  });
}

function refusal(status: number, code: string, headers: Readonly<Record<string, string>> = {}): Mishap {
  return { isForwarded: false, answer: { status, headers: { ...FHIR, ...headers }, body: outcome(code, code) } };
}

const PAGE = '<!DOCTYPE html><html><head><title>Bad gateway</title></head><body><h1>Bad gateway</h1></body></html>';

/** The mishaps by name. */
export const MISHAPS = {
  throttled: refusal(429, 'throttled'),
  'throttled-seconds': refusal(429, 'throttled', { 'Retry-After': '3' }),
  'server-error': refusal(500, 'exception'),
  unavailable: refusal(503, 'transient'),
  conflict: refusal(409, 'conflict'),
  refused: refusal(400, 'invalid'),
  forbidden: refusal(403, 'forbidden'),
  unauthorised: refusal(401, 'login'),
  'reset-before': { isForwarded: false, answer: 'cut' },
  'reset-after': { isForwarded: true, answer: 'cut' },
  'slow-request': { isForwarded: true, delay: 'request', answer: 'whole' },
  'slow-answer': { isForwarded: true, delay: 'answer', answer: 'whole' },
  truncated: { isForwarded: true, answer: 'half' },
  'wrong-type': { isForwarded: true, answer: { status: 200, headers: { 'Content-Type': 'text/plain' }, body: 'OK' } },
  'html-page': { isForwarded: false, answer: { status: 200, headers: HTML, body: PAGE } },
  'html-error': { isForwarded: false, answer: { status: 502, headers: HTML, body: PAGE } },
  empty: { isForwarded: false, answer: { status: 200, headers: FHIR, body: '' } },
} as const satisfies Record<string, Mishap>;

export type MishapName = keyof typeof MISHAPS;
