/** Reads what a sync would decide on, and explains it. Reads of the source only: the replica is not asked, and nothing is sent. */
import type { Consent, Encounter, Patient, Resource, Task } from '@medplum/fhirtypes';
import { isReplicated, mayHaveCopies, patientSearch, REPLICATED_TYPES } from '../../config/policy.ts';
import type { Replicated } from '../../config/policy.ts';
import { Fault } from '../../observability/fault.ts';
import { jobsSearch } from '../../queue/job.ts';
import { adminAction } from '../action.ts';
import type { Actions, AdminDeps } from '../action.ts';
import { linkIn, linkTerm, liveTokens } from '../link.ts';
import { readAll } from '../read-all.io.ts';
import { EXPLAIN_PARAMETERS, EXPLAIN_WHY } from './actions.io.ts';
import { countsOf, explanationOf, jobsOf, prospectOf } from './explain.ts';
import { encountersOf, hintOf } from './facts.ts';
import type { Facts } from './facts.ts';

/** Each record takes a read, and those of a patient are decided about one by one. */
const MOST = 10;

/** What the bot `explain` can be asked; its one row is checked, judged and written down like any other action. */
export const EXPLAIN: Actions = {
  explain: adminAction({
    effect: 'read',
    why: EXPLAIN_WHY,
    parameters: EXPLAIN_PARAMETERS,
    run: async (deps, { patient, resource }) =>
      resource ? explainRecords(deps, patient, resource) : explainPatient(deps, patient),
  }),
};

type Reading = Pick<AdminDeps, 'source' | 'config' | 'clock'>;

async function explainRecords(deps: Reading, patientId: string, names: readonly string[]): Promise<object> {
  if (names.length > MOST) {
    throw new Fault('input-invalid', [`resource may hold ${MOST} at most`]);
  }
  const at = instantOf(deps);
  const [outside, inside] = [names.filter((name) => !isOurs(name)), names.filter(isOurs)];
  const found = (await readAll(deps.source, inside)).flat() as (Replicated & { id: string })[];
  const encounters = [...new Set(found.flatMap((record) => encountersOf(hintOf(record).hint)))];
  const { facts, jobs } = await gatherPatient(deps, patientId, [
    ...found,
    ...((await readAll(deps.source, encounters)).flat() as Encounter[]),
  ]);
  const known = found.map((record) => `${record.resourceType}/${record.id}`);
  return {
    at,
    isLinked: facts.isLinked,
    records: found.map((record) => explanationOf(deps.config, facts, record, jobs, at)),
    ...(outside.length > 0 && { notReplicated: outside }),
    ...(known.length < inside.length && { notFound: inside.filter((name) => !known.includes(name)) }),
  };
}

const isOurs = (name: string): boolean => mayHaveCopies(name.split('/')[0] ?? '');

async function explainPatient(deps: Reading, patientId: string): Promise<object> {
  const at = instantOf(deps);
  const types = REPLICATED_TYPES.filter((type) => type !== 'Patient');
  const lists = await readAll(
    deps.source,
    types.map((type) => `${patientSearch(type, patientId)}&_count=1000&_sort=_lastUpdated`)
  );
  const { facts, jobs } = await gatherPatient(deps, patientId, lists.flat().filter(isReplicated));
  const records = [...facts.records.values()];
  return {
    at,
    isLinked: facts.isLinked,
    consents: facts.consents.length,
    types: REPLICATED_TYPES.flatMap((type) => {
      const own = records.filter(({ resourceType }) => resourceType === type);
      const answers = countsOf(own.map((record) => prospectOf(deps.config, facts, record, at)));
      return own.length > 0 ? [{ type, records: own.length, ...answers }] : [];
    }),
    jobs: jobsOf(deps.config.systems, jobs),
  };
}

async function gatherPatient(
  { source, config }: Reading,
  patientId: string,
  records: readonly Replicated[]
): Promise<{ readonly facts: Facts; readonly jobs: readonly Task[] }> {
  const { systems } = config;
  const [patients = [], consents = [], links = [], jobs = []] = await readAll(source, [
    `Patient/${patientId}`,
    `Consent?patient=Patient/${patientId}&_count=100`,
    `Basic?identifier=${encodeURIComponent(linkTerm(systems, patientId))}&_count=10`,
    `${jobsSearch(systems)}&patient=Patient/${patientId}&status=requested,in-progress,on-hold,failed&_count=100`,
  ]);
  const patient = patients[0] as Patient | undefined;
  const link = linkIn(systems, links);
  const all: readonly (Resource & { id?: string })[] = [...(patient ? [patient] : []), ...records];
  return {
    jobs: jobs as Task[],
    facts: {
      patientId,
      patient,
      consents: consents as Consent[],
      link,
      isLinked: liveTokens(link).length > 0,
      hints: [],
      records: new Map(all.map((one) => [`${one.resourceType}/${one.id}`, one as Replicated])),
      earlier: [],
    },
  };
}

function instantOf({ clock }: Pick<Reading, 'clock'>): string {
  return new Date(clock.now()).toISOString();
}
