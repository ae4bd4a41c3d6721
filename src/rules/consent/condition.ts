/** The conditions of one provision: AND across its elements, OR within one (rule 9), in the order of the reasons. */
import type { CodeableConcept, Coding, ConsentProvision } from '@medplum/fhirtypes';
import { actionHolds } from './action.ts';
import { actorHolds } from './actor.ts';
import { codingsOf } from './coding.ts';
import { classHolds, codeHolds, principalConcepts } from './content.ts';
import { dataPeriodHolds } from './data-period.ts';
import { dataHolds } from './data.ts';
import type { Dimension, DimensionEvidence } from './decision.ts';
import { DIMENSIONS } from './decision.ts';
import type { Inquiry } from './inquiry.ts';
import { labelHolds } from './label.ts';
import { inPeriod } from './period.ts';
import { purposeHolds, readPurpose } from './purpose.ts';
import type { Kind, Truth } from './three-valued.ts';
import { some } from './three-valued.ts';

/** The conditions of a provision, those inherited from its parent included. */
export type Conditions = Readonly<Pick<ConsentProvision, Dimension>>;

interface Condition<D extends Dimension> {
  readonly holds: (listed: NonNullable<ConsentProvision[D]>, inquiry: Inquiry, kind: Kind) => Truth;
  readonly listed: (listed: NonNullable<ConsentProvision[D]>) => (string | undefined)[];
  readonly requested: (inquiry: Inquiry) => (string | undefined)[];
}

const codes = (codings: readonly Coding[]): (string | undefined)[] => codings.map((coding) => coding.code);
const conceptCodes = (concepts: readonly CodeableConcept[]): (string | undefined)[] => codes(codingsOf(concepts));
const ends = (period: { start?: string; end?: string }): string[] => [`${period.start ?? ''}/${period.end ?? ''}`];

const CONDITIONS: { readonly [D in Dimension]: Condition<D> } = {
  period: {
    holds: (period, { at, utcOffsetMinutes }) => inPeriod(period, at, utcOffsetMinutes),
    listed: ends,
    requested: ({ at }) => [new Date(at).toISOString()],
  },
  purpose: {
    holds: (purposes, { purpose, dataClassSystem }, kind) =>
      purposeHolds(
        purposes.map((one) => readPurpose(one, dataClassSystem)),
        purpose,
        kind
      ),
    listed: codes,
    requested: ({ purpose }) => [purpose.code],
  },
  actor: {
    holds: actorHolds,
    listed: (actors) =>
      actors.map((actor) => `${codes(actor.role?.coding ?? []).join()}@${actor.reference?.reference ?? ''}`),
    requested: ({ actors }) => [...actors],
  },
  action: {
    holds: (actions, { action }, kind) => actionHolds(actions, action, kind),
    listed: conceptCodes,
    requested: ({ action }) => [action],
  },
  securityLabel: {
    holds: (labels, inquiry, kind) => labelHolds(labels, inquiry.labels, kind),
    listed: codes,
    requested: ({ facts }) => codes(facts.labels),
  },
  class: {
    holds: classHolds,
    listed: codes,
    requested: ({ resource, classes }) => [resource.resourceType, ...classes()],
  },
  code: {
    holds: codeHolds,
    listed: conceptCodes,
    requested: (inquiry) => conceptCodes(principalConcepts(inquiry)),
  },
  dataPeriod: {
    holds: dataPeriodHolds,
    listed: ends,
    // The date of a resource is PHI; that it has none is not.
    requested: ({ facts }) => [facts.spans.length ? 'dated' : 'undated'],
  },
  data: {
    holds: dataHolds,
    listed: (data) => data.map(({ meaning, reference }) => `${meaning ?? ''}:${reference?.reference ?? ''}`),
    requested: ({ resource }) => [`${resource.resourceType}/${resource.id ?? ''}`],
  },
};

/**
 * Whether a provision states a condition.
 *
 * @param rule - The provision.
 * @param dimension - The element.
 * @returns False for an empty list as well.
 */
export function states(rule: Conditions | undefined, dimension: Dimension): boolean {
  const element = rule?.[dimension];
  return Array.isArray(element) ? element.length > 0 : element !== undefined;
}

/** Conditions made ready for many requests. */
export interface Stated {
  readonly rule: Conditions;
  /** The conditions that are stated, in the order of the reasons. */
  readonly tests: readonly { readonly dimension: Dimension; readonly key: string }[];
}

export const NONE: Stated = { rule: {}, tests: [] };

/**
 * Makes conditions ready.
 *
 * @param rule - A provision.
 * @returns Its conditions, each with a key: those that list the same have the same key, and one answer per request.
 */
export function stated(rule: Conditions): Stated {
  const tests: { dimension: Dimension; key: string }[] = [];
  for (const dimension of DIMENSIONS) {
    if (states(rule, dimension)) {
      tests.push({ dimension, key: dimension + JSON.stringify(rule[dimension]) });
    }
  }
  return { rule, tests };
}

/**
 * The conditions of a provision, with those of its parent for every element that it does not state itself.
 *
 * @param inherited - The conditions of the parent.
 * @param own - Those of the provision.
 * @returns The conditions to test.
 */
export function inherit(inherited: Stated, own: Stated): Stated {
  if (inherited.tests.length === 0) {
    return own;
  }
  const rules = Object.fromEntries(own.tests.map(({ dimension }) => [dimension, own.rule[dimension]]));
  return stated({ ...inherited.rule, ...(rules as Conditions) });
}

/** Whether conditions hold, and the first that does not. */
export interface Match {
  readonly truth: Truth;
  readonly failing?: Dimension;
}

/**
 * Tests conditions.
 *
 * @param rule - The conditions.
 * @param kind - Whether they belong to a permit or a deny.
 * @param inquiry - The request.
 * @param own - Those of them that are not inherited. A deny in a permit that does not apply inherits conditions of a permit: it
 * applies where they hold in either sense, so that what is unknown about the permit does not switch off the deny.
 * @returns For a permit the first that is not true decides; for a deny the first that is false, else the first unknown.
 */
export function matches({ rule, tests }: Stated, kind: Kind, inquiry: Inquiry, own: Conditions = rule): Match {
  let unknown: Match | undefined;
  for (const { dimension, key } of tests) {
    const isInherited = kind === 'deny' && own !== rule && !states(own, dimension);
    const senses: readonly Kind[] = isInherited ? ['permit', 'deny'] : [kind];
    const truth =
      senses.length === 1
        ? remembered(key, dimension, rule, kind, inquiry)
        : some(senses.map((sense) => remembered(key, dimension, rule, sense, inquiry)));
    if (truth === false || (truth === undefined && kind === 'permit')) {
      return { truth, failing: dimension };
    }
    if (truth === undefined) {
      unknown ??= { truth, failing: dimension };
    }
  }
  return unknown ?? HOLDS;
}

const HOLDS: Match = { truth: true };

/** Many provisions list the same; a request is compared with it once. */
function remembered(key: string, dimension: Dimension, rule: Conditions, kind: Kind, inquiry: Inquiry): Truth {
  const answers = inquiry.answers[kind];
  const known = answers.get(key);
  if (known !== undefined || answers.has(key)) {
    return known;
  }
  const truth = test(dimension, rule, kind, inquiry);
  answers.set(key, truth);
  return truth;
}

function test<D extends Dimension>(dimension: D, rule: Conditions, kind: Kind, inquiry: Inquiry): Truth {
  return CONDITIONS[dimension].holds(rule[dimension] as NonNullable<ConsentProvision[D]>, inquiry, kind);
}

/**
 * What was compared: each condition with the requested and the listed value.
 *
 * @param rule - The conditions of the deciding provision.
 * @param kind - Whether it permits or denies.
 * @param inquiry - The request.
 * @returns One row per condition that it states.
 */
export function evidenceOf(rule: Conditions, kind: Kind, inquiry: Inquiry): DimensionEvidence[] {
  const row = <D extends Dimension>(dimension: D): DimensionEvidence => ({
    dimension,
    requested: strings(CONDITIONS[dimension].requested(inquiry)),
    listed: strings(CONDITIONS[dimension].listed(rule[dimension] as NonNullable<ConsentProvision[D]>)),
    holds: String(test(dimension, rule, kind, inquiry) ?? 'unknown') as DimensionEvidence['holds'],
  });
  return DIMENSIONS.filter((dimension) => states(rule, dimension)).map(row);
}

function strings(values: readonly (string | undefined)[]): string[] {
  return values.map((value) => value ?? '');
}
