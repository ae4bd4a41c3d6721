/** What `npm run deid` makes of inputs: their forms, whose data is whose, and lines that can be relied on. */
import { describe, expect, test } from 'vitest';
import { identifyingStrings } from '../../scripts/samples/identifying.ts';
import { leaksIn } from '../../scripts/samples/leaks.ts';
import { samplePatients } from '../../scripts/samples/patients.ts';
import { DEID_REASONS } from '../../src/rules/deid/reasons.ts';
import { aPatient, anEncounter, anObservation } from '../rules/deid/support.ts';
import { ndjson, preview } from './kit.ts';

const patient = aPatient();
const visit = anEncounter();
const pulse = anObservation();
const all = [patient, visit, pulse];
const entry = all.map((resource) => ({ resource }));

describe('forms of input', () => {
  const expected = preview([JSON.stringify(all)]);

  test.each([
    ['a Bundle', JSON.stringify({ resourceType: 'Bundle', type: 'collection', entry })],
    ['a pretty-printed Bundle', JSON.stringify({ resourceType: 'Bundle', type: 'collection', entry }, undefined, 2)],
    ['a pretty-printed array', JSON.stringify(all, undefined, 2)],
    ['an array of Bundles', JSON.stringify([{ resourceType: 'Bundle', type: 'batch', entry }])],
    ['NDJSON', ndjson(...all)],
    ['NDJSON of Windows', ndjson(...all).replaceAll('\n', '\r\n')],
    ['NDJSON with a byte order mark and blank lines', `\uFEFF${ndjson(...all).replaceAll('\n', '\n\n')}\n\n`],
    ['NDJSON of Bundles', ndjson(...entry.map((each) => ({ resourceType: 'Bundle', type: 'batch', entry: [each] })))],
  ])('%s gives the same lines as an array', async (_form, text) => {
    const { lines } = await preview([text], {}, 7);
    expect(lines).toEqual((await expected).lines);
    expect(lines.map(({ index, ok }) => [index, ok])).toEqual([
      [0, true],
      [1, true],
      [2, true],
    ]);
  });

  test('several files are counted on, and one that comes first may refer to one that comes last', async () => {
    const { lines } = await preview([ndjson(pulse), ndjson(visit), JSON.stringify(patient)]);
    expect(lines.map(({ index, resource }) => [index, resource?.['resourceType']])).toEqual([
      [0, 'Observation'],
      [1, 'Encounter'],
      [2, 'Patient'],
    ]);
    expect(lines[0]?.resource).toEqual((await expected).lines[2]?.resource);
  });

  test('a character that some take for a line end, U+2028, is none', async () => {
    const { lines } = await preview([
      ndjson(aPatient({ name: [{ text: 'a\u2028b' }] }), visit).replaceAll('\\u2028', '\u2028'),
    ]);
    expect(lines.map(({ ok }) => ok)).toEqual([true, true]);
  });

  test('a broken line is told, counted and does not stop the others; nothing of it is repeated', async () => {
    const { lines, told, counts } = await preview([
      `${ndjson(patient)}\n{"resourceType":"Observation","id":"Secret\n${ndjson(visit)}`,
    ]);
    expect(lines.map(({ ok, reason }) => reason ?? ok)).toEqual([true, 'malformed', true]);
    expect(counts.unread).toBe(1);
    expect(told.join()).not.toContain('Secret');
  });

  test.each(['', '   \n', '{"resourceType":', 'MSH|^~'])(
    'what is no JSON is an input that was not read: %j',
    async (text) => {
      const { lines, counts, told } = await preview([text]);
      expect(lines).toEqual([]);
      expect(counts).toEqual({ copied: 0, refused: {}, unread: 1 });
      expect(told).toHaveLength(1);
    }
  );

  test('what is no resource is refused by reason', async () => {
    const { lines } = await preview([
      JSON.stringify([null, 1, 'a', [], {}, { resourceType: 'Basic', id: 'b' }, { resourceType: 7 }]),
    ]);
    expect(lines.map(({ reason }) => reason)).toEqual([
      'malformed',
      'malformed',
      'malformed',
      'malformed',
      'unsupported-type',
      'malformed',
    ]);
  });
});

describe('whose data it is', () => {
  test.each([
    ['Patient/id', { reference: `Patient/${patient.id}` }],
    ['a version', { reference: `Patient/${patient.id}/_history/3` }],
    ['an absolute address', { reference: `https://ehr.example/fhir/Patient/${patient.id}` }],
    ['an identifier', { identifier: patient.identifier?.[0] }],
  ])('%s', async (_form, subject) => {
    const { lines } = await preview([ndjson({ ...pulse, subject }, patient)]);
    expect(lines[0]).toMatchObject({ ok: true });
  });

  test('the urn of a Bundle, also where the resource has another id, or none', async () => {
    const urn = 'urn:uuid:11111111-2222-4333-8444-555555555555';
    const { id: _id, ...nameless } = patient;
    for (const who of [patient, nameless, { ...patient, id: 'other' }]) {
      const bundle = {
        resourceType: 'Bundle',
        type: 'transaction',
        entry: [{ resource: { ...pulse, subject: { reference: urn } } }, { fullUrl: urn, resource: who }],
      };
      const { lines } = await preview([JSON.stringify(bundle)]);
      expect(lines.map(({ ok }) => ok)).toEqual([true, true]);
      const token = (lines[1]?.resource?.['identifier'] as { value: string }[])[0]?.value;
      expect(JSON.stringify(lines[0]?.resource?.['subject'])).toContain(token);
    }
  });

  test('one whom the input does not have is nobody', async () => {
    const { lines } = await preview([ndjson(patient, { ...pulse, subject: { reference: 'Patient/else' } })]);
    expect(lines[1]).toEqual({ index: 1, ok: false, reason: 'no-subject' });
  });

  test('a Group is not a patient', async () => {
    const { lines } = await preview([ndjson(patient, { ...pulse, subject: { reference: 'Group/1' } })]);
    expect(lines[1]).toEqual({ index: 1, ok: false, reason: 'wrong-patient' });
  });

  test('the same id in two files is two patients when they differ, each for their own file', async () => {
    const a = [
      { ...patient, id: '1' },
      { ...pulse, subject: { reference: 'Patient/1' } },
    ];
    const b = [
      { ...patient, id: '1', birthDate: '1930-01-01' },
      { ...pulse, subject: { reference: 'Patient/1' } },
    ];
    const { lines, told } = await preview([ndjson(...a), ndjson(...b), ndjson(a[1])]);
    expect(lines.map(({ ok, reason }) => reason ?? ok)).toEqual([true, true, true, true, 'no-subject']);
    expect(told.join()).toContain('different Patients');
  });

  test('--patient: everything is judged as theirs', async () => {
    const other = { ...patient, id: 'p2' };
    const { lines } = await preview([ndjson(patient, other, pulse)], { patient: 'Patient/p2' });
    expect(lines.map(({ ok, reason }) => reason ?? ok)).toEqual(['wrong-patient', true, 'wrong-patient']);
  });

  test('--patient may name somebody who is not in the input', async () => {
    const { lines, told } = await preview([ndjson(pulse)], { patient: `Patient/${patient.id}` });
    expect(lines[0]).toMatchObject({ ok: true });
    expect(told.join()).toContain('not in the input');
  });

  test('a reference to an Encounter of the input stays one, to any other becomes a token', async () => {
    const here = await preview([
      ndjson(patient, visit, { ...pulse, encounter: { reference: `Encounter/${visit.id}` } }),
    ]);
    const gone = await preview([ndjson(patient, { ...pulse, encounter: { reference: `Encounter/${visit.id}` } })]);
    expect(here.lines[2]?.resource?.['encounter']).toMatchObject({ reference: expect.stringContaining('Encounter?') });
    expect(gone.lines[1]?.resource?.['encounter']).toMatchObject({ identifier: {} });
  });
});

describe('what comes out', () => {
  const bundles = samplePatients({ seed: 5, count: 4 });
  const texts = bundles.map((bundle) => JSON.stringify(bundle));

  test('is the same each time, byte by byte', async () => {
    expect((await preview(texts)).text).toBe((await preview(texts, {}, 997)).text);
  });

  test('is another under another key', async () => {
    const other = await preview(texts, { key: { version: 1, secret: 'b7Qd0LxYt3KvGm9WcRs5HzNu1PaEj8FiTo2' } });
    const same = new Set((await preview(texts)).lines.map(({ resource }) => JSON.stringify(resource?.['identifier'])));
    expect(other.lines.filter(({ resource }) => same.has(JSON.stringify(resource?.['identifier'])))).toEqual([]);
  });

  test('holds nothing that identifies anybody, also with --explain', async () => {
    const { text, lines } = await preview(texts, { isExplained: true });
    expect(lines.every(({ ok }) => ok)).toBe(true);
    expect(
      leaksIn(
        text.split('\n').filter(Boolean),
        bundles.flatMap((bundle) => identifyingStrings(bundle))
      )
    ).toEqual([]);
  });

  test('gives reasons of the closed list alone', async () => {
    const { lines } = await preview([ndjson(...all, {}, { resourceType: 'Nonsense' }, { ...pulse, focus: [] })]);
    const reasons = lines.flatMap(({ reason }) => reason ?? []);
    expect(reasons.filter((reason) => !(DEID_REASONS as readonly string[]).includes(reason))).toEqual([]);
    expect(reasons).toHaveLength(3);
  });
});
