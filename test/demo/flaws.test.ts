import type { Resource } from '@medplum/fhirtypes';
import { describe, expect, test } from 'vitest';
import { flawsOf } from '../../scripts/demo/flaws.ts';

const copy = (id: string, token: string, subject?: string): Resource =>
  ({
    resourceType: 'Observation',
    id,
    identifier: [{ value: token }],
    ...(subject && { subject: { reference: subject } }),
  }) as unknown as Resource;
const flaws = (...copies: Resource[]): string[] => flawsOf(copies, new Set(['t1', 't2'])).map(({ message }) => message);

describe('the content of the replica', () => {
  test('is well when each copy is known, single, and refers to copies', () => {
    expect(flaws(copy('a', 't1'), copy('b', 't2', 'Observation/a'))).toEqual([]);
  });

  test.each([
    [[copy('a', 't3')], 'is in the replica without a record that accounts for it'],
    [[copy('a', 't1'), copy('b', 't1')], 'is in the replica more than once'],
    [[copy('a', 't1', 'Patient/b')], 'refers to something that the replica does not hold'],
  ])('has flaws that are named', (copies, flaw) => {
    expect(flaws(...copies)).toEqual([flaw]);
  });
});
