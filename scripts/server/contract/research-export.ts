/** `research-export`: a cohort of patients who consent to research, as NDJSON; none when their group has become too small. */
import { systemsOf } from '../../../src/fhir/systems.ts';
import { consentOf } from '../../../src/rules/consent/simple.ts';
import { admit, ALL, consent, eventually, execute, FAMILY, holds, must } from '../ground.ts';
import type { Check, Ground } from '../ground.ts';

interface Answer {
  readonly id?: string;
  readonly status?: string;
  readonly reason?: string;
  readonly output?: readonly { readonly type: string; readonly url: string; readonly count: number }[];
  readonly extension?: { readonly id: string; readonly kAnonymity: { readonly patients: number } };
}

async function exported(ground: Ground): Promise<Required<Pick<Answer, 'output' | 'extension'>>> {
  const cohort = 'Observation?code=http://loinc.org|8867-4';
  const begun = await execute<Answer>(ground, 'research-export', {
    action: 'start',
    cohort,
    types: 'Patient,Observation',
  });
  const id = begun.id ?? begun.extension?.id ?? '';
  const { output, extension, ...rest } = await eventually(
    'the export',
    () => execute<Answer>(ground, 'research-export', { action: 'status', id }),
    ({ status }) => status !== 'in-progress'
  );
  must(output !== undefined && extension !== undefined, JSON.stringify(rest));
  return { output, extension };
}

export const RESEARCH_EXPORT: readonly Check[] = [
  {
    bot: 'research-export',
    promise:
      'a cohort of those who consent to research comes as NDJSON; who revokes takes a group that is too small along',
    async prove(ground) {
      await ground.configure({ RESEARCH_K: '2' });
      try {
        const { source, project } = ground;
        const people = [await admit(ground), await admit(ground), await admit(ground)];
        for (const person of people) {
          await consent(ground, person);
          await holds(ground, person, ALL);
        }
        const given = [];
        for (const { patient } of people.slice(0, 2)) {
          const research = consentOf({ patient: `Patient/${patient.id}`, purpose: 'HRESCH' }, systemsOf().dataClass);
          given.push(await source.send('POST', 'Consent', research));
        }
        const { output, extension } = await exported(ground);
        must(extension.kAnonymity.patients === 2, `${extension.kAnonymity.patients} patients`);
        const { id, secret } = project.admin;
        const authorization = `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`;
        const files = await Promise.all(
          output.map(async ({ url }) => {
            const answer = await fetch(url, { headers: { authorization } });
            must(answer.ok, `status ${answer.status} for a file`);
            const type = answer.headers.get('content-type') ?? '';
            must(type.startsWith('application/fhir+ndjson'), `content type ${type}`);
            return answer.text();
          })
        );
        const lines = files.flatMap((text) => text.trim().split('\n'));
        must(lines.length === 4, `${lines.length} lines`);
        must(!lines.join().includes(FAMILY) && !lines.join().includes('pt_'), 'a name or a token is in the files');
        await source.send('PUT', `Consent/${given[0]?.id}`, { ...given[0], status: 'inactive' } as never);
        const after = await exported(ground);
        must(after.output.length === 0, `${after.output.length} files after the revocation`);
        for (const one of [extension, after.extension]) {
          await execute(ground, 'research-export', { action: 'cancel', id: one.id });
        }
        return `${lines.length} resources of 2 patients; then none`;
      } finally {
        await ground.configure({});
      }
    },
  },
];
