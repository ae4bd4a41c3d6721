/** The state of the source that a request is judged on, and the names that have to be looked up for it. Pure. */
import type { Consent, Patient, Resource } from '@medplum/fhirtypes';
import type { Config } from '../../config/load.ts';
import { eachObject, isObject } from '../../rules/ingest/elements.ts';
import type { Elements } from '../../rules/ingest/elements.ts';
import { identifiersOf } from './received.ts';
import type { Named, Received } from './received.ts';
import { keyOf } from '../origin-key.ts';
import { directoryOf, targetOf } from './references.ts';
import type { Directory, Target } from './references.ts';

/** Who sends. */
export interface Sender {
  /** `ClientApplication/id`. */
  readonly client: string;
  readonly organizationId: string;
  /** The bot that fetched the records there; undefined when the client has sent them. */
  readonly fetchedBy?: string;
}

/** A request in its setting. */
export interface Setting {
  readonly config: Config;
  readonly sender: Sender;
  readonly directory: Directory;
  /** The instant. */
  readonly at: string;
}

/** What the source has of what a request names. */
export interface Known {
  /** Patients of the sender's organization by token, `token:…`, and by identifier, `identifier:…`. Several are no answer. */
  readonly patients: ReadonlyMap<string, readonly Patient[]>;
  /** What was taken before, by `key:Type:…`. */
  readonly taken: ReadonlyMap<string, Resource>;
  /** Patients of ours whom a link names as a patient of the sender, by `key:Patient:…`. */
  readonly linked: ReadonlyMap<string, Patient>;
  /** All Consents by the id of the Patient. */
  readonly consents: ReadonlyMap<string, readonly Consent[]>;
}

/** What has to be looked up. */
export interface Wanted {
  readonly tokens: readonly string[];
  readonly patients: readonly Named[];
  /** Keys by type. */
  readonly keys: ReadonlyMap<string, readonly string[]>;
}

const PATIENT_PATHS: readonly string[] = ['subject', 'patient'];

/**
 * @param config - The settings.
 * @param sender - Who sends.
 * @param entries - The entries of a request.
 * @param at - The instant.
 * @returns The setting.
 */
export function settingOf(config: Config, sender: Sender, entries: readonly Received[], at: string): Setting {
  return { config, sender, directory: directoryOf(entries), at };
}

/**
 * @param node - An object of a record.
 * @param name - Under which it stands.
 * @param setting - The setting.
 * @returns What it refers to; undefined when it is no reference.
 */
export function meantBy(node: Elements, name: string, { config, sender, directory }: Setting): Target | undefined {
  const { organizationId } = sender;
  return targetOf(node, {
    directory,
    organizationId,
    systems: config.systems,
    isPatient: PATIENT_PATHS.includes(name),
  });
}

/**
 * @param entries - The entries that are worked on.
 * @param setting - The setting.
 * @returns Everything that they name, once.
 */
export function wantedOf(entries: readonly Received[], setting: Setting): Wanted {
  const tokens = new Set<string>();
  const patients = new Map<string, Named>();
  const keys = new Map<string, Set<string>>();
  const want = (target: Target | undefined): void => {
    if (target?.kind === 'token') {
      tokens.add(target.token);
    } else if (target?.kind === 'identifier') {
      patients.set(`${target.named.system}|${target.named.value}`, target.named);
    } else if (target?.kind === 'key') {
      keys.set(target.type, (keys.get(target.type) ?? new Set()).add(target.key));
    }
  };
  for (const { type, name, resource, issues } of entries) {
    if (issues.length > 0) {
      continue;
    }
    want({ kind: 'key', type, key: keyOf(setting.sender.organizationId, type, name), text: '' });
    if (type === 'Patient') {
      identifiersOf(resource).forEach((named) => want({ kind: 'identifier', type, named }));
    }
    eachObject(
      resource,
      (node, path) => {
        if (isObject(node)) {
          want(meantBy(node, path.split('.').at(-1) ?? '', setting));
        }
      },
      type
    );
  }
  return {
    tokens: [...tokens],
    patients: [...patients.values()],
    keys: new Map([...keys].map(([type, own]) => [type, [...own]])),
  };
}
