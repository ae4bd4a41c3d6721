/**
 * The simple model as a form: the newest answer of a patient to our Questionnaire, as one Consent. Pure. A "no" is an active Consent
 * that denies everything, so that it also counts against others; a later "yes" takes its place. An answer that cannot be read is a no.
 */
import type { Consent, QuestionnaireResponse, QuestionnaireResponseItemAnswer } from '@medplum/fhirtypes';
import { canonical } from '../../fhir/canonical.ts';
import { consentOf, problemsOf } from './simple.ts';
import type { Grant } from './simple.ts';

/** The items of the Questionnaire (`forms/consent-to-share.json`). */
export const LINKS = { share: 'share', classes: 'classes', purpose: 'purpose', until: 'until' } as const;

/** Our URLs, as far as a form needs them. */
interface FormSystems {
  readonly namespace: string;
  readonly dataClass: string;
}

/**
 * @param namespace - The root of our URLs.
 * @returns The canonical URL of the Questionnaire.
 */
export function formUrl(namespace: string): string {
  return `${namespace}/Questionnaire/consent-to-share`;
}

/**
 * The response that counts.
 *
 * @param responses - Responses of one patient to our Questionnaire.
 * @param patient - `Patient/<id>`.
 * @param clients - ClientApplications that may hand in what a patient has answered.
 * @returns The newest that is finished and was handed in by the patient, by a Practitioner or by one of these clients. Who has handed
 *   it in is what the server says (`meta.author`), not what the response says.
 */
export function countingOf(
  responses: readonly QuestionnaireResponse[],
  patient: string,
  clients: readonly string[]
): QuestionnaireResponse | undefined {
  const isTrusted = ({ meta }: QuestionnaireResponse): boolean => {
    const by = meta?.author?.reference ?? '';
    return by === patient || by.split('/')[0] === 'Practitioner' || clients.includes(by);
  };
  return responses
    .filter((one) => (one.status === 'completed' || one.status === 'amended') && isTrusted(one))
    .toSorted((a, b) => instantOf(a) - instantOf(b) || updatedOf(a) - updatedOf(b))
    .at(-1);
}

const updatedOf = ({ meta }: QuestionnaireResponse): number => Date.parse(meta?.lastUpdated ?? '') || 0;
const instantOf = (one: QuestionnaireResponse): number => Date.parse(one.authored ?? '') || updatedOf(one);

/**
 * Turns a response into its Consent.
 *
 * @param response - A response that counts.
 * @param patient - `Patient/<id>`.
 * @param systems - Our URLs.
 * @returns The Consent of this patient's form, not yet saved; equal responses make equal Consents.
 */
export function consentOfForm(response: QuestionnaireResponse, patient: string, systems: FormSystems): Consent {
  const grant = grantIn(response, patient);
  const at = response.authored ?? response.meta?.lastUpdated;
  const consent = consentOf(grant ? { ...grant, at } : { patient, at }, systems.dataClass);
  return {
    ...consent,
    identifier: [formIdentifier(patient, systems)],
    sourceReference: { reference: `QuestionnaireResponse/${response.id}` },
    ...(!grant && { provision: { type: 'deny' } }),
  };
}

/**
 * @param patient - `Patient/<id>`.
 * @param systems - Our URLs.
 * @returns The identifier of the one Consent that a patient's forms make.
 */
export function formIdentifier(
  patient: string,
  { namespace }: Pick<FormSystems, 'namespace'>
): { readonly system: string; readonly value: string } {
  return { system: `${namespace}/consent-form`, value: patient.split('/')[1] ?? '' };
}

/** A yes that can be read in full; undefined for a no, and for everything else. */
function grantIn(response: QuestionnaireResponse, patient: string): Grant | undefined {
  const answers = (link: string): readonly QuestionnaireResponseItemAnswer[] => {
    const items = (response.item ?? []).filter(({ linkId }) => linkId === link);
    return items.flatMap(({ answer }) => answer ?? []);
  };
  const share = answers(LINKS.share);
  const codes = (link: string): (string | undefined)[] => answers(link).map(({ valueCoding }) => valueCoding?.code);
  const [classes, purposes, untils] = [codes(LINKS.classes), codes(LINKS.purpose), answers(LINKS.until)];
  const isSingle = share.length === 1 && purposes.length <= 1 && untils.length <= 1;
  if (!isSingle || share[0]?.valueBoolean !== true || [...classes, ...purposes].includes(undefined)) {
    return undefined;
  }
  const until = untils[0] && (untils[0].valueDate ?? '');
  const grant: Grant = {
    patient,
    classes: classes as string[],
    ...(until !== undefined && { until }),
    ...(purposes[0] && { purpose: purposes[0] }),
  };
  return problemsOf(grant).length === 0 ? grant : undefined;
}

/**
 * @param consent - What is there.
 * @param wanted - What a form says.
 * @returns Whether writing it would change nothing.
 */
export function isSameForm(consent: Consent, wanted: Consent): boolean {
  const said = ({ status, patient, dateTime, sourceReference, provision }: Consent): string =>
    canonical([status, patient?.reference ?? '', dateTime ?? '', sourceReference?.reference ?? '', provision ?? null]);
  return said(consent) === said(wanted);
}
