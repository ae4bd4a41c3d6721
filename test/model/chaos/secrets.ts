/** What must be nowhere: names on the wire and in what the bots write down, and what was erased in any history. */
import { REPLICATED_TYPES } from '../../../src/config/policy.ts';
import type { Passed } from '../../../scripts/sandbox/proxy.ts';
import type { World } from '../../support/world.ts';
import { must } from './broken.ts';

/** A name that is nowhere but in the source. */
export const FAMILY = 'Quixotepan';
const NAMES = [FAMILY, 'Janeway', 'MRN-', 'pulse of a patient'];
/** What bots write into the source for others to read. */
const WRITTEN = ['Task', 'AuditEvent', 'Basic'] as const;

/**
 * Nothing that identifies was sent to the replica or lies there: names, numbers, and the ids by which the source knows its records. No
 * name is in jobs, trail, control resources and logs.
 *
 * @param world - The world.
 * @param passed - Every request that came to the replica.
 */
export function noSecretIn(world: World, passed: readonly Passed[]): void {
  const { source, replica } = world.sandbox;
  const secrets = [...NAMES, ...REPLICATED_TYPES.flatMap((type) => [...source.store.table(type).rows.keys()])];
  const wire = new RegExp(secrets.join('|'));
  for (const { method, url, headers, body } of passed) {
    const found = wire.exec(`${url} ${JSON.stringify(headers)} ${body}`)?.[0];
    must(found === undefined, `an identifier is on the wire: ${method} ${url}: ${found}`);
  }
  const lying = REPLICATED_TYPES.flatMap((type) => [...replica.store.table(type).rows.values()]);
  must(!lying.some(({ current }) => wire.test(current.text ?? '')), 'an identifier lies on the replica');
  const names = new RegExp(NAMES.join('|'));
  for (const type of WRITTEN) {
    for (const { versions } of source.store.table(type).rows.values()) {
      const text = versions.map((version) => version.text).join();
      must(!names.test(text), `a name is in a ${type}: ${text}`);
    }
  }
  for (const { output, bot, returnValue } of source.botRuns) {
    must(!names.test(`${output} ${JSON.stringify(returnValue)}`), `a name is in what ${bot.name} printed or answered`);
  }
}

/** With an eraser, what has left the replica has left its history as well. */
export function noHistoryLeft({ sandbox: { replica } }: World): void {
  for (const type of REPLICATED_TYPES) {
    const deleted = [...replica.store.table(type).rows.values()].filter(({ current }) => current.text === undefined);
    must(deleted.length === 0, `the history of a ${type} that has left: ${deleted[0]?.versions[0]?.text}`);
  }
}
