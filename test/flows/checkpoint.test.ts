import { expect, test } from 'vitest';
import { systemsOf } from '../../src/fhir/systems.ts';
import { changesSearch, checkpointOf, watermarksOf } from '../../src/flows/checkpoint.ts';

const systems = systemsOf();

test('a checkpoint reads back as it was written', () => {
  const watermarks = { Patient: '2026-01-01T00:00:00.000Z', 'Encounter-deleted': '2026-01-02T00:00:00.123Z' };
  expect(watermarksOf(systems, checkpointOf(systems, watermarks))).toEqual(watermarks);
});

test('before the first sweep there is no watermark, and everything is looked at', () => {
  expect(watermarksOf(systems, undefined)).toEqual({});
  expect(changesSearch('Encounter', undefined, 120_000, false)).toBe('Encounter?_sort=_lastUpdated&_count=1000');
});

test('a sweep looks back before its watermark by the overlap', () => {
  expect(changesSearch('Encounter', '2026-01-01T00:02:00.000Z', 120_000, true)).toBe(
    'Encounter?_sort=_lastUpdated&_count=1000&_lastUpdated=ge2026-01-01T00:00:00.000Z&_deleted=true'
  );
});
