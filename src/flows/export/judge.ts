/** Facts and an ask → who may see what. Pure. */
import type { Patient, Resource } from '@medplum/fhirtypes';
import type { Config } from '../../config/load.ts';
import { mayExport } from '../../rules/access/export.ts';
import type { ExportRefusal } from '../../rules/access/export.ts';
import { actorsOf } from '../../rules/access/role.ts';
import type { Role } from '../../rules/access/role.ts';
import { decideClasses } from '../../rules/consent/classes.ts';
import type { Decision } from '../../rules/consent/decision.ts';
import { mayReplicate } from '../../rules/consent/gate.ts';
import { organizationsOf, requesterOf } from '../standing.ts';
import type { Asker, StandingFacts } from '../standing.ts';

/** What the roles come to. */
export type Standing =
  | { readonly refusal: ExportRefusal | 'unknown-patient'; readonly role?: Role }
  | { readonly refusal?: undefined; readonly role: Role; readonly patient: Patient };

/**
 * Judges the requester. Who has no standing learns nothing of whether the patient exists.
 *
 * @param facts - The state of the source.
 * @param config - The settings.
 * @param asker - In whose name, and when.
 * @returns The role that counts, or a refusal.
 */
export function judgeStanding(facts: StandingFacts, config: Config, asker: Asker): Standing {
  const { patient } = facts;
  const standing = mayExport(
    requesterOf(facts, config, asker),
    { patientId: patient?.id, roleSystem: config.systems.role, at: asker.at },
    organizationsOf(patient)
  );
  if (!standing.ok) {
    return { refusal: standing.reason, ...(standing.role && { role: standing.role }) };
  }
  return patient ? { role: standing.role, patient } : { refusal: 'unknown-patient', role: standing.role };
}

/** Decides about records of one patient, for one requester. */
export interface Gate {
  /** The deciding answer of the first class that the settings require and the Consents do not permit. */
  readonly missing: Decision | undefined;
  /** @returns The decision about one record. */
  decide(record: Resource): Decision;
}

/**
 * Asks the Consents: for every class that the settings require at all, and then about each record. A patient sees what the replica may
 * hold; everybody else is the actor themselves, with their roles and organizations. What is shown may be stored by whoever sees
 * it, so it is a disclosure, as the copy was.
 *
 * @param facts - The state of the source.
 * @param config - The settings.
 * @param asker - In whose name, and when.
 * @param role - In which role.
 * @returns The gate.
 */
export function gateOf(facts: StandingFacts, config: Config, asker: Asker, role: Role): Gate {
  const { purpose } = config.consent;
  const actors = role === 'PATIENT' ? config.consent.actors : actorsOf(requesterOf(facts, config, asker), asker.at);
  const id = facts.patient?.id ?? '';
  const required = decideClasses(facts.consents, id, { purpose, actors, systems: config.systems }, asker.at).filter(
    ({ name }) => config.exportClasses.includes(name)
  );
  return {
    missing: required.find(({ decision }) => decision.decision !== 'permit')?.decision,
    decide: (resource) =>
      mayReplicate(facts.consents, {
        patient: `Patient/${id}`,
        purpose,
        ...(actors.length > 0 && { actor: actors }),
        resource,
        at: asker.at,
        dataClassSystem: config.systems.dataClass,
      }),
  };
}
