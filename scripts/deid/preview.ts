/** Resources in, lines out: the same de-identification that the bots run, without any server. */
import { createHmac } from 'node:crypto';
import type { Patient, Resource } from '@medplum/fhirtypes';
import { NARROW } from '../../src/config/policy.ts';
import { open } from '../../src/fhir/sealed.ts';
import type { Systems } from '../../src/fhir/systems.ts';
import { deidentifier } from '../../src/rules/deid/deidentify.ts';
import type { Deidentified, DeidContext, DeidReason } from '../../src/rules/deid/deidentify.ts';
import { crosswalkKeys, patientKeys } from '../../src/rules/deid/keys.ts';
import type { PatientKeys, ProjectKey } from '../../src/rules/deid/keys.ts';
import { TABLE_OF } from '../../src/rules/deid/tables.ts';
import { explain } from './explain.ts';
import type { Drop } from './explain.ts';
import type { Input } from './inputs.ts';
import { named, People } from './people.ts';
import type { Person } from './people.ts';
import { isTree, readItems } from './read.ts';

/** What a preview is made with. */
export interface Preview {
  readonly inputs: readonly Input[];
  readonly profile: DeidContext['profile'];
  readonly key: ProjectKey;
  readonly systems: Systems;
  /** The instant at which ages count. */
  readonly at: string;
  readonly patient: string | undefined;
  readonly isExplained: boolean;
  /** Takes one line; resolves when there is room for the next. */
  readonly write: (line: string) => Promise<void>;
  /** Takes a message for the user. */
  readonly tell: (message: string) => void;
}

/** How a preview ended. */
export interface Counts {
  readonly copied: number;
  /** Reason → how many resources it held back. */
  readonly refused: Readonly<Record<string, number>>;
  /** Inputs and lines that could not be read. */
  readonly unread: number;
}

type Line =
  | { readonly index: number; readonly ok: true; readonly resource: Resource; readonly dropped?: readonly Drop[] }
  | { readonly index: number; readonly ok: false; readonly reason: DeidReason };

/** Contexts remember tokens and shifted dates; so many patients, and so many resources of one, are remembered. */
const MOST_PATIENTS = 100;
const MOST_RESOURCES = 10_000;

/**
 * Writes one line per resource, in order.
 *
 * @param preview - What to do.
 * @returns What became of it.
 */
export async function runPreview(preview: Preview): Promise<Counts> {
  const { inputs, isExplained, write, tell } = preview;
  const people = await gatherPeople(inputs);
  const chosen = preview.patient === undefined ? undefined : choose(people, preview.patient, tell);
  if (people.ambiguous > 0) {
    tell(`${people.ambiguous} addresses name different Patients in different inputs; outside these they name nobody.`);
  }
  const contexts = contextsOf(preview);
  const refused: Record<string, number> = {};
  let [index, copied, unread] = [0, 0, 0];
  for (const [input, { name, open: openInput }] of inputs.entries()) {
    try {
      for await (const item of readItems(openInput())) {
        if ('problem' in item) {
          tell(`${name} ${item.problem}.`);
          unread++;
          continue;
        }
        if (item.content === undefined) {
          tell(`${name}: the line of resource ${index} is not valid JSON.`);
          unread++;
        }
        const line = judge(named(item, index), index, (resource) => chosen ?? people.of(input, resource));
        if (line.ok) {
          copied++;
        } else {
          refused[line.reason] = (refused[line.reason] ?? 0) + 1;
        }
        await write(`${JSON.stringify(line)}\n`);
        index++;
      }
    } catch (error) {
      tell(`${name} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown error'}).`);
      unread++;
    }
  }
  return { copied, refused, unread };

  function judge(
    content: unknown,
    at: number,
    personOf: (resource: Readonly<Record<string, unknown>>) => Person | undefined
  ): Line {
    const refuse = (reason: DeidReason): Line => ({ index: at, ok: false, reason });
    if (!isTree(content)) {
      return refuse('malformed');
    }
    if (!TABLE_OF.has(String(content['resourceType']))) {
      return refuse(typeof content['resourceType'] === 'string' ? 'unsupported-type' : 'malformed');
    }
    const person = isOfPatient(content) ? personOf(content) : NOBODY;
    if (!person) {
      return refuse(isAboutPatient(content) ? 'no-subject' : 'wrong-patient');
    }
    const { context, deidentify } = contexts(person);
    const resource = content as unknown as Resource;
    const result = deidentify(resource);
    if (!result.ok) {
      return refuse(result.reason);
    }
    const copy = { index: at, ok: true, resource: open(result.sealed) } as const;
    return isExplained ? { ...copy, dropped: explain(resource, context) } : copy;
  }
}

/** Stands where a resource is about no patient: a practitioner, an organisation, a place. */
const NOBODY: Person = { patient: { resourceType: 'Patient', id: 'nobody' }, replicated: new Set() };

function isOfPatient({ resourceType }: Readonly<Record<string, unknown>>): boolean {
  return resourceType === 'Patient' || TABLE_OF.get(String(resourceType))?.subject !== undefined;
}

async function gatherPeople(inputs: readonly Input[]): Promise<People> {
  const people = new People();
  let index = 0;
  for (const [input, { open: openInput }] of inputs.entries()) {
    try {
      for await (const item of readItems(openInput())) {
        if (!('problem' in item)) {
          people.add(input, named(item, index), item.fullUrl);
          index++;
        }
      }
    } catch {
      // Told when everything is read.
    }
  }
  people.complete();
  return people;
}

function choose(people: People, reference: string, tell: (message: string) => void): Person {
  const found = people.find(reference);
  if (found) {
    return found;
  }
  const id = /^(?:.*\/|urn:uuid:)?([A-Za-z0-9.-]{1,64})$/.exec(reference)?.[1] ?? 'unknown';
  tell('That patient is not in the input: their names and birth date cannot be looked for in what leaves.');
  const patient: Patient & { readonly id: string } = { resourceType: 'Patient', id };
  return { patient, replicated: new Set([`Patient/${id}`]) };
}

/** A subject that names another type (a Group, a Device) is nobody of the input; one that names a Patient is merely not there. */
function isAboutPatient(content: Readonly<Record<string, unknown>>): boolean {
  const subject = content[TABLE_OF.get(String(content['resourceType']))?.subject ?? ''];
  const reference = isTree(subject) ? subject['reference'] : undefined;
  const type = typeof reference === 'string' ? /(?:^|\/)([A-Z][A-Za-z]+)\/[^/]+$/.exec(reference)?.[1] : undefined;
  return type === undefined || type === 'Patient';
}

interface Context {
  readonly context: DeidContext;
  readonly deidentify: (resource: Resource) => Deidentified;
}

/** Makes a context once per patient, and again before its memory grows large: it is a pure function of the key. */
function contextsOf(preview: Preview): (person: Person) => Context {
  const { systems, profile, at } = preview;
  const made = new Map<Person, Context & { uses: number }>();
  return (person) => {
    const known = made.get(person);
    if (known && known.uses < MOST_RESOURCES) {
      known.uses++;
      return known;
    }
    const { patient, replicated } = person;
    const keys = keysOf(preview, patient.id);
    const context: DeidContext = { keys, systems, profile, narrow: NARROW, at, patient, replicated };
    const fresh = { context, deidentify: deidentifier(context), uses: 1 };
    made.set(person, fresh);
    if (made.size > MOST_PATIENTS) {
      made.delete(made.keys().next().value as Person);
    }
    return fresh;
  };
}

/** Under Safe Harbor tokens come from a random number that the source keeps for each patient; here something stands in for it. */
function keysOf({ key, profile }: Preview, patientId: string): PatientKeys {
  return profile === 'safe-harbor'
    ? crosswalkKeys(createHmac('sha256', key.secret).update(`preview ${patientId}`).digest('hex'), patientId)
    : patientKeys(key, patientId);
}
