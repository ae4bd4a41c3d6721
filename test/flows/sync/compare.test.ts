import { describe, expect, test } from 'vitest';
import { seal } from '../../../src/fhir/sealed.ts';
import { compare, inOrder } from '../../../src/flows/sync/compare.ts';
import type { Plan, Target } from '../../../src/flows/sync/plan.ts';
import type { Copy } from '../../../src/ports.ts';
import type { Decision } from '../../../src/rules/consent/decision.ts';

const decision = { decision: 'permit', reason: 'root-permit' } as unknown as Decision;
const target = (token: string, resourceType: Target['resourceType'] = 'Observation'): Target => ({
  resourceType,
  token,
  tokenSystem: 'urn:t',
  reference: `${resourceType}/1`,
});
const put = (
  token: string,
  digest: string,
  type: Target['resourceType'] = 'Observation',
  parents: readonly Target[] = []
): Plan => ({
  action: 'put',
  target: target(token, type),
  sealed: seal({ resourceType: 'Observation', status: 'final', code: {} }, { token, tokenSystem: 'urn:t', digest }),
  decision,
  parents,
  stubs: [],
});
const withdraw = (token: string): Plan => ({ action: 'withdraw', target: target(token), reason: 'deleted' });
const copy = (id: string, token: string, digest: string | undefined, ...references: string[]): Copy => ({
  resourceType: 'Observation',
  id,
  token,
  digest,
  references,
});
const patientCopy = (id: string): Copy => ({ resourceType: 'Patient', id, token: 'p', digest: 'd', references: [] });
const child = put('a', 'd1', 'Observation', [target('p', 'Patient')]);

/** What a comparison comes to, in words. */
function story(plan: Plan, copies: readonly Copy[]): string {
  const [step] = compare({ eraser: undefined }, [plan], copies);
  const changes = step?.changes.map((change) =>
    change.action === 'delete'
      ? `delete ${change.copy.id}`
      : change.action === 'update'
        ? `update ${change.id}`
        : 'create'
  );
  return [step?.done.action, ...(changes ?? [])].join(' · ');
}

describe('comparing a plan with the copies under its token', () => {
  test.each<[string, Plan, readonly Copy[], string]>([
    ['a missing copy is created', put('a', 'd1'), [], 'put · create'],
    ['an equal copy is left alone', put('a', 'd1'), [copy('1', 'a', 'd1')], 'unchanged'],
    ['a copy with another digest is updated', put('a', 'd2'), [copy('1', 'a', 'd1')], 'put · update 1'],
    ['a copy whose digest is gone is updated', put('a', 'd1'), [copy('1', 'a', undefined)], 'put · update 1'],
    [
      'an equal copy that refers to the parent’s copy is left alone',
      child,
      [patientCopy('7'), copy('1', 'a', 'd1', 'Patient/7')],
      'unchanged',
    ],
    [
      'an equal copy that refers to a former copy of the parent is updated',
      child,
      [patientCopy('8'), copy('1', 'a', 'd1', 'Patient/7')],
      'put · update 1',
    ],
    [
      'an equal copy whose parent has no copy yet is updated with it',
      child,
      [copy('1', 'a', 'd1', 'Patient/7')],
      'put · update 1',
    ],
    [
      'a second copy is deleted, the first in id order stays',
      put('a', 'd1'),
      [copy('2', 'a', 'd1'), copy('1', 'a', 'd1')],
      'put · delete 2',
    ],
    [
      'a stale first copy is updated and the second deleted',
      put('a', 'd2'),
      [copy('2', 'a', 'd2'), copy('1', 'a', 'd1')],
      'put · update 1 · delete 2',
    ],
    ['a copy of another token is nobody’s business', put('a', 'd1'), [copy('1', 'b', 'd1')], 'put · create'],
    [
      'a withdrawn record loses all copies',
      withdraw('a'),
      [copy('1', 'a', 'd'), copy('2', 'a', 'd')],
      'withdraw · delete 1 · delete 2',
    ],
    ['a withdrawn record without a copy asks for nothing', withdraw('a'), [], 'skip'],
    [
      'a quarantined record is neither sent nor removed',
      { action: 'quarantine', target: target('a'), reason: 'residue-name' as never },
      [copy('1', 'a', 'd')],
      'quarantine',
    ],
  ])('%s', (_name, plan, copies, expected) => {
    expect(story(plan, copies)).toBe(expected);
  });
});

test('parents are written before children', () => {
  const steps = compare(
    { eraser: undefined },
    [put('o', 'd', 'Observation'), put('e', 'd', 'Encounter'), put('p', 'd', 'Patient')],
    []
  );
  expect(inOrder(steps).map(({ done }) => done.target.resourceType)).toEqual(['Patient', 'Encounter', 'Observation']);
});
