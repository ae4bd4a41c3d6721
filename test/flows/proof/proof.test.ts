import type { AuditEvent, Consent, Observation } from '@medplum/fhirtypes';
import { afterEach, expect, test } from 'vitest';
import { systemsOf } from '../../../src/fhir/systems.ts';
import { pageOf } from '../../../src/flows/proof/page.ts';
import { proofOf } from '../../../src/flows/proof/plan.ts';
import type { Proof } from '../../../src/flows/proof/plan.ts';
import { admit, all, consent, createWorld } from '../../support/world.ts';
import type { World } from '../../support/world.ts';

let world: World;
afterEach(async () => {
  await world.close();
});

/** A proof of what happened in the world, of its one patient. */
async function prove(): Promise<Proof> {
  const { repo } = world.sandbox.source;
  const consents: Consent[] = [];
  for (const { id } of await all<Consent>(world.sandbox, 'Consent', 'source')) {
    const history = await repo.readHistory<Consent>('Consent', id);
    consents.push(...(history.entry ?? []).flatMap(({ resource }) => resource ?? []));
  }
  const events = (await all<AuditEvent>(world.sandbox, 'AuditEvent', 'source')).filter(({ type }) =>
    type.code?.startsWith('FHIR_')
  );
  return proofOf('pt_x', { consents, events }, systemsOf());
}

test('a proof tells what was shared under which Consent, and what was erased when and how', async () => {
  world = await createWorld();
  const { patient, pulse } = await admit(world, 'Quixotepan');
  await world.settle();
  const given = await consent(world, patient);
  await world.settle();
  await world.sandbox.source.repo.updateResource<Observation>({ ...pulse, status: 'amended' });
  await world.settle();
  await world.sandbox.source.repo.updateResource({ ...given, status: 'inactive' });
  await world.settle();
  const proof = await prove();
  expect(proof).toMatchObject({ shared: 3, erased: 3, refusals: { 'consent-no-consents': 3 } });
  expect(proof.consents).toMatchObject([
    { consent: 'consent-1', version: 1, status: 'active' },
    { consent: 'consent-1', version: 2, status: 'inactive' },
  ]);
  expect(
    proof.copies.every(
      ({ under, erasure, reason }) => under === 'consent-1 v1' && erasure === 'deleted' && reason === 'consent-status'
    )
  ).toBe(true);
  expect(proof.runs).toMatchObject([
    { consent: 'consent-1', put: 3, withdrawn: 0 },
    { consent: 'consent-1', put: 0, withdrawn: 3, history: 'remains', found: 0, outcome: '0' },
  ]);
  const pulseCopy = proof.copies.find(({ token }) => token.startsWith('obs_'));
  expect((pulseCopy?.firstSharedAt ?? '') < (pulseCopy?.lastSharedAt ?? '')).toBe(true);

  const page = pageOf(proof);
  for (const secret of ['Quixotepan', 'Janeway', 'MRN-', '1971', patient.id, given.id, pulse.id]) {
    expect(JSON.stringify(proof)).not.toContain(secret);
    expect(page).not.toContain(secret);
  }
  expect(page).toContain('3 records were shared, 3 of them are erased.');
});

test('what is shared again after an erasure counts as shared', async () => {
  world = await createWorld();
  const { patient } = await admit(world);
  const given = await consent(world, patient);
  await world.settle();
  await world.sandbox.source.repo.updateResource({ ...given, status: 'inactive' });
  await world.settle();
  await consent(world, patient);
  await world.settle();
  expect(await prove()).toMatchObject({ shared: 3, erased: 0, consents: [{}, {}, { consent: 'consent-2' }] });
});
