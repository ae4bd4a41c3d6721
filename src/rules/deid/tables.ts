/** The compiled policy as the walker uses it. */
import { TABLES } from './tables.generated.ts';

/** What the walker does with a value. */
export type Kind =
  | 'node'
  | 'boolean'
  | 'code'
  | 'coding'
  | 'concept'
  | 'integer'
  | 'positiveInt'
  | 'unsignedInt'
  | 'decimal'
  | 'quantity'
  | 'range'
  | 'ratio'
  | 'date'
  | 'dateTime'
  | 'instant'
  | 'period'
  | 'timing'
  | 'reference'
  | 'subject';

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
}

/** The elements of a type or of a backbone element that may leave. */
export interface Table {
  readonly rules: Map<string, Rule>;
  readonly required: string[];
  /** The element that names the patient, at the root of every type but Patient; without it nothing leaves. */
  subject?: string;
  /** When not empty, one of these must survive. */
  readonly oneOf: readonly string[];
}

/** Maps, not objects: a property called `constructor` or `__proto__` finds nothing. */
export const TABLE_OF: ReadonlyMap<string, Table> = new Map(
  Object.entries(TABLES).map(([type, rows]) => [type, parse(rows)])
);

function parse(rows: string): Table {
  const root = empty([]);
  for (const row of rows.split('\n')) {
    const [path = '', flags = '', kind = '', argument = ''] = row.split(':');
    const names = path.split('.');
    const name = names.pop() as string;
    const parent = names.reduce((table, step) => (table.rules.get(step) as Rule).table, root);
    const list = argument === '' ? [] : argument.split('|');
    const choice = flags.indexOf('^');
    parent.rules.set(name, {
      kind: kind as Kind,
      many: flags.includes('*'),
      choice: choice < 0 ? undefined : flags.slice(choice),
      allowed: new Set(list),
      table: empty(kind === 'node' ? list : []),
    });
    if (flags.includes('!')) parent.required.push(name);
    if (kind === 'subject') root.subject = name;
  }
  return root;
}

function empty(oneOf: readonly string[]): Table {
  return { rules: new Map(), required: [], oneOf };
}
