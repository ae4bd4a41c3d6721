/** An estimate as a table for people. Pure. */
import type { Cost } from './costs.ts';
import type { Estimate, Profile } from './model.ts';

/** From here on a busy minute more is too much. */
const NARROW = 0.8;

/**
 * @param profile - What there is to do.
 * @param estimate - What it costs.
 * @returns Lines.
 */
export function tableOf(profile: Profile, { rows, loads, total, backfillUnits }: Estimate): string {
  const changes = Object.values(profile.changes).reduce((sum, count) => sum + count, 0);
  const head = `${number(profile.patients)} patients, ${number(profile.patients * profile.recordsPerPatient)} records, ${number(changes)} changes a day, ${Math.round(profile.consenting * 100)} % consenting`;
  const narrow = loads.filter(({ share }) => share > NARROW);
  return [
    head,
    '',
    columns([
      ['a day of', 'times', 'requests', 'units', 'units, replica', 'AuditEvents', 'stored'],
      ...rows
        .filter(({ times }) => times > 0)
        .map(({ flow, times, cost }) => [
          flow,
          number(times),
          number(cost.requests + cost.replicaRequests),
          number(cost.units),
          number(cost.replicaUnits),
          number(cost.events + cost.replicaEvents),
          bytes(cost.bytes + cost.replicaBytes),
        ]),
      ['all', '', ...sums(total)],
    ]),
    '',
    columns([
      ['membership', 'requests a day', 'units a day', 'busiest minute', 'quota a minute', 'of it'],
      ...loads.map(({ membership, requests, units, peakUnits, quota, share }) => [
        membership,
        number(requests),
        number(units),
        number(peakUnits),
        number(quota),
        `${(share * 100).toFixed(1)} %`,
      ]),
    ]),
    '',
    `AuditEvents: ${number(total.events)} a day in the source, ${number(total.replicaEvents)} in the replica.`,
    `Stored: ${bytes(total.bytes)} a day in the source, ${bytes(total.replicaBytes)} in the replica; ${bytes((total.bytes + total.replicaBytes) * 365)} a year.`,
    `One Consent of an average patient: ${number(backfillUnits)} units on the replica at once.`,
    ...narrow.map(
      ({ membership, share }) =>
        `! ${membership}: the busiest minute takes ${Math.round(share * 100)} % of the quota. What is over it waits, as 429; raise the quota (docs/deploy.md), or spread the changes.`
    ),
  ].join('\n');
}

function sums(total: Cost): string[] {
  return [
    number(total.requests + total.replicaRequests),
    number(total.units),
    number(total.replicaUnits),
    number(total.events + total.replicaEvents),
    bytes(total.bytes + total.replicaBytes),
  ];
}

const number = (value: number): string => Math.round(value).toLocaleString('en-US');

function bytes(value: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, value)) / 3)));
  return `${(value / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}

function columns(lines: readonly (readonly string[])[]): string {
  const widths = (lines[0] ?? []).map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines
    .map((line) =>
      line
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
        .join('  ')
        .trimEnd()
    )
    .join('\n');
}
