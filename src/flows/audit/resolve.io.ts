/** What the replica's events are about, in terms of the source: replica id → token → patient-link → Patient. */
import type { AuditEvent, Basic, Bundle } from '@medplum/fhirtypes';
import { mayHaveCopies } from '../../config/policy.ts';
import { Fault } from '../../observability/fault.ts';
import type { Copy } from '../../ports.ts';
import type { MirrorDeps } from './deps.ts';
import { namedIn, typeOf } from './map.ts';
import type { Resolution, Resolved } from './map.ts';
import { parts } from './parts.ts';

/**
 * Resolves a page of events with two or three requests, however many there are. What is gone from the replica, or never was a
 * copy of ours, stays unresolved.
 *
 * @param deps - The run.
 * @param events - Events of the replica.
 * @returns What is known, by `Type/id` on the replica.
 * @throws Fault when either server does not answer in full.
 */
export async function resolve(deps: MirrorDeps, events: readonly AuditEvent[]): Promise<Resolution> {
  const places = [...new Set(events.flatMap(namedIn))].filter((place) => mayHaveCopies(typeOf(place)));
  const copies = await find(deps, places);
  const known = new Map(copies.map((copy) => [placeOf(copy), copy]));
  const owners = [...new Set(copies.flatMap((copy) => ownerOf(copy) ?? []))].filter((place) => !known.has(place));
  for (const copy of await find(deps, owners)) {
    known.set(placeOf(copy), copy);
  }
  const tokenOf = (copy: Copy): string | undefined => known.get(ownerOf(copy) ?? '')?.token;
  const patients = await linked(deps, [...new Set(copies.flatMap((copy) => tokenOf(copy) ?? []))]);
  return new Map(
    copies.map((copy): [string, Resolved] => {
      const patientToken = tokenOf(copy);
      return [placeOf(copy), { token: copy.token, patientToken, patient: patients.get(patientToken ?? '') }];
    })
  );
}

const placeOf = ({ resourceType, id }: Copy): string => `${resourceType}/${id}`;

function ownerOf(copy: Copy): string | undefined {
  return copy.resourceType === 'Patient'
    ? placeOf(copy)
    : copy.references.find((reference) => typeOf(reference) === 'Patient');
}

async function find({ replica }: MirrorDeps, places: readonly string[]): Promise<readonly Copy[]> {
  const queries = [...Map.groupBy(places, typeOf)].flatMap(([type, some]) =>
    parts(some).map((part) => {
      const ids = part.map((place) => place.split('/')[1]).join(',');
      return `${type}?_id=${ids}&_fields=identifier,meta,subject,patient,encounter&_count=1000`;
    })
  );
  return queries.length > 0 ? replica.find(queries) : [];
}

async function linked({ source, config }: MirrorDeps, tokens: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const { patientToken } = config.systems;
  const urls = parts(tokens).map((part) => {
    const terms = part.map((token) => encodeURIComponent(`${patientToken}|${token}`)).join(',');
    return `Basic?identifier=${terms}&_count=1000`;
  });
  const answers = urls.length > 0 ? await source.read(urls) : [];
  return new Map(
    answers.flatMap(({ resource, status }) => {
      if (resource?.resourceType !== 'Bundle') {
        throw new Fault('source-incomplete', [`status ${status}`]);
      }
      return (resource as Bundle<Basic>).entry?.flatMap(({ resource: link }) => pairOf(link, patientToken)) ?? [];
    })
  );
}

function pairOf(link: Basic | undefined, system: string): [string, string][] {
  const token = link?.identifier?.find((identifier) => identifier.system === system)?.value;
  const patient = link?.subject?.reference;
  return token && patient ? [[token, patient]] : [];
}
