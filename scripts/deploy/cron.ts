/** Five-field cron strings. Medplum accepts others with 200 and then never runs them (`platform.md` §1.2). */

const FIELDS = [
  { name: 'minute', from: 0, to: 59 },
  { name: 'hour', from: 0, to: 23 },
  { name: 'day of month', from: 1, to: 31 },
  { name: 'month', from: 1, to: 12 },
  { name: 'day of week', from: 0, to: 7 },
] as const;

/**
 * Says what is wrong with a cron string of numbers, lists, ranges and steps.
 *
 * @param cron - The string.
 * @returns The problem, or undefined.
 */
export function problemOfCron(cron: string): string | undefined {
  const fields = cron.split(' ');
  if (fields.length !== FIELDS.length) {
    return `has ${fields.length} fields, not 5`;
  }
  const wrong = FIELDS.find(({ from, to }, index) =>
    fields[index]!.split(',').some((part) => {
      const match = /^(?:\*|(\d+)(?:-(\d+))?)(?:\/(\d+))?$/.exec(part);
      const [, low = `${from}`, high = low, step = '1'] = match ?? [];
      return !match || Number(low) < from || Number(high) > to || Number(low) > Number(high) || Number(step) < 1;
    })
  );
  return wrong && `has an invalid ${wrong.name}`;
}
