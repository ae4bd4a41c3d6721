/** What the residue check knows while it looks. */
import type { Resource } from '@medplum/fhirtypes';
import type { Systems } from '../../../fhir/systems.ts';
import type { PatientKeys } from '../keys.ts';
import type { Profile } from '../pass.ts';
import type { DeidReason } from '../reasons.ts';
import type { PatientFacts } from '../sweep.ts';

/** What the check may know. */
export interface Evidence {
  readonly keys: PatientKeys;
  readonly systems: Systems;
  readonly profile: Profile;
  /** The instant at which ages count. */
  readonly at: string;
  /** The source resource: the only place that an outgoing date may come from. */
  readonly source: Resource;
  readonly facts: PatientFacts;
  /** Whether the copy may refer to stubs. */
  readonly hasStubs?: boolean;
}

/** The evidence, and where the check stands. */
export interface Scope extends Evidence {
  readonly isPatient: boolean;
  /** The elements on the way to the one that is looked at. */
  readonly path: string[];
}

export type Hit = Extract<DeidReason, `residue-${string}`>;
export type Fields = Readonly<Record<string, unknown>>;

/** One check of one element; the depth of a member of the resource itself is 0. `look-inside`: nothing yet, its members decide. */
export type Check = (value: unknown, parent: Fields, scope: Scope, depth: number) => Hit | 'look-inside' | undefined;
