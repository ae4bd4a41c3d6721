import { expect, test } from 'vitest';
import { permission, visible } from '../../scripts/sandbox/access.ts';
import { loadDefinitions } from '../../scripts/sandbox/definitions.ts';
import { readManifest } from '../../scripts/deploy/manifest.ts';
import { policyEntry } from '../../scripts/deploy/wanted.ts';
import { systemsOf } from '../../src/fhir/systems.ts';
import { linkBasic } from '../../src/flows/link.ts';

const systems = systemsOf();
const link = linkBasic(systems, { patientId: 'p', tokens: [{ value: 'pt_x' }], secret: '2c4e' }, true);

test('no role sees the crosswalk in a patient’s link (45 CFR 164.514(c)(2)), and ADMIN sees the rest', () => {
  loadDefinitions();
  const shown = (readManifest().roles ?? []).flatMap(({ role, access }) => {
    const resource = access.map((row) => policyEntry(row, systems)) as never;
    const caller = { policy: { resourceType: 'AccessPolicy' as const, resource }, admin: false };
    return permission(caller, 'read', link) ? [[role, JSON.stringify(visible(link, caller, false))]] : [];
  });
  expect(shown.map(([role]) => role)).toEqual(['ADMIN']);
  expect(shown[0]?.[1]).toContain('pt_x');
  expect(shown[0]?.[1]).not.toContain('2c4e');
});
