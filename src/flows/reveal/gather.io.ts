/** Reads what a reveal is decided on: whose the token is, who asks, what the Consents say. */
import type { Consent, Encounter, Patient, PractitionerRole } from '@medplum/fhirtypes';
import type { Systems } from '../../fhir/systems.ts';
import type { SourceFhir } from '../../ports.ts';
import { ACTIVE } from '../../rules/access/role.ts';
import { linkIn } from '../link.ts';
import { keptOf, payloadTerm } from '../payload.ts';
import { readAll } from '../read-all.io.ts';
import type { RevealFacts } from './facts.ts';

/**
 * @param source - The source.
 * @param systems - Our systems.
 * @param token - The token, if one was given.
 * @param requester - Who asks.
 * @returns The facts, in two requests; one when the token is nobody's.
 * @throws Fault `source-*` when anything cannot be read: an unread Consent is never an absent one.
 */
export async function gatherReveal(
  source: SourceFhir,
  systems: Systems,
  token: string | undefined,
  requester: string | undefined
): Promise<RevealFacts> {
  const terms = [`${systems.patientToken}|${token ?? ''}`, payloadTerm(systems, token ?? '')].map(encodeURIComponent);
  const isPractitioner = requester?.split('/')[0] === 'Practitioner';
  const [controls = [], roles = []] = await readAll(source, [
    ...(token === undefined ? [] : [`Basic?identifier=${terms.join(',')}&_count=10`]),
    ...(isPractitioner ? [`PractitionerRole?practitioner=${requester}&_count=100`] : []),
  ]).then((found) => (token === undefined ? [[], ...found] : found));
  const kept = token === undefined ? undefined : keptOf(systems, controls, { token });
  const patientId = linkIn(systems, controls)?.patientId ?? (kept?.patientId || undefined);
  const own = { patientId, kept, roles: roles as PractitionerRole[] };
  if (patientId === undefined) {
    return { ...own, patient: undefined, consents: [], encounters: [] };
  }
  const participants = [requester, ...roles.map(({ id }) => `PractitionerRole/${id}`)].join(',');
  const [patient = [], consents = [], encounters = []] = await readAll(source, [
    `Patient/${patientId}`,
    `Consent?patient=Patient/${patientId}&_count=100`,
    ...(isPractitioner
      ? [`Encounter?subject=Patient/${patientId}&participant=${participants}&status=${ACTIVE.join(',')}&_count=100`]
      : []),
  ]);
  return {
    ...own,
    patient: patient[0] as Patient | undefined,
    consents: consents as Consent[],
    encounters: encounters as Encounter[],
  };
}
