/** What may be shown → the answer, as an HTTP server would give it. Pure. */
import type { Bundle, BundleEntry, OperationOutcome, Resource } from '@medplum/fhirtypes';
import type { Inspected } from '../../ports.ts';
import { bare } from '../bare.ts';
import { encode } from './input.ts';
import type { GatewayAsk } from './input.ts';

/** What the caller gets. */
export interface GatewayAnswer {
  /** As HTTP says it: 200 or 404. */
  readonly status: 200 | 404;
  readonly body: Resource;
}

const NOT_FOUND: OperationOutcome = {
  resourceType: 'OperationOutcome',
  issue: [{ severity: 'error', code: 'not-found', details: { text: 'Not found, or not for this requester.' } }],
};

/**
 * @param ask - The request.
 * @param matches - What was asked for and may be shown.
 * @param included - What goes along and may be shown.
 * @param hasMore - Whether the replica has another page.
 * @param fhirUrl - The replica's FHIR endpoint, by which the references within the copies resolve.
 * @returns The resource, or a searchset whose links lead through the gateway. It has no `total`: the replica's counts what is not shown.
 */
export function answerOf(
  ask: GatewayAsk,
  matches: readonly Inspected[],
  included: readonly Inspected[],
  hasMore: boolean,
  fhirUrl: string
): GatewayAnswer {
  if (ask.interaction === 'read') {
    // While keys are exchanged there are two copies of one record: the one that was named counts.
    const copy = matches.find(({ token }) => token === ask.name) ?? matches[0];
    return copy ? { status: 200, body: bare(copy.content) } : { status: 404, body: NOT_FOUND };
  }
  const entryOf = ({ content }: Inspected, mode: 'match' | 'include'): BundleEntry => ({
    fullUrl: `${fhirUrl}${content.resourceType}/${content.id}`,
    resource: bare(content),
    search: { mode },
  });
  const entry = [...matches.map((copy) => entryOf(copy, 'match')), ...included.map((copy) => entryOf(copy, 'include'))];
  const next = ask.offset + ask.count;
  const body: Bundle = {
    resourceType: 'Bundle',
    type: 'searchset',
    link: [
      { relation: 'self', url: at(ask.self, ask.offset) },
      ...(hasMore ? [{ relation: 'next', url: at(ask.self, next) }] : []),
    ],
    // An array may not be empty (FHIR R4 json.html#null).
    ...(entry.length > 0 && { entry }),
  };
  return { status: 200, body };
}

function at(self: string, offset: number): string {
  const separator = self.includes('?') ? '&' : '?';
  return offset === 0 ? self : `${self}${separator}${encode([['_offset', String(offset)]])}`;
}
