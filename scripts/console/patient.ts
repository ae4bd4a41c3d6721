/** One patient on both sides: what is where, and why. Reads like the operator of both servers, leaving no trace on the wire. */
import { parseSearchRequest } from '@medplum/core';
import type { WithId } from '@medplum/core';
import type { Basic, Consent, Patient, Project, Resource } from '@medplum/fhirtypes';
import { load } from '../../src/config/load.ts';
import type { Config } from '../../src/config/load.ts';
import { NARROW, patientSearch, REPLICATED_TYPES } from '../../src/config/policy.ts';
import type { Replicated } from '../../src/config/policy.ts';
import { keyringOf, stubsOf } from '../../src/flows/keyring.ts';
import { linkIn, linkTerm, liveTokens } from '../../src/flows/link.ts';
import { explanationOf, prospectOf } from '../../src/flows/sync/explain.ts';
import type { Facts } from '../../src/flows/sync/facts.ts';
import { GRANTABLE, grantedBy } from '../../src/rules/consent/simple.ts';
import { explain } from '../deid/explain.ts';
import { DROP_REASONS } from '../deid/reasons.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { kindOf, lineOf, quantityOf } from './record.ts';
import type { Detail, Left, PatientView, RecordView } from './view.ts';
import { whyOf } from './words.ts';

type Server = Sandbox['source'];

/** Both sides of a patient, as found. */
interface Both {
  readonly config: Config;
  readonly at: string;
  readonly patient: WithId<Patient>;
  readonly facts: Facts;
  /** By token. */
  readonly copies: ReadonlyMap<string, Resource>;
}

/**
 * @param sandbox - Both servers.
 * @param patientId - The Patient in the source.
 * @returns What is to be shown; undefined when there is no such patient.
 */
export async function patientView(sandbox: Sandbox, patientId: string): Promise<PatientView | undefined> {
  const both = await readBoth(sandbox, patientId);
  if (!both) {
    return undefined;
  }
  const { config, patient, facts } = both;
  const { title: name, detail } = lineOf(patient);
  const [token] = liveTokens(facts.link);
  const records = [...facts.records.values()].map((record) => recordView(both, record as WithId<Replicated>));
  return {
    id: patient.id,
    name,
    detail,
    ...(token !== undefined && records.some(({ there }) => there) && { token }),
    consent: consentOf(facts.consents, config.systems.dataClass),
    records,
  };
}

/**
 * @param sandbox - Both servers.
 * @param patientId - The Patient in the source.
 * @param name - `Type/id` of one of the patient's records.
 * @returns All of it; undefined when there is no such record.
 */
export async function recordDetail(sandbox: Sandbox, patientId: string, name: string): Promise<Detail | undefined> {
  const both = await readBoth(sandbox, patientId);
  const record = both?.facts.records.get(name) as WithId<Replicated> | undefined;
  if (!both || !record) {
    return undefined;
  }
  const { config, facts, at } = both;
  const { says } = explanationOf(config, facts, record, [], at);
  const copy = both.copies.get(tokenOf(both, record));
  return {
    source: record,
    ...(copy && { copy }),
    why: recordView(both, record).why,
    decision: says,
    left: leftOf(both, record),
  };
}

async function readBoth({ source, replica, clock }: Sandbox, patientId: string): Promise<Both | undefined> {
  const config = await configOf(source);
  const found = await search<Patient>(source, `Patient?_id=${patientId}`);
  const [patient] = found;
  if (!patient || !config) {
    return undefined;
  }
  const others = REPLICATED_TYPES.filter((type) => type !== 'Patient');
  const records = (
    await Promise.all(
      others.map((type) => search<Replicated>(source, `${patientSearch(type, patientId)}&_sort=_lastUpdated`))
    )
  ).flat();
  const link = linkIn(
    config.systems,
    await search<Basic>(source, `Basic?identifier=${linkTerm(config.systems, patientId)}`)
  );
  const copies = (
    await Promise.all(REPLICATED_TYPES.map((type) => search(replica, `${type}?_sort=_lastUpdated`)))
  ).flat();
  const all: readonly WithId<Replicated>[] = [patient, ...records];
  return {
    config,
    at: clock.iso(),
    patient,
    facts: {
      patientId,
      patient,
      consents: await search<Consent>(source, `Consent?patient=Patient/${patientId}`),
      link,
      isLinked: liveTokens(link).length > 0,
      hints: [],
      records: new Map(all.map((record) => [`${record.resourceType}/${record.id}`, record])),
      earlier: [],
    },
    copies: new Map(copies.map((copy) => [tokenIn(copy), copy])),
  };
}

/**
 * @param server - One of the two.
 * @param url - A FHIR-relative search.
 * @returns What is found, at most a thousand.
 */
export async function search<T extends Resource>(server: Server, url: string): Promise<WithId<T>[]> {
  const bundle = await server.repo.search<T>({ ...parseSearchRequest<T>(url), count: 1000 });
  return (bundle.entry ?? []).flatMap(({ resource }) => (resource ? [resource] : []));
}

async function configOf(source: Server): Promise<Config | undefined> {
  const { secret = [] } = await source.repo.readResource<Project>('Project', source.projectId);
  const loaded = load(Object.fromEntries(secret.map((one) => [one.name, one])));
  return 'config' in loaded ? loaded.config : undefined;
}

function tokenIn(copy: Resource): string {
  return (copy as { identifier?: { value?: string }[] }).identifier?.[0]?.value ?? '';
}

/** The tokens of a patient who has none yet are nobody's, so no copy is found under them. */
function tokenOf({ config, facts }: Both, { resourceType, id }: WithId<Replicated>): string {
  const { keys } = keyringOf(config, facts.patientId, facts.link, () => '00'.repeat(32));
  return resourceType === 'Patient' ? keys.patientToken : keys.token(resourceType, id);
}

function recordView(both: Both, record: WithId<Replicated>): RecordView {
  const { would, reason, planned } = prospectOf(both.config, both.facts, record, both.at);
  const copy = both.copies.get(tokenOf(both, record));
  const isCurrent = planned?.action === 'put' && copy?.meta?.tag?.some(({ code }) => code === planned.sealed.digest);
  const standing =
    would === 'copy' ? (copy ? (isCurrent ? 'copied' : 'older') : 'waiting') : copy ? 'leaving' : 'stays';
  const quantity = quantityOf(record);
  return {
    name: `${record.resourceType}/${record.id}`,
    kind: kindOf(record.resourceType),
    here: lineOf(record),
    ...(copy && { there: lineOf(copy) }),
    standing,
    why: WHY[standing] ?? whyOf(reason ?? 'unknown'),
    ...(quantity?.value !== undefined && { value: { number: quantity.value, unit: quantity.unit ?? '' } }),
  };
}

const WHY: Readonly<Partial<Record<RecordView['standing'], string>>> = {
  copied: 'Shared by consent.',
  older: 'The copy is older than the record; the new version is to come.',
  waiting: 'May be shared, and is not there yet.',
  leaving: 'May not be shared any more, and is still there.',
};

function consentOf(consents: readonly Consent[], dataClassSystem: string): PatientView['consent'] {
  const active = consents.filter(({ status }) => status === 'active');
  const classes = [...new Set(active.flatMap((consent) => grantedBy(consent, dataClassSystem) ?? []))];
  const isOther = active.some((consent) => grantedBy(consent, dataClassSystem) === undefined);
  const kind =
    active.length === 0
      ? 'none'
      : isOther
        ? 'other'
        : GRANTABLE.every((name) => classes.includes(name))
          ? 'all'
          : 'some';
  return { kind, classes };
}

/** What of a record that is shared does not leave, by reason. */
function leftOf(both: Both, record: WithId<Replicated>): readonly Left[] {
  const { config, facts, patient, at } = both;
  const { planned } = prospectOf(config, facts, record, at);
  if (planned?.action !== 'put') {
    return [];
  }
  const { keys } = keyringOf(config, facts.patientId, facts.link, () => '00'.repeat(32));
  const drops = explain(record, {
    keys,
    systems: config.systems,
    profile: config.profile,
    narrow: NARROW,
    at,
    patient,
    replicated: new Set(planned.parents.map(({ reference }) => `${reference}`)),
    stubs: stubsOf(config),
  });
  return [...Map.groupBy(drops, ({ reason }) => reason)].map(([reason, some]) => ({
    why: DROP_REASONS[reason],
    paths: some.map(({ path }) => path),
  }));
}
