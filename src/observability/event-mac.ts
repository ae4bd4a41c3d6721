/**
 * The keyed hash that each event of ours carries from the moment it is written. Bots write in parallel, so there can be no chain
 * at that time; the day's seal chains them later, and until then this tells a changed event from a true one.
 */
import { stringify } from '@medplum/core';
import type { AuditEvent } from '@medplum/fhirtypes';
import { createHash, createHmac } from 'node:crypto';
import { canonical } from '../fhir/canonical.ts';
import type { Systems } from '../fhir/systems.ts';

/** Names a MAC key and computes with it. */
export interface MacKey {
  readonly kid: string;
  readonly key: string;
}

/**
 * The content of an event: all but what the server decides, as the server stores it (without empty values).
 *
 * @param event - An event.
 * @returns Canonical JSON.
 */
function contentOf({ id: _id, meta: _meta, ...content }: AuditEvent): string {
  return canonical(JSON.parse(stringify(content)));
}

/**
 * @param event - An event.
 * @returns SHA-256 of its content, hexadecimal: what a seal holds of it.
 */
export function contentHash(event: AuditEvent): string {
  return createHash('sha256').update(contentOf(event)).digest('hex');
}

function macOf(event: AuditEvent, systems: Systems, { kid, key }: MacKey): string {
  const extension = (event.extension ?? []).filter(({ url }) => url !== systems.eventMac);
  return `${kid}.${createHmac('sha256', key)
    .update(contentOf({ ...event, extension }))
    .digest('base64url')}`;
}

/**
 * @param event - An event that is about to be written.
 * @param systems - Our systems.
 * @param key - The key.
 * @returns The event with its keyed hash.
 */
export function withMac(event: AuditEvent, systems: Systems, key: MacKey): AuditEvent {
  const extension = (event.extension ?? []).filter(({ url }) => url !== systems.eventMac);
  return { ...event, extension: [...extension, { url: systems.eventMac, valueString: macOf(event, systems, key) }] };
}

/** What the keyed hash of an event says: `foreign` is one under a key that we do not have. */
export type MacVerdict = 'good' | 'bad' | 'missing' | 'foreign';

/**
 * @param event - A stored event.
 * @param systems - Our systems.
 * @param key - The key.
 * @returns Whether it is as it was written.
 */
export function checkMac(event: AuditEvent, systems: Systems, key: MacKey): MacVerdict {
  const mac = event.extension?.find(({ url }) => url === systems.eventMac)?.valueString;
  if (!mac) {
    return 'missing';
  }
  if (!mac.startsWith(`${key.kid}.`)) {
    return 'foreign';
  }
  return mac === macOf(event, systems, key) ? 'good' : 'bad';
}
