/** What one run of the transform carries along. */
import type { Patient, Reference } from '@medplum/fhirtypes';
import type { Systems } from '../../fhir/systems.ts';
import type { DateRule } from './dates.ts';
import type { PatientKeys } from './keys.ts';
import type { DeidReason } from './reasons.ts';
import type { Target } from './references.ts';

/**
 * - `pseudonymised`: dates shifted by an interval of the patient's own, the birth year as a band of five. Not Safe Harbor.
 * - `safe-harbor`: 45 CFR 164.514(b)(2): years only, state and ZIP3. Its keys have to come from `crosswalkKeys`.
 */
export type Profile = 'pseudonymised' | 'safe-harbor';

/** A record of the source that has a stub. */
export interface StubName {
  readonly type: string;
  readonly id: string;
}

/** References to practitioners, organizations and places, where they are kept. */
export interface Stubs {
  /** The types that have stubs. */
  readonly types: ReadonlySet<string>;
  /** The project's, not a patient's: all copies refer to the same stub. */
  readonly keys: PatientKeys;
}

/** Everything that is the same for all data of one patient. */
export interface DeidContext {
  readonly keys: PatientKeys;
  readonly systems: Systems;
  readonly profile: Profile;
  /** `Type.path` of elements that do not leave although the profile would let them. */
  readonly narrow?: readonly string[];
  /** The instant at which ages count. */
  readonly at: string;
  /** The source Patient: for the subject check, the birth date and the sweep. */
  readonly patient: Patient;
  /** Source references (`Patient/…`, `Encounter/…`) of the same patient whose copies exist or go along. */
  readonly replicated: ReadonlySet<string>;
  /** Where copies refer to stubs. */
  readonly stubs?: Stubs | undefined;
  /** Whether the copy says that its original is kept encrypted (`payload.ts`). */
  readonly hasOriginal?: boolean;
}

/** One resource on its way; `refused` is set by whatever finds that it may not go. */
export interface Pass {
  readonly context: DeidContext;
  readonly dates: DateRule;
  /** How the source names the patient, and how every copy does. */
  readonly self: { readonly path: string; readonly reference: () => Reference<Patient> };
  /** References of the source that were read before: those to Encounters come again and again. */
  readonly targets: Map<string, Target>;
  /** By token, those that the copy refers to. */
  readonly stubs: Map<string, StubName>;
  refused: DeidReason | undefined;
}
