/** Writes down what leaves the source, and what the bots print, while it happens. */
import type { Sandbox } from '../sandbox/sandbox.ts';
import type { Output } from './files.ts';
import { wireLine } from './wire.ts';

/**
 * Fills `wire.ndjson` and `logs.ndjson` from now on.
 *
 * @param sandbox - The servers.
 * @param output - Where to write.
 * @returns Ends the files; resolves when they are complete.
 */
export function record(sandbox: Sandbox, output: Output): () => Promise<void> {
  const wire = output.lines('wire.ndjson');
  const logs = output.lines('logs.ndjson');
  let sequence = 0;
  sandbox.replica.onRequest((entry) => wire.write(wireLine(entry, ++sequence, sandbox.replica.baseUrl)));
  sandbox.source.onBotRun(({ bot, trigger, output: printed }) => {
    for (const line of printed.split('\n').filter(Boolean)) {
      logs.write({ bot: bot.name, trigger, printed: parsed(line) });
    }
  });
  return async () => {
    await Promise.all([wire.close(), logs.close()]);
  };
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line) as unknown;
  } catch {
    return line;
  }
}
