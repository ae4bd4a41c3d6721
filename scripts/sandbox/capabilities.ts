import { getResourceTypes, getSearchParameters, MEDPLUM_VERSION } from '@medplum/core';
import type { CapabilityStatement, ResourceType } from '@medplum/fhirtypes';

let statement: CapabilityStatement | undefined;

/** `GET /fhir/R4/metadata`: what a client needs to find the token endpoint and the search parameters. */
export function capabilityStatement(baseUrl: string): CapabilityStatement {
  statement ??= {
    resourceType: 'CapabilityStatement',
    status: 'active',
    date: '2026-01-01T00:00:00.000Z',
    kind: 'instance',
    fhirVersion: '4.0.1',
    format: ['json'],
    software: { name: 'Medplum', version: MEDPLUM_VERSION },
    rest: [{ mode: 'server', resource: getResourceTypes().map(describeType) }],
  };
  const oauth = 'http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris';
  return {
    ...statement,
    implementation: { description: 'medplum-consent-sync sandbox', url: `${baseUrl}fhir/R4` },
    rest: (statement.rest ?? []).map((rest) => ({
      ...rest,
      security: { extension: [{ url: oauth, extension: [{ url: 'token', valueUri: `${baseUrl}oauth2/token` }] }] },
    })),
  };
}

function describeType(type: ResourceType): NonNullable<NonNullable<CapabilityStatement['rest']>[0]['resource']>[0] {
  return {
    type,
    versioning: 'versioned',
    conditionalCreate: true,
    conditionalUpdate: true,
    conditionalDelete: 'single',
    interaction: (
      ['create', 'read', 'update', 'delete', 'search-type', 'vread', 'history-instance', 'patch'] as const
    ).map((code) => ({ code })),
    searchParam: Object.values(getSearchParameters(type) ?? {}).map(({ code, type: kind }) => ({
      name: code,
      type: kind,
    })),
  };
}
