/** The archive of a day: its events as NDJSON, and a signed manifest that holds the day's seal. Pure. */
import type { AuditEvent, Basic } from '@medplum/fhirtypes';
import { canonical } from '../../fhir/canonical.ts';
import type { Systems } from '../../fhir/systems.ts';
import { isSignedBy, kidOf } from '../../observability/signer.ts';
import type { Signer } from '../../observability/signer.ts';
import { lineOf, parsed, rootOf, sha256 } from './seal.ts';
import type { DaySeal, SignedSeal } from './seal.ts';
import type { Tampering } from './verify.ts';

/** What is signed of an archive. */
export interface Manifest {
  readonly v: 1;
  readonly day: string;
  readonly count: number;
  /** SHA-256 of the NDJSON. */
  readonly sha256: string;
  /** The day's seal as it was signed, and its signature. */
  readonly seal: string;
  readonly sealSignature: string;
  /** SPKI, PEM: whom to believe is for the reader to say, not for the archive. */
  readonly publicKey: string;
  readonly archivedAt: string;
}

/** An archive as it is kept: texts, and where the source has them. */
export interface Archive {
  readonly manifest: Manifest;
  readonly text: string;
  readonly signature: string;
  readonly ndjson: string;
  readonly list: string;
}

/** @param events - Events of a day in order. @returns One line of JSON each. */
export function ndjsonOf(events: readonly AuditEvent[]): string {
  return events.map((event) => JSON.stringify(event)).join('\n');
}

/** @param text - NDJSON. @returns The events; undefined when a line is none. */
export function eventsIn(text: string): AuditEvent[] | undefined {
  const events = text
    .split('\n')
    .filter(Boolean)
    .map((line) => parsed<AuditEvent>(line));
  return events.every((event) => event?.resourceType === 'AuditEvent') ? (events as AuditEvent[]) : undefined;
}

/**
 * @param signed - The day's seal.
 * @param ndjson - Its events.
 * @param signer - Who signs.
 * @param now - Milliseconds since the epoch.
 * @returns The manifest's text and its signature.
 */
export function manifestOf(
  signed: SignedSeal,
  ndjson: string,
  signer: Signer,
  now: number
): { readonly text: string; readonly signature: string } {
  const manifest: Manifest = {
    v: 1,
    day: signed.seal.day,
    count: signed.seal.count,
    sha256: sha256(ndjson),
    seal: signed.text,
    sealSignature: signed.signature,
    publicKey: signer.publicKey,
    archivedAt: new Date(now).toISOString(),
  };
  const text = canonical(manifest);
  return { text, signature: signer.sign(text) };
}

/**
 * Checks an archive by itself: manifest, hash, seal and chain.
 *
 * @param text - The manifest's text.
 * @param signature - Its signature.
 * @param ndjson - The events.
 * @param publicKeys - Keys that are believed, PEM.
 * @returns What is wrong; nothing when the archive is what was sealed.
 */
export function verifyArchive(
  text: string,
  signature: string,
  ndjson: string | undefined,
  publicKeys: readonly string[]
): Tampering[] {
  const manifest = parsed<Manifest>(text);
  const seal = manifest && parsed<DaySeal>(manifest.seal);
  const day = manifest?.day ?? 'unknown';
  const keyOf = (kid: string | undefined): string | undefined => publicKeys.find((each) => kidOf(each) === kid);
  const key = manifest && keyOf(kidOf(manifest.publicKey));
  const sealKey = keyOf(seal?.kid);
  if (!manifest || !seal || !key || !isSignedBy(text, signature, key)) {
    return [{ day, what: 'archive-changed' }];
  }
  if (!sealKey || !isSignedBy(manifest.seal, manifest.sealSignature, sealKey)) {
    return [{ day, what: 'seal-not-signed' }];
  }
  const events = ndjson === undefined ? undefined : eventsIn(ndjson);
  const isWhole =
    events !== undefined &&
    ndjson !== undefined &&
    sha256(ndjson) === manifest.sha256 &&
    rootOf(day, seal.previous, events.map(lineOf)) === seal.root;
  return isWhole ? [] : [{ day, what: 'archive-changed' }];
}

const NAMES = ['text', 'signature', 'ndjson', 'list'] as const;

/** @param systems - Our systems. @returns A search for all archives that are kept. */
export function archivesSearch(systems: Systems): string {
  return `Basic?code=${encodeURIComponent(`${systems.control}|audit-archive`)}&_sort=_lastUpdated&_count=1000`;
}

/** @param systems - Our systems. @param archive - An archive. @returns The Basic to keep. */
export function archiveBasic(systems: Systems, archive: Archive): Basic {
  return {
    resourceType: 'Basic',
    identifier: [{ system: systems.control, value: `audit-archive-${archive.manifest.day}` }],
    code: { coding: [{ system: systems.control, code: 'audit-archive' }] },
    extension: NAMES.map((name) => ({ url: `${systems.namespace}/audit-archive-${name}`, valueString: archive[name] })),
  };
}

/** @param systems - Our systems. @param basic - A kept archive. @returns It; undefined when it cannot be read. */
export function archiveIn(systems: Systems, basic: Basic): Archive | undefined {
  const of = (name: string): string =>
    basic.extension?.find(({ url }) => url === `${systems.namespace}/audit-archive-${name}`)?.valueString ?? '';
  const manifest = parsed<Manifest>(of('text'));
  return manifest && { manifest, text: of('text'), signature: of('signature'), ndjson: of('ndjson'), list: of('list') };
}
