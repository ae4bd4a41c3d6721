/** The compiled policy as the walker uses it. */
import { KINDS, TYPE_OF } from './kinds.ts';
import type { Kind } from './kinds.ts';
import { LISTS, STUB_TABLES, TABLES } from './tables.generated.ts';
import { transformOf } from './walk.ts';
import type { Transform } from './walk.ts';

/** One element that may leave. */
export interface Rule {
  readonly kind: Kind;
  readonly many: boolean;
  /** The name of the choice (`^value` for `valueQuantity`): at most one of a choice leaves. */
  readonly choice: string | undefined;
  /** Codes of a required value set, or types that a reference may name. */
  readonly allowed: ReadonlySet<string>;
  /** The children, for a node. */
  readonly table: Table;
  /** One value of the source → what leaves of it. */
  readonly transform: Transform;
}

/** The elements of a type or of a backbone element that may leave. */
export interface Table {
  readonly rules: Map<string, Rule>;
  /** Each is a list of which one must be there: an element, or the members of a choice. */
  readonly required: (readonly string[])[];
  /** Without one of these a backbone element says nothing. */
  needs?: readonly string[];
  /** The element that names the patient; types without it are not about a patient, or are the Patient. */
  subject?: string;
}

/** Each type is parsed when it is first asked for: a bot starts from nothing at each event, and an event is about two or three types. */
export interface Tables {
  has(type: string): boolean;
  get(type: string): Table | undefined;
}

/** `name!*:k12[a|b](…)`: name, flags, kind, list, what a node needs one of, children. `name^:kk12` are the members of a choice. */
const ROW = /([A-Za-z]+)(\^?)([*!]*):((?:[A-Za-z]\d*)+)(?:\[([\w|]+)\])?|[()]/g;
const LIST = LISTS.split(';');

/** The whole policy. */
export const TABLE_OF: Tables = compile([], false);

const narrowed = new WeakMap<readonly string[], Tables>();
const withStubs = new WeakMap<readonly string[], Tables>();
const WHOLE: readonly string[] = [];

/**
 * The tables without some elements, and with references to stubs or without.
 *
 * @param narrow - `Type.path` of elements that are not to leave; the same list object gives the same tables.
 * @param hasStubs - Whether positions that name a practitioner, an organization or a place may refer to a stub.
 * @returns The tables; nothing else can be added to them.
 */
export function tablesWithout(narrow: readonly string[] | undefined, hasStubs = false): Tables {
  if (!hasStubs && (narrow === undefined || narrow.length === 0)) return TABLE_OF;
  const memo = hasStubs ? withStubs : narrowed;
  const list = narrow ?? WHOLE;
  const known = memo.get(list) ?? compile(list, hasStubs);
  memo.set(list, known);
  return known;
}

/** A Map, not an object: a type called `constructor` or `__proto__` finds nothing. */
function compile(narrow: readonly string[], hasStubs: boolean): Tables {
  const parsed = new Map<string, Table>();
  const has = (type: string): boolean => Object.hasOwn(TABLES, type);
  return {
    has,
    get: (type) => {
      let table = parsed.get(type);
      if (table || !has(type)) return table;
      const left = new Set(narrow);
      parsed.set(type, (table = parse(empty(), type, TABLES[type] as string, left)));
      if (hasStubs) parse(table, type, STUB_TABLES[type] ?? '', left);
      return table;
    },
  };
}

/** Adds rows to a table; a node that is there already gets further children. */
function parse(root: Table, type: string, rows: string, narrow: ReadonlySet<string>): Table {
  const open: { readonly table: Table; readonly path: string }[] = [];
  let at = { table: root, path: type };
  let last = at;
  for (const [text, stem = '', choice, flags = '', kinds = '', needs] of rows.matchAll(ROW)) {
    if (text === '(') {
      open.push(at);
      at = last;
    } else if (text === ')') {
      at = open.pop() as typeof at;
    } else {
      for (const [, kind = '', list] of kinds.matchAll(/([A-Za-z])(\d*)/g)) {
        const name = stem + (choice ? (TYPE_OF[kind] ?? '') : '');
        const path = `${at.path}.${name}`;
        const table = at.table.rules.get(name)?.table ?? empty();
        const allowed = new Set(list ? LIST[Number(list)]?.split('|') : []);
        const rule: Rule = {
          kind: KINDS[kind as keyof typeof KINDS],
          many: flags.includes('*'),
          choice: choice ? `^${stem}` : undefined,
          allowed,
          table,
          transform: transformOf(KINDS[kind as keyof typeof KINDS], allowed, table),
        };
        last = { table: rule.table, path };
        if (needs !== undefined) rule.table.needs = needs.split('|');
        const known = at.table.rules.get(name);
        if (narrow.has(path) || (known && rule.kind !== 'stub')) continue;
        if (rule.kind === 'stub' && at.table.needs) at.table.needs = [...at.table.needs, name];
        at.table.rules.set(name, rule);
        if (rule.kind === 'subject') root.subject = name;
        if (flags.includes('!') && !known) require(at.table, rule.choice, name);
      }
    }
  }
  return root;
}

/** The members of a required choice make one requirement. */
function require(table: Table, choice: string | undefined, name: string): void {
  const sibling = table.required.findIndex(
    ([first]) => choice !== undefined && table.rules.get(first ?? '')?.choice === choice
  );
  if (sibling < 0) table.required.push([name]);
  else table.required[sibling] = [...(table.required[sibling] ?? []), name];
}

function empty(): Table {
  return { rules: new Map(), required: [] };
}
