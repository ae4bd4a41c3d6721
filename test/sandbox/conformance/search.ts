import type { Observation, Patient } from '@medplum/fhirtypes';
import { describe, expect, test } from 'vitest';
import { anIdentifier, aPatient, reason } from './api.ts';
import type { Api, Body } from './api.ts';

const ids = (resources: readonly { id?: string }[]): (string | undefined)[] => resources.map(({ id }) => id);

export function searchRules(api: () => Api): void {
  describe('search parameters (platform.md 2.6, 5)', () => {
    test('an identifier is found by system and value, by value alone, and not under another system', async () => {
      const { id, identifier } = await created(api());
      const { system, value } = identifier[0];
      expect(ids(await api().find(`Patient?identifier=${system}|${value}`))).toEqual([id]);
      expect(ids(await api().find(`Patient?identifier=${value}`))).toEqual([id]);
      expect(await api().find(`Patient?identifier=https://other.example|${value}`)).toEqual([]);
      expect(await api().find(`Patient?identifier=|${value}`)).toEqual([]);
    });

    test('a list of values finds all of them', async () => {
      const [a, b] = [await created(api()), await created(api())];
      const found = await api().find(`Patient?identifier=${a.identifier[0].value},${b.identifier[0].value}`);
      expect(ids(found).sort()).toEqual([a.id, b.id].sort());
    });

    test('_id finds one or several', async () => {
      const [a, b] = [await created(api()), await created(api())];
      expect(ids(await api().find(`Patient?_id=${a.id},${b.id}`)).sort()).toEqual([a.id, b.id].sort());
    });

    test('a tag is found, and :not leaves it out', async () => {
      const { system, value, token } = anIdentifier();
      const marked = await created(api(), { meta: { tag: [{ system, code: value }] } });
      const plain = await created(api());
      expect(ids(await api().find(`Patient?_tag=${token}`))).toEqual([marked.id]);
      expect(ids(await api().find(`Patient?_id=${marked.id},${plain.id}&_tag:not=${token}`))).toEqual([plain.id]);
    });

    test('references are found by subject and by patient, with and without the type', async () => {
      const { id } = await created(api());
      const observation = await api().create(anObservation(`Patient/${id}`));
      for (const query of [`subject=Patient/${id}`, `patient=Patient/${id}`, `patient=${id}`]) {
        expect(ids(await api().find(`Observation?${query}`))).toEqual([observation.id]);
      }
    });

    test('a logical reference is found by its identifier', async () => {
      const { system, value, token } = anIdentifier();
      const observation = await api().create<Observation>({
        ...anObservation(''),
        subject: { identifier: { system, value } },
      });
      expect(ids(await api().find(`Observation?subject:identifier=${token}`))).toEqual([observation.id]);
    });

    test('a chain goes through a reference, and _has goes back', async () => {
      const { id, identifier } = await created(api());
      const { system, value, token } = anIdentifier();
      const observation = await api().create<Observation>({
        ...anObservation(`Patient/${id}`),
        identifier: [{ system, value }],
      });
      expect(ids(await api().find(`Observation?subject:Patient.identifier=${identifier[0].value}`))).toEqual([
        observation.id,
      ]);
      expect(ids(await api().find(`Patient?_has:Observation:subject:identifier=${token}`))).toEqual([id]);
    });

    test('a chain that ends nowhere finds nothing, not even what refers to nobody', async () => {
      const { system, value } = anIdentifier();
      const { subject: _subject, ...alone } = anObservation('');
      const observation = await api().create<Observation>({ ...alone, identifier: [{ system, value }] });
      expect(
        await api().find(`Observation?_id=${observation.id}&subject:Patient.identifier=${anIdentifier().value}`)
      ).toEqual([]);
    });

    test('_lastUpdated takes a range', async () => {
      const { id, meta } = await created(api());
      const at = meta?.lastUpdated ?? '';
      const query = (operator: string): string => `Patient?_id=${id}&_lastUpdated=${operator}${at}`;
      expect(await api().find(query('ge'))).toHaveLength(1);
      expect(await api().find(query('gt'))).toHaveLength(0);
      expect(await api().find(query('le'))).toHaveLength(1);
      expect(await api().find(query('lt'))).toHaveLength(0);
    });

    test('status, dates, strings and :missing work together', async () => {
      const { id } = await created(api(), { birthDate: '1980-02-03', name: [{ family: 'Quillfeather' }] });
      const found = (query: string): Promise<Patient[]> => api().find(`Patient?_id=${id}&${query}`);
      expect(await found('birthdate=1980-02-03&family=Quill&active:missing=true')).toHaveLength(1);
      expect(await found('birthdate=lt1980-01-01')).toHaveLength(0);
      expect(await found('family=Quill&active:missing=false')).toHaveLength(0);
    });

    test('an unknown parameter is 400', async () => {
      const { status, body } = await api().fhir('GET', 'Patient?shoe-size=42');
      expect(status).toBe(400);
      expect(reason(body)).toBe('Unknown search parameter: shoe-size');
    });

    test('an unknown sort parameter and a search of Binary are 400', async () => {
      expect((await api().fhir('GET', 'Patient?_sort=shoe-size')).status).toBe(400);
      expect((await api().fhir('GET', 'Binary')).status).toBe(400);
    });

    test('POST _search takes the parameters as a form', async () => {
      const { id } = await created(api());
      const { body } = await api().fhir('POST', 'Patient/_search', `_id=${id}`, {
        'content-type': 'application/x-www-form-urlencoded',
      });
      expect(body.entry).toHaveLength(1);
    });

    test('several types are searched at once', async () => {
      const { id } = await created(api());
      const observation = await api().create(anObservation(`Patient/${id}`));
      const found = await api().find(`?_type=Patient,Observation&_id=${id},${observation.id}`);
      expect(ids(found).sort()).toEqual([id, observation.id].sort());
    });
  });

  describe('what a search returns (platform.md 5.6, 5.8)', () => {
    test('_summary=count returns a total and no entries; other searches have no total', async () => {
      const { id } = await created(api());
      const count = await api().fhir('GET', `Patient?_id=${id}&_summary=count`);
      expect([count.body.total, count.body.entry]).toEqual([1, undefined]);
      expect((await api().fhir('GET', `Patient?_id=${id}`)).body.total).toBeUndefined();
      expect((await api().fhir('GET', `Patient?_id=${id}&_total=accurate`)).body.total).toBe(1);
    });

    test.each(['_fields', '_elements'])('%s leaves the fields, the mandatory ones and meta', async (parameter) => {
      const { id } = await created(api());
      const observation = await api().create({ ...anObservation(`Patient/${id}`), issued: '2026-01-01T00:00:00Z' });
      const [found] = await api().find<Observation>(`Observation?_id=${observation.id}&${parameter}=issued`);
      expect(Object.keys(found ?? {}).sort()).toEqual(['code', 'id', 'issued', 'meta', 'resourceType', 'status']);
    });

    test('_include adds what is referred to, and _revinclude what refers', async () => {
      const { id } = await created(api());
      const observation = await api().create(anObservation(`Patient/${id}`));
      const included = await api().fhir('GET', `Observation?_id=${observation.id}&_include=Observation:subject`);
      expect(included.body.entry.map((e) => [e.resource.id, e.search.mode])).toEqual([
        [observation.id, 'match'],
        [id, 'include'],
      ]);
      const reverse = await api().fhir('GET', `Patient?_id=${id}&_revinclude=Observation:subject`);
      expect(reverse.body.entry.map((e) => [e.resource.id, e.search.mode])).toEqual([
        [id, 'match'],
        [observation.id, 'include'],
      ]);
    });

    test('_sort orders by a parameter, descending with a minus', async () => {
      const { token, system, value } = anIdentifier();
      for (const birthDate of ['1990-01-01', '1970-01-01', '1980-01-01']) {
        await api().create(aPatient({ birthDate, meta: { tag: [{ system, code: value }] } }));
      }
      const years = async (sort: string): Promise<(string | undefined)[]> =>
        (await api().find<Patient>(`Patient?_tag=${token}&_sort=${sort}`)).map(({ birthDate }) =>
          birthDate?.slice(2, 4)
        );
      expect(await years('birthdate')).toEqual(['70', '80', '90']);
      expect(await years('-birthdate')).toEqual(['90', '80', '70']);
      expect(await years('-_lastUpdated')).toEqual(['80', '70', '90']);
    });

    test('_deleted=true is a feed of ids and times', async () => {
      const { id, meta } = await created(api());
      await api().fhir('DELETE', `Patient/${id}`);
      const found = await api().find<Patient>(`Patient?_deleted=true&_lastUpdated=ge${meta?.lastUpdated}&_count=1000`);
      const tombstone = found.find((patient) => patient.id === id);
      expect(Object.keys(tombstone ?? {}).sort()).toEqual(['id', 'meta', 'resourceType']);
      expect(Object.keys(tombstone?.meta ?? {})).toEqual(['lastUpdated']);
    });

    test('$everything returns the compartment, paged, and by type with POST', async () => {
      const { id } = await created(api());
      const observation = await api().create(anObservation(`Patient/${id}`));
      const task = await api().create({
        resourceType: 'Task',
        status: 'requested',
        intent: 'order',
        for: { reference: `Patient/${id}` },
      });
      const types = async (answer: Promise<{ body: Body }>): Promise<string[]> =>
        (await answer).body.entry.map((e) => e.resource.id).sort();
      expect(await types(api().fhir('GET', `Patient/${id}/$everything`))).toEqual(
        expect.arrayContaining([id, observation.id, task.id].sort())
      );
      const byType = { resourceType: 'Parameters', parameter: [{ name: '_type', valueCode: 'Observation' }] };
      expect(await types(api().fhir('POST', `Patient/${id}/$everything`, byType))).toEqual([id, observation.id].sort());
      const page = await api().fhir('GET', `Patient/${id}/$everything?_count=1`);
      expect(page.body.link.map((link) => link.relation)).toContain('next');
      expect((await api().fhir('GET', `Patient/${id}/$everything?_type=Observation`)).status).toBe(400);
    });

    // The router builds its schema of all types at the first query, which takes seconds.
    test('GraphQL lists resources', { timeout: 60_000 }, async () => {
      const { id } = await created(api());
      const { body } = await api().fhir(
        'POST',
        '$graphql',
        { query: `{ PatientList(_id: "${id}") { id } }` },
        { 'content-type': 'application/json' }
      );
      expect(body).toEqual({ data: { PatientList: [{ id }] } });
    });
  });
}

async function created(
  api: Api,
  override: Partial<Patient> = {}
): Promise<Patient & { id: string; identifier: [{ system: string; value: string }] }> {
  return api.create(aPatient(override));
}

function anObservation(reference: string): Observation {
  return { resourceType: 'Observation', status: 'final', code: { text: 'pulse' }, subject: { reference } };
}
