/** `npm run bench`: ratios against a floor measured in the same run, never bare times. A case that gives a wrong result throws. */
import { benchAuditMirror } from './bench/audit-mirror.ts';
import { benchConsent } from './bench/consent.ts';
import { benchDeid } from './bench/deid.ts';
import { benchDrain } from './bench/drain.ts';
import { benchEventPath } from './bench/event-path.ts';
import { benchReconcile } from './bench/reconcile.ts';

/** One measured ratio. */
export interface Ratio {
  readonly what: string;
  readonly against: string;
  readonly ratio: number;
  /** What else is worth knowing: counts, never times. */
  readonly note?: string;
}

const CASES: Readonly<Record<string, () => Promise<Ratio[]>>> = {
  'audit-mirror': () => benchAuditMirror(10_000),
  'audit-mirror-large': () => benchAuditMirror(100_000),
  consent: benchConsent,
  deid: benchDeid,
  drain: async () => [...(await benchDrain(1000)), ...(await benchDrain(1000, 'patient'))],
  'drain-large': () => benchDrain(10_000),
  'event-path': benchEventPath,
  reconcile: () => benchReconcile([1000, 10_000]),
  'reconcile-large': () => benchReconcile([1000, 10_000, 100_000]),
};

/** Takes many minutes: only when it is named. */
const LARGE = ['audit-mirror-large', 'drain-large', 'reconcile-large'];

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in CASES));
if (unknown.length > 0) {
  console.error(`No such case: ${unknown.join(', ')}. There are: ${Object.keys(CASES).join(', ')}`);
  process.exitCode = 2;
} else {
  for (const [name, run] of Object.entries(CASES).filter(
    ([name]) => (wanted.length === 0 && !LARGE.includes(name)) || wanted.includes(name)
  )) {
    console.log(name);
    for (const { what, against, ratio, note } of await run()) {
      console.log(`  ${ratio.toFixed(2).padStart(6)} × ${against}: ${what}${note ? ` (${note})` : ''}`);
    }
  }
}
