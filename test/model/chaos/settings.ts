/** What an operator does while a history goes on. */
import type { Basic, Project } from '@medplum/fhirtypes';
import type { SettingName } from '../../../src/config/settings.ts';
import { systemsOf } from '../../../src/fhir/systems.ts';
import { basicOf, controlOf, isControl } from '../../../src/queue/control.ts';
import { all } from '../../support/world.ts';
import type { World } from '../../support/world.ts';

export const OLD_KEY = 'd41f7c0b96ae83524f1b07ec5a98d362714cf0b8ea5d9236b7041e8cfa935d20';
export const NEW_KEY = '5b0e93d7f12ca8467e39d0b4c81fa652390be7d8c4f16a25e08b7dc3941fa6e2';

/** Changes secrets of the source's Project. */
export async function reconfigure(
  { sandbox: { source } }: World,
  changes: Partial<Record<SettingName, string>>
): Promise<void> {
  const { secret = [] } = await source.repo.readResource<Project>('Project', source.projectId);
  const before = Object.fromEntries(secret.map(({ name, valueString = '' }) => [name, valueString]));
  await source.setSecrets({ ...before, ...changes });
}

/** The switch of the queue as it stands in the source. */
export async function controlIn({ sandbox }: World): Promise<Basic | undefined> {
  return (await all<Basic>(sandbox, 'Basic', 'source')).find(isControl);
}

/** Pauses the queue or resumes it, as `queue/pause` and `queue/resume` do. */
export async function switchQueue(world: World, isPaused: boolean): Promise<void> {
  const { repo, clock } = world.sandbox.source;
  const systems = systemsOf();
  const there = await controlIn(world);
  const next = basicOf(systems, {
    ...controlOf(systems, there),
    pausedAt: isPaused ? clock.now() : undefined,
  });
  await (there ? repo.updateResource<Basic>({ ...next, id: `${there.id}` }) : repo.createResource<Basic>(next));
}
