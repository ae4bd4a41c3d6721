/** One entry and what is known → what is to be done about it. Pure. */
import type { Consent, Patient, Resource } from '@medplum/fhirtypes';
import { patientIdOf } from '../../config/policy.ts';
import type { Replicated } from '../../config/policy.ts';
import { evaluate } from '../../rules/consent/evaluate.ts';
import { isObject, mapObjects } from '../../rules/ingest/elements.ts';
import type { Elements } from '../../rules/ingest/elements.ts';
import { normal } from '../../rules/ingest/normal.ts';
import { safePath, validate } from '../../rules/ingest/validate.ts';
import type { Issue } from '../../rules/ingest/validate.ts';
import { meantBy } from './known.ts';
import type { Known, Setting } from './known.ts';
import { keyOf } from '../origin-key.ts';
import { isNewer, originIdentifier, originOf } from './origin.ts';
import { identifiersOf } from './received.ts';
import type { Received } from './received.ts';
import { logical, textOf } from './references.ts';
import type { Target } from './references.ts';

/** What is to be done. */
export type Planned =
  | { readonly kind: 'refuse'; readonly issues: readonly Issue[] }
  /** Nothing: it is there. */
  | {
      readonly kind: 'keep';
      readonly reference: string;
      readonly patient: string;
      readonly status: 'unchanged' | 'outdated' | 'known';
      readonly warnings: readonly string[];
    }
  | {
      readonly kind: 'write';
      readonly action: 'created' | 'updated';
      readonly resource: Resource;
      readonly key: string;
      /** How it can be referred to in the same transaction. */
      readonly reference: string;
      readonly patient: string;
      readonly warnings: readonly string[];
      /** The version that it takes the place of. */
      readonly replaces?: string | undefined;
      /** The Consent that permitted it, where one did. */
      readonly consent?: string;
    };

/** Where an entry of this request is, or will be: `Type/id` or `urn:uuid:…`, and whose it is. */
export interface Placed {
  readonly reference: string;
  readonly patient: string;
}

/** Entries whose place is known. */
export type Places = ReadonlyMap<number, Placed>;

const WARNINGS = {
  reference: 'A reference to what is not known here is kept as a name.',
  narrative: 'The narrative was not kept.',
  links: 'Patient.link was not kept: who is who is decided here.',
  outdated: 'There is a newer version of it here.',
  known: 'The patient is known here; the record was not changed.',
} as const;

/**
 * Plans one entry.
 *
 * @param received - The entry.
 * @param known - The state of the source.
 * @param setting - Whose request it is.
 * @param places - Where other entries of the request are.
 * @param urn - `urn:uuid:…`, under which it can be referred to when it is made.
 * @returns What is to be done.
 */
export function plan(received: Received, known: Known, setting: Setting, places: Places, urn: string): Planned {
  const { config, sender } = setting;
  const content = normal(received.resource);
  const issues = [...received.issues];
  if (issues.length === 0) {
    issues.push(...validate(content, config.systems.namespace));
  }
  if (issues.length > 0) {
    return { kind: 'refuse', issues };
  }
  const key = keyOf(sender.organizationId, received.type, received.name);
  const existing = known.taken.get(`key:${received.type}:${key}`);
  const stranger = existing ? undefined : strangerOf(received, known, known.linked.get(`key:Patient:${key}`));
  if (stranger) {
    return stranger;
  }
  const origin = existing && originOf(config.systems, existing, key);
  const resolved = resolve(content, received, { known, setting, places });
  const patient = received.type === 'Patient' ? (existing ? `Patient/${existing.id}` : urn) : resolved.patient;
  if (resolved.issues.length > 0 || patient === undefined) {
    return { kind: 'refuse', issues: resolved.issues };
  }
  if (existing && !isOwn(existing, patient, sender.organizationId)) {
    return refuse('conflict', 'What is here under this name belongs to another patient or organization.');
  }
  const there = `${received.type}/${existing?.id}`;
  if (origin?.digest === received.digest) {
    return { kind: 'keep', reference: there, patient, status: 'unchanged', warnings: [] };
  }
  if (origin && !isNewer(received, origin)) {
    return { kind: 'keep', reference: there, patient, status: 'outdated', warnings: [WARNINGS.outdated] };
  }
  const resource = finished(resolved.resource, received, { existing, key, setting });
  const asked = askConsents(resource, patient, known.consents, setting);
  if (typeof asked === 'object') {
    return { kind: 'refuse', issues: [asked] };
  }
  return {
    kind: 'write',
    action: existing ? 'updated' : 'created',
    resource,
    key,
    reference: existing ? there : urn,
    patient,
    warnings: [
      ...(resolved.isNamed ? [WARNINGS.reference] : []),
      ...(received.resource['text'] === undefined ? [] : [WARNINGS.narrative]),
      ...(received.type === 'Patient' && received.resource['link'] !== undefined ? [WARNINGS.links] : []),
    ],
    ...(existing && { replaces: existing.meta?.versionId }),
    ...(asked && { consent: asked }),
  };
}

/** A Patient of the organization whom the sender means, and who did not come from it. */
function strangerOf({ type, resource }: Received, known: Known, linked: Patient | undefined): Planned | undefined {
  if (type !== 'Patient') {
    return undefined;
  }
  const named = identifiersOf(resource).flatMap(
    ({ system, value }) => known.patients.get(`identifier:${system}|${value}`) ?? []
  );
  const found = new Set((linked ? [linked] : named).map(({ id }) => id));
  const [id] = found;
  if (found.size > 1) {
    return refuse('duplicate', 'Several patients have these identifiers.');
  }
  return id === undefined
    ? undefined
    : {
        kind: 'keep',
        reference: `Patient/${id}`,
        patient: `Patient/${id}`,
        status: 'known',
        warnings: [WARNINGS.known],
      };
}

interface Resolving {
  readonly known: Known;
  readonly setting: Setting;
  readonly places: Places;
}

interface Resolution {
  readonly resource: Elements;
  readonly patient: string | undefined;
  readonly issues: readonly Issue[];
  /** Whether any reference is only a name now. */
  readonly isNamed: boolean;
}

/** Puts our references in the place of the sender's. All patients that it names must be one, and all records that patient's. */
function resolve(content: Elements, { type }: Received, resolving: Resolving): Resolution {
  const path = type === 'AllergyIntolerance' || type === 'Immunization' ? 'patient' : 'subject';
  const issues: Issue[] = [];
  let isNamed = false;
  const subject = type === 'Patient' ? undefined : content[path];
  const patient = isObject(subject)
    ? placeOf(meantBy(subject, path, resolving.setting), resolving)?.patient
    : undefined;
  if (type !== 'Patient' && patient === undefined) {
    issues.push({ code: 'not-found', expression: `${type}.${path}`, text: 'is no patient of your organization' });
    return { resource: content, patient, issues, isNamed };
  }
  const resource = mapObjects(content, (node, name) => {
    const target = meantBy(node, name, resolving.setting);
    if (!target || target.kind === 'contained') {
      return node;
    }
    const place = placeOf(target, resolving);
    if (place && (place.patient === patient || type === 'Patient')) {
      const { identifier: _identifier, ...rest } = node;
      return { ...rest, reference: place.reference };
    }
    if (place || target.type === 'Patient') {
      issues.push({
        code: 'business-rule',
        expression: safePath(`${type}.${name}`),
        text: 'refers to another patient, or to a record of another patient',
      });
      return node;
    }
    isNamed = true;
    const { config, sender } = resolving.setting;
    const text = 'text' in target ? target.text : String(node['reference']);
    return logical(
      node,
      { type: target.type, text },
      {
        systems: config.systems,
        organizationId: sender.organizationId,
      }
    );
  }) as Elements;
  return { resource, patient, issues, isNamed };
}

/** Where a target is, and whose it is. A patient that several may be is none. */
function placeOf(target: Target | undefined, { known, places }: Resolving): Placed | undefined {
  if (target?.kind === 'entry') {
    return places.get(target.index);
  }
  if (target?.kind === 'token' || target?.kind === 'identifier') {
    const [found, another] = known.patients.get(textOf(target)) ?? [];
    return found && !another ? placeAt(found) : undefined;
  }
  const name = target?.kind === 'key' ? textOf(target) : '';
  const taken = known.taken.get(name) ?? known.linked.get(name);
  return taken && placeAt(taken);
}

function placeAt(resource: Resource): Placed {
  return {
    reference: `${resource.resourceType}/${resource.id}`,
    patient: `Patient/${patientIdOf(resource as Replicated)}`,
  };
}

function isOwn(existing: Resource, patient: string, organizationId: string): boolean {
  return existing.resourceType === 'Patient'
    ? isOfOrganization(existing, organizationId)
    : placeAt(existing).patient === patient;
}

/**
 * @param patient - A Patient.
 * @param organizationId - An Organization.
 * @returns Whether the patient is managed by it, and has not become another one.
 */
export function isOfOrganization(patient: Patient, organizationId: string): boolean {
  return patient.managingOrganization?.reference === `Organization/${organizationId}` && !isReplaced(patient);
}

/**
 * @param patient - A Patient.
 * @returns Whether they have become another one.
 */
export function isReplaced(patient: Patient): boolean {
  return patient.link?.some(({ type }) => type === 'replaced-by') === true;
}

/** Without what is not the sender's to say: meta but its labels, narrative, links between patients; with where it came from. */
function finished(
  content: Elements,
  received: Received,
  {
    existing,
    key,
    setting,
  }: { readonly existing: Resource | undefined; readonly key: string; readonly setting: Setting }
): Resource {
  const { id: _id, meta, text: _text, link, implicitRules: _rules, identifier, ...rest } = content;
  const { config, sender } = setting;
  const { systems } = config;
  const isPatient = received.type === 'Patient';
  const security = isObject(meta) && Array.isArray(meta['security']) ? meta['security'] : undefined;
  const tags = (existing?.meta?.tag ?? []).filter(({ system }) => system !== systems.sync);
  // A Patient without copies would have no copies of anything else either, also of what was written here.
  const isKept = isPatient || config.ingest.isCopied;
  const names = identifiersOf(received.resource)
    .slice(0, 5)
    .map(({ system, value }) => keyOf(sender.organizationId, received.type, `identifier:${system}|${value}`))
    .filter((each) => each !== key);
  return {
    ...rest,
    ...(existing && { id: existing.id }),
    ...(!isPatient && link !== undefined && { link }),
    meta: {
      source: `${systems.ingestSender}/${sender.organizationId}`,
      ...(security && { security }),
      tag: [...tags, ...(isKept ? [] : [{ system: systems.sync, code: 'no-sync' }])],
    },
    identifier: [
      ...(Array.isArray(identifier) ? (identifier as unknown[]) : []),
      originIdentifier(systems, key, received),
      ...[...new Set(names)].map((value) => ({ system: systems.ingested, value })),
    ],
    ...(isPatient && { managingOrganization: { reference: `Organization/${sender.organizationId}` } }),
  } as unknown as Resource;
}

/** What the Consents say to that it is collected: a refusal, the Consent that permits, or nothing. */
function askConsents(
  resource: Resource,
  patient: string,
  consents: ReadonlyMap<string, readonly Consent[]>,
  { config, sender, at }: Setting
): Issue | string | undefined {
  const [, id = ''] = patient.split('/');
  const isNew = patient.startsWith('urn:');
  const decision = isNew
    ? undefined
    : evaluate(consents.get(id) ?? [], {
        patient,
        purpose: config.consent.purpose,
        actor: [sender.client, `Organization/${sender.organizationId}`],
        action: 'collect',
        resource,
        at,
        dataClassSystem: config.systems.dataClass,
      });
  const isRefused = config.ingest.needsPermit ? decision?.decision !== 'permit' : decision?.decision === 'deny';
  if (isRefused) {
    return { code: 'forbidden', text: `The patient’s Consents do not allow it: ${decision?.reason ?? 'no-consents'}.` };
  }
  return decision?.decision === 'permit'
    ? `Consent/${decision.consent.id}/_history/${decision.consent.versionId}`
    : undefined;
}

function refuse(code: Issue['code'], text: string): Planned {
  return { kind: 'refuse', issues: [{ code, text }] };
}
