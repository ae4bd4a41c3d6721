/** Which bot of the project a command speaks to. */
import { systemsOf } from '../../src/fhir/systems.ts';
import type { Server } from './server.ts';

/**
 * @param server - The source.
 * @param name - The name of the bot in bots.config.json; NAMESPACE of the environment is respected.
 * @returns Its id; undefined where it is not deployed.
 */
export async function findBot(server: Server, name: string): Promise<string | undefined> {
  const { bot } = systemsOf(process.env['NAMESPACE']?.replace(/\/*$/, ''));
  const [found] = await server.search<{ resourceType: 'Bot'; id: string }>(
    `Bot?identifier=${encodeURIComponent(`${bot}|${name}`)}`
  );
  return found?.id;
}
