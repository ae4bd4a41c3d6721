/** What was sent, entry by entry: whose name each has with its sender, which version it is, and its hash. Pure. */
import { createHash } from 'node:crypto';
import { canonical } from '../../fhir/canonical.ts';
import { isObject, listOf } from '../../rules/ingest/elements.ts';
import type { Elements } from '../../rules/ingest/elements.ts';
import { PROFILES } from '../../rules/ingest/profile.ts';
import { shapeProblem } from '../../rules/ingest/shape.ts';
import type { Bounds, ShapeProblem } from '../../rules/ingest/shape.ts';
import type { Issue } from '../../rules/ingest/validate.ts';

/** One record, as it was sent. */
export interface Received {
  /** Its place in the Bundle. */
  readonly index: number;
  /** A type that is taken, or `unknown`. */
  readonly type: string;
  readonly resource: Elements;
  readonly fullUrl: string | undefined;
  /** The sender says that it replaces what was sent before. */
  readonly isReplacement: boolean;
  /** By which its sender knows it, within the type: the id, the first identifier, or else its content. */
  readonly name: string;
  /** The sender's version: `meta.versionId`, `meta.lastUpdated`. */
  readonly version: { readonly id?: string; readonly at?: string };
  /** SHA-256 of its canonical JSON, hexadecimal. */
  readonly digest: string;
  /** What is wrong with the entry around it. */
  readonly issues: readonly Issue[];
}

/** A request that can be worked on. */
export interface Request {
  readonly kind: 'single' | 'batch' | 'transaction' | 'collection';
  readonly entries: readonly Received[];
}

const ID = /^[A-Za-z0-9._-]{1,64}$/;
const PROBLEMS: Readonly<Record<ShapeProblem, string>> = {
  'too-deep': 'the input is nested too deeply',
  'element-name': 'the input has a name that no element of FHIR has',
  'text-encoding': 'the input has text that is no Unicode, or control characters',
  'number-range': 'the input has a number beyond 2^53',
};

/**
 * Reads a resource or a Bundle.
 *
 * @param input - What the caller sent.
 * @param bounds - How much may be sent.
 * @returns The request, or why nothing of it can be looked at.
 */
export function readRequest(input: unknown, bounds: Bounds): Request | { readonly problems: readonly string[] } {
  const problem = shapeProblem(input, bounds.depth);
  if (problem) {
    return { problems: [PROBLEMS[problem]] };
  }
  if (!isObject(input) || typeof input['resourceType'] !== 'string') {
    return { problems: ['the input is no FHIR resource'] };
  }
  if (JSON.stringify(input).length > bounds.bytes) {
    return { problems: [`the input has more than ${bounds.bytes} bytes`] };
  }
  if (input['resourceType'] !== 'Bundle') {
    return { kind: 'single', entries: [receive({ resource: input }, 0, false)] };
  }
  const { type: kind, entry } = input;
  if (kind !== 'batch' && kind !== 'transaction' && kind !== 'collection') {
    return { problems: ['Bundle.type must be batch, transaction or collection'] };
  }
  if (!Array.isArray(entry) || entry.length === 0) {
    return { problems: ['Bundle.entry must have at least one entry'] };
  }
  return entry.length > bounds.entries
    ? { problems: [`the Bundle has more than ${bounds.entries} entries`] }
    : { kind, entries: entry.map((each, index) => receive(each, index, kind !== 'collection')) };
}

function receive(entry: unknown, index: number, hasRequests: boolean): Received {
  const { resource, fullUrl, request } = isObject(entry) ? entry : ({} as Elements);
  const own = isObject(resource) ? resource : {};
  const named = String(own['resourceType']);
  const type = Object.hasOwn(PROFILES, named) ? named : 'unknown';
  const digest = createHash('sha256').update(canonical(own)).digest('hex');
  const asked = hasRequests && isObject(request) ? request : undefined;
  const url = typeof asked?.['url'] === 'string' ? asked['url'] : undefined;
  const identifiers = identifiersOf(own);
  const conditional = identifierIn(url?.split('?')[1] ?? asked?.['ifNoneExist']);
  const id = typeof own['id'] === 'string' && ID.test(own['id']) ? own['id'] : undefined;
  const [first] = conditional ? [conditional] : identifiers;
  return {
    index,
    type,
    resource: own,
    fullUrl: typeof fullUrl === 'string' ? fullUrl : undefined,
    isReplacement: asked?.['method'] === 'PUT',
    name: id !== undefined ? `id:${id}` : first ? `identifier:${first.system}|${first.value}` : `content:${digest}`,
    version: versionOf(own['meta']),
    digest,
    issues: [
      ...(isObject(resource) ? [] : [{ code: 'required' as const, text: 'The entry has no resource.' }]),
      ...(isObject(resource) && type === 'unknown'
        ? [{ code: 'not-supported' as const, text: 'A record of this type is not taken.' }]
        : []),
      ...(own['id'] !== undefined && id === undefined
        ? [{ code: 'value' as const, text: 'The id must be up to 64 letters, digits, dots, dashes and underscores.' }]
        : []),
      ...(asked && !['POST', 'PUT'].includes(asked['method'] === undefined ? 'POST' : (asked['method'] as string))
        ? [{ code: 'not-supported' as const, text: 'Entries are created (POST) or replaced (PUT), nothing else.' }]
        : []),
      ...(url !== undefined && type !== 'unknown' && url.split(/[/?]/)[0] !== type
        ? [{ code: 'invalid' as const, text: 'The request is for another type than the resource is of.' }]
        : []),
    ],
  };
}

/** A name that a sender has given to something. */
export interface Named {
  readonly system: string;
  readonly value: string;
}

/**
 * @param resource - A record.
 * @returns Its identifiers that have a system and a value.
 */
export function identifiersOf(resource: Elements): Named[] {
  return listOf(resource['identifier']).flatMap((each) => namedIn(each) ?? []);
}

/**
 * @param identifier - An Identifier.
 * @returns System and value, when it has both and a search can say them.
 */
export function namedIn(identifier: unknown): Named | undefined {
  const { system, value } = isObject(identifier) ? identifier : ({} as Elements);
  // What separates alternatives in a search would make it find something else.
  const isName = (text: unknown): text is string =>
    typeof text === 'string' && /^[^,|$\\\s][^,|$\\]{0,254}$/.test(text);
  return isName(system) && isName(value) ? { system, value } : undefined;
}

/**
 * @param query - The query of a conditional reference or request.
 * @returns The identifier that it asks for, when it asks for nothing else.
 */
export function identifierIn(query: unknown): Named | undefined {
  const match = typeof query === 'string' ? /^identifier=([^&]+)$/.exec(query) : undefined;
  const [system, value, ...more] = decoded(match?.[1] ?? '').split('|');
  return more.length === 0 ? namedIn({ system, value }) : undefined;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return '';
  }
}

function versionOf(meta: unknown): Received['version'] {
  const { versionId, lastUpdated } = isObject(meta) ? meta : ({} as Elements);
  return {
    ...(typeof versionId === 'string' && ID.test(versionId) && { id: versionId }),
    ...(typeof lastUpdated === 'string' &&
      Number.isFinite(Date.parse(lastUpdated)) && {
        at: new Date(Date.parse(lastUpdated)).toISOString(),
      }),
  };
}
