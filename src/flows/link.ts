/**
 * The link of a patient: a Basic in the source that says under which tokens the patient is known on the replica. It is
 * written before anything is sent, so its absence proves that nothing has to be taken back, and it resolves inbound
 * `Patient/pt_…` by search. It is not an identifier on the Patient: a bot never writes to what triggers it. Pure.
 */
import type { Basic, Identifier, Resource } from '@medplum/fhirtypes';
import type { Systems } from '../fhir/systems.ts';

const CODE = 'patient-link';

/** A patient's token. */
export interface LinkToken {
  readonly value: string;
  /**
   * Absent while copies are made under it; `secondary` when another has taken its place and copies may still be under it; `old` when none are:
   * it is kept so that what the replica's readers have written down still resolves.
   */
  readonly use?: 'secondary' | 'old';
}

/** What the link says. */
export interface PatientLink {
  readonly patientId: string;
  readonly tokens: readonly LinkToken[];
  /** The crosswalk of profile `safe-harbor`: 32 random bytes as hex, of which all tokens of the patient are made. */
  readonly secret?: string;
}

/** A saved one. */
export interface SavedLink extends PatientLink {
  readonly id: string;
  readonly versionId: string;
  readonly lastUpdated: string;
}

/**
 * @param systems - Our systems.
 * @param patientId - The source Patient.
 * @returns The search term that finds the link, whatever the keys are.
 */
export function linkTerm(systems: Systems, patientId: string): string {
  return `${systems.link}|${patientId}`;
}

/**
 * @param basic - A control resource.
 * @returns Whether it is the link of a patient.
 */
export function isLink(basic: Resource): basic is Basic {
  return basic.resourceType === 'Basic' && basic.code.coding?.[0]?.code === CODE;
}

/**
 * @param systems - Our systems.
 * @param found - What a search found.
 * @returns The link among them.
 */
export function linkIn(systems: Systems, found: readonly Resource[]): SavedLink | undefined {
  const basic = found.find(isLink);
  const valuesOf = (system: string): Identifier[] => basic?.identifier?.filter((one) => one.system === system) ?? [];
  const secret = basic?.extension?.find(({ url }) => url === systems.crosswalk)?.valueString;
  return (
    basic && {
      id: basic.id ?? '',
      versionId: basic.meta?.versionId ?? '',
      lastUpdated: basic.meta?.lastUpdated ?? '',
      patientId: valuesOf(systems.link)[0]?.value ?? '',
      tokens: valuesOf(systems.patientToken).map(({ value = '', use }) => ({
        value,
        ...((use === 'secondary' || use === 'old') && { use }),
      })),
      ...(secret && { secret }),
    }
  );
}

/**
 * @param link - A link, if there is one.
 * @returns The tokens under which copies are, or may be.
 */
export function liveTokens(link: PatientLink | undefined): string[] {
  return (link?.tokens ?? []).flatMap(({ value, use }) => (use === 'old' ? [] : [value]));
}

/**
 * @param systems - Our systems.
 * @param link - What it is to say.
 * @param isPatientThere - Whether it can refer to the Patient, who may be gone.
 * @returns The Basic to write; its first identifier is the same whatever the keys are.
 */
export function linkBasic(systems: Systems, link: PatientLink, isPatientThere: boolean): Basic {
  const { patientId, tokens, secret } = link;
  return {
    resourceType: 'Basic',
    identifier: [
      { system: systems.link, value: patientId },
      ...tokens.map(({ value, use }) => ({ ...(use && { use }), system: systems.patientToken, value })),
    ],
    code: { coding: [{ system: systems.control, code: CODE }] },
    ...(isPatientThere && { subject: { reference: `Patient/${patientId}` } }),
    ...(secret && { extension: [{ url: systems.crosswalk, valueString: secret }] }),
  };
}
