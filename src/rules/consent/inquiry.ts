/** The request, read once: what every condition is compared with. */
import type { Coding, Resource } from '@medplum/fhirtypes';
import type { DataClass } from '../../fhir/data-classes.ts';
import { classify } from './data-class.ts';
import { clinicalSpans } from './data-period.ts';
import type { Facts } from './facts.ts';
import { factsOf } from './facts.ts';
import type { Labels } from './label.ts';
import { readLabels } from './label.ts';
import { lazily } from './once.ts';
import type { Span } from './period.ts';
import { spanOf } from './period.ts';
import { readPurpose } from './purpose.ts';
import { reduceReference } from './reference.ts';
import type { Kind, Truth } from './three-valued.ts';

/** What is asked: may this resource of this patient be used for this purpose, now, by this actor? */
export interface ConsentRequest {
  /** `Patient/id`. */
  readonly patient: string;
  /** A v3-ActReason code, the seeds' `CARE`, or a Coding of any system. */
  readonly purpose: string | Coding;
  /** References that all describe the one requester: person, role, organizations, groups. */
  readonly actor?: readonly string[] | undefined;
  /** A consentaction code; a copy is `disclose`, the default (rule 16). */
  readonly action?: string | undefined;
  readonly resource: Resource;
  /** The instant of the request. */
  readonly at: string;
  /** Our code system of data classes: `systemsOf(namespace).dataClass`. */
  readonly dataClassSystem: string;
  /** The zone of dates that carry none, minutes east of UTC; UTC by default (rule 12). */
  readonly utcOffsetMinutes?: number | undefined;
}

/** A request in comparable form. */
export interface Inquiry {
  readonly patient: string;
  readonly purpose: Coding;
  readonly actors: readonly string[];
  readonly action: string;
  readonly resource: Resource;
  readonly facts: Facts;
  /** The data classes of the resource. */
  readonly classes: () => readonly DataClass[];
  /** Its clinical date, as `data-period.ts` reads it. */
  readonly clinicalSpans: () => readonly (Span | undefined)[];
  readonly labels: Labels;
  readonly at: number;
  readonly dataClassSystem: string;
  readonly utcOffsetMinutes: number;
  /** What each condition was found to be, for rules that permit and rules that deny. Lives as long as the request. */
  readonly answers: Readonly<Record<Kind, Map<string, Truth>>>;
}

/**
 * Reads a request.
 *
 * @param request - The request.
 * @returns The inquiry; throws if the clock is unset, which is a fault and no decision (rule 24).
 */
export function readRequest(request: ConsentRequest): Inquiry {
  const utcOffsetMinutes = request.utcOffsetMinutes ?? 0;
  const at = spanOf(request.at, utcOffsetMinutes)?.from;
  if (at === undefined) {
    throw new RangeError('consent: the time of the request is not an instant');
  }
  const facts = factsOf(request.resource, utcOffsetMinutes);
  return {
    patient: reduceReference(request.patient),
    purpose: readPurpose(request.purpose, request.dataClassSystem),
    actors: (request.actor ?? []).map(reduceReference),
    action: request.action ?? 'disclose',
    resource: request.resource,
    facts,
    classes: lazily(() => classify(request.resource, facts)),
    clinicalSpans: lazily(() => clinicalSpans(request.resource, utcOffsetMinutes)),
    labels: readLabels(facts.labels),
    at,
    dataClassSystem: request.dataClassSystem,
    utcOffsetMinutes,
    answers: { permit: new Map(), deny: new Map() },
  };
}
