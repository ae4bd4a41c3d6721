import { matchesSearchRequest, parseSearchRequest } from '@medplum/core';
import type { Observation, Patient, Resource, Task } from '@medplum/fhirtypes';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { loadDefinitions } from '../../scripts/sandbox/definitions.ts';
import { runSearch } from '../../scripts/sandbox/search.ts';
import { Store } from '../../scripts/sandbox/store.ts';
import { Table } from '../../scripts/sandbox/table.ts';
import { makeVersion } from '../../scripts/sandbox/version.ts';

const ACCESS = { policy: undefined, admin: true };
const AT = Date.parse('2026-11-21T10:00:00Z');

beforeAll(() => loadDefinitions());

const word = fc.constantFrom('a', 'B', 'b', 'c', 'active', 'Patient/a');
const coding = fc.record({ system: fc.constantFrom('urn:x', 'urn:y'), code: word });
const reference = fc.record({ reference: fc.constantFrom('Patient/a', 'Patient/b', 'Group/a') });
const resource = fc.oneof(
  fc.record(
    {
      resourceType: fc.constant('Patient' as const),
      identifier: fc.array(fc.record({ system: fc.constantFrom('urn:x', 'urn:y'), value: word }), {
        minLength: 1,
        maxLength: 2,
      }),
      active: fc.boolean(),
      gender: fc.constantFrom('male' as const, 'female' as const),
    },
    { requiredKeys: ['resourceType'] }
  ),
  fc.record(
    {
      resourceType: fc.constant('Observation' as const),
      status: fc.constantFrom('final' as const, 'amended' as const),
      code: fc.record({ coding: fc.array(coding, { maxLength: 2 }), text: word }),
      subject: reference,
      meta: fc.record({ tag: fc.array(coding, { maxLength: 2 }) }),
    },
    { requiredKeys: ['resourceType', 'status', 'code'] }
  ),
  fc.record(
    {
      resourceType: fc.constant('Task' as const),
      status: fc.constantFrom('requested' as const, 'failed' as const),
      intent: fc.constant('order' as const),
      for: reference,
      focus: reference,
      businessStatus: fc.record({ text: word }),
    },
    { requiredKeys: ['resourceType', 'status', 'intent'] }
  )
) as fc.Arbitrary<Patient | Observation | Task>;

const QUERIES = [
  'Patient?identifier=urn:x|a',
  'Patient?identifier=b',
  'Patient?identifier=|a',
  'Patient?identifier=urn:y|',
  'Patient?identifier=urn:x|a,urn:y|b',
  'Patient?active=true',
  'Patient?gender:not=male',
  'Patient?identifier:missing=true',
  'Observation?code=urn:x|b',
  'Observation?code=A',
  'Observation?status=final&subject=Patient/a',
  'Observation?patient=a',
  'Observation?patient=Patient/a,Patient/b',
  'Observation?_tag=urn:x|a',
  'Observation?_tag:not=urn:x|a',
  'Task?patient=Patient/a&status=requested',
  'Task?focus=Group/a',
  'Task?business-status=b',
];

describe('the index', () => {
  test('finds what a scan of everything finds, whatever is stored', () => {
    fc.assert(
      fc.property(fc.array(resource, { maxLength: 25 }), fc.constantFrom(...QUERIES), (resources, query) => {
        const store = new Store();
        const stored = resources.map((content, i) => put(store, content, String(i), AT + i));
        const request = parseSearchRequest(query);
        const found = runSearch(store, { ...request, count: 1000 }, ACCESS).rows.map((row) => row.id);
        expect(found).toEqual(stored.filter((one) => matchesSearchRequest(one, request)).map((one) => one.id));
      }),
      { numRuns: 400 }
    );
  });

  test('forgets what a resource no longer says', () => {
    const store = new Store();
    put(store, { resourceType: 'Patient', identifier: [{ system: 'urn:x', value: 'a' }] }, '1', AT);
    put(store, { resourceType: 'Patient', identifier: [{ system: 'urn:x', value: 'b' }] }, '1', AT + 1);
    expect(ids(store, 'Patient?identifier=urn:x|a')).toEqual([]);
    expect(ids(store, 'Patient?identifier=urn:x|b')).toEqual(['1']);
  });
});

describe('a table', () => {
  /** Everything that can be observed of a table. */
  const observe = (table: Table): unknown => ({
    order: table.log
      .filter((row) => row !== undefined)
      .map((row) => [row.id, row.current.versionId, row.versions.length]),
    rows: [...table.rows.keys()].sort(),
    a: [...(table.withTerm('t:a') ?? [])].map((row) => row.id).sort(),
    b: [...(table.withTerm('t:b') ?? [])].map((row) => row.id).sort(),
    positions: [...table.rows.values()].every((row) => table.log[row.position] === row),
  });
  const change = fc.record({
    id: fc.constantFrom('1', '2', '3'),
    value: fc.constantFrom('a', 'b'),
    kind: fc.constantFrom('put', 'bury', 'expunge'),
  });
  const apply = (
    table: Table,
    { id, value, kind }: { id: string; value: string; kind: string },
    n: number
  ): (() => void) => {
    const lastUpdated = new Date(AT + n).toISOString();
    if (kind === 'expunge') {
      return table.expunge(id);
    }
    const meta = { versionId: String(n), lastUpdated };
    return table.put(
      id,
      kind === 'put'
        ? makeVersion(JSON.stringify({ resourceType: 'Patient', id, meta, identifier: [{ value }] }))
        : { ...meta, text: undefined, resource: undefined }
    );
  };

  test('is as before when a series of changes is undone in reverse order', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 8 }), fc.array(change, { maxLength: 8 }), (kept, undone) => {
        const table = new Table();
        kept.forEach((one, n) => apply(table, one, n));
        const before = observe(table);
        const undo = undone.map((one, n) => apply(table, one, 100 + n));
        undo.reverse().forEach((back) => back());
        expect(observe(table)).toEqual(before);
      })
    );
  });

  test('finds the place of a time, with holes before, at and after it', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 30 }), fc.nat(35), (changes, at) => {
        const table = new Table();
        changes.forEach((one, n) => apply(table, one, n));
        const time = new Date(AT + at).toISOString();
        const after = table.log.slice(table.positionOf(time)).filter((row) => row !== undefined);
        const all = table.log.filter((row) => row !== undefined);
        expect(after).toEqual(all.filter((row) => row.current.lastUpdated >= time));
      })
    );
  });

  test('closes its holes without losing a row', () => {
    const table = new Table();
    for (let n = 0; n < 3_000; n++) {
      apply(table, { id: String(n % 7), value: 'a', kind: 'put' }, n);
    }
    const before = observe(table);
    table.compact();
    expect(table.log).toHaveLength(7);
    expect(observe(table)).toEqual(before);
  });
});

function put(store: Store, content: Resource, id: string, ms: number): Resource {
  const meta = { ...content.meta, versionId: id, lastUpdated: store.timestamp(ms) };
  return store.put({ ...content, id, meta }).version.resource as Resource;
}

function ids(store: Store, query: string): string[] {
  return runSearch(store, parseSearchRequest(query), ACCESS).rows.map((row) => row.id);
}
