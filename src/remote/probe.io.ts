/** Asks the replica whether it is there and lets us in, once and without retries: a probe that waits tells nothing. */
import type { Config } from '../config/load.ts';
import { Fault, faultOf } from '../observability/fault.ts';
import type { Clock, ReplicaProbe } from '../ports.ts';
import { sender } from './http.io.ts';
import type { Send } from './http.io.ts';
import { judge } from './outcome.ts';
import { originsOf } from './requests.io.ts';
import { tokenSource } from './token.io.ts';

/**
 * @param config - The validated settings.
 * @param parts - The clock, a maker of texts that were never used before; a sender, in tests.
 * @returns The probe.
 */
export function replicaProbe(
  config: Config,
  parts: { readonly clock: Clock; readonly unique: () => string; readonly send?: Send }
): ReplicaProbe {
  const { clock } = parts;
  const { replica } = config;
  const send = parts.send ?? sender(clock, originsOf(config));
  const get = async (path: string, headers: Record<string, string>): Promise<void> => {
    const answer = await send(
      { method: 'GET', url: replica.fhirUrl + path, headers: { Accept: 'application/fhir+json', ...headers } },
      replica.timeoutMs
    );
    const outcome = judge(answer, clock.now());
    if (outcome.kind !== 'done') {
      throw faultOf(outcome);
    }
    if (answer.body === '') {
      throw new Fault('replica-rejected', ['not a FHIR server']);
    }
  };
  return {
    // Public by the specification (FHIR R4 http.html#capabilities), and without cost in units.
    reach: () => get('metadata?_elements=fhirVersion', {}),
    async signIn(): Promise<void> {
      if (replica.auth === 'refresh-token') {
        // To use it would take the place of a run that needs it; the next run tells whether it is good.
        return;
      }
      const header = await tokenSource(replica, {
        post: async (url, headers, body) => send({ method: 'POST', url, headers, body }, replica.timeoutMs),
        clock,
        unique: parts.unique,
      }).header();
      if (replica.auth === 'basic') {
        // There is no token to ask for: only an answered request shows that the credentials are good.
        await get('Patient?_count=0', { Authorization: header });
      }
    },
  };
}
