/** Least privilege: what the manifest grants each bot, compared with what its code can touch. */
import { isResourceType } from '@medplum/core';
import { describe, expect, test } from 'vitest';
import { readManifest } from '../../scripts/deploy/manifest.ts';
import { loadDefinitions } from '../../scripts/sandbox/definitions.ts';
import { REPLICATED_TYPES } from '../../src/config/policy.ts';
import { touchedBy } from '../support/touched.ts';

loadDefinitions();

const WRITES = ['create', 'update', 'delete'];
const { bots } = readManifest();
const known = new Set(bots.flatMap(({ name }) => [...touchedBy(name, REPLICATED_TYPES).controlCodes]));

const writesOf = (interactions: Iterable<string>): string[] =>
  [...interactions].filter((each) => WRITES.includes(each)).sort();

describe.each(bots.map((bot) => ({ ...bot })))('$name', ({ name, access }) => {
  const { types, controlCodes, unknown } = touchedBy(name, REPLICATED_TYPES);
  // The server writes the AuditEvents of a caller in the caller's name, so every policy has to allow that (`platform.md` §4.3).
  const events = new Set(['create', ...(types.get('AuditEvent') ?? [])]);
  const touched = [...new Map([...types, ['AuditEvent', events]])].filter(([type]) => isResourceType(type));
  const granted = (type: string): string[] =>
    access.filter(({ resourceType }) => resourceType === type).flatMap(({ interaction }) => [...interaction]);

  test('uses no method of the port that this test does not know', () => expect(unknown).toEqual([]));

  test('may touch the types that its code touches, and no others', () => {
    const listed = new Set(access.map(({ resourceType }) => resourceType));
    expect([...listed].sort()).toEqual(touched.map(([type]) => type).sort());
  });

  test('may write what its code writes, and no more', () => {
    for (const [type, interactions] of touched) {
      expect({ type, writes: writesOf(granted(type)) }).toEqual({ type, writes: writesOf(interactions) });
    }
  });

  test('may read in no way that its code does not', () => {
    for (const { resourceType, interaction } of access) {
      const ways = [...(types.get(resourceType) ?? []), 'read', ...WRITES];
      expect(interaction.filter((each) => !ways.includes(each))).toEqual([]);
    }
  });

  test('may touch the control resources that its code makes, and none that no code knows', () => {
    const codesOf = ({ criteria = '' }: (typeof access)[number]): string[] =>
      [...criteria.matchAll(/\{control\}\|([a-z-]+)/g)].map(([, code]) => code ?? '');
    expect([...controlCodes].filter((code) => !access.flatMap(codesOf).includes(code))).toEqual([]);
    // What an entry does not let it make may have been made by another bot.
    const isMaker = ({ interaction }: (typeof access)[number]): boolean => interaction.includes('create');
    for (const row of access) {
      expect(codesOf(row).filter((code) => !(isMaker(row) ? controlCodes : known).has(code))).toEqual([]);
    }
  });
});

test('the derivation sees something', () => {
  const { types, controlCodes } = touchedBy('sweep', REPLICATED_TYPES);
  expect([...(types.get('Basic') ?? [])].sort()).toEqual(['create', 'read', 'search', 'update']);
  expect([...(types.get('Observation') ?? [])].sort()).toEqual(['history', 'read', 'search']);
  expect([...controlCodes].sort()).toEqual(['checkpoint', 'job', 'patient-link', 'payload', 'queue', 'replica-token']);
});
