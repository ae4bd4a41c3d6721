/** The user's files → resources with their places in the source, and Consents to go with them. Nothing is sent yet. */
import { validateResource } from '@medplum/core';
import type { Consent } from '@medplum/fhirtypes';
import { randomUUID } from 'node:crypto';
import { loadDefinitions } from '../sandbox/definitions.ts';
import { samplePatients } from '../samples/patients.ts';
import { accept } from './accept.ts';
import { fromTemplates, permitAll } from './consent.ts';
import type { Person } from './consent.ts';
import { readInputs, readText } from './files.ts';
import type { Inputs } from './files.ts';
import { link } from './link.ts';
import type { Linked } from './link.ts';
import { refusal } from './load.ts';
import type { ConsentChoice, Request } from './options.ts';
import { parseInput } from './parse.ts';
import type { InputCounts, Problem } from './report.ts';

/** What goes into the source. */
export interface Prepared {
  readonly files: readonly string[];
  readonly records: readonly Linked[];
  /** Makes the Consents, as given at an instant. */
  readonly consents: (at: string) => readonly Linked[];
  readonly counts: InputCounts;
  readonly problems: readonly Problem[];
  /** Whether it is no use to go on: nothing was read, or the Consents are not what the user meant. */
  readonly isHopeless: boolean;
}

/** Marks a record that comes from no input. */
const OURS = 0;

/**
 * Reads and links everything.
 *
 * @param request - What the user asks for.
 * @returns Resources and problems.
 */
export function prepare(request: Request): Prepared {
  loadDefinitions();
  const {
    files,
    entries,
    problems: unreadable,
  } = request.inputs.length > 0 ? readInputs(request.inputs) : generated(request);
  const { accepted, problems: unacceptable } = accept(entries);
  const { linked, repeated, resolve } = link(accepted, randomUUID);
  const records =
    request.consent === 'none' ? linked.filter(({ resource }) => resource.resourceType !== 'Consent') : linked;
  const patients = records.flatMap(({ resource }): Person[] => (resource.resourceType === 'Patient' ? [resource] : []));
  const { templates, problems: unclear } = templatesOf(request.consent);
  const problems = [...unreadable, ...unacceptable, ...unclear];
  return {
    files,
    records,
    consents: (at) =>
      (templates
        ? fromTemplates(templates, patients, (reference) => resolve(OURS, reference))
        : request.consent === 'all'
          ? patients.map(({ id }) => permitAll(`Patient/${id}`, at))
          : []
      ).map((consent) => ({ input: OURS, index: OURS, resource: { ...consent, id: randomUUID() } })),
    counts: {
      files: files.length,
      entries: entries.length,
      repeated,
      leftOut: linked.length - records.length,
      failed: unacceptable.length,
    },
    problems: problems.length === 0 && records.length === 0 ? [{ kind: 'input', message: 'holds no data' }] : problems,
    isHopeless: records.length === 0 || unclear.length > 0,
  };
}

function generated({ samples }: Request): Inputs {
  const parsed = samplePatients(samples).map((bundle, position) => parseInput(position + 1, JSON.stringify(bundle)));
  return { files: [], entries: parsed.flatMap((one) => ('entries' in one ? one.entries : [])), problems: [] };
}

/** The user's own Consents must all be valid: with one of them missing, the patients' will would not be done. */
function templatesOf(choice: ConsentChoice): {
  readonly templates?: readonly Consent[];
  readonly problems: readonly Problem[];
} {
  if (typeof choice === 'string') {
    return { problems: [] };
  }
  const parsed = readText(choice.file, (text) => parseInput(OURS, text));
  if ('problem' in parsed) {
    return { problems: [{ kind: 'consent', message: `the file ${parsed.problem}` }] };
  }
  const problems = parsed.entries.flatMap(({ content, index }): Problem[] => {
    const message = problemOf(content);
    return message ? [{ kind: 'consent', index, message }] : [];
  });
  return { templates: parsed.entries.map(({ content }) => content as Consent), problems };
}

function problemOf(content: unknown): string | undefined {
  if ((content as Partial<Consent> | undefined)?.resourceType !== 'Consent') {
    return 'is not a Consent';
  }
  try {
    validateResource(content as Consent);
    return undefined;
  } catch (error) {
    return `is not a valid Consent: ${refusal(error)}`;
  }
}
