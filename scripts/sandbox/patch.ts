import {
  applyPatch,
  badRequest,
  fhirpathPatchTypedValue,
  normalizeOperationOutcome,
  OperationOutcomeError,
  parseFhirPathPatchParameters,
  toTypedValue,
} from '@medplum/core';
import type { Operation } from '@medplum/core';
import type { Parameters, Resource } from '@medplum/fhirtypes';

/**
 * Applies a JSON Patch or a FHIRPath Patch to a resource, in place.
 * @throws OperationOutcomeError 400 if an operation fails, `test` included, or if it changes type or id.
 */
export function patchResource(resource: Resource, patch: Operation[] | Parameters): void {
  const { resourceType, id } = resource;
  try {
    if (Array.isArray(patch)) {
      const failures = applyPatch(resource, patch).filter((failure) => failure !== null);
      if (failures.length > 0) {
        throw new OperationOutcomeError(badRequest(failures.map((failure) => failure.message).join('\n')));
      }
    } else {
      fhirpathPatchTypedValue(toTypedValue(resource), parseFhirPathPatchParameters(patch));
    }
  } catch (error) {
    throw new OperationOutcomeError(normalizeOperationOutcome(error));
  }
  if (resource.resourceType !== resourceType || resource.id !== id) {
    throw new OperationOutcomeError(badRequest('Incorrect ID'));
  }
}
