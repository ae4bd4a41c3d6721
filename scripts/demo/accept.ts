/** Which entries are resources that the source takes. Pure; the source itself validates them when they are written. */
import { isResourceType } from '@medplum/core';
import type { Resource } from '@medplum/fhirtypes';
import type { Entry } from './parse.ts';
import type { Problem } from './report.ts';

/** The source takes JSON bodies of up to 1 MiB (`platform.md` §9.5). */
const MAX_BYTES = 1024 * 1024;

/** Medplum's own types and FHIR's machinery: as data they would configure the servers instead of filling them. */
const NOT_DATA =
  /^(AccessPolicy|Agent|AsyncJob|Bot|Bulk.*|ClientApplication|Cron|DomainConfiguration|IdentityProvider|JsonWebKey|Login|PasswordChangeRequest|Project|ProjectMembership|SmartAppLaunch|Subscription|SubscriptionStatus|User|User.+|Bundle|Parameters|OperationOutcome)$/;

/** A resource of the input, before it has its place in the source. */
export interface Accepted {
  readonly input: number;
  readonly index: number;
  readonly fullUrl?: string;
  readonly resource: Resource;
}

/**
 * Sorts entries into resources and problems.
 *
 * @param entries - The entries.
 * @returns Both, in order.
 */
export function accept(entries: readonly Entry[]): { readonly accepted: Accepted[]; readonly problems: Problem[] } {
  const accepted: Accepted[] = [];
  const problems: Problem[] = [];
  for (const entry of entries) {
    const { input, index, fullUrl } = entry;
    const message = problemOf(entry.content);
    if (message === undefined) {
      accepted.push({ input, index, ...(fullUrl && { fullUrl }), resource: entry.content as Resource });
    } else {
      const type = (entry.content as Partial<Resource> | undefined)?.resourceType;
      problems.push({ kind: 'input', input, index, ...(isKnown(type) && { type }), message });
    }
  }
  return { accepted, problems };
}

function problemOf(content: unknown): string | undefined {
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    return 'is not a resource';
  }
  const type = (content as { resourceType?: unknown }).resourceType;
  if (typeof type !== 'string') {
    return 'has no resourceType';
  }
  if (!isKnown(type)) {
    return 'is of a type that FHIR R4 does not have, or that is no data';
  }
  const bytes = Buffer.byteLength(JSON.stringify(content));
  return bytes > MAX_BYTES
    ? `is ${(bytes / MAX_BYTES).toFixed(1)} MiB large; a Medplum server takes resources of up to 1 MiB`
    : undefined;
}

function isKnown(type: unknown): type is Resource['resourceType'] {
  return typeof type === 'string' && isResourceType(type) && !NOT_DATA.test(type);
}
