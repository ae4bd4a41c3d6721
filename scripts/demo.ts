/** `npm run demo`: the main job of this project on the user's own data, with both servers in this process. */
import type { SettingName } from '../src/config/settings.ts';
import { judge } from './demo/judge.ts';
import { openOutput } from './demo/files.ts';
import type { Output } from './demo/files.ts';
import { startMeter } from './demo/meter.ts';
import { fromFolder, readCommand, USAGE } from './demo/options.ts';
import type { Request } from './demo/options.ts';
import { stagesOf } from './demo/order.ts';
import { prepare } from './demo/prepare.ts';
import type { Prepared } from './demo/prepare.ts';
import { checkReplica } from './demo/replica-check.ts';
import { record } from './demo/record.ts';
import { imbalances, NO_REQUESTS } from './demo/report.ts';
import type { Report } from './demo/report.ts';
import { runStages, runSweep } from './demo/run.ts';
import { progressOn, summary } from './demo/terminal.ts';
import type { Screen } from './demo/terminal.ts';
import { installBundle } from './install.ts';
import { createSandbox } from './sandbox/sandbox.ts';
import type { Sandbox } from './sandbox/sandbox.ts';

/** What a demo is run with; the last two are for tests. */
export interface DemoOptions extends Request {
  readonly screen: Screen;
  readonly hasColour?: boolean;
  /** Changes to the settings of the bots. */
  readonly settings?: Partial<Record<SettingName, string>>;
  /** Is called when the servers are up and the bots are installed. */
  readonly onReady?: (sandbox: Sandbox) => void;
}

/** How a demo ended. */
export interface Demo {
  readonly report: Report;
  readonly exitCode: 0 | 1;
}

/**
 * Runs the demo and writes its results.
 *
 * @param options - What to do.
 * @returns The report, and 0 if nothing is wrong with it.
 */
export async function demo(options: DemoOptions): Promise<Demo> {
  const startedAt = performance.now();
  const output = openOutput(options.out);
  const prepared = prepare(options);
  const outcome = prepared.isHopeless ? NOTHING_DONE : await replicate(options, prepared, output);
  const problems = [...prepared.problems, ...outcome.problems, ...imbalances(outcome.types)];
  const report: Report = {
    input: {
      ...prepared.counts,
      failed: problems.filter(({ kind, index }) => kind === 'input' && index !== undefined).length,
    },
    ...outcome,
    durationMs: Math.round(performance.now() - startedAt),
    problems,
  };
  output.json('report.json', report);
  options.screen.write(`${summary(report, prepared.files, options.hasColour ?? false)}\n`);
  return { report, exitCode: problems.length > 0 ? 1 : 0 };
}

/** The part of a report that the servers give. */
type Outcome = Pick<Report, 'types' | 'reasons' | 'requests' | 'runs' | 'sweep' | 'problems'>;

const NOTHING_DONE: Outcome = { types: {}, reasons: {}, requests: NO_REQUESTS, runs: {}, sweep: null, problems: [] };

async function replicate(options: DemoOptions, prepared: Prepared, output: Output): Promise<Outcome> {
  const sandbox = await createSandbox();
  const stopRecording = record(sandbox, output);
  try {
    const installed = await installBundle(sandbox, {
      isCronOff: true,
      profile: options.profile,
      ...(options.settings && { settings: options.settings }),
    });
    options.onReady?.(sandbox);
    const meter = startMeter(sandbox, new Map([...installed.bots].map(([name, { id }]) => [`Bot/${id}`, name])));
    const unfit = await checkReplica(sandbox);
    if (unfit.length > 0) {
      return { ...NOTHING_DONE, requests: meter.read(null), problems: unfit };
    }
    const stages = stagesOf([...prepared.records, ...prepared.consents(sandbox.clock.iso())]);
    const unloaded = await runStages(sandbox, stages, {
      progress: progressOn(options.screen),
      begin: ({ name }) => meter.walk(name === 'Consents' ? 'bulk' : 'event'),
    });
    meter.walk('sweep');
    const { receipt, problems: unswept } = await runSweep(sandbox);
    const { types, reasons, problems: untold } = await judge(sandbox, prepared, output);
    return {
      types,
      reasons,
      requests: meter.read(receipt),
      runs: runsOf(sandbox),
      sweep: receipt,
      problems: [...unloaded, ...unswept, ...untold],
    };
  } finally {
    await stopRecording();
    await sandbox.close();
  }
}

function runsOf({ source }: Sandbox): Report['runs'] {
  const groups = Map.groupBy(source.botRuns, ({ bot }) => bot.name ?? bot.id);
  return Object.fromEntries(
    [...groups].map(([name, runs]) => [
      name,
      { all: runs.length, failed: runs.filter(({ success }) => !success).length },
    ])
  );
}

async function main(args: readonly string[]): Promise<number> {
  const command = readCommand(args);
  if (command.kind !== 'run') {
    const isHelp = command.kind === 'help';
    console[isHelp ? 'log' : 'error'](isHelp ? USAGE : `${command.message}\n\n${USAGE}`);
    return isHelp ? 0 : 2;
  }
  const request = fromFolder(command.request, process.env['INIT_CWD'] ?? process.cwd());
  const { stdout } = process;
  if (request.inputs.length === 0) {
    stdout.write(`No --input: sample patients are made (${request.samples.count}, seed ${request.samples.seed}).\n`);
  }
  try {
    const { exitCode } = await demo({
      ...request,
      screen: stdout,
      hasColour: stdout.isTTY && !process.env['NO_COLOR'],
    });
    stdout.write(`Results are in ${request.out}.\n`);
    return exitCode;
  } catch (error) {
    console.error(`The demo failed: ${(error as Error).message}`);
    return 1;
  }
}

if (import.meta.main) {
  process.exitCode = await main(process.argv.slice(2));
}
