import { accessPolicySupportsInteraction, protectedResourceTypes, satisfiedAccessPolicy } from '@medplum/core';
import type { AccessPolicyInteraction } from '@medplum/core';
import type { AccessPolicy, AccessPolicyResource, Resource, ResourceType } from '@medplum/fhirtypes';

/** Readable and writable by project admins alone, whatever a membership without a policy may do otherwise (platform.md §6.1-6.2). */
const ADMIN_TYPES = ['Project', 'ProjectMembership', 'User'];

/** What one caller may do. */
export interface Access {
  readonly policy: AccessPolicy | undefined;
  readonly admin: boolean;
}

/** Whether the caller may do this to some resources of the type; false is a 403 before anything is looked up. */
export function maySome(access: Access, interaction: AccessPolicyInteraction, type: string): boolean {
  if (protectedResourceTypes.includes(type) || (!access.admin && !access.policy && ADMIN_TYPES.includes(type))) {
    return false;
  }
  return !access.policy || accessPolicySupportsInteraction(access.policy, interaction, type as ResourceType);
}

/** The rule of the policy that lets the caller do this to this resource, or undefined. */
export function permission(
  access: Access,
  interaction: AccessPolicyInteraction,
  resource: Resource
): AccessPolicyResource | undefined {
  return maySome(access, interaction, resource.resourceType)
    ? satisfiedAccessPolicy(resource, interaction, access.policy)
    : undefined;
}

/** Unites the policies of a membership; a resource is permitted if any of them permits it (platform.md §6.1). */
export function unite(policies: readonly AccessPolicy[]): AccessPolicy | undefined {
  const [first, ...rest] = policies;
  return first && { ...first, resource: [first, ...rest].flatMap((policy) => policy.resource ?? []) };
}

/**
 * Takes the hidden fields out of a resource, and the fields of Medplum's extended mode for a caller who did not ask for them.
 * @returns The same object if nothing has to go.
 */
export function visible<T extends Resource>(resource: T, access: Access, extended: boolean): T {
  const hidden = access.policy && permission(access, 'read', resource)?.hiddenFields;
  const copy: Record<string, unknown> = { ...resource };
  for (const field of hidden ?? []) {
    delete copy[field];
  }
  if (!extended && resource.meta) {
    const { author: _author, project: _project, account: _account, compartment: _compartment, ...meta } = resource.meta;
    copy['meta'] = meta;
  }
  return hidden || !extended ? (copy as unknown as T) : resource;
}
