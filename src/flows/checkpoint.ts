/** How far the sweep has come, per type: a Basic in the source. Pure. */
import type { Basic } from '@medplum/fhirtypes';
import type { Systems } from '../fhir/systems.ts';

/** Type → the `lastUpdated` of the newest row that a complete page has covered. */
export type Watermarks = Readonly<Record<string, string>>;

const NAME = 'sweep';

/**
 * @param systems - Our systems.
 * @returns A FHIR-relative search for the checkpoint.
 */
export function checkpointSearch(systems: Systems): string {
  return `Basic?identifier=${encodeURIComponent(`${systems.control}|${NAME}`)}&_count=1`;
}

/**
 * @param systems - Our systems.
 * @param watermarks - How far the sweep has come.
 * @returns The checkpoint to save.
 */
export function checkpointOf(systems: Systems, watermarks: Watermarks): Basic {
  return {
    resourceType: 'Basic',
    identifier: [{ system: systems.control, value: NAME }],
    code: { coding: [{ system: systems.control, code: 'checkpoint' }] },
    extension: Object.entries(watermarks).map(([type, at]) => ({
      url: `${systems.namespace}/watermark`,
      extension: [
        { url: 'type', valueCode: type },
        { url: 'at', valueInstant: at },
      ],
    })),
  };
}

/**
 * @param systems - Our systems.
 * @param basic - A saved checkpoint, if there is one.
 * @returns Its watermarks; empty before the first sweep.
 */
export function watermarksOf(systems: Systems, basic: Basic | undefined): Watermarks {
  const rows = (basic?.extension ?? []).filter(({ url }) => url === `${systems.namespace}/watermark`);
  return Object.fromEntries(
    rows.flatMap(({ extension }) => {
      const type = extension?.find(({ url }) => url === 'type')?.valueCode;
      const at = extension?.find(({ url }) => url === 'at')?.valueInstant;
      return type && at ? [[type, at] as const] : [];
    })
  );
}

/**
 * The search for what has changed since.
 *
 * @param resourceType - The type.
 * @param watermark - How far the last sweep came.
 * @param overlapMs - How far to look back before it: rows become visible up to a minute after their `lastUpdated`.
 * @param isDeleted - True for the feed of deleted rows (`_deleted=true`, Medplum's own).
 * @returns A FHIR-relative URL, oldest first, with cursor paging.
 */
export function changesSearch(
  resourceType: string,
  watermark: string | undefined,
  overlapMs: number,
  isDeleted: boolean
): string {
  const since = watermark ? `&_lastUpdated=ge${new Date(Date.parse(watermark) - overlapMs).toISOString()}` : '';
  return `${resourceType}?_sort=_lastUpdated&_count=1000${since}${isDeleted ? '&_deleted=true' : ''}`;
}
