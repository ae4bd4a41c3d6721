/** What is planned → the entries of one transaction: each record with its Provenance, one AuditEvent, and the fence. Pure. */
import type { AuditEvent, Basic, BundleEntry, Identifier, Provenance } from '@medplum/fhirtypes';
import type { Systems } from '../../fhir/systems.ts';
import type { Planned } from './plan.ts';
import type { Received } from './received.ts';
import type { Sender } from './known.ts';

/** A record that is to be written. */
export interface Write {
  readonly received: Received;
  readonly planned: Extract<Planned, { readonly kind: 'write' }>;
}

const HL7 = 'http://terminology.hl7.org/CodeSystem';

/**
 * @param writes - The records.
 * @param fence - The new fence, with its id, and the version that it takes the place of.
 * @param event - The AuditEvent.
 * @param provenanceOf - Makes the Provenance of one.
 * @returns The entries; the fence is the first, and record i stands at 1 + 2 i.
 */
export function entriesOf(
  writes: readonly Write[],
  fence: { readonly basic: Basic; readonly versionId: string },
  event: AuditEvent | undefined,
  provenanceOf: (write: Write) => Provenance
): BundleEntry[] {
  return [
    {
      resource: fence.basic,
      request: { method: 'PUT', url: `Basic/${fence.basic.id}`, ifMatch: `W/"${fence.versionId}"` },
    },
    ...writes.flatMap((write): BundleEntry[] => [
      entryOf(write),
      { resource: provenanceOf(write), request: { method: 'POST', url: 'Provenance' } },
    ]),
    ...(event ? [{ resource: event, request: { method: 'POST' as const, url: 'AuditEvent' } }] : []),
  ];
}

function entryOf({ received, planned }: Write): BundleEntry {
  const { resource, reference, action, replaces } = planned;
  return action === 'created'
    ? { fullUrl: reference, resource, request: { method: 'POST', url: received.type } }
    : { resource, request: { method: 'PUT', url: reference, ifMatch: `W/"${replaces}"` } };
}

/**
 * Says where a record came from (FHIR R4 Provenance): the organization transmitted it, our bot stored it, and this is the hash of what was received.
 *
 * @param write - The record.
 * @param setting - Whose it was, our systems, and the instant.
 * @returns The Provenance.
 */
export function provenanceOf(
  { received, planned }: Write,
  { sender, systems, at }: { readonly sender: Sender; readonly systems: Systems; readonly at: string }
): Provenance {
  return {
    resourceType: 'Provenance',
    target: [{ reference: planned.reference }],
    recorded: at,
    activity: {
      coding: [{ system: `${HL7}/v3-DataOperation`, code: planned.action === 'created' ? 'CREATE' : 'UPDATE' }],
    },
    agent: [
      {
        type: {
          coding: [
            {
              system: 'http://hl7.org/fhir/us/core/CodeSystem/us-core-provenance-participant-type',
              code: 'transmitter',
            },
          ],
        },
        who: { reference: `Organization/${sender.organizationId}` },
      },
      {
        type: { coding: [{ system: `${HL7}/provenance-participant-type`, code: 'enterer' }] },
        who: { identifier: entererOf(sender, systems) },
        onBehalfOf: { reference: `Organization/${sender.organizationId}` },
      },
      {
        type: { coding: [{ system: `${HL7}/provenance-participant-type`, code: 'assembler' }] },
        who: { identifier: { system: systems.bot, value: sender.fetchedBy ?? 'ingest' } },
      },
    ],
    entity: [
      {
        role: 'source',
        what: { identifier: { system: `${systems.ingested}-digest`, value: `sha-256:${received.digest}` } },
      },
    ],
  };
}

/** The client that sent it, or the bot that fetched it. */
function entererOf({ client, fetchedBy }: Sender, systems: Systems): Identifier {
  return fetchedBy === undefined
    ? { system: systems.ingestClient, value: client.split('/')[1] ?? '' }
    : { system: systems.bot, value: fetchedBy };
}
