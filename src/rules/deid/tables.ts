/** The compiled policy as the walker uses it. */
import { KINDS, TYPE_OF } from './kinds.ts';
import type { Kind } from './kinds.ts';
import { LISTS, TABLES } from './tables.generated.ts';
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
export const TABLE_OF: Tables = compile([]);

const narrowed = new WeakMap<readonly string[], Tables>();

/**
 * The tables without some elements.
 *
 * @param narrow - `Type.path` of elements that are not to leave; the same list object gives the same tables.
 * @returns The tables; nothing can be added to them.
 */
export function tablesWithout(narrow: readonly string[] | undefined): Tables {
  if (narrow === undefined || narrow.length === 0) return TABLE_OF;
  const known = narrowed.get(narrow) ?? compile(narrow);
  narrowed.set(narrow, known);
  return known;
}

/** A Map, not an object: a type called `constructor` or `__proto__` finds nothing. */
function compile(narrow: readonly string[]): Tables {
  const parsed = new Map<string, Table>();
  const has = (type: string): boolean => Object.hasOwn(TABLES, type);
  return {
    has,
    get: (type) => {
      let table = parsed.get(type);
      if (!table && has(type)) parsed.set(type, (table = parse(type, TABLES[type] as string, new Set(narrow))));
      return table;
    },
  };
}

function parse(type: string, rows: string, narrow: ReadonlySet<string>): Table {
  const root = empty();
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
        const table = empty();
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
        if (narrow.has(path)) continue;
        at.table.rules.set(name, rule);
        if (rule.kind === 'subject') root.subject = name;
        if (flags.includes('!')) require(at.table, rule.choice, name);
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
