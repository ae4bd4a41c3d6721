/**
 * `npm run explain -- PATIENT [RESOURCE]`: why a record is copied or not, the evidence, and what would be sent. Reads the source only;
 * nothing is sent, and the replica is not asked.
 */
import { connectSource, findPatient } from './consent/project.ts';
import { readArgs, runCommand } from './deploy/arguments.ts';
import { gatherRecord, gatherRecords } from './explain/gather.ts';
import { patientLines, recordLines } from './explain/tell.ts';

const USAGE = `npm run explain -- PATIENT [RESOURCE]

PATIENT is Patient/<id>, an id, or an identifier. RESOURCE is Type/<id>; without it every record is counted, type by type.
Reads MEDPLUM_BASE_URL, MEDPLUM_CLIENT_ID and MEDPLUM_CLIENT_SECRET of the source. The settings, PSEUDONYM_KEY among them, are those of
the project; for a client that may not read them, those of the environment.`;

async function explain(args: readonly string[]): Promise<number> {
  const { values, positionals } = readArgs(args, { help: { type: 'boolean' } }, USAGE);
  const [name, reference] = positionals;
  if (values.help || !name) {
    console.log(USAGE);
    return values.help ? 0 : 1;
  }
  const source = await connectSource(process.env);
  const patient = await findPatient(source.server, name);
  const at = new Date().toISOString();
  const lines = reference
    ? recordLines(source, await gatherRecord(source, patient, reference), at)
    : patientLines(source, await gatherRecords(source, patient), at);
  console.log(lines.join('\n'));
  return 0;
}

await runCommand(explain);
