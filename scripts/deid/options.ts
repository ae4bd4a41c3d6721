/** The command line of `npm run deid`. Pure. */
import { parseArgs } from 'node:util';
import { PROFILE } from '../../src/config/policy.ts';
import type { Profile } from '../../src/rules/deid/deidentify.ts';
import { DEID_REASONS } from '../../src/rules/deid/reasons.ts';
import { DROP_REASONS } from './reasons.ts';

/** What can be asked for. */
export const PROFILES = ['pseudonymised', 'safe-harbor'] as const satisfies readonly Profile[];

export interface Request {
  readonly profile: Profile;
  /** The patient whom everything is about, as the user names them. */
  readonly patient: string | undefined;
  readonly isExplained: boolean;
  /** Files; `-` is standard input. Never empty. */
  readonly inputs: readonly string[];
}

export type Command =
  | { readonly kind: 'help' }
  | { readonly kind: 'misuse'; readonly message: string }
  | { readonly kind: 'run'; readonly request: Request };

/** Every reason that `--explain` gives, and what it means, as two columns. */
const REASON_TABLE = Object.entries(DROP_REASONS)
  .map(([reason, meaning]) => `  ${reason.padEnd(22)} ${meaning}`)
  .join('\n');

export const USAGE = `npm run -s deid -- [--profile NAME] [--patient REF] [--explain] [FILE…]

Shows what would leave: de-identifies your own data on this machine. No server, no network, nothing is stored.

Reads JSON arrays, Bundles or NDJSON, from files or, without a file or as "-", from standard input. Writes one line per
resource, in the order of the input, counted from 0 over all files:
  {"index":0,"ok":true,"resource":{…}}
  {"index":1,"ok":false,"reason":"…"}
Everything else goes to standard error. (\`-s\` keeps npm's own two lines out of standard output.)

  --profile  ${PROFILES.join(' or ')}. Default: ${PROFILE}, as in bots.config.json.
  --patient  Whom everything is about, such as Patient/123. Without it each resource belongs to the Patient of the input
             that its subject or patient names.
  --explain  Adds to each line "dropped": every path of the original that is not in the copy, and why.
  --help     This text.

PSEUDONYM_KEY (and PSEUDONYM_KEY_VERSION, NAMESPACE) in the environment give the tokens and dates of your project. Without it
a throw-away key is made. It is not taken from the command line, which other users of the machine can read.

Reasons for a resource that does not leave:
  ${DEID_REASONS.join(', ')}

Reasons for a path that is dropped:
${REASON_TABLE}

Exit code: 0 when all input was read, whatever of it may leave; 1 when something could not be read; 2 when the command line or a
setting is wrong.`;

/**
 * @param args - The arguments after the script.
 * @returns What is asked for.
 */
export function readCommand(args: readonly string[]): Command {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        profile: { type: 'string' },
        patient: { type: 'string' },
        explain: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    });
    if (values.help) {
      return { kind: 'help' };
    }
    const profile = PROFILES.find((name) => name === (values.profile ?? PROFILES[0]));
    if (!profile) {
      return { kind: 'misuse', message: `There is no such profile. Profiles: ${PROFILES.join(', ')}.` };
    }
    if (positionals.filter((path) => path === '-').length > 1) {
      return { kind: 'misuse', message: 'Standard input can be read once.' };
    }
    const inputs = positionals.length > 0 ? positionals : ['-'];
    return {
      kind: 'run',
      request: { profile, patient: values.patient, isExplained: values.explain ?? false, inputs },
    };
  } catch (error) {
    return { kind: 'misuse', message: (error as Error).message.replace(/\. To specify .*/s, '.') };
  }
}
