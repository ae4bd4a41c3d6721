import { allOk, OperationOutcomeError, badRequest, isResource } from '@medplum/core';
import type { SearchRequest } from '@medplum/core';
import type { FhirRepository, FhirRequest, FhirResponse } from '@medplum/fhir-router';
import type { BundleEntry, Parameters, Patient, Reference, ResourceType } from '@medplum/fhirtypes';
import { patientCompartment } from './definitions.ts';

const DEFAULT_COUNT = 1_000;

/** Types outside the compartment that are resolved for completeness (operations/patienteverything.ts). */
const RESOLVED = /^(Organization|Location|Practitioner|PractitionerRole|Medication|Device)\//;

interface Options {
  readonly types: ResourceType[] | undefined;
  readonly count: number | undefined;
  readonly offset: number | undefined;
  readonly since: string | undefined;
}

/**
 * `Patient/:id/$everything`: the compartment, sorted by id and paged by offset, plus the organizations and people it refers to.
 * Filtering by care date (`start`, `end`) is not in the sandbox.
 * @throws OperationOutcomeError 400 for `_type` in a GET: the real server fails on it too (platform.md §10.4).
 */
export async function everything(request: FhirRequest, repository: FhirRepository): Promise<FhirResponse> {
  const patient = await repository.readResource<Patient>('Patient', request.params['id'] ?? '');
  const options = readOptions(request);
  const types =
    options.types ?? ([...patientCompartment().keys()].filter((type) => type !== 'Binary') as ResourceType[]);
  const search: SearchRequest = {
    resourceType: 'Patient',
    types: [...new Set([...types, 'Patient' as const])].sort(),
    filters: [
      { code: '_compartment', operator: 'eq', value: `Patient/${patient.id}` },
      ...(options.since ? [{ code: '_lastUpdated', operator: 'ge' as const, value: options.since }] : []),
    ],
    count: options.count ?? DEFAULT_COUNT,
    sortRules: [{ code: '_id' }],
    ...(options.offset !== undefined && { offset: options.offset }),
  };
  const bundle = await repository.search(search);
  const entry = [...(bundle.entry ?? [])] as BundleEntry[];
  await addReferred(repository, entry);
  return [allOk, { ...bundle, ...(entry.length > 0 && { entry }) }];
}

function readOptions({ method, query, body }: FhirRequest): Options {
  if (method === 'GET') {
    if (query['_type'] !== undefined) {
      throw new OperationOutcomeError(badRequest('types.push is not a function'));
    }
    const text = (name: string): string | undefined => query[name] as string | undefined;
    const number = (name: string): number | undefined => (text(name) === undefined ? undefined : Number(text(name)));
    return { types: undefined, count: number('_count'), offset: number('_offset'), since: text('_since') };
  }
  const parameters = (body as Parameters).parameter ?? [];
  const named = (name: string): Parameters['parameter'] => parameters.filter((parameter) => parameter.name === name);
  const types = named('_type')?.map((parameter) => parameter.valueCode as ResourceType) ?? [];
  return {
    types: types.length > 0 ? types : undefined,
    count: named('_count')?.[0]?.valueInteger,
    offset: named('_offset')?.[0]?.valueInteger,
    since: named('_since')?.[0]?.valueInstant,
  };
}

async function addReferred(repository: FhirRepository, entries: BundleEntry[]): Promise<void> {
  const seen = new Set(entries.map(({ resource }) => `${resource?.resourceType}/${resource?.id}`));
  let page: BundleEntry[] = entries;
  while (page.length > 0) {
    const wanted = new Set<string>();
    for (const { resource } of page) {
      collectReferences(resource, (reference) => {
        if (RESOLVED.test(reference) && !seen.has(reference)) {
          wanted.add(reference);
        }
      });
    }
    const found = await repository.readReferences([...wanted].map((reference): Reference => ({ reference })));
    page = found.flatMap((resource) =>
      isResource(resource) ? [{ resource, search: { mode: 'include' as const } }] : []
    );
    for (const reference of wanted) {
      seen.add(reference);
    }
    entries.push(...page);
  }
}

function collectReferences(value: unknown, found: (reference: string) => void): void {
  if (typeof value !== 'object' || value === null) {
    return;
  }
  const { reference } = value as Reference;
  if (typeof reference === 'string') {
    found(reference);
  }
  for (const inner of Object.values(value)) {
    collectReferences(inner, found);
  }
}
