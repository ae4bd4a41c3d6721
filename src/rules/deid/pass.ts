/** What one run of the transform carries along. */
import type { Patient } from '@medplum/fhirtypes';
import type { Systems } from '../../fhir/systems.ts';
import type { PatientKeys } from './keys.ts';
import type { DeidReason } from './reasons.ts';

/** Everything that is the same for all data of one patient. */
export interface DeidContext {
  readonly keys: PatientKeys;
  readonly systems: Systems;
  /** `safe-harbor` will be the other one. */
  readonly profile: 'pseudonymised';
  /** The instant at which ages count. */
  readonly at: string;
  /** The source Patient: for the subject check, the birth date and the sweep. */
  readonly patient: Patient;
  /** Source references (`Patient/…`, `Encounter/…`) of the same patient whose copies exist or go along. */
  readonly replicated: ReadonlySet<string>;
}

/** One resource on its way; `refused` is set by whatever finds that it may not go. */
export interface Pass {
  readonly context: DeidContext;
  refused?: DeidReason;
}
