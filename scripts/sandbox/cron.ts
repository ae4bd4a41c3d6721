/** A cron expression of five fields in UTC, as Medplum accepts it (platform.md §1.2). */
export interface Cron {
  /** The first tick strictly after `ms`, or undefined if there is none within four years (30 February). */
  nextAfter(ms: number): number | undefined;
}

const MINUTE = 60_000;
const DAY = 86_400_000;
const HORIZON_DAYS = 4 * 366;
const RANGES = [
  [0, 59],
  [0, 23],
  [1, 31],
  [1, 12],
  [0, 6],
] as const;

/**
 * Parses a cron expression.
 * @returns undefined for anything the real server accepts in `Bot.cronString` and then never runs: six fields, words, values out of range.
 */
export function parseCron(text: string): Cron | undefined {
  const parts = text.trim().split(/\s+/);
  if (parts.length !== RANGES.length) {
    return undefined;
  }
  const fields = parts.map((part, i) => parseField(part, ...(RANGES[i] as readonly [number, number])));
  const [minutes, hours, days, months, weekdays] = fields;
  if (!minutes || !hours || !days || !months || !weekdays) {
    return undefined;
  }
  // Vixie cron: when both day fields are restricted, either may match.
  const eitherDay = parts[2] !== '*' && parts[4] !== '*';
  const dayMatches = (date: Date): boolean => {
    const byDate = days.has(date.getUTCDate());
    const byWeekday = weekdays.has(date.getUTCDay());
    return months.has(date.getUTCMonth() + 1) && (eitherDay ? byDate || byWeekday : byDate && byWeekday);
  };

  return {
    nextAfter(ms) {
      let t = (Math.floor(ms / MINUTE) + 1) * MINUTE;
      for (let day = 0; day <= HORIZON_DAYS; day++) {
        const midnight = Math.floor(t / DAY) * DAY;
        if (dayMatches(new Date(t))) {
          for (; t < midnight + DAY; t += MINUTE) {
            const date = new Date(t);
            if (hours.has(date.getUTCHours()) && minutes.has(date.getUTCMinutes())) {
              return t;
            }
          }
        }
        t = midnight + DAY;
      }
      return undefined;
    },
  };
}

function parseField(text: string, min: number, max: number): ReadonlySet<number> | undefined {
  const values = new Set<number>();
  for (const item of text.split(',')) {
    const match = /^(?:\*|(\d+)(?:-(\d+))?)(?:\/(\d+))?$/.exec(item);
    if (!match) {
      return undefined;
    }
    const [, from, to, every] = match;
    const first = from === undefined ? min : Number(from);
    const last = from === undefined || (every !== undefined && to === undefined) ? max : Number(to ?? from);
    const step = Number(every ?? 1);
    if (first < min || last > max || first > last || step < 1) {
      return undefined;
    }
    for (let value = first; value <= last; value += step) {
      values.add(value);
    }
  }
  return values;
}
