/** What of a Patient is compared, in one form. Pure. */
import type { Patient } from '@medplum/fhirtypes';
import { wordsOf } from './names.ts';

/** A person, as far as they are compared. */
export interface Person {
  readonly families: readonly string[];
  readonly givens: readonly string[];
  readonly birthDate: string | undefined;
  readonly gender: string | undefined;
  readonly postalCodes: readonly string[];
  /** House and street with the postal code, without punctuation. */
  readonly addresses: readonly string[];
  /** The last ten digits. */
  readonly phones: readonly string[];
  readonly emails: readonly string[];
  /** `system|value`. */
  readonly identifiers: readonly string[];
}

/**
 * @param patient - A Patient.
 * @param isShared - Whether an identifier system is known to both sides.
 * @returns What is compared of them.
 */
export function personOf(patient: Patient, isShared: (system: string) => boolean): Person {
  const { name = [], address = [], telecom = [], identifier = [], birthDate, gender } = patient;
  const of = (system: string): string[] =>
    telecom.flatMap((each) => (each.system === system ? (each.value ?? []) : []));
  const codes = address.map(({ postalCode }) =>
    (postalCode ?? '')
      .toLowerCase()
      .replaceAll(/[^a-z0-9]/g, '')
      .slice(0, 5)
  );
  return {
    families: distinct(name.map(({ family }) => family ?? '')),
    givens: distinct(name.map(({ given }) => given?.[0] ?? '')),
    birthDate,
    gender: gender === 'unknown' ? undefined : gender,
    postalCodes: distinct(codes),
    addresses: distinct(
      address.map(({ line }, index) => {
        const street = (line ?? []).flatMap(wordsOf).join(' ');
        return street === '' ? '' : `${street} ${codes[index]}`;
      })
    ),
    phones: distinct(of('phone').map((phone) => digitsOf(phone).slice(-10))).filter(({ length }) => length >= 7),
    emails: distinct(of('email').map((email) => email.trim().toLowerCase())),
    identifiers: distinct(
      identifier.map(({ system, value }) => (system && value && isShared(system) ? `${system}|${value}` : ''))
    ),
  };
}

/** An extension is nobody's number. */
function digitsOf(phone: string): string {
  return phone.replace(/\s*(x|ext\.?)\s*\d+$/i, '').replaceAll(/\D/g, '');
}

function distinct(list: readonly string[]): string[] {
  return [...new Set(list.map((each) => each.trim()).filter(Boolean))];
}
