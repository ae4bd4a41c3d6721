/** By what candidates are looked for, and what of a Patient is told for it: no more than is compared. Pure. */
import type { Patient } from '@medplum/fhirtypes';
import { exchanged } from './dates.ts';

/** Parameters of one search for Patients. */
export type Query = Readonly<Record<string, string>>;

/**
 * The part of a Patient by which a partner is asked.
 *
 * @param patient - The Patient.
 * @param systems - Identifier systems that both sides know.
 * @returns Shared identifiers, names, birth date, sex, telephone, mail, address; nothing else.
 */
export function demographicsOf(patient: Patient, systems: readonly string[]): Patient {
  const { name, birthDate, gender, telecom = [], address, identifier = [] } = patient;
  const shared = identifier.filter(({ system, value }) => system !== undefined && value && systems.includes(system));
  const contacts = telecom.filter(({ system }) => system === 'phone' || system === 'email');
  return {
    resourceType: 'Patient',
    ...(shared.length > 0 && { identifier: shared.map(({ system, value }) => ({ system: system!, value: value! })) }),
    ...(name && {
      name: name.map(({ family, given }) => ({ ...(family && { family }), ...(given && { given }) })),
    }),
    ...(birthDate && { birthDate }),
    ...(gender && { gender }),
    ...(contacts.length > 0 && {
      telecom: contacts.map(({ system, value }) => ({ ...(system && { system }), ...(value && { value }) })),
    }),
    ...(address && {
      address: address.map(({ line, city, postalCode }) => ({
        ...(line && { line }),
        ...(city && { city }),
        ...(postalCode && { postalCode }),
      })),
    }),
  };
}

/**
 * Whether there is enough to ask by: an identifier, or a family name with a birth date or a given name.
 *
 * @param demographics - From `demographicsOf`.
 * @returns True when there is.
 */
export function isEnough({ identifier, name = [], birthDate }: Patient): boolean {
  return (
    (identifier?.length ?? 0) > 0 || name.some(({ family, given }) => Boolean(family && (birthDate || given?.[0])))
  );
}

/**
 * Searches that find the same person in spite of one mistake: each leaves out what another asks for.
 *
 * @param demographics - From `demographicsOf`.
 * @returns The searches, the narrowest first.
 */
export function queriesOf({ identifier = [], name = [], birthDate, telecom = [] }: Patient): Query[] {
  const families = distinct(name.map(({ family }) => family));
  const givens = distinct(name.map(({ given }) => given?.[0]));
  const [family, given] = [families.join(','), givens.join(',')];
  const turned = birthDate === undefined ? undefined : exchanged(birthDate);
  const contact = (system: string): string =>
    distinct(telecom.map((each) => (each.system === system ? each.value : undefined))).join(',');
  const [phone, email] = [contact('phone'), contact('email')];
  return [
    ...(identifier.length > 0
      ? [{ identifier: identifier.map(({ system, value }) => `${escape(system)}|${escape(value)}`).join(',') }]
      : []),
    ...(family && birthDate ? [{ family, birthdate: birthDate }] : []),
    ...(given && birthDate ? [{ given, birthdate: birthDate }] : []),
    ...(family && turned ? [{ family, birthdate: turned }] : []),
    ...(family && given ? [{ family, given }] : []),
    ...(phone ? [{ phone }] : []),
    ...(email ? [{ email }] : []),
  ];
}

function distinct(list: readonly (string | undefined)[]): string[] {
  return [...new Set(list.flatMap((each) => (each?.trim() ? [escape(each.trim())] : [])))];
}

/** FHIR R4 search.html#escaping. */
function escape(text = ''): string {
  return text.replaceAll(/[\\,|$]/g, (character) => `\\${character}`);
}
