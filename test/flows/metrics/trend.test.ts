/** Trends: what falls into which hour and day, and what is forgotten. */
import { expect, test } from 'vitest';
import { grown, NO_TREND, pointsOf, pointsOfReading, SPANS, valuesOf } from '../../../src/flows/metrics/trend.ts';
import { ageText, numberText, timeText } from '../../../src/flows/metrics/status/say.ts';

const HOUR = SPANS.hours.ms;
const NOW = Date.parse('2026-03-03T12:59:59.999Z');

test('values fall into the hour and the day that they are of', () => {
  const trend = grown(NO_TREND, [
    { at: NOW, series: 'sent', value: 2 },
    { at: NOW - HOUR + 1, series: 'sent', value: 3 },
    { at: NOW - HOUR, series: 'sent', value: 5 },
    { at: NOW - 13 * HOUR, series: 'sent', value: 7 },
  ]);
  expect(valuesOf(trend, 'hours', 'sent', NOW).slice(-3)).toEqual([0, 5, 5]);
  expect(valuesOf(trend, 'days', 'sent', NOW).slice(-2)).toEqual([7, 10]);
  expect(valuesOf(trend, 'hours', 'sent', NOW)).toHaveLength(48);
  expect(valuesOf(trend, 'hours', 'sent', NOW + 48 * HOUR)).toEqual(Array(48).fill(0));
});

test('what is counted is added, what stands is the highest', () => {
  const reading = (value: number): Parameters<typeof pointsOfReading>[0] => ({
    holi_fhir_sync_not_synced: { '["Observation"]': [value], '["Patient"]': [1] },
    holi_database_connections_active: { '["replica"]': [0] },
  });
  const trend = [4, 9, 6].reduce((before, value) => grown(before, pointsOfReading(reading(value), NOW)), NO_TREND);
  expect(valuesOf(trend, 'hours', 'undelivered', NOW).at(-1)).toBe(10);
  expect(valuesOf(trend, 'hours', 'readings', NOW).at(-1)).toBe(3);
  expect(valuesOf(trend, 'hours', 'down', NOW).at(-1)).toBe(3);
});

test('no more is kept than is shown, whatever order rows come in', () => {
  const points = Array.from({ length: 2000 }, (_, index) => ({
    at: NOW - index * HOUR,
    series: 'sent' as const,
    value: 1,
  }));
  const trend = grown(grown(NO_TREND, points), points.toReversed());
  expect(Object.keys(trend.hours)).toHaveLength(48);
  expect(Object.keys(trend.days)).toHaveLength(30);
  expect(valuesOf(trend, 'hours', 'sent', NOW)).toEqual(Array(48).fill(2));
});

test('a time that is no time spoils nothing', () => {
  expect(grown(NO_TREND, [{ at: NaN, series: 'sent', value: 1 }])).toEqual(NO_TREND);
  expect(grown(NO_TREND, [{ at: NOW, series: 'sent', value: NaN }])).toEqual(NO_TREND);
});

test('samples of replication are no refusals of people', () => {
  const denied = (event: string): string[] =>
    pointsOf([{ family: 'holi_hipaa_consent_validations_total', labels: ['denied', event, 'org'], value: 1 }], NOW).map(
      ({ series }) => series
    );
  expect(denied('FHIR_REVEAL')).toEqual(['refused']);
  expect(denied('FHIR_SYNC')).toEqual([]);
});

test.each([
  [numberText(1234567), '1\u202f234\u202f567'],
  [numberText(0.4321), '0.4'],
  [numberText(12.4), '12'],
  [timeText(0.25), '0.3 s'],
  [timeText(59), '59 s'],
  [ageText(119), '119 s'],
  [ageText(150), '3 min'],
  [ageText(7200), '2 h'],
  [ageText(3 * 86_400), '3 days'],
])('%s', (text, expected) => expect(text).toBe(expected));
