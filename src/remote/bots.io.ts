/** The other bots of the bundle, through the client that the platform gives to a bot. */
import type { MedplumClient } from '@medplum/core';
import type { OperationOutcome } from '@medplum/fhirtypes';
import type { Systems } from '../fhir/systems.ts';
import { Fault, FAULTS } from '../observability/fault.ts';
import type { FaultCode } from '../observability/fault.ts';
import type { Bots } from '../ports.ts';

/**
 * @param medplum - The client of the running bot, whose policy has to let it read the other Bot (`platform.md` §6.5).
 * @param systems - Our systems.
 * @returns The port. A call is not repeated: what the other bot did before it failed is not known here.
 */
export function botsOf(medplum: MedplumClient, systems: Systems): Bots {
  return {
    async ask(bot, input) {
      try {
        return (await medplum.executeBot({ system: systems.bot, value: bot }, input)) as object;
      } catch (error) {
        throw faultOf(error);
      }
    },
  };
}

/** By shape: errors of the client come from another realm. What a bot of ours threw is a fault without PHI, and stays it. */
function faultOf(error: unknown): Fault {
  const { issue = [] } = (error as { outcome?: Partial<OperationOutcome> } | undefined)?.outcome ?? {};
  const [first, ...rest] = issue;
  const code = first?.details?.coding?.[0]?.code ?? '';
  return Object.hasOwn(FAULTS, code)
    ? new Fault(
        code as FaultCode,
        rest.flatMap(({ details }) => details?.text ?? [])
      )
    : new Fault('bot-failed');
}
