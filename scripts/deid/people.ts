/** The Patients of the input, and which of them a resource is about. */
import type { Patient } from '@medplum/fhirtypes';
import { TABLE_OF } from '../../src/rules/deid/tables.ts';
import { idOf, isTree } from './read.ts';
import type { Item } from './read.ts';

/** A patient of the input, with what their data may refer to. */
export interface Person {
  readonly patient: Patient & { readonly id: string };
  /** `Encounter/…` and `Patient/…` of the input: references to them stay references. */
  readonly replicated: Set<string>;
}

type Tree = Readonly<Record<string, unknown>>;

/**
 * What of an item has been named: a resource with an id, whose references lead to `Type/id` where the input tells.
 * A resource without id or address gets one that says so; the source would give it one.
 *
 * @param item - The item.
 * @param index - Its number.
 * @returns The resource, or whatever it is instead.
 */
export function named(item: Item, index: number): unknown {
  const { content, fullUrl, places } = item;
  if (!isTree(content)) {
    return content;
  }
  const id = content['id'] === undefined ? (idOf(content, fullUrl) ?? `unnamed-${index}`) : content['id'];
  const pointedTo = places.size > 0 ? (pointed(content, places, 0) as object) : content;
  return { ...pointedTo, id };
}

/** Deeper than any resource; what lies deeper is dropped in any case. */
const MAX_DEPTH = 100;

function pointed(value: unknown, places: ReadonlyMap<string, string>, depth: number): unknown {
  if (typeof value !== 'object' || value === null || depth > MAX_DEPTH) {
    return value;
  }
  if (Array.isArray(value)) {
    return value.map((each) => pointed(each, places, depth + 1));
  }
  const copy = Object.entries(value).map(([name, child]) => {
    const place = name === 'reference' && typeof child === 'string' ? places.get(child) : undefined;
    return [name, place ?? pointed(child, places, depth + 1)] as const;
  });
  // Not by assignment: the data may have a property called `__proto__`.
  return Object.fromEntries(copy);
}

/** All Patients of all inputs. */
export class People {
  readonly #people = new Map<string, Person>();
  readonly #ambiguous = new Set<string>();
  readonly #visits: { readonly input: number; readonly visit: string; readonly subject: unknown }[] = [];

  get count(): number {
    return new Set(this.#people.values()).size;
  }

  /** Ids that different Patients of different inputs share. */
  get ambiguous(): number {
    return this.#ambiguous.size;
  }

  /**
   * Takes in what others refer to: Patients and Encounters.
   *
   * @param input - Which input it is from: ids are told apart by that where they have to be.
   * @param resource - A named resource.
   * @param fullUrl - Its address.
   */
  add(input: number, resource: unknown, fullUrl: string | undefined): void {
    if (!isTree(resource) || typeof resource['id'] !== 'string') {
      return;
    }
    if (resource['resourceType'] === 'Encounter') {
      this.#visits.push({ input, visit: `Encounter/${resource['id']}`, subject: resource['subject'] });
    }
    if (resource['resourceType'] !== 'Patient') {
      return;
    }
    const patient = resource as unknown as Person['patient'];
    const reference = `Patient/${patient.id}`;
    const known = this.#people.get(`${input} ${reference}`);
    const person: Person = known ?? { patient, replicated: new Set([reference]) };
    this.#people.set(`${input} ${reference}`, person);
    this.#share(reference, person);
    if (fullUrl !== undefined) {
      this.#share(fullUrl, person);
    }
    const identifiers: unknown = patient.identifier;
    for (const identifier of Array.isArray(identifiers) ? (identifiers as unknown[]) : []) {
      const query = queryOf(identifier);
      if (query !== undefined) {
        this.#share(query, person);
      }
    }
  }

  /** When all inputs have been read: Encounters know their patients. */
  complete(): void {
    for (const { input, visit, subject } of this.#visits.splice(0)) {
      this.#named(input, subject)?.replicated.add(visit);
    }
  }

  /**
   * @param reference - As the user names a patient: `Patient/id`, an id, or an address.
   * @returns The patient of the input.
   */
  find(reference: string): Person | undefined {
    return this.#lookup(undefined, reference) ?? this.#lookup(undefined, `Patient/${reference}`);
  }

  /**
   * Whose data a resource is.
   *
   * @param input - Which input it is from.
   * @param resource - A named resource.
   * @returns The patient, if the input has them.
   */
  of(input: number, resource: Tree): Person | undefined {
    if (resource['resourceType'] === 'Patient') {
      return this.#lookup(input, `Patient/${String(resource['id'])}`);
    }
    const name = TABLE_OF.get(String(resource['resourceType']))?.subject;
    return name === undefined ? undefined : this.#named(input, resource[name]);
  }

  #named(input: number, subject: unknown): Person | undefined {
    if (!isTree(subject)) {
      return undefined;
    }
    const { reference, identifier } = subject;
    if (typeof reference === 'string') {
      return this.#lookup(input, reference);
    }
    const query = queryOf(identifier);
    return query === undefined ? undefined : this.#lookup(input, query);
  }

  /** By the address as it is, and by the `Patient/id` at its end. */
  #lookup(input: number | undefined, reference: string): Person | undefined {
    const address = reference.replace(/\/_history\/[^/]*$/, '');
    const relative =
      /(?:^|\/)(Patient\/[A-Za-z0-9.-]{1,64})$/.exec(address)?.[1] ?? address.replace(/^urn:uuid:/, 'Patient/');
    for (const name of [`${String(input)} ${address}`, address, `${String(input)} ${relative}`, relative]) {
      const person = this.#ambiguous.has(name) ? undefined : this.#people.get(name);
      if (person) {
        return person;
      }
    }
    return undefined;
  }

  #share(address: string, person: Person): void {
    const known = this.#people.get(address);
    if (known && known !== person && JSON.stringify(known.patient) !== JSON.stringify(person.patient)) {
      this.#ambiguous.add(address);
    }
    this.#people.set(address, known ?? person);
  }
}

/** A Patient by identifier, in the words of a conditional reference. */
function queryOf(identifier: unknown): string | undefined {
  const { system = '', value } = isTree(identifier) ? identifier : {};
  return typeof system === 'string' && typeof value === 'string' ? `Patient?identifier=${system}|${value}` : undefined;
}
