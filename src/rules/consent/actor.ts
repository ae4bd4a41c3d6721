/** `provision.actor` (rule 15): recipients, custodians of the data, authors of the data. */
import type { Coding, ConsentProvisionActor } from '@medplum/fhirtypes';
import { authorsOf, custodiansOf } from './author.ts';
import type { Inquiry } from './inquiry.ts';
import { comparable, targetOf } from './reference.ts';
import type { Kind, Truth } from './three-valued.ts';
import { every, some } from './three-valued.ts';

type Family = 'recipient' | 'custodian' | 'author' | 'other';

const FAMILIES: Readonly<Record<string, Family>> = {
  IRCP: 'recipient',
  PRCP: 'recipient',
  GRANTEE: 'recipient',
  DELEGATEE: 'recipient',
  CST: 'custodian',
  // HRex: "authorized to disclose".
  performer: 'custodian',
  AUT: 'author',
};

const thoseWho: Readonly<Record<Family, (inquiry: Inquiry, kind: Kind) => readonly (string | undefined)[]>> = {
  recipient: ({ actors }) => actors.map(comparable),
  custodian: ({ resource }) => custodiansOf(resource),
  author: ({ resource }, kind) => authorsOf(resource, kind),
  other: () => [],
};

/**
 * Rule 15.
 *
 * @param listed - The actors of a provision.
 * @param inquiry - The request.
 * @param kind - For a permit every role family that is listed must hold; for a deny one actor is enough.
 * @returns Unknown for other roles, and where the request or the data name nobody.
 */
export function actorHolds(listed: readonly ConsentProvisionActor[], inquiry: Inquiry, kind: Kind): Truth {
  const held = [...new Set(listed.map(familyOf))].map((family) => {
    const present = thoseWho[family](inquiry, kind);
    const actors = listed.filter((actor) => familyOf(actor) === family);
    return some(actors.map((actor) => isAmong(targetOf(actor.reference), present)));
  });
  return kind === 'permit' ? every(held) : some(held);
}

/** The same letters in a code system of somebody else may mean another role. */
function isOfHl7({ system }: Coding): boolean {
  return (
    system === undefined ||
    /^(?:https?:\/\/(?:terminology\.)?hl7\.org\/|urn:oid:2\.16\.840\.1\.113883\.5\.)/.test(system)
  );
}

/** An actor without role code receives; codings that disagree are no role that we know. */
function familyOf(actor: ConsentProvisionActor): Family {
  const found = new Set(
    (actor.role?.coding ?? []).map((coding) => (isOfHl7(coding) && FAMILIES[coding.code ?? '']) || 'other')
  );
  const [family] = found;
  return found.size > 1 ? 'other' : (family ?? 'recipient');
}

/**
 * Whether a listed reference is among those present.
 *
 * @param listed - A reduced reference; undefined if it cannot be compared.
 * @param present - Those present, likewise.
 * @returns Unknown if nobody is present or one side cannot be compared.
 */
export function isAmong(listed: string | undefined, present: readonly (string | undefined)[]): Truth {
  if (listed === undefined || present.length === 0) {
    return undefined;
  }
  return some(present.map((one) => (one === undefined ? undefined : isSame(one, listed))));
}

/** A URN may stand for what the other side names by its id. */
function isSame(one: string, listed: string): Truth {
  return one === listed || (one.startsWith('urn:') || listed.startsWith('urn:') ? undefined : false);
}
