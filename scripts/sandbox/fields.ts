import { evalFhirPathTyped, toTypedValue } from '@medplum/core';
import type { WithId } from '@medplum/core';
import type { AccessPolicyResource, Resource } from '@medplum/fhirtypes';
import { permission } from './access.ts';
import type { Access } from './access.ts';

/**
 * A copy of what the caller sent in which the fields that the policy makes readonly or hidden have their old values,
 * or none on create (platform.md §6.3).
 */
export function restoreFields<T extends Resource>(
  access: Access,
  resource: WithId<T>,
  existing: WithId<T> | undefined
): WithId<T> {
  const copy = { ...resource };
  if (!access.policy) {
    return copy;
  }
  const rule = permission(access, existing ? 'update' : 'create', existing ?? resource);
  for (const field of [...(rule?.readonlyFields ?? []), ...(rule?.hiddenFields ?? [])] as (keyof T)[]) {
    delete copy[field];
    if (existing?.[field] !== undefined) {
      copy[field] = existing[field];
    }
  }
  return copy;
}

/** Whether the rule exists and its `writeConstraint` expressions all hold for the change. */
export function satisfiesConstraints(
  rule: AccessPolicyResource | undefined,
  before: Resource | undefined,
  after: Resource
): boolean {
  return (
    rule !== undefined &&
    (rule.writeConstraint ?? []).every(({ expression }) => {
      const variables = {
        '%before': { type: before?.resourceType ?? 'undefined', value: before },
        '%after': toTypedValue(after),
      };
      const [answer, ...others] = evalFhirPathTyped(expression ?? '', [toTypedValue(after)], variables);
      return answer?.value === true && others.length === 0;
    })
  );
}
