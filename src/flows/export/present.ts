/** Copies → the searchset that the caller gets. Pure. */
import type { Bundle, BundleEntry } from '@medplum/fhirtypes';
import { REPLICATED_TYPES } from '../../config/policy.ts';
import type { Inspected } from '../../ports.ts';
import { bare } from '../bare.ts';
import { isWithin } from './dates.ts';
import type { ExportAsk } from './input.ts';

/**
 * What of the copies the caller asked for, and may see.
 *
 * @param copies - What the replica holds of the patient.
 * @param permitted - The tokens of the records that the requester may see. A copy without one of them is left out, whatever it is,
 *   and so is one that has lost our label or digest.
 * @param ask - Types and range.
 * @returns Copies, Patient first, in an order that is the same next time.
 */
export function select(
  copies: readonly Inspected[],
  permitted: ReadonlySet<string>,
  ask: Pick<ExportAsk, 'types' | 'range'>
): Inspected[] {
  const order = (copy: Inspected): number => REPLICATED_TYPES.findIndex((type) => type === copy.resourceType);
  return copies
    .filter(({ digest, token }) => digest !== undefined && permitted.has(token))
    .filter(({ resourceType }) => ask.types.some((type) => type === resourceType))
    .filter(({ content }) => isWithin(content, ask.range))
    .sort((a, b) => order(a) - order(b) || (a.token < b.token ? -1 : 1));
}

/**
 * One page of an export (FHIR R4 patient-operation-everything.html; http.html#paging).
 *
 * @param selected - All copies that were selected.
 * @param ask - Where the page begins, how long it may be, and what was asked, for the link to the next.
 * @param token - The patient's token, the only name by which the links call them.
 * @param fhirUrl - The replica's FHIR endpoint, by which the references within the copies resolve.
 * @returns The Bundle; `total` counts all pages.
 */
export function pageOf(
  selected: readonly Inspected[],
  ask: Pick<ExportAsk, 'count' | 'offset' | 'echo'>,
  token: string,
  fhirUrl: string
): Bundle {
  const { count, offset } = ask;
  const entry = selected.slice(offset, offset + count).map(({ content }): BundleEntry => ({
    fullUrl: `${fhirUrl}${content.resourceType}/${content.id}`,
    resource: bare(content),
    search: { mode: 'match' },
  }));
  const at = (from: number): string => {
    const parameters = { ...ask.echo, _count: String(count), _offset: String(from) };
    return `Patient/${token}/$everything?${new URLSearchParams(parameters).toString()}`;
  };
  const hasMore = offset + count < selected.length;
  return {
    resourceType: 'Bundle',
    type: 'searchset',
    total: selected.length,
    link: [{ relation: 'self', url: at(offset) }, ...(hasMore ? [{ relation: 'next', url: at(offset + count) }] : [])],
    // An array may not be empty (FHIR R4 json.html#null).
    ...(entry.length > 0 && { entry }),
  };
}
