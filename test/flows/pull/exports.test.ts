import { describe, expect, test } from 'vitest';
import type { Partner } from '../../../src/config/partner.ts';
import { isDue, kickOffUrl, nextScope, pauseAfter, pollWait } from '../../../src/flows/ingest/pull/exports.ts';
import { isSameExport, readManifest } from '../../../src/flows/ingest/pull/manifest.ts';
import type { Manifest } from '../../../src/flows/ingest/pull/manifest.ts';
import { begun } from '../../../src/flows/ingest/pull/state.ts';
import { deletedIn, errorsIn, marked } from '../../../src/flows/ingest/pull/deleted.ts';
import { systemsOf } from '../../../src/fhir/systems.ts';

const DAY = 86_400_000;
const partner = { exports: 'Patient', types: ['Patient', 'Observation'], pullEveryMs: 14 * DAY } as unknown as Partner;
const last = {
  exports: 'Patient',
  types: ['Patient', 'Observation'],
  transactionTime: '2025-03-01T10:00:00.000Z',
  startedAt: Date.parse('2025-03-01T09:00:00Z'),
};

test.each([
  ['Patient', 'Patient/$export?'],
  ['Group/g-1', 'Group/g-1/$export?'],
  ['system', '$export?'],
])('the kick-off of %s', (exports, path) => {
  const url = kickOffUrl({ exports, types: ['Patient'], since: '2025-01-01T00:00:00Z' }, 'Observation?code=1');
  expect(url.startsWith(path)).toBe(true);
  const query = new URLSearchParams(url.split('?').slice(1).join('?'));
  expect(Object.fromEntries(query)).toEqual({
    _outputFormat: 'application/fhir+ndjson',
    _type: 'Patient',
    _since: '2025-01-01T00:00:00Z',
    _typeFilter: 'Observation?code=1',
  });
});

describe('what the next pull asks for', () => {
  test('goes back to the earlier of our begin and the partner’s instant, and a little further', () => {
    expect(nextScope(partner, last, 120_000).since).toBe('2025-03-01T08:58:00.000Z');
    const early = { ...last, transactionTime: '2025-02-28T00:00:00.000Z' };
    expect(nextScope(partner, early, 120_000).since).toBe('2025-02-27T23:58:00.000Z');
  });
  test('is everything the first time, and after more was asked for', () => {
    expect(nextScope(partner, undefined, 0).since).toBeUndefined();
    expect(nextScope({ ...partner, exports: 'Group/1' }, last, 0).since).toBeUndefined();
    expect(nextScope({ ...partner, types: ['Patient', 'Encounter'] }, last, 0).since).toBeUndefined();
    expect(nextScope({ ...partner, types: ['Patient'] }, last, 0).since).toBeDefined();
  });
});

test('when the next one begins', () => {
  const scope = { exports: 'Patient', types: [] };
  const state = { ...begun({ runId: 'r', startedAt: 0, scope, last: undefined }), phase: 'done' as const };
  expect(isDue(undefined, partner, 0)).toBe(true);
  expect(isDue(state, partner, 14 * DAY - 1)).toBe(false);
  expect(isDue(state, partner, 14 * DAY)).toBe(true);
  expect(isDue({ ...state, phase: 'failed' }, partner, DAY)).toBe(true);
});

test('waits', () => {
  expect(pollWait(120_000, 0)).toBe(120_000);
  expect(pollWait(undefined, 0)).toBe(5000);
  expect(pollWait(undefined, 600_000)).toBe(60_000);
  expect(pollWait(0, 0)).toBe(1000);
  expect(pollWait(1e9, 0)).toBe(600_000);
  expect([1, 2, 3, 20].map((failures) => pauseAfter(failures, undefined))).toEqual([
    30_000, 60_000, 120_000, 3_600_000,
  ]);
  expect(pauseAfter(1, 50_000)).toBe(50_000);
});

const file = (type: string, more: object = {}): object => ({ type, url: `https://x.example/${type}`, ...more });
const good = {
  transactionTime: '2025-03-01T10:00:00Z',
  requiresAccessToken: true,
  output: [file('Observation', { count: 3 }), file('Patient'), file('Practitioner')],
  error: [file('OperationOutcome')],
  deleted: [file('Bundle')],
};

describe('a manifest', () => {
  test('is read in the order in which records refer to each other', () => {
    const read = readManifest(good, ['Patient', 'Observation']) as Manifest;
    expect(read.files.map(({ role, type }) => `${role} ${type}`)).toEqual([
      'output Patient',
      'output Observation',
      'deleted Bundle',
      'error OperationOutcome',
    ]);
    expect(read.skipped).toEqual(['Practitioner']);
  });
  test.each([
    ['no object', []],
    ['without an instant', { ...good, transactionTime: 'yesterday' }],
    ['that does not say whether files need a token', { ...good, requiresAccessToken: undefined }],
    ['without output', { ...good, output: undefined }],
    ['with an address that is none', { ...good, output: [file('Patient', { url: '/files/1' })] }],
    ['with an address of this machine', { ...good, output: [file('Patient', { url: 'file:///etc/passwd' })] }],
    ['with a file without a type', { ...good, output: [file('')] }],
  ])('%s is none', (_name, content) => {
    expect(readManifest(content, ['Patient'])).toHaveProperty('problem');
  });
  test('of the same export may take the place of another', () => {
    const read = (content: object): Manifest => readManifest(content, ['Patient', 'Observation']) as Manifest;
    const fresh = { ...good, output: good.output.map((each) => ({ ...each, url: 'https://x.example/new' })) };
    expect(isSameExport(read(good), read(fresh))).toBe(true);
    expect(isSameExport(read(good), read({ ...good, transactionTime: '2025-03-02T10:00:00Z' }))).toBe(false);
    expect(isSameExport(read(good), read({ ...good, output: good.output.slice(1) }))).toBe(false);
  });
});

test('deletions', () => {
  const bundle = (url: string, method = 'DELETE'): string =>
    JSON.stringify({ resourceType: 'Bundle', type: 'transaction', entry: [{ request: { method, url } }] });
  expect(deletedIn(bundle('Patient/1'))).toEqual([{ type: 'Patient', id: '1' }]);
  expect(deletedIn(bundle('https://x.example/fhir/Observation/a-2'))).toEqual([{ type: 'Observation', id: 'a-2' }]);
  expect(deletedIn(bundle('Patient/1', 'PUT'))).toEqual([]);
  expect(deletedIn('{"resourceType":"Patient"}')).toBeUndefined();
  expect(deletedIn('{')).toBeUndefined();
});

test('error files are counted by severity and code, and say nothing else', () => {
  const issue = [
    { severity: 'error', code: 'timeout', diagnostics: 'Zorkmid' },
    { severity: 'error', code: 'Zorkmid' },
  ];
  expect(errorsIn(JSON.stringify({ resourceType: 'OperationOutcome', issue }))).toEqual(['error timeout']);
  expect(errorsIn('x')).toEqual(['unreadable']);
});

test('a Condition that is entered in error has no clinical status beside it (con-5)', () => {
  const systems = systemsOf();
  const identifier = [{ system: systems.ingested, value: 'k', extension: [{ url: 'x', valueString: 'digest' }] }];
  const condition = { resourceType: 'Condition', subject: {}, clinicalStatus: {}, identifier } as never;
  const result = marked(condition, systems);
  expect(result).toMatchObject({ verificationStatus: { coding: [{ code: 'entered-in-error' }] } });
  expect(result).not.toHaveProperty('clinicalStatus');
  expect(result).toMatchObject({ identifier: [{ system: systems.ingested, value: 'k' }] });
  expect(JSON.stringify(result)).not.toContain('digest');
  expect(marked(result!, systems)).toBeUndefined();
});
