/** Reads what a sync decides on, in one batch. */
import type { Basic, Bundle, Consent, Patient, Resource } from '@medplum/fhirtypes';
import { isReplicated } from '../../config/policy.ts';
import type { Replicated } from '../../config/policy.ts';
import { Fault, sourceFault } from '../../observability/fault.ts';
import type { Fetched, SourceFhir } from '../../ports.ts';
import { isControl } from '../../queue/control.ts';
import type { Deps } from '../deps.ts';
import { isLink, linkIn, liveTokens } from '../link.ts';
import { readAll } from '../read-all.io.ts';
import { controlSearch } from './controls.ts';
import { encountersOf, hintOf, keyOf } from './facts.ts';
import type { Facts, Hint } from './facts.ts';

/** Earlier versions that are looked at for a change of patient or of standing: enough for events that come in a burst. */
const VERSIONS = 4;

/**
 * Gathers the facts about some records of one patient.
 *
 * @param deps - The run: source and systems.
 * @param patientId - The patient.
 * @param hints - At most a page of records.
 * @param withHistory - True to read earlier versions of the one hinted record as well (10 units instead of 1).
 * @returns The facts: one request, or one more when a hint named another Encounter than the record does now.
 * @throws Fault `source-*` when anything cannot be read: an unread Consent is never an absent one.
 */
export async function gather(
  deps: Pick<Deps, 'source' | 'config'>,
  patientId: string,
  hints: readonly Hint[],
  withHistory = false
): Promise<Facts> {
  const { source, config } = deps;
  const needed = ({ documents, ...hint }: Hint): string[] =>
    encountersOf(documents && config.heldDocuments.includes(hint.resourceType) ? { ...hint, documents } : hint);
  const ids = Map.groupBy(
    [...hints.map(keyOf), ...hints.flatMap(needed)].filter((key) => key !== `Patient/${patientId}`),
    (key) => key.split('/')[0] ?? ''
  );
  const histories = withHistory ? hints.map((hint) => `${keyOf(hint)}/_history?_count=${VERSIONS}`) : [];
  const reads = [...ids].map(([type, keys]) => byType(type, [...new Set(keys.map((key) => key.split('/')[1] ?? ''))]));
  const answers = await source.read([
    `Patient/${patientId}`,
    `Consent?patient=Patient/${patientId}&_count=100`,
    controlSearch(config.systems, patientId, hints),
    ...reads,
    ...histories,
  ]);
  const [patient, consents, link, ...rest] = answers.map(settled);
  const found = [...(patient ? [patient] : []), ...rest.slice(0, reads.length).flatMap(resourcesOf)].filter(
    isReplicated
  );
  const controls = resourcesOf(link).filter((one): one is Basic => one.resourceType === 'Basic');
  const known = linkIn(config.systems, controls);
  const facts: Facts = {
    patientId,
    patient: patient as Patient | undefined,
    consents: await allPages<Consent>(source, consents as Bundle | undefined),
    link: known,
    isLinked: liveTokens(known).length > 0,
    hints,
    records: new Map(found.map((resource) => [`${resource.resourceType}/${resource.id}`, resource])),
    earlier: rest.slice(reads.length).flatMap(resourcesOf).filter(isReplicated),
    originals: controls.filter((one) => !isLink(one) && !isControl(one)),
    control: controls.find(isControl),
  };
  const corrected = hints.map((hint) => correct(hint, facts.records.get(keyOf(hint))));
  const isComplete = corrected.every((hint) => needed(hint).every((key) => ids.get('Encounter')?.includes(key)));
  return isComplete ? { ...facts, hints: corrected } : gather(deps, patientId, corrected, withHistory);
}

/** One id is a read (1 unit), several are a search (20 units, `platform.md` §5.1). */
function byType(resourceType: string, ids: readonly string[]): string {
  return ids.length === 1 ? `${resourceType}/${ids[0]}` : `${resourceType}?_id=${ids.join(',')}&_count=${ids.length}`;
}

function correct(hint: Hint, record: Replicated | undefined): Hint {
  return record ? hintOf(record).hint : hint;
}

/** Deleted or never there is a fact; anything else that is not the resource is a fault. */
function settled({ status, resource }: Fetched): Resource | undefined {
  if (resource || status === 404 || status === 410) {
    return resource;
  }
  throw sourceFault(status);
}

function resourcesOf(resource: Resource | undefined): Resource[] {
  if (resource?.resourceType !== 'Bundle') {
    return resource ? [resource] : [];
  }
  return (resource.entry ?? []).flatMap((entry) => entry.resource ?? []);
}

async function allPages<T extends Resource>(source: SourceFhir, first: Bundle | undefined): Promise<readonly T[]> {
  if (!first) {
    throw new Fault('source-incomplete');
  }
  const next = first.link?.find(({ relation }) => relation === 'next')?.url;
  const rest = next === undefined ? [] : await readAll(source, [next]);
  return [...resourcesOf(first), ...rest.flat()] as T[];
}
