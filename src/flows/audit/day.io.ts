/** All events of the trail that the source stored on one day. */
import type { AuditEvent } from '@medplum/fhirtypes';
import type { Systems } from '../../fhir/systems.ts';
import type { SourceFhir } from '../../ports.ts';
import { nextPlace } from './place.ts';
import type { Place } from './place.ts';
import { dayAfter } from './seal.ts';

/**
 * @param source - The source.
 * @param systems - Our systems.
 * @param day - `YYYY-MM-DD`, UTC.
 * @returns Ours and mirrored ones, in the order of (`lastUpdated`, `id`), once each.
 * @throws Fault `source-*` when a page cannot be read.
 */
export async function eventsOfDay(source: SourceFhir, systems: Systems, day: string): Promise<AuditEvent[]> {
  const found = new Map<string, AuditEvent>();
  let place: Place | undefined = { since: `${day}T00:00:00.000Z`, offset: 0 };
  while (place) {
    const page: AuditEvent[] = await eventsOf(
      source,
      `AuditEvent?type=${encodeURIComponent(`${systems.auditType}|`)}&_sort=_lastUpdated,_id&_count=1000` +
        `&_lastUpdated=ge${place.since}&_lastUpdated=lt${dayAfter(day)}T00:00:00.000Z` +
        (place.offset > 0 ? `&_offset=${place.offset}` : '')
    );
    page.forEach((event) => found.set(event.id ?? '', event));
    place = nextPlace(place, page);
  }
  return [...found.values()];
}

/**
 * @param source - The source.
 * @param url - A search for AuditEvents.
 * @returns One page of them.
 */
export async function eventsOf(source: SourceFhir, url: string): Promise<AuditEvent[]> {
  const page = await source.search(url);
  return (page.entry ?? []).flatMap(({ resource }) => (resource?.resourceType === 'AuditEvent' ? [resource] : []));
}
