/** The command line of `npm run audit`. */
import { resolve } from 'node:path';
import { REPORTS } from '../../src/flows/audit/report.ts';
import type { readArgs } from '../deploy/arguments.ts';

export const USAGE = `npm run audit -- <command>

  verify [--from DAY] [--to DAY]            every sealed day against its seal; what came after the last seal against its keyed hashes
  verify --archive FILE... --public-key F   exported archives (DAY.manifest.json with DAY.ndjson beside it), without a server
  export --out DIR [--from DAY] [--to DAY]  sealed days as archives, and the public key
  restore --archive FILE --public-key F     brings the events of an archive back; what is there stays
  report KIND [--since 90d] [--csv] [--page FILE]   KIND: ${REPORTS.join(', ')}
  disclosures PATIENT|TOKEN [--since 6y] [--csv] [--page FILE]   45 CFR 164.528
  public-key                                whom to believe: keep it where the trail is not
`;

export const OPTIONS = {
  from: { type: 'string' },
  to: { type: 'string' },
  archive: { type: 'string', multiple: true },
  'public-key': { type: 'string', multiple: true },
  out: { type: 'string' },
  since: { type: 'string' },
  csv: { type: 'boolean' },
  page: { type: 'string' },
  help: { type: 'boolean' },
} as const;

export type Values = ReturnType<typeof readArgs<typeof OPTIONS>>['values'];

/** @returns A path as the person who typed it means it, wherever npm runs us. */
export const at = (path: string): string => resolve(process.env['INIT_CWD'] ?? '.', path);

/** @returns Whether a day is asked for. */
export const inRange = ({ from, to }: Values, day: string): boolean => (!from || day >= from) && (!to || day <= to);
