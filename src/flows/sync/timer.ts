/**
 * When everything of a patient has to be looked at again although nobody writes anything: a period of a Consent begins or ends, a
 * patient turns ninety, or a late writer may have undone an erasure. It becomes a job, one per patient. Pure.
 */
import type { Consent, Patient } from '@medplum/fhirtypes';
import { nextBoundary } from '../../rules/consent/valid-until.ts';

/** A run that was under way when copies were erased has ended by then: bots have at most 300 s. */
export const SECOND_LOOK_MS = 10 * 60_000;
/** Second looks that fall into one minute are one. */
const SECOND_LOOK_STEP_MS = 60_000;
/** 45 CFR 164.514(b)(2)(i)(C): ages over 89 are aggregated. Birthdays further away are left to later looks. */
const AGE = 90;
const BIRTHDAY_HORIZON_MS = 2 * 366 * 86_400_000;

/** What decides when to look again. */
export interface Outlook {
  readonly consents: readonly Consent[];
  readonly patient: Patient | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/**
 * The next instant at which something about the patient changes by itself.
 *
 * @param outlook - What is known.
 * @returns Milliseconds since the epoch, or undefined when nothing does.
 */
export function nextLook({ consents, patient, now }: Outlook): number | undefined {
  const active = consents.filter(({ status }) => status === 'active');
  const times = [
    ...active.flatMap((consent) => nextBoundary(consent, now) ?? []),
    ...ninetiethBirthday(patient).filter((at) => at > now && at - now < BIRTHDAY_HORIZON_MS),
  ];
  return times.length > 0 ? Math.min(...times) : undefined;
}

/**
 * When to look again after an erasure.
 *
 * @param now - When something was erased, in milliseconds since the epoch.
 * @returns Milliseconds since the epoch: at least ten minutes later, and the same for erasures in a row.
 */
export function secondLookAfter(now: number): number {
  return Math.ceil((now + SECOND_LOOK_MS) / SECOND_LOOK_STEP_MS) * SECOND_LOOK_STEP_MS;
}

/** The latest day on which it can be, for a birth date of whatever precision, and a day more for whatever time zone. */
function ninetiethBirthday(patient: Patient | undefined): number[] {
  const [, year, month = '12', day = '31'] = /^(\d{4})(?:-(\d\d)(?:-(\d\d))?)?$/.exec(patient?.birthDate ?? '') ?? [];
  return year ? [Date.UTC(Number(year) + AGE, Number(month) - 1, Number(day) + 1)] : [];
}
