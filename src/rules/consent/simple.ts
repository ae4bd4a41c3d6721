/**
 * The simple model of a Consent: a purpose, classes of data, perhaps an end and a recipient; no provisions to write. It is written in
 * the form that has one reading only: a typed root, the purpose stated, the action a copy needs, and classes by name.
 */
import type { Coding, Consent, ConsentProvision } from '@medplum/fhirtypes';
import { DATA_CLASSES } from '../../fhir/data-classes.ts';
import type { DataClass } from '../../fhir/data-classes.ts';
import { V3_ACT_CODE, V3_ACT_REASON } from '../../fhir/systems.ts';
import { normalSystem } from './coding.ts';
import { spanOf } from './period.ts';
import { publicPurpose, readPurpose } from './purpose.ts';

const HL7 = 'http://terminology.hl7.org/CodeSystem';

/** Everything that can be shared; genetic data never leave. */
export const GRANTABLE: readonly DataClass[] = DATA_CLASSES.filter((name) => name !== 'GENETICS');

/** What somebody grants. */
export interface Grant {
  /** `Patient/id`. */
  readonly patient: string;
  /** All but genetics by default. */
  readonly classes?: readonly string[] | undefined;
  /** When it is given. */
  readonly at?: string | undefined;
  /** The last day, or instant, on which it holds. */
  readonly until?: string | undefined;
  /** A v3-ActReason code, or the seeds' CARE, which is TREAT and the default. */
  readonly purpose?: string | undefined;
  /** Who receives; anybody for whom the replica is kept by default. */
  readonly actors?: readonly string[] | undefined;
}

/**
 * What is wrong with a grant.
 *
 * @param grant - What somebody asks for.
 * @returns One sentence per problem; none if a Consent can be written.
 */
export function problemsOf({ classes = GRANTABLE, until, purpose = 'CARE', actors = [] }: Grant): string[] {
  const unknown = classes.filter((name) => !GRANTABLE.some((one) => one === name));
  return [
    ...(classes.length === 0 ? ['no class of data is named'] : []),
    ...unknown.map((name) =>
      name === 'GENETICS'
        ? 'GENETICS is never shared'
        : `there is no class "${name}"; there are ${GRANTABLE.join(', ')}`
    ),
    ...(until !== undefined && !spanOf(until, 0) ? [`"${until}" is no FHIR date, such as 2026-12-31`] : []),
    ...(publicPurpose(readPurpose(purpose, '')) === undefined
      ? [`"${purpose}" is no purpose of v3-ActReason, such as TREAT or HRESCH`]
      : []),
    ...actors
      .filter((actor) => !/^[A-Z]\w+\/[A-Za-z0-9.-]{1,64}$/.test(actor))
      .map((actor) => `"${actor}" is no reference, such as Organization/1`),
  ];
}

/**
 * Writes the Consent of a grant.
 *
 * @param grant - A grant without problems.
 * @param dataClassSystem - Our code system of data classes.
 * @returns An active Consent, not yet saved.
 */
export function consentOf(grant: Grant, dataClassSystem: string): Consent {
  const { patient, classes = GRANTABLE, at, until, purpose = 'CARE', actors = [] } = grant;
  return {
    resourceType: 'Consent',
    status: 'active',
    scope: { coding: [{ system: `${HL7}/consentscope`, code: 'patient-privacy' }] },
    // LOINC 59284-6 is "Patient Consent"; the category element is required.
    category: [{ coding: [{ system: 'http://loinc.org', code: '59284-6' }] }],
    patient: { reference: patient },
    ...(at && { dateTime: at }),
    // R4 asks for a policy or a policyRule (ppc-1).
    policyRule: { coding: [{ system: V3_ACT_CODE, code: 'OPTIN' }] },
    provision: {
      type: 'permit',
      ...(until && { period: { end: until } }),
      ...(actors.length > 0 && { actor: actors.map(recipient) }),
      // A copy is a disclosure; `access` alone is a permission to look (R4 consentaction).
      action: [{ coding: [{ system: `${HL7}/consentaction`, code: 'disclose' }] }],
      purpose: [{ system: V3_ACT_REASON, code: readPurpose(purpose, dataClassSystem).code ?? '' }],
      class: classes.map((code): Coding => ({ system: dataClassSystem, code })),
    },
  };
}

function recipient(reference: string): NonNullable<ConsentProvision['actor']>[number] {
  return { role: { coding: [{ system: `${HL7}/v3-ParticipationType`, code: 'IRCP' }] }, reference: { reference } };
}

const SIMPLE_ELEMENTS = ['type', 'period', 'actor', 'action', 'purpose', 'class'];

/**
 * The classes that a Consent of the simple model grants.
 *
 * @param consent - Any Consent.
 * @param dataClassSystem - Our code system of data classes.
 * @returns The classes; undefined if the Consent is not of the simple model, or grants no longer.
 */
export function grantedBy({ status, provision }: Consent, dataClassSystem: string): readonly string[] | undefined {
  const classes = provision?.class ?? [];
  const isSimple =
    status === 'active' &&
    provision?.type === 'permit' &&
    Object.keys(provision).every((name) => SIMPLE_ELEMENTS.includes(name)) &&
    classes.length > 0 &&
    classes.every(({ system }) => normalSystem(system) === dataClassSystem);
  return isSimple ? classes.map(({ code }) => code ?? '') : undefined;
}

/**
 * Takes classes back. The resource stays, so that its history says what was granted and when it ended.
 *
 * @param consent - A Consent of the simple model.
 * @param classes - What is taken back; everything by default.
 * @returns The Consent to save: with the classes that are left, or inactive if there are none; undefined if nothing changes.
 */
export function revokedFrom(consent: Consent, classes?: readonly string[]): Consent | undefined {
  const listed = consent.provision?.class ?? [];
  const left = classes ? listed.filter(({ code }) => !classes.includes(code ?? '')) : [];
  if (left.length === listed.length) {
    return undefined;
  }
  return left.length === 0
    ? { ...consent, status: 'inactive' }
    : { ...consent, provision: { ...consent.provision, class: left } };
}
