/** What the page may ask for: a closed list, and nothing that only looks like it. */
import { expect, test } from 'vitest';
import { actionIn } from '../../scripts/console/actions.ts';
import { requestText, runText, whyOf } from '../../scripts/console/words.ts';
import { DENY_REASONS, SILENCE_REASONS } from '../../src/rules/consent/decision.ts';

test.each([
  [{ action: 'grant', patient: 'a1', classes: ['VITAL_SIGNS'] }],
  [{ action: 'revoke', patient: 'a1' }],
  [{ action: 'edit', record: 'Observation/a1', value: 1.5, isLost: true }],
  [{ action: 'condition', condition: 'down' }],
  [{ action: 'run', bot: 'sweep' }],
  [{ action: 'run', bot: 'time' }],
])('%j is an action', (input) => expect(actionIn(input)).toEqual(input));

test.each([
  undefined,
  null,
  'revoke',
  {},
  { action: 'delete', patient: 'a1' },
  { action: 'revoke', patient: 'a1?_id=b' },
  { action: 'grant', patient: 'a1', classes: [] },
  { action: 'grant', patient: 'a1', classes: ['GENETICS'] },
  { action: 'edit', record: 'Patient/a1', value: 1 },
  { action: 'edit', record: 'Observation/a1', value: 'x' },
  { action: 'edit', record: 'Observation/a1', value: Infinity },
  { action: 'condition', condition: 'constructor' },
  { action: 'run', bot: 'toString' },
  { action: 'run', bot: 'reveal' },
])('%j is none', (input) => expect(actionIn(input)).toBeUndefined());

test('every reason has plain words, without a code in them', () => {
  const reasons = [...DENY_REASONS, ...SILENCE_REASONS].map((reason) => `consent-${reason}`);
  for (const reason of [...reasons, 'residue-shape', 'marked-no-sync', 'encounter-unfinished']) {
    expect(whyOf(reason)).toMatch(/^[A-Z][a-z ,-]+[a-z]\.$/);
  }
  expect(whyOf('consent-class')).toBe('The consent does not cover this kind of data.');
});

test('what a run did, and what a request was for, in a sentence', () => {
  expect(runText('sync-change', { put: 0, skipped: 1, reasons: { 'consent-no-consents': 1 } })).toBe(
    'A record changed: 1 stayed here (no consent).'
  );
  expect(runText('consent-changed', { queued: 1, reasons: { 'replica-throttled': 1 } })).toBe(
    'A consent changed: not delivered, so it waits in the queue (the replica asks to slow down).'
  );
  expect(runText('sweep', {})).toBe('Sweep: looked for changes that were missed: nothing to do.');
  const entries = (...methods: string[]): object => ({ entry: methods.map((method) => ({ request: { method } })) });
  expect(requestText('transaction', 'POST', entries('POST', 'PUT', 'DELETE'))).toBe(
    'Sent 2 copies, Took one copy back'
  );
  expect(requestText('batch', 'POST', entries('GET', 'GET'))).toBe('Looked what is there');
  expect(requestText('token', 'POST', undefined)).toBe('Signed in');
});
