/** Lets the bots do the work: stage by stage through events, then one sweep. */
import type { OperationOutcome } from '@medplum/fhirtypes';
import { systemsOf } from '../../src/fhir/systems.ts';
import type { Tally } from '../../src/observability/tally.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import type { SandboxServer } from '../sandbox/server.ts';
import { load } from './load.ts';
import type { Stage } from './order.ts';
import type { Problem } from './report.ts';
import type { Progress } from './terminal.ts';

/** A bot may take five minutes; after that something is wrong with it. */
const IDLE_MS = 6 * 60_000;
/** A sweep that runs out of time goes on in the next run. */
const MAX_SWEEPS = 100;

/**
 * Loads the stages and waits for the bots after each.
 *
 * @param sandbox - The servers, with the bundle installed.
 * @param stages - What to load.
 * @param tell - The progress, and who wants to know which stage begins.
 * @returns What could not be loaded, and bots that did not end.
 */
export async function runStages(
  { source }: Sandbox,
  stages: readonly Stage[],
  tell: { readonly progress: Progress; readonly begin: (stage: Stage) => void }
): Promise<Problem[]> {
  const { progress } = tell;
  const problems: Problem[] = [];
  const stop = source.onBotRun(() => progress.tick());
  for (const stage of stages) {
    tell.begin(stage);
    // Where bots listen, their runs are the progress; elsewhere the loading is.
    const isHeard = stage.name !== 'other records';
    progress.begin(stage.name, stage.records.length);
    problems.push(...(await load(source, stage.records, () => (isHeard ? undefined : progress.tick()))));
    problems.push(...(await settled(source)));
    progress.end();
  }
  stop();
  return problems;
}

async function settled(source: SandboxServer): Promise<Problem[]> {
  try {
    await source.idle({ timeoutMs: IDLE_MS });
    return [];
  } catch (error) {
    return [{ kind: 'sync', message: (error as Error).message }];
  }
}

/** What a sweep answers. */
type Swept = Tally & { readonly isComplete?: boolean };

/**
 * Runs the sweep as an operator does, by `$execute`, until it has seen everything.
 *
 * @param sandbox - The servers, with the bundle installed.
 * @returns Its last receipt, or what is wrong.
 */
export async function runSweep({
  source,
}: Sandbox): Promise<{ readonly receipt: Tally | null; readonly problems: readonly Problem[] }> {
  const { id, secret } = await source.createClient('demo');
  const identifier = encodeURIComponent(`${systemsOf().bot}|sweep`);
  for (let sweeps = 1; sweeps <= MAX_SWEEPS; sweeps++) {
    const response = await fetch(`${source.baseUrl}fhir/R4/Bot/$execute?identifier=${identifier}`, {
      method: 'POST',
      headers: {
        Authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`,
        'Content-Type': 'application/json',
      },
      body: '{}',
    });
    const answer = (await response.json()) as Swept | OperationOutcome;
    if (!response.ok) {
      const texts = (answer as OperationOutcome).issue?.flatMap(({ details }) => details?.text ?? []) ?? [];
      return { receipt: null, problems: [{ kind: 'sync', message: `the sweep failed: ${texts.join(' ')}` }] };
    }
    const { isComplete, ...receipt } = answer as Swept;
    if (isComplete !== false) {
      return { receipt, problems: [] };
    }
  }
  return {
    receipt: null,
    problems: [{ kind: 'sync', message: `the sweep did not come to an end in ${MAX_SWEEPS} runs` }],
  };
}
