/** What the rules ask of a resource, collected in one walk over it. */
import type { Coding, Resource } from '@medplum/fhirtypes';
import { V3_CONFIDENTIALITY } from '../../fhir/systems.ts';
import type { Span } from './period.ts';
import { spanOf, spanOfPeriod } from './period.ts';
import { reduceReference } from './reference.ts';

/** A resource as plain data: elements are looked up by name. */
export type Elements = Readonly<Record<string, unknown>>;

/** The facts of one resource, contained resources included. */
export interface Facts {
  /** All references, reduced. */
  readonly references: readonly string[];
  /** Everything that names a patient: Patient references, Patient resources, and what cannot be told from another patient. */
  readonly patients: readonly string[];
  /** All codings at any depth, those without system included. */
  readonly codings: readonly Coding[];
  /** All security labels: `meta.security`, `DocumentReference.securityLabel`, `Composition.confidentiality`. */
  readonly labels: readonly Coding[];
  /** Empty text for an attachment without one. */
  readonly contentTypes: readonly string[];
  /** Every date and Period at any depth, `meta.lastUpdated` included. */
  readonly spans: readonly Span[];
}

/** Years and months alone count only in elements that hold a time: an id or a value may look like a year. */
const TIME_ELEMENT = /(?:[dD]ate|DateTime|Instant|issued|recorded|authoredOn|created|started|sent|received|time|Time)$/;

/**
 * Collects the facts of a resource.
 *
 * @param resource - The resource.
 * @param utcOffsetMinutes - The zone of dates that carry none.
 * @returns The facts.
 */
export function factsOf(resource: Resource, utcOffsetMinutes: number): Facts {
  const facts = {
    references: [] as string[],
    patients: [] as string[],
    codings: [] as Coding[],
    labels: [] as Coding[],
    contentTypes: [] as string[],
    spans: [] as Span[],
  };

  const visitObject = (node: Elements): void => {
    if (typeof node.reference === 'string') {
      facts.references.push(reduceReference(node.reference));
    }
    if (typeof node.code === 'string') {
      facts.codings.push(node);
    }
    addPatients(facts.patients, node);
    if ('start' in node || 'end' in node) {
      facts.spans.push(...present(spanOfPeriod(node, utcOffsetMinutes)));
    }
    for (const name of Object.keys(node)) {
      visit(node[name], name);
    }
  };

  const visit = (value: unknown, name: string): void => {
    if (typeof value === 'string') {
      if (name === 'contentType') {
        facts.contentTypes.push(mediaType(value));
      } else if (name === 'confidentiality') {
        facts.labels.push({ system: V3_CONFIDENTIALITY, code: value });
      } else if (
        name !== 'start' &&
        name !== 'end' &&
        /^\d{4}/.test(value) &&
        (value.length > 9 || TIME_ELEMENT.test(name))
      ) {
        facts.spans.push(...present(spanOf(value, utcOffsetMinutes)));
      }
    } else if (Array.isArray(value)) {
      value.forEach((item) => visit(item, name));
    } else if (value && typeof value === 'object') {
      const node = value as Elements;
      if (name === 'attachment' && node.contentType === undefined) {
        facts.contentTypes.push('');
      }
      if (name === 'security') {
        facts.labels.push(node);
      } else if (name === 'securityLabel') {
        // In words only: a label that cannot be read.
        facts.labels.push(...((node.coding ?? [{}]) as Coding[]));
      }
      visitObject(node);
    }
  };

  visitObject(resource as unknown as Elements);
  return facts;
}

/** `type` on a Reference, a conditional reference and a contained Patient name a patient that may be another one. */
function addPatients(named: string[], node: Elements): void {
  const text = typeof node.reference === 'string' ? node.reference : undefined;
  named.push(...(node.resourceType === 'Patient' ? [`Patient/${String(node.id)}`] : []));
  if (text !== undefined && /(?:^|\/)Patient(?:[/?]|$)/.test(text)) {
    named.push(reduceReference(text));
  } else if (node.type === 'Patient' && (text !== undefined || 'identifier' in node || 'display' in node)) {
    named.push(text ?? '');
  }
}

/**
 * A media type without parameters.
 *
 * @param contentType - As written.
 * @returns In lower case, without parameters.
 */
export function mediaType(contentType: string): string {
  return contentType.replace(/;.*$/, '').trim().toLowerCase();
}

function present<T>(value: T | undefined): T[] {
  return value === undefined ? [] : [value];
}
