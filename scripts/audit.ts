/** `npm run audit -- <command>`: proves that nobody touched the trail, exports and restores it, and reports out of it. */
import { exportDays } from './audit/files.ts';
import { OPTIONS, USAGE } from './audit/options.ts';
import { disclosures, report } from './audit/reports.ts';
import { restore } from './audit/restore.ts';
import { keysOf, open } from './audit/trail.ts';
import { verify } from './audit/verify.ts';
import { readArgs, runCommand } from './deploy/arguments.ts';
import { Refusal } from './deploy/server.ts';

async function audit(args: readonly string[]): Promise<number> {
  const { values, positionals } = readArgs(args, OPTIONS, USAGE);
  const [command, name] = positionals;
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  switch (command) {
    case 'verify':
      return verify(values);
    case 'export':
      return exportDays(values);
    case 'restore':
      return restore(values);
    case 'report':
      return report(values, name);
    case 'disclosures':
      return disclosures(values, name);
    case 'public-key':
      console.log(
        keysOf({}, (await open()).signer)
          .join('')
          .trimEnd()
      );
      return 0;
    default:
      throw new Refusal(command ? `there is no command "${command}"` : 'no command', USAGE);
  }
}

await runCommand(audit);
