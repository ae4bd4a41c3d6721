/** `provision.data` (rule 21): named instances, what belongs to them, and what somebody wrote. */
import type { ConsentProvisionData } from '@medplum/fhirtypes';
import { isAmong } from './actor.ts';
import { authorsOf } from './author.ts';
import type { Inquiry } from './inquiry.ts';
import { targetOf } from './reference.ts';
import type { Kind, Truth } from './three-valued.ts';
import { some } from './three-valued.ts';

/** What a permit for `related` reaches beyond the instance itself (IHE PCF). */
const CONTEXT = /^(?:Encounter|CarePlan|EpisodeOfCare)\//;

/**
 * Rule 21. R4 and PCF define `related` and `dependents` the other way round: a permit takes the narrow set, a deny the wide one.
 *
 * @param listed - The data of a provision.
 * @param inquiry - The request.
 * @param kind - Whether the provision permits or denies.
 * @returns Unknown for a reference that cannot be compared, an unknown meaning, and data without author.
 */
export function dataHolds(listed: readonly ConsentProvisionData[], inquiry: Inquiry, kind: Kind): Truth {
  return some(listed.map((data) => isCovered(data, inquiry, kind)));
}

function isCovered({ meaning, reference }: ConsentProvisionData, inquiry: Inquiry, kind: Kind): Truth {
  const { resource, facts } = inquiry;
  const target = targetOf(reference);
  if (target === undefined) {
    return undefined;
  }
  const isItself: Truth =
    resource.id && !target.startsWith('urn:') ? target === `${resource.resourceType}/${resource.id}` : undefined;
  const refers = facts.references.includes(target);
  switch (meaning) {
    case 'instance':
      return isItself;
    case 'related':
      return some([isItself, refers && (kind === 'deny' || CONTEXT.test(target))]);
    case 'dependents':
      return some([kind === 'deny' ? isItself : false, refers]);
    case 'authoredby':
      return isAmong(target, authorsOf(resource, kind));
    default:
      return undefined;
  }
}
