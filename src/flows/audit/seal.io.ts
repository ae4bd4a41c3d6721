/** Seals each day that is over, one after the other, none left out. A crash leaves a list without a seal: the next run makes both anew. */
import type { Basic } from '@medplum/fhirtypes';
import { checkMac } from '../../observability/event-mac.ts';
import { eventsOf, eventsOfDay } from './day.io.ts';
import type { SealDeps } from './deps.ts';
import { dayAfter, dayOf, lineOf, newestSealSearch, rootOf, sealBasic, sealIn, sha256, textOf } from './seal.ts';
import type { DaySeal, SignedSeal } from './seal.ts';

/** Rows of a day are visible this long after it, at the latest (`platform.md` §4.8), and then some. */
const SETTLED_MS = 10 * 60_000;

/**
 * @param deps - The run.
 * @returns How many days were sealed; none without a key.
 * @throws Fault `source-*` when a day cannot be read in full: it is not sealed then.
 */
export async function sealDays(deps: SealDeps): Promise<number> {
  const { clock, deadlineAt, log } = deps;
  const today = dayOf(clock.now() - SETTLED_MS);
  let sealed = 0;
  let last = await newestSeal(deps);
  let day = deps.signer && (last ? dayAfter(last.seal.day) : await firstDay(deps));
  while (day && day < today && clock.now() < deadlineAt) {
    last = await sealDay(deps, day, last);
    day = last && dayAfter(last.seal.day);
    sealed++;
  }
  if (sealed > 0) {
    log('info', 'audit-sealed', { sealed });
  }
  return sealed;
}

async function newestSeal({ source, config }: SealDeps): Promise<SignedSeal | undefined> {
  const { systems } = config;
  const page = await source.search(newestSealSearch(systems));
  const basic = page.entry?.[0]?.resource as Basic | undefined;
  return basic && sealIn(systems, basic);
}

async function firstDay({ source, config }: SealDeps): Promise<string | undefined> {
  const type = encodeURIComponent(`${config.systems.auditType}|`);
  const [oldest] = await eventsOf(source, `AuditEvent?type=${type}&_sort=_lastUpdated&_count=1`);
  return oldest?.meta?.lastUpdated?.slice(0, 10);
}

async function sealDay(deps: SealDeps, day: string, last: SignedSeal | undefined): Promise<SignedSeal | undefined> {
  const { source, config, signer, clock, bot } = deps;
  const { systems } = config;
  if (!signer) {
    return undefined;
  }
  const events = await eventsOfDay(source, systems, day);
  const lines = events.map(lineOf);
  const previous = last ? sha256(last.text) : '';
  const seal: DaySeal = {
    v: 1,
    day,
    count: lines.length,
    root: rootOf(day, previous, lines),
    previous,
    doubtful: events.filter((event) => checkMac(event, systems, signer.mac) !== 'good').length,
    kid: signer.kid,
    sealedAt: new Date(clock.now()).toISOString(),
  };
  const text = textOf(seal);
  const list = await source.store(lines.join('\n'), 'text/plain', bot);
  // Of two sealers the first is kept, and both go on from what is kept.
  const kept = await source.ensure(sealBasic(systems, { seal, text, signature: signer.sign(text), list }));
  return sealIn(systems, kept);
}
