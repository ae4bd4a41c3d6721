import { evalFhirPath, getSearchParameter } from '@medplum/core';
import type { Reference, Resource } from '@medplum/fhirtypes';
import { patientCompartment } from './definitions.ts';

/** The patients whose compartment a resource is in, as reference strings. */
export function patientsOf(resource: Resource): string[] {
  const patients = new Set<string>();
  if (resource.resourceType === 'Patient') {
    patients.add(`Patient/${resource.id}`);
  }
  for (const code of patientCompartment().get(resource.resourceType) ?? []) {
    const expression = getSearchParameter(resource.resourceType, code)?.expression;
    for (const value of expression ? evalFhirPath(expression, resource) : []) {
      const reference = (value as Reference | undefined)?.reference;
      if (reference?.startsWith('Patient/')) {
        patients.add(reference);
      }
    }
  }
  return [...patients];
}

/** `meta.compartment` as the real server sets it: the project, then the accounts, then the patients (repo.ts, `getCompartments`). */
export function compartmentsOf(resource: Resource, projectId: string): Reference[] {
  // Most resources mention no patient at all; the text search spares them five FHIRPath evaluations.
  const patients = mentionsPatient(resource) ? patientsOf(resource) : [];
  const accounts = (resource.meta?.accounts ?? []).flatMap(({ reference }) => reference ?? []);
  return [...new Set([`Project/${projectId}`, ...accounts, ...patients])].map((reference) => ({ reference }));
}

function mentionsPatient(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) {
    return false;
  }
  if ((value as Resource).resourceType === 'Patient') {
    return true;
  }
  const reference = (value as Reference).reference;
  return (
    (typeof reference === 'string' && reference.startsWith('Patient/')) || Object.values(value).some(mentionsPatient)
  );
}
