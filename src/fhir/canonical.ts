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
  if (Array.isArray(value)) {
    let list = '';
    for (const each of value) list += `${list === '' ? '' : ','}${write(each ?? null, depth + 1)}`;
    return `[${list}]`;
  }
  const members = value as Readonly<Record<string, unknown>>;
  let text = '';
  for (const name of Object.keys(members).sort()) {
    const member = members[name];
    if (member !== undefined) text += `${text === '' ? '' : ','}${write(name, depth)}:${write(member, depth + 1)}`;
  }
  return `{${text}}`;
}
