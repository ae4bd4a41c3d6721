/** Reads what a reveal is decided on: whose the token is, who asks, what the Consents say. */
import type { PractitionerRole } from '@medplum/fhirtypes';
import type { Systems } from '../../fhir/systems.ts';
import type { SourceFhir } from '../../ports.ts';
import { linkIn } from '../link.ts';
import { keptOf, payloadTerm } from '../payload.ts';
import { readAll } from '../read-all.io.ts';
import { gatherPatient, rolesSearch } from '../standing.io.ts';
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
  const [controls = [], roles = []] = await readAll(source, [
    ...(token === undefined ? [] : [`Basic?identifier=${terms.join(',')}&_count=10`]),
    ...rolesSearch(requester),
  ]).then((found) => (token === undefined ? [[], ...found] : found));
  const kept = token === undefined ? undefined : keptOf(systems, controls, { token });
  const patientId = linkIn(systems, controls)?.patientId ?? (kept?.patientId || undefined);
  const own = { patientId, kept, roles: roles as PractitionerRole[] };
  if (patientId === undefined) {
    return { ...own, patient: undefined, consents: [], encounters: [] };
  }
  return { ...own, ...(await gatherPatient(source, patientId, requester, roles)) };
}
