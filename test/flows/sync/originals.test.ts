/** Keeping originals when others do the same in the same moment: no Binary is left that nobody names, none is named that is gone. */
import type { Basic, Patient } from '@medplum/fhirtypes';
import { describe, expect, test } from 'vitest';
import { systemsOf } from '../../../src/fhir/systems.ts';
import { seal } from '../../../src/fhir/sealed.ts';
import { payloadBasic } from '../../../src/flows/payload.ts';
import type { Deps } from '../../../src/flows/deps.ts';
import { areOriginalsKept, keepOriginals } from '../../../src/flows/sync/originals.io.ts';
import type { Facts } from '../../../src/flows/sync/facts.ts';
import type { Plan } from '../../../src/flows/sync/plan.ts';

const systems = systemsOf();
const token = 'pt_1';
const patient: Patient = { resourceType: 'Patient', id: '1', meta: { versionId: 'v2' } };
const target = { reference: 'Patient/1', resourceType: 'Patient' as const, token, tokenSystem: 'urn:t' };
const sealed = seal(patient, { token, tokenSystem: 'urn:t', digest: 'd' });
const put = { action: 'put', target, sealed, parents: [], keepsOriginal: true, decision: {} } as unknown as Plan;
const withdraw: Plan = { action: 'withdraw', target, reason: 'deleted' };

const named = (binary: string | undefined, version = 'v1', kid = 'k1'): Basic => ({
  ...payloadBasic(systems, { record: 'Patient/1', patientId: '1', token, version, kid, ...(binary && { binary }) }),
  id: 'b1',
  meta: { versionId: '7' },
});

const facts = (...originals: Basic[]): Facts => ({
  patientId: '1',
  patient,
  consents: [],
  isLinked: true,
  hints: [],
  records: new Map([['Patient/1', patient]]),
  earlier: [],
  originals,
});

/** A source that remembers what was done; `there` is what a create finds, `isFirst` whether a replace comes first. */
function run(options: { there?: Basic; isFirst?: boolean; hasKey?: boolean } = {}): { deps: Deps; done: string[] } {
  const { there, isFirst = true, hasKey = true } = options;
  const done: string[] = [];
  const found = { pages: there ? [[there], []] : [[]] };
  const source = {
    store: async (content: string, type: string, context: string) => {
      done.push(`store ${content} ${type} ${context}`);
      return 'Binary/new';
    },
    ensure: async (basic: Basic) => there ?? { ...basic, id: 'b1', meta: { versionId: '1' } },
    replace: async (basic: Basic, version: string) => {
      done.push(`replace ${basic.id} at ${version}${basic.subject ? '' : ' by nothing'}`);
      return isFirst;
    },
    discard: async (binary: string) => void done.push(`discard ${binary}`),
    search: async () => ({ entry: (found.pages.shift() ?? []).map((resource) => ({ resource })) }),
  };
  const vault = { kid: 'k1', seal: (_text: string, label: object) => Object.values(label).join('@') };
  const deps = { source, vault: hasKey ? vault : undefined, config: { systems } } as unknown as Deps;
  return { deps, done };
}

const STORED = 'store pt_1@v2 application/jose Patient/1';

describe('a record that is copied', () => {
  test.each<[string, Parameters<typeof run>[0], Basic[], string[]]>([
    ['is new', {}, [], [STORED]],
    ['is new, but another run was first', { there: named('Binary/theirs', 'v2') }, [], [STORED, 'discard Binary/new']],
    ['has changed', {}, [named('Binary/old')], [STORED, 'replace b1 at 7', 'discard Binary/old']],
    [
      'has changed, but another run was first',
      { isFirst: false },
      [named('Binary/old')],
      [STORED, 'replace b1 at 7', 'discard Binary/new'],
    ],
    ['has had one before', {}, [named(undefined)], [STORED, 'replace b1 at 7']],
    [
      'is encrypted under another key',
      {},
      [named('Binary/old', 'v2', 'k0')],
      [STORED, 'replace b1 at 7', 'discard Binary/old'],
    ],
    ['is up to date', {}, [named('Binary/old', 'v2')], []],
    ['has no key to be encrypted under', { hasKey: false }, [named('Binary/old')], []],
  ])('%s', async (_name, options, originals, expected) => {
    const { deps, done } = run(options);
    expect(await keepOriginals(deps, facts(...originals), [put])).toBe(expected.length > 0);
    expect(done).toEqual(expected);
  });

  test('is settled when the newest version is in it, whoever wrote that', () => {
    const { deps } = run();
    expect(areOriginalsKept(deps, facts(named('Binary/theirs', 'v2')), [put])).toBe(true);
    expect(areOriginalsKept(deps, facts(named('Binary/theirs', 'v1')), [put])).toBe(false);
    expect(areOriginalsKept(deps, facts(), [put])).toBe(false);
  });
});

describe('a record that is not copied', () => {
  test('loses its original, also without a key', async () => {
    const { deps, done } = run({ hasKey: false });
    await keepOriginals(deps, facts(named('Binary/old')), [withdraw]);
    expect(done).toEqual(['replace b1 at 7 by nothing', 'discard Binary/old']);
  });

  test('keeps it for the next round when another run has just written one', async () => {
    const { deps, done } = run({ isFirst: false });
    await keepOriginals(deps, facts(named('Binary/old')), [withdraw]);
    expect(done).toEqual(['replace b1 at 7 by nothing']);
    expect(areOriginalsKept(deps, facts(named('Binary/theirs')), [withdraw])).toBe(false);
  });

  test('of a Consent that wants no way back, keeps none', async () => {
    const { deps, done } = run();
    await keepOriginals(deps, facts(named('Binary/old')), [{ ...put, keepsOriginal: false } as Plan]);
    expect(done).toEqual(['replace b1 at 7 by nothing', 'discard Binary/old']);
  });
});
