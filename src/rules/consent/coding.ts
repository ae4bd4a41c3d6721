/** Codings under one spelling of their system, and closed hierarchies of codes. */
import type { CodeableConcept, Coding } from '@medplum/fhirtypes';
import { V3_ACT_CODE } from '../../fhir/systems.ts';

const TERMINOLOGY = 'http://terminology.hl7.org/CodeSystem/';
const ALIAS = /^(?:https?:\/\/hl7\.org\/fhir\/|urn:oid:2|http:\/\/terminology\.hl7\.org\/V)/;
const OIDS: Readonly<Record<string, string>> = { 4: 'ActCode', 8: 'ActReason', 25: 'Confidentiality' };

/**
 * One spelling of a code system: without trailing slash, v3 aliases resolved, the sensitivity ValueSet read as ActCode.
 *
 * @param system - The system as written.
 * @returns The system as we compare it.
 */
export function normalSystem(system: string | undefined): string | undefined {
  const bare = system?.endsWith('/') ? system.replace(/\/+$/, '') : system;
  // Nearly every system is written as it should be, and this is asked of each coding of each Consent.
  if (!bare || !ALIAS.test(bare)) {
    return bare;
  }
  if (bare === 'http://terminology.hl7.org/ValueSet/v3-InformationSensitivityPolicy') {
    return V3_ACT_CODE;
  }
  return bare
    .replace(
      /^https?:\/\/hl7\.org\/fhir\/(?:v3\/(?=\w)|(?=consent(?:scope|action|categorycodes)$))/,
      (alias) => TERMINOLOGY + (alias.endsWith('v3/') ? 'v3-' : '')
    )
    .replace(/^urn:oid:2\.16\.840\.1\.113883\.5\.(4|8|25)$/, (_, oid: string) => `${TERMINOLOGY}v3-${OIDS[oid]}`);
}

/**
 * The codings of concepts, in one flat list.
 *
 * @param concepts - CodeableConcepts, or nothing.
 * @returns Their codings.
 */
export function codingsOf(concepts: readonly (CodeableConcept | undefined)[] | undefined): Coding[] {
  return (concepts ?? []).flatMap((concept) => concept?.coding ?? []);
}

/**
 * The codes of one system among codings.
 *
 * @param codings - The codings.
 * @param system - The system, in its normal spelling.
 * @returns The codes.
 */
export function codesOf(codings: readonly Coding[] | undefined, system: string): string[] {
  return (codings ?? []).flatMap((c) => (c.code && normalSystem(c.system) === system ? [c.code] : []));
}

/**
 * Whether two codings say the same.
 *
 * @param a - A coding; without system or code it equals nothing.
 * @param b - Another one.
 * @returns True if system and code are present and equal.
 */
export function sameCoding(a: Coding, b: Coding): boolean {
  return !!a.code && !!a.system && a.code === b.code && normalSystem(a.system) === normalSystem(b.system);
}

/** A closed hierarchy of codes. */
export interface Hierarchy {
  /** Whether the code is in the table. */
  readonly knows: (code: string) => boolean;
  /** Whether `code` equals `ancestor` or lies below it. */
  readonly isA: (code: string, ancestor: string) => boolean;
}

/**
 * Builds a hierarchy from a table `parent: 'child child'`; a code may have several parents.
 *
 * @param table - Children by parent; the children of '' are the codes without parent.
 * @returns The hierarchy.
 */
export function hierarchy(table: Readonly<Record<string, string>>): Hierarchy {
  const parents = new Map<string, string[]>();
  for (const [parent, children] of Object.entries(table)) {
    for (const child of children.split(' ')) {
      parents.set(child, [...(parents.get(child) ?? []), parent]);
    }
  }
  const isA = (code: string, ancestor: string): boolean =>
    code === ancestor || (parents.get(code) ?? []).some((parent) => isA(parent, ancestor));
  return { knows: (code) => parents.has(code), isA };
}
