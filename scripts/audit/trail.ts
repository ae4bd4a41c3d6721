/** What the commands read of the trail: seals, archives, events. */
import { MedplumClient } from '@medplum/core';
import type { AuditEvent, Basic } from '@medplum/fhirtypes';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { archiveIn, archivesSearch, eventsIn } from '../../src/flows/audit/archive.ts';
import type { Archive } from '../../src/flows/audit/archive.ts';
import { eventsOf, eventsOfDay } from '../../src/flows/audit/day.io.ts';
import { parts } from '../../src/flows/audit/parts.ts';
import { sealIn, sealsSearch } from '../../src/flows/audit/seal.ts';
import type { SignedSeal } from '../../src/flows/audit/seal.ts';
import { systemClock } from '../../src/observability/clock.io.ts';
import { signerOf } from '../../src/observability/signer.ts';
import type { Signer } from '../../src/observability/signer.ts';
import type { SourceFhir } from '../../src/ports.ts';
import { sourceClient } from '../../src/remote/source.io.ts';
import { connectSource } from '../consent/project.ts';
import type { Source } from '../consent/project.ts';
import { credentialsOf, Refusal } from '../deploy/server.ts';
import { at } from './options.ts';
import type { Values } from './options.ts';

/** The source, as the commands know it. */
export interface Opened extends Source {
  readonly source: SourceFhir;
  readonly signer: Signer | undefined;
}

/** @returns The source that the environment names, and who signs there. */
export async function open(): Promise<Opened> {
  const connected = await connectSource(process.env);
  const { baseUrl, clientId, clientSecret } = credentialsOf(process.env);
  const medplum = new MedplumClient({ baseUrl });
  await medplum.startClientLogin(clientId, clientSecret);
  const random = { unit: (): number => Math.random(), uuid: (): string => randomUUID() };
  const seed = 'config' in connected.loaded ? connected.loaded.config.audit.seed : undefined;
  const source = sourceClient(medplum, { clock: systemClock, random });
  return { ...connected, source, signer: seed === undefined ? undefined : signerOf(seed) };
}

/**
 * @param values - The command line.
 * @param signer - Who signs in the source, if that is known.
 * @returns The public keys to believe.
 * @throws Refusal without any.
 */
export function keysOf(values: Values, signer: Signer | undefined): string[] {
  const keys = [
    ...(values['public-key'] ?? []).map((path) => readFileSync(at(path), 'utf8')),
    ...(signer ? [signer.publicKey] : []),
  ];
  if (keys.length === 0) {
    throw new Refusal('there is no key to believe', 'Give --public-key FILE, or set AUDIT_SIGNING_KEY in the project.');
  }
  return keys;
}

async function basics(source: SourceFhir, first: string): Promise<Basic[]> {
  const found: Basic[] = [];
  for (let url: string | undefined = first; url;) {
    const page = await source.search(url);
    found.push(...(page.entry ?? []).flatMap(({ resource }) => (resource?.resourceType === 'Basic' ? [resource] : [])));
    url = page.link?.find(({ relation }) => relation === 'next')?.url;
  }
  return found;
}

/** @returns All seals, oldest first. */
export async function sealsOf({ source, systems }: Opened): Promise<SignedSeal[]> {
  const seals = (await basics(source, sealsSearch(systems))).flatMap((basic) => sealIn(systems, basic) ?? []);
  return seals.sort((a, b) => (a.seal.day < b.seal.day ? -1 : 1));
}

/** @returns All archives that are kept. */
export async function archivesOf({ source, systems }: Opened): Promise<Archive[]> {
  return (await basics(source, archivesSearch(systems))).flatMap((basic) => archiveIn(systems, basic) ?? []);
}

/** @returns The events of a day, on the server or in its archive. */
export async function eventsAt(
  { source, systems }: Opened,
  day: string,
  archives: readonly Archive[]
): Promise<AuditEvent[]> {
  const there = await eventsOfDay(source, systems, day);
  const kept = archives.find(({ manifest }) => manifest.day === day);
  const archived = kept ? (eventsIn((await source.load(kept.ndjson)) ?? '') ?? []) : [];
  return [...new Map([...archived, ...there].map((event) => [event.id, event])).values()].sort((a, b) =>
    `${a.meta?.lastUpdated} ${a.id}` < `${b.meta?.lastUpdated} ${b.id}` ? -1 : 1
  );
}

/** @returns Those of some events that are on the server, whatever their day is now. */
export async function eventsById(source: SourceFhir, ids: readonly string[]): Promise<AuditEvent[]> {
  const found = await Promise.all(
    parts(ids).map((some) => eventsOf(source, `AuditEvent?_id=${some.join(',')}&_count=${some.length}`))
  );
  return found.flat();
}
