/** Whatever is sent, there is a clear answer: no entry is lost, nothing is thrown, nothing of the text comes back. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Config } from '../../../src/config/load.ts';
import { systemsOf } from '../../../src/fhir/systems.ts';
import { counted, fenceBasic, fenceOf } from '../../../src/flows/ingest/fence.ts';
import { settingOf, wantedOf } from '../../../src/flows/ingest/known.ts';
import type { Known } from '../../../src/flows/ingest/known.ts';
import { isNewer } from '../../../src/flows/ingest/origin.ts';
import { plan } from '../../../src/flows/ingest/plan.ts';
import { readRequest } from '../../../src/flows/ingest/received.ts';
import type { Received } from '../../../src/flows/ingest/received.ts';
import { refusalOf } from '../../../src/flows/ingest/refusal.ts';
import { bundle, temperature, visit } from '../../support/sender.ts';

const systems = systemsOf();
const bounds = { entries: 50, bytes: 200_000, depth: 32 };
const config = { systems, consent: { purpose: 'TREAT' }, ingest: { bounds } } as unknown as Config;
const sender = { client: 'ClientApplication/c', organizationId: 'o' };
const patient = { resourceType: 'Patient', id: 'p', managingOrganization: { reference: 'Organization/o' } } as const;
const known: Known = {
  patients: new Map([['token:pt_known', [patient]]]),
  taken: new Map(),
  linked: new Map(),
  consents: new Map(),
};

const SECRET = 'Wilhelmina-Zorkmid';
const hostile = fc.oneof(
  fc.json({ maxDepth: 4 }).map((text) => JSON.parse(text) as unknown),
  fc.constantFrom<unknown>(
    null,
    [],
    {},
    '',
    SECRET,
    -1,
    1e308,
    true,
    [null],
    { reference: 5 },
    { reference: `Patient/${SECRET}` },
    { reference: 'Patient?identifier=a|b,c|d' },
    { reference: 'Patient?identifier=%' },
    { reference: '#' },
    { coding: 'x' },
    { coding: [null, 5] },
    { system: 'http://loinc.org', code: 8 },
    { resourceType: 'Patient', id: '../..' },
    'constructor',
    'x'.repeat(5000)
  )
);
const elements = [
  'resourceType',
  'id',
  'meta',
  'status',
  'code',
  'subject',
  'encounter',
  'class',
  'valueQuantity',
  'identifier',
  'category',
  'component',
  'contained',
  'text',
  'performer',
  'extension',
];
const record = fc
  .tuple(
    fc.constantFrom(temperature('pt_known'), visit('pt_known')),
    fc.dictionary(fc.constantFrom(...elements), hostile, { maxKeys: 4 })
  )
  .map(([good, bad]) => ({ ...good, ...bad }));

function answers(input: unknown): number {
  const request = readRequest(input, bounds);
  if ('problems' in request) {
    expect(request.problems.join()).not.toContain(SECRET);
    return 0;
  }
  const setting = settingOf(config, sender, request.entries, '2026-01-01T00:00:00Z');
  wantedOf(request.entries, setting);
  for (const received of request.entries) {
    const planned = plan(received, known, setting, new Map(), `urn:uuid:${received.index}`);
    if (planned.kind === 'refuse') {
      expect(planned.issues.length).toBeGreaterThan(0);
      expect(JSON.stringify(planned.issues)).not.toContain(SECRET);
    } else {
      expect(planned.patient).toBe('Patient/p');
    }
  }
  return request.entries.length;
}

describe('hostile input', () => {
  test('any JSON', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 8 }), (text) => {
        answers(JSON.parse(text));
      }),
      { numRuns: 500 }
    );
  });

  test('records with anything in the place of an element', () => {
    let taken = 0;
    fc.assert(
      fc.property(record, (one) => {
        taken += answers(one);
      }),
      { numRuns: 2000 }
    );
    expect(taken).toBeGreaterThan(500);
  });

  test('Bundles of them, with requests and urls', () => {
    const entry = fc.record(
      {
        resource: fc.oneof({ weight: 4, arbitrary: record }, hostile),
        fullUrl: hostile,
        request: fc.oneof(
          hostile,
          fc.record({
            method: fc.constantFrom('POST', 'PUT', 'DELETE', 5),
            url: fc.constantFrom('Observation', 'Patient/x', '?', 7),
          })
        ),
      },
      { requiredKeys: ['resource'] }
    );
    fc.assert(
      fc.property(
        fc.constantFrom('batch', 'transaction', 'collection', 'searchset', 5),
        fc.array(entry, { maxLength: 6 }),
        (type, entries) => {
          const count = answers({ resourceType: 'Bundle', type, entry: entries });
          expect([0, entries.length]).toContain(count);
        }
      ),
      { numRuns: 1000 }
    );
  });

  test('bounds', () => {
    const many = Array.from({ length: 51 }, () => temperature('pt_known'));
    expect(readRequest(bundle('batch', ...many), bounds)).toEqual({
      problems: ['the Bundle has more than 50 entries'],
    });
    expect(readRequest(temperature('pt_known', { note: [{ text: 'x'.repeat(200_000) }] }), bounds)).toEqual({
      problems: ['the input has more than 200000 bytes'],
    });
    expect(readRequest(bundle('batch'), bounds)).toEqual({ problems: ['Bundle.entry must have at least one entry'] });
  });
});

describe('versions', () => {
  const at = (id?: string, when?: string): Received['version'] => ({ ...(id && { id }), ...(when && { at: when }) });
  const received = (version: Received['version'], isReplacement = false): Received =>
    ({ version, isReplacement }) as Received;
  test.each<[string, Received['version'], boolean, Received['version'], boolean]>([
    ['a later time', at('1', '2024-01-02T00:00:00.000Z'), false, at('9', '2024-01-01T00:00:00.000Z'), true],
    ['the same time', at('2', '2024-01-01T00:00:00.000Z'), false, at('1', '2024-01-01T00:00:00.000Z'), false],
    ['a higher number, as a number', at('10'), false, at('9'), true],
    ['a lower number', at('2'), false, at('10'), false],
    ['a version after none', at('1'), false, at(), true],
    ['none after a version, also by PUT', at(), true, at('1'), false],
    ['none after none, by POST', at(), false, at(), false],
    ['none after none, by PUT', at(), true, at(), true],
    ['words', at('b'), false, at('a'), false],
  ])('%s', (_what, now, isPut, then, expected) =>
    expect(isNewer(received(now, isPut), { digest: '', version: then })).toBe(expected)
  );
});

describe('the fence', () => {
  test('counts within a minute, and forgets afterwards', () => {
    const fence = { since: 1000, count: 8 };
    expect(counted(fence, 2, 10, 30_000)).toEqual({ since: 1000, count: 10 });
    expect(counted(fence, 3, 10, 31_000)).toEqual({ retryAfterSeconds: 30 });
    expect(counted(fence, 10, 10, 61_000)).toEqual({ since: 61_000, count: 10 });
    // A clock that was set back does not lock a sender out.
    expect(counted(fence, 10, 10, 0)).toEqual({ since: 0, count: 10 });
  });
  test('says what was written', () => {
    const basic = fenceBasic(systems, 'o', { since: 5, count: 7, run: 'r' });
    expect(fenceOf(systems, { ...basic, id: 'b', meta: { versionId: 'v' } })).toEqual({
      id: 'b',
      versionId: 'v',
      since: 5,
      count: 7,
    });
  });
});

test.each([
  ['Missing required property (Observation.status)', 'Observation.status', 'required'],
  ['Invalid additional property "Zorkmid"', 'Observation.Zorkmid', 'structure'],
  ['Invalid dateTime format: Zorkmid', 'Observation.effective[x]', 'structure'],
  ['Constraint obs-7 not met: Zorkmid', 'Observation', 'invalid'],
  ['Something about Zorkmid', undefined, 'invalid'],
])('what the server says of a record, in our words: %s', (text, expression, code) => {
  const [issue] = refusalOf([{ text, expression }]);
  expect(issue?.code).toBe(code);
  expect(JSON.stringify(issue)).not.toContain('Zorkmid');
});
