/** Reads what the source knows about one patient's sharing: Consents with all versions, and our trail. */
import type { AuditEvent, Bundle, Consent, Resource } from '@medplum/fhirtypes';
import { Fault } from '../../observability/fault.ts';
import type { SourceFhir } from '../../ports.ts';
import type { Systems } from '../../fhir/systems.ts';
import { linkIn } from '../link.ts';
import type { Evidence } from './evidence.ts';

const TYPES = ['FHIR_SYNC', 'FHIR_CONSENT'];
/** Histories asked for in one batch. */
const AT_A_TIME = 20;

/**
 * @param source - The source.
 * @param systems - Our systems.
 * @param token - The patient's token.
 * @returns The evidence, or undefined when no patient was ever known under the token.
 * @throws Fault `source-*` when anything cannot be read: a proof of part of it would prove nothing.
 */
export async function gatherEvidence(
  source: SourceFhir,
  systems: Systems,
  token: string
): Promise<Evidence | undefined> {
  const link = await source.search(
    `Basic?identifier=${encodeURIComponent(`${systems.patientToken}|${token}`)}&_count=1`
  );
  const found = (link.entry ?? []).flatMap(({ resource }) => resource ?? []);
  const patientId = linkIn(systems, found)?.patientId;
  if (!patientId) {
    return undefined;
  }
  const patient = `Patient/${patientId}`;
  const current = await all<Consent>(source, `Consent?patient=${patient}&_count=100`);
  const consents: Consent[] = [];
  for (let from = 0; from < current.length; from += AT_A_TIME) {
    const urls = current.slice(from, from + AT_A_TIME).map(({ id }) => `Consent/${id}/_history`);
    for (const { resource, status } of await source.read(urls)) {
      if (resource?.resourceType !== 'Bundle') {
        throw new Fault('source-incomplete', [`status ${status}`]);
      }
      consents.push(...(resource.entry ?? []).flatMap((entry) => (entry.resource as Consent | undefined) ?? []));
    }
  }
  const types = TYPES.map((type) => encodeURIComponent(`${systems.auditType}|${type}`)).join(',');
  return {
    consents,
    events: await all<AuditEvent>(source, `AuditEvent?entity=${patient}&type=${types}&_sort=_lastUpdated&_count=1000`),
  };
}

async function all<T extends Resource>(source: SourceFhir, first: string): Promise<T[]> {
  const found: Resource[] = [];
  for (let url: string | undefined = first; url;) {
    const page: Bundle = await source.search(url);
    found.push(...(page.entry ?? []).flatMap(({ resource }) => resource ?? []));
    url = page.link?.find(({ relation }) => relation === 'next')?.url;
  }
  return found as T[];
}
