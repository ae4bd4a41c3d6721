/** What the references of a record from outside mean here. An id of the sender never names a record of ours. Pure. */
import type { Systems } from '../../fhir/systems.ts';
import { isObject } from '../../rules/ingest/elements.ts';
import type { Elements } from '../../rules/ingest/elements.ts';
import { PROFILES } from '../../rules/ingest/profile.ts';
import { keyOf } from '../origin-key.ts';
import { identifierIn, identifiersOf, namedIn } from './received.ts';
import type { Named, Received } from './received.ts';

/** What a reference means. */
export type Target =
  | { readonly kind: 'contained' }
  /** Another entry of the same Bundle. */
  | { readonly kind: 'entry'; readonly type: string; readonly index: number }
  /** A patient by the token of the replica. */
  | { readonly kind: 'token'; readonly type: 'Patient'; readonly token: string }
  /** A patient of the sender's organization by an identifier. */
  | { readonly kind: 'identifier'; readonly type: 'Patient'; readonly named: Named }
  /** What was taken from the sender before. */
  | { readonly kind: 'key'; readonly type: string; readonly key: string; readonly text: string }
  /** Nothing that we can know: it stays a name. */
  | { readonly kind: 'unknown'; readonly type: string; readonly text: string };

/** The entries of a request by the names that references use. */
export type Directory = ReadonlyMap<string, Received>;

const TOKEN = /^pt_[A-Za-z0-9]{1,64}$/;
const RELATIVE = /^(?:https?:\/\/.+\/)?([A-Z][A-Za-z]{1,40})\/([A-Za-z0-9._-]{1,64})(?:\/_history\/[A-Za-z0-9._-]+)?$/;

/**
 * @param entries - The entries of a request.
 * @returns Them by `fullUrl`, by `Type/id`, and by each identifier.
 */
export function directoryOf(entries: readonly Received[]): Directory {
  return new Map(
    entries
      .filter(({ issues }) => issues.length === 0)
      .flatMap((entry): [string, Received][] => [
        ...(entry.fullUrl ? [[entry.fullUrl, entry] as [string, Received]] : []),
        ...(typeof entry.resource['id'] === 'string'
          ? [[`${entry.type}/${entry.resource['id']}`, entry] as [string, Received]]
          : []),
        ...identifiersOf(entry.resource).map(({ system, value }): [string, Received] => [
          `${entry.type}?${system}|${value}`,
          entry,
        ]),
      ])
      // The first of equal names counts, in each request.
      .reverse()
  );
}

/**
 * @param node - A Reference.
 * @param context - The entries of the request, whose sender it is, our systems, and whether it stands where the patient is named.
 * @returns What it means; undefined when it is no reference that has to be resolved.
 */
export function targetOf(
  node: Elements,
  context: {
    readonly directory: Directory;
    readonly organizationId: string;
    readonly systems: Systems;
    readonly isPatient: boolean;
  }
): Target | undefined {
  const { directory, organizationId, systems, isPatient } = context;
  const text = typeof node['reference'] === 'string' ? node['reference'] : undefined;
  if (text === undefined) {
    const named = isPatient || node['type'] === 'Patient' ? namedIn(node['identifier']) : undefined;
    return named && patientBy(named, context);
  }
  if (text.startsWith('#')) {
    return { kind: 'contained' };
  }
  const entry = directory.get(text);
  if (entry) {
    return { kind: 'entry', type: entry.type, index: entry.index };
  }
  const [head = '', query] = text.split('?');
  const named = identifierIn(query);
  if (named) {
    const listed = directory.get(`${head}?${named.system}|${named.value}`);
    const type = head.split('/').at(-1) ?? '';
    return listed
      ? { kind: 'entry', type: listed.type, index: listed.index }
      : type === 'Patient'
        ? patientBy(named, context)
        : knownBy(organizationId, type, `identifier:${named.system}|${named.value}`, text);
  }
  const [, type = '', id = ''] = RELATIVE.exec(text) ?? [];
  if (type === 'Patient' && TOKEN.test(id)) {
    return { kind: 'token', type, token: id };
  }
  const listed = directory.get(`${type}/${id}`);
  return listed
    ? { kind: 'entry', type: listed.type, index: listed.index }
    : systems && knownBy(organizationId, type, `id:${id}`, text);
}

function knownBy(organizationId: string, type: string, name: string, text: string): Target {
  return Object.hasOwn(PROFILES, type)
    ? { kind: 'key', type, key: keyOf(organizationId, type, name), text }
    : { kind: 'unknown', type, text };
}

function patientBy(
  named: Named,
  { directory, systems }: { readonly directory: Directory; readonly systems: Systems }
): Target {
  if (named.system === systems.patientToken) {
    return { kind: 'token', type: 'Patient', token: named.value };
  }
  const listed = directory.get(`Patient?${named.system}|${named.value}`);
  return listed
    ? { kind: 'entry', type: 'Patient', index: listed.index }
    : { kind: 'identifier', type: 'Patient', named };
}

/**
 * @param target - What a reference means.
 * @returns One text for all references that mean the same, by which it is looked up.
 */
export function textOf(target: Target): string {
  switch (target.kind) {
    case 'entry':
      return `entry:${target.index}`;
    case 'token':
      return `token:${target.token}`;
    case 'identifier':
      return `identifier:${target.named.system}|${target.named.value}`;
    case 'key':
      return `key:${target.type}:${target.key}`;
    default:
      return '';
  }
}

/**
 * @param node - A reference that means nothing here.
 * @param target - Its target.
 * @param scope - Our systems, and whose name it is.
 * @returns A logical reference: the name stays, and matches no record of ours.
 */
export function logical(
  node: Elements,
  target: { readonly type: string; readonly text: string },
  { systems, organizationId }: { readonly systems: Systems; readonly organizationId: string }
): Elements {
  const { display, identifier } = node;
  return {
    ...(/^[A-Z][A-Za-z]+$/.test(target.type) && { type: target.type }),
    identifier: isObject(identifier)
      ? identifier
      : { system: `${systems.ingestReference}/${organizationId}`, value: target.text },
    ...(typeof display === 'string' && { display }),
  };
}
