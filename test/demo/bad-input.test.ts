import type { Bundle, Observation, Resource } from '@medplum/fhirtypes';
import { afterAll, describe, expect, test } from 'vitest';
import { samplePatients } from '../../scripts/samples/patients.ts';
import { runDemo, tidy } from './kit.ts';
import type { Ran } from './kit.ts';

afterAll(tidy);

const [good] = samplePatients({ seed: 31, count: 1, visits: 1 }) as [Bundle];
const spoilt = (change: (observation: Observation) => object): Bundle => {
  const at = good.entry?.findIndex(({ resource }) => resource?.resourceType === 'Observation') ?? 0;
  return {
    ...good,
    entry:
      good.entry?.map((entry, index) =>
        index === at ? { ...entry, resource: change(entry.resource as Observation) as Resource } : entry
      ) ?? [],
  };
};
const messages = ({ report }: Ran): string[] => report.problems.map(({ message }) => message);

describe('bad input is named and does not hold back the rest', () => {
  test('malformed files, entries that are no resources, an unknown type', async () => {
    const extra = [{ resource: { resourceType: 'Nonsense' } as unknown as Resource }, {}];
    const ran = await runDemo(
      ['{"resourceType":"Bundle', '', { ...good, entry: [...(good.entry ?? []), ...extra] }],
      {}
    );
    expect(ran.exitCode).toBe(1);
    expect(messages(ran)).toEqual([
      'is not valid JSON (line 1, column 24)',
      'is empty',
      'is of a type that FHIR R4 does not have, or that is no data',
      'is not a resource',
    ]);
    expect(ran.report.input).toMatchObject({ files: 3, failed: 2 });
    expect(ran.report.types['Observation']).toMatchObject({ inSource: 7, failed: 0 });
    expect(ran.copies()).toHaveLength(18);
  });

  test('a missing subject', async () => {
    const ran = await runDemo([spoilt(({ subject: _subject, ...observation }) => observation)]);
    expect(ran.exitCode).toBe(1);
    expect(ran.report.problems).toMatchObject([
      { kind: 'sync', input: 1, type: 'Observation', message: 'names no patient of the input as its subject' },
    ]);
    expect(ran.report.types['Observation']).toMatchObject({ inSource: 7, replicated: 6, failed: 1 });
  });

  test('an invalid resource; its values are not repeated', async () => {
    const ran = await runDemo([spoilt((observation) => ({ ...observation, effectiveDateTime: 'John Smith' }))]);
    expect(ran.exitCode).toBe(1);
    expect(messages(ran)).toEqual(['was refused by the source: Invalid dateTime format (Observation.effective[x])']);
    expect(JSON.stringify(ran.report)).not.toContain('John');
    expect(ran.copies()).toHaveLength(17);
  });

  test('10 MB in one resource', async () => {
    const ran = await runDemo([
      spoilt((observation) => ({ ...observation, note: [{ text: 'x'.repeat(10_000_000) }] })),
    ]);
    expect(ran.exitCode).toBe(1);
    expect(messages(ran)).toEqual(['is 9.5 MiB large; a Medplum server takes resources of up to 1 MiB']);
    expect(ran.copies()).toHaveLength(17);
  });
});

describe('what makes a demo impossible is said before anything is sent', () => {
  test.each([
    ['no readable input', ['{'], {}, 'is not valid JSON'],
    ['a folder without data', [], { inputs: [import.meta.dirname] }, 'holds no data'],
    [
      'a file of Consents that is missing',
      [good],
      { consent: { file: '/nowhere/consent.json' } },
      'the file cannot be read (ENOENT)',
    ],
    [
      'a wrong secret',
      [good],
      { settings: { REPLICA_CLIENT_SECRET: 'not-the-secret-at-all' } },
      'does not accept the credentials',
    ],
    ['a bad setting', [good], { settings: { PSEUDONYM_KEY: 'short' } }, 'PSEUDONYM_KEY '],
  ] as const)('%s', async (_name, inputs, options, message) => {
    const ran = await runDemo(inputs, options);
    expect(ran.exitCode).toBe(1);
    expect(messages(ran).join()).toContain(message);
    expect(ran.text).toContain(message);
    expect(ran.report.types).toEqual({});
    expect(ran.report.requests.replica).toEqual({});
  });

  test.each([
    ['cut', 'does not answer'],
    ['unavailable', 'answers with HTTP 503'],
  ] as const)('a replica that is down (%s)', async (down, message) => {
    const ran = await runDemo([good], {
      onReady: ({ replica }) => {
        replica.faults.down = down;
      },
    });
    expect(ran.exitCode).toBe(1);
    expect(messages(ran).join()).toContain(message);
    expect(ran.sent()).toEqual([]);
  });
});

describe('trouble on the way', () => {
  test('is repaired by the sweep', async () => {
    const ran = await runDemo([good], {
      onReady: ({ replica, source }) => {
        const isSugar = /4548-4/;
        replica.faults.failNext({ where: ({ bytes }) => isSugar.test(bytes.toString()) }, { status: 400, times: 2 });
        source.faults.loseSubscriptionEvents(({ type }) => type === 'Observation', 2);
      },
    });
    expect(ran.report.problems).toEqual([]);
    expect(ran.report.runs['sync-change']).toEqual({ all: 16, failed: 0 });
    expect(ran.report.sweep?.put).toBe(3);
    expect(ran.report.types['Observation']).toMatchObject({ inSource: 7, replicated: 7 });
  });

  test('that does not end is reported', async () => {
    const ran = await runDemo([good], {
      onReady: ({ replica }) => {
        const isWrite = /"resourceType":"Observation"/;
        replica.faults.failNext({ where: ({ bytes }) => isWrite.test(bytes.toString()) }, { status: 400, times: 1000 });
      },
    });
    expect(ran.exitCode).toBe(1);
    expect(ran.report.types['Observation']).toMatchObject({ inSource: 7, replicated: 0, failed: 7 });
    expect(messages(ran)).toEqual(['could not be copied: the replica refuses it']);
  });
});
