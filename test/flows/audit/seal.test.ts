/** Planted tampering is found and located; retention deletes nothing that is not archived, wherever it crashes. */
import type { AuditEvent, Basic } from '@medplum/fhirtypes';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemsOf } from '../../../src/fhir/systems.ts';
import { eventsIn, ndjsonOf, verifyArchive } from '../../../src/flows/audit/archive.ts';
import { eventsOfDay } from '../../../src/flows/audit/day.io.ts';
import { csvOf, rowsOf } from '../../../src/flows/audit/report.ts';
import { retain } from '../../../src/flows/audit/retain.io.ts';
import { sealDays } from '../../../src/flows/audit/seal.io.ts';
import { lineOf, sealIn, sealsSearch } from '../../../src/flows/audit/seal.ts';
import type { SignedSeal } from '../../../src/flows/audit/seal.ts';
import { verifyDay, verifySeals } from '../../../src/flows/audit/verify.ts';
import { checkMac, withMac } from '../../../src/observability/event-mac.ts';
import { runEventOf } from '../../../src/observability/run-trail.ts';
import { signerOf } from '../../../src/observability/signer.ts';
import { configOf, crashing, createBench, SIGNER } from './kit.ts';
import type { Bench } from './kit.ts';

const systems = systemsOf();
const DAY = 86_400_000;
let bench: Bench;
beforeEach(async () => {
  bench = await createBench();
});
afterEach(() => bench.sandbox.close());

const own = (n: number): AuditEvent =>
  withMac(
    runEventOf(
      {
        type: 'FHIR_ADMIN',
        action: `a${n}`,
        correlationId: `c${n}`,
        bot: 'Bot/1',
        startedAt: n,
        endedAt: n + 1,
        details: { n },
      },
      systems
    ),
    systems,
    SIGNER.mac
  );
const write = async (count: number): Promise<void> => {
  for (let n = 0; n < count; n++) {
    await bench.source.record(own(n));
  }
};
const seals = async (): Promise<SignedSeal[]> =>
  ((await bench.source.search(sealsSearch(systems))).entry ?? []).flatMap(
    ({ resource }) => sealIn(systems, resource as Basic) ?? []
  );

async function sealed(): Promise<{ signed: SignedSeal; list: string; events: AuditEvent[] }> {
  await write(6);
  await bench.sandbox.clock.advance(2 * DAY);
  expect(await sealDays(bench.deps())).toBe(2);
  const [signed] = await seals();
  if (!signed) {
    throw new Error('there is no seal');
  }
  const list = (await bench.source.load(signed.list)) ?? '';
  return { signed, list, events: await eventsOfDay(bench.source, systems, signed.seal.day) };
}

describe('a sealed day', () => {
  test('is as it was: nothing is found, and sealing again does nothing', async () => {
    const { signed, list, events } = await sealed();
    expect(signed.seal).toMatchObject({ count: 6, doubtful: 0, previous: '' });
    expect(verifySeals(await seals(), [SIGNER.publicKey], true)).toEqual([]);
    expect(verifyDay(signed, list, events)).toEqual([]);
    expect(await sealDays(bench.deps())).toBe(0);
  });

  test('tells a changed, a removed and an inserted event, and where', async () => {
    const { signed, list, events } = await sealed();
    const [first, second, third] = events as [AuditEvent, AuditEvent, AuditEvent];
    const changed = { ...second, outcome: '8' as const };
    const planted = { ...third, id: 'planted' };
    const now = [first, changed, planted, ...events.slice(3)];
    expect(verifyDay(signed, list, now)).toEqual([
      { day: signed.seal.day, what: 'changed', id: second.id, position: 2, at: second.meta?.lastUpdated },
      { day: signed.seal.day, what: 'removed', id: third.id, position: 3, at: third.meta?.lastUpdated },
      { day: signed.seal.day, what: 'inserted', id: 'planted', position: 3, at: third.meta?.lastUpdated },
    ]);
    expect(verifyDay(signed, list, events.toReversed())).toEqual([]);
  });

  test('on the server: what somebody writes over or deletes is found', async () => {
    const { signed, list, events } = await sealed();
    const [first, second] = events as [AuditEvent & { id: string }, AuditEvent & { id: string }];
    await bench.sandbox.source.repo.updateResource({ ...first, outcome: '12' });
    await bench.sandbox.source.repo.deleteResource('AuditEvent', second.id);
    const now = await eventsOfDay(bench.source, systems, signed.seal.day);
    expect(verifyDay(signed, list, now, new Set([first.id])).map(({ what, position }) => [what, position])).toEqual([
      ['changed', 1],
      ['removed', 2],
    ]);
  });

  test('has a list that cannot be changed with it, and a seal that cannot be made anew', async () => {
    const { signed, list, events } = await sealed();
    expect(verifyDay(signed, list.split('\n').slice(1).join('\n'), events.slice(1))).toMatchObject([
      { what: 'list-changed' },
    ]);
    const text = signed.text.replace('"count":6', '"count":5');
    expect(verifySeals([{ ...signed, text }], [SIGNER.publicKey], true)).toMatchObject([{ what: 'seal-not-signed' }]);
    expect(verifySeals([signed], [signerOf('ab'.repeat(32)).publicKey], true)).toMatchObject([
      { what: 'seal-not-signed' },
    ]);
  });

  test('cannot be changed together with its list, wherever in it, nor put in another order', async () => {
    const { signed, list, events } = await sealed();
    const lines = list.split('\n');
    for (const place of events.keys()) {
      const touched = events.map((event, n) => (n === place ? { ...event, outcome: '12' as const } : event));
      expect(verifyDay(signed, touched.map(lineOf).join('\n'), touched)).toMatchObject([{ what: 'list-changed' }]);
    }
    expect(verifyDay(signed, lines.toReversed().join('\n'), events.toReversed())).toMatchObject([
      { what: 'list-changed' },
    ]);
  });

  test('cannot be left out', async () => {
    await write(1);
    await bench.sandbox.clock.advance(4 * DAY);
    await sealDays(bench.deps());
    const [a, b, c] = (await seals()) as [SignedSeal, SignedSeal, SignedSeal];
    expect(verifySeals([a, c], [SIGNER.publicKey], true)).toEqual([{ day: c.seal.day, what: 'day-not-sealed' }]);
    const other = { ...c, seal: { ...c.seal, previous: 'x' } };
    expect(verifySeals([b, other], [SIGNER.publicKey], true)).toMatchObject([{ what: 'seal-out-of-chain' }]);
  });
});

test('the keyed hash outlives the server, and no change', async () => {
  await write(1);
  const [event] = await bench.events();
  expect(event && checkMac(event, systems, SIGNER.mac)).toBe('good');
  expect(event && checkMac({ ...event, outcomeDesc: 'x' }, systems, SIGNER.mac)).toBe('bad');
  expect(event && checkMac({ ...event, extension: [] }, systems, SIGNER.mac)).toBe('missing');
  expect(event && checkMac(event, systems, signerOf('cd'.repeat(32)).mac)).toBe('foreign');
});

describe('retention', () => {
  test('archives, verifies, deletes; the archive verifies without a server', async () => {
    const { signed, events } = await sealed();
    await bench.sandbox.clock.advance(366 * DAY);
    expect(await retain(bench.deps())).toEqual({ archived: 1, deleted: 6, expired: 0, withheld: [], isComplete: true });
    expect(await eventsOfDay(bench.source, systems, signed.seal.day)).toEqual([]);
    expect(await retain(bench.deps())).toMatchObject({ archived: 0, deleted: 0 });
    const basics = (await bench.source.search(sealsSearch(systems).replace('audit-seal', 'audit-archive'))).entry ?? [];
    const parts = (basics[0]?.resource as Basic).extension?.map(({ valueString }) => valueString ?? '') ?? [];
    const [text = '', signature = '', binary = ''] = parts;
    const ndjson = (await bench.source.load(binary)) ?? '';
    expect(eventsIn(ndjson)?.map(({ id }) => id)).toEqual(events.map(({ id }) => id));
    expect(verifyArchive(text, signature, ndjson, [SIGNER.publicKey])).toEqual([]);
    const less = ndjsonOf((eventsIn(ndjson) ?? []).slice(1));
    expect(verifyArchive(text, signature, less, [SIGNER.publicKey])).toMatchObject([{ what: 'archive-changed' }]);
    expect(verifyArchive(text, signature, ndjson, [signerOf('ab'.repeat(32)).publicKey])).toMatchObject([
      { what: 'archive-changed' },
    ]);
  });

  test('keeps what is young, and leaves alone what is not as it was sealed', async () => {
    const { signed, events } = await sealed();
    expect(await retain(bench.deps())).toMatchObject({ archived: 0, deleted: 0 });
    await bench.sandbox.source.repo.deleteResource('AuditEvent', events[0]?.id ?? '');
    await bench.sandbox.clock.advance(366 * DAY);
    expect(await retain(bench.deps())).toMatchObject({ archived: 0, deleted: 0, withheld: [signed.seal.day] });
    expect(await eventsOfDay(bench.source, systems, signed.seal.day)).toHaveLength(5);
  });

  test.each([
    ['lost a line', (text: string) => text.slice(0, text.lastIndexOf('\n'))],
    ['changed a value', (text: string) => text.replace('"outcome":"0"', '"outcome":"4"')],
    ['kept nothing', () => ''],
  ])('deletes nothing at all when the store has %s of what was archived', async (_what, spoil) => {
    const { signed, events } = await sealed();
    await bench.sandbox.clock.advance(366 * DAY);
    const source = {
      ...bench.source,
      async load(binary: string) {
        const text = await bench.source.load(binary);
        return text && binary !== signed.list ? spoil(text) : text;
      },
    };
    expect(await retain(bench.deps({ source }))).toMatchObject({ deleted: 0, withheld: [signed.seal.day] });
    expect(await eventsOfDay(bench.source, systems, signed.seal.day)).toHaveLength(events.length);
  });

  test('does nothing without a key', async () => {
    await sealed();
    await bench.sandbox.clock.advance(366 * DAY);
    expect(await retain(bench.deps({ signer: undefined }))).toMatchObject({ archived: 0, deleted: 0 });
  });

  test.each(['before', 'after'] as const)('a crash %s each request loses no event', async (when) => {
    const { signed, events } = await sealed();
    await bench.sandbox.clock.advance(366 * DAY);
    for (let at = 1; at <= 20; at++) {
      const source = crashing(bench.source, at, when);
      const isDone = await retain(bench.deps({ source })).then(
        () => true,
        () => false
      );
      const there = await eventsOfDay(bench.source, systems, signed.seal.day);
      const basics =
        (await bench.source.search(sealsSearch(systems).replace('audit-seal', 'audit-archive'))).entry ?? [];
      expect(there.length === events.length || basics.length === 1).toBe(true);
      if (isDone) {
        break;
      }
    }
    expect(await retain(bench.deps())).toMatchObject({ withheld: [] });
    expect(await eventsOfDay(bench.source, systems, signed.seal.day)).toEqual([]);
  });

  test('archives go when they are older than they are kept; their seals stay', async () => {
    await sealed();
    await bench.sandbox.clock.advance(366 * DAY);
    await retain(bench.deps());
    await bench.sandbox.clock.advance(7 * 366 * DAY);
    expect(await retain(bench.deps())).toMatchObject({ expired: 1 });
    expect(await retain(bench.deps())).toMatchObject({ expired: 0 });
    expect((await seals()).length).toBe(2);
  });
});

test('CSV is quoted by RFC 4180, and no cell is a formula', () => {
  const event = {
    ...own(1),
    type: { code: 'FHIR_EXPORT' },
    agent: [{ requestor: true, who: { reference: '=HYPERLINK("x","y")' } }],
  };
  const [head, row, rest] = csvOf(rowsOf('exports', [event], configOf())).split('\r\n');
  expect(head).toMatch(/^at,type,who,/);
  expect(row).toContain(`,"'=HYPERLINK(""x"",""y"")",`);
  expect(rest).toBe('');
});
