/** One text for equal JSON: what a digest is made of. */

/** Deeper than any FHIR resource, and far from the end of the stack. */
const MAX_DEPTH = 200;

/** What JSON must escape, and lone surrogates, which well-formed JSON.stringify escapes too. */
const ESCAPED = /[\u0000-\u001f"\\\ud800-\udfff]/;

/**
 * Serialises JSON in the manner of RFC 8785: members sorted by UTF-16 code units, no white space, ECMAScript numbers and strings.
 * Members that are undefined are left out, as JSON does.
 *
 * @param value - A JSON value.
 * @returns The canonical text.
 * @throws RangeError - For what JSON cannot say (numbers that are not finite) and for depth beyond 200.
 */
export function canonical(value: unknown): string {
  return write(value, 0);
}

function write(value: unknown, depth: number): string {
  if (typeof value === 'string') return ESCAPED.test(value) ? JSON.stringify(value) : `"${value}"`;
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new RangeError('not a JSON number');
    return String(value === 0 ? 0 : value);
  }
  if (value === null || value === true || value === false) return String(value);
  if (typeof value !== 'object') throw new RangeError('not a JSON value');
  if (depth >= MAX_DEPTH) throw new RangeError('JSON too deep');
  return Array.isArray(value) ? writeList(value, depth) : writeMembers(value as Members, depth);
}

function writeList(list: readonly unknown[], depth: number): string {
  let text = '';
  let comma = '[';
  for (const each of list) {
    text += comma + write(each ?? null, depth + 1);
    comma = ',';
  }
  return comma === '[' ? '[]' : `${text}]`;
}

type Members = Readonly<Record<string, unknown>>;

function writeMembers(members: Members, depth: number): string {
  let text = '';
  let comma = '{';
  for (const name of sorted(Object.keys(members))) {
    const member = members[name];
    if (member === undefined) continue;
    text += `${comma}${write(name, depth)}:${write(member, depth + 1)}`;
    comma = ',';
  }
  return comma === '{' ? '{}' : `${text}}`;
}

/** Names come in nearly the right order, and few: insertion beats the general sort. */
function sorted(names: string[]): string[] {
  if (names.length > 24) return names.sort();
  for (let i = 1; i < names.length; i += 1) {
    const name = names[i] as string;
    let at = i;
    while (at > 0 && (names[at - 1] as string) > name) {
      names[at] = names[at - 1] as string;
      at -= 1;
    }
    names[at] = name;
  }
  return names;
}
