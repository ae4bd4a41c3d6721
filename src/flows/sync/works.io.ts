/** What the jobs of a lot come to: per patient, either everything or some records. */
import type { Bundle, Task } from '@medplum/fhirtypes';
import { isReplicated, patientIdOf } from '../../config/policy.ts';
import { sourceFault } from '../../observability/fault.ts';
import { stateOf } from '../../queue/job.ts';
import type { Deps } from '../deps.ts';
import { hintOf } from './facts.ts';
import type { Hint } from './facts.ts';
import { askedBy } from './orders.ts';
import type { Asked } from './orders.ts';

/** What is to be done about one patient, and the jobs that asked for it. */
export interface Work {
  readonly patientId: string;
  readonly jobs: Set<Task>;
  /** True when all of the patient has to be looked at. */
  isWhole: boolean;
  /** True when an earlier look has asked for this one. */
  isSecondLook: boolean;
  /** The Consents that asked for that. */
  readonly consents: Set<string>;
  readonly records: { readonly hint: Hint; readonly job: Task; readonly isTried: boolean }[];
}

/** Versions that are looked at for a change of patient, as on the event path. */
const VERSIONS = 4;

/**
 * Reads whose the records are now and were before, in one batch, and sorts the jobs by patient.
 *
 * @param deps - The run.
 * @param jobs - At most a lot.
 * @returns One work per patient; a job that nobody here has made is in none.
 * @throws Fault `source-*`.
 */
export async function worksOf(deps: Deps, jobs: readonly Task[]): Promise<Work[]> {
  const works = new Map<string, Work>();
  const workFor = (patientId: string): Work => {
    const found = works.get(patientId);
    const work = found ?? {
      patientId,
      jobs: new Set(),
      isWhole: false,
      isSecondLook: false,
      consents: new Set(),
      records: [],
    };
    works.set(patientId, work);
    return work;
  };
  const records: { readonly job: Task; readonly asked: Extract<Asked, { readonly kind: 'record' }> }[] = [];
  for (const job of jobs) {
    const asked = askedBy(deps.config.systems, job);
    if (asked?.kind === 'record') {
      records.push({ job, asked });
    } else if (asked) {
      const work = workFor(asked.patientId);
      work.jobs.add(job);
      work.isWhole = true;
      work.isSecondLook ||= asked.kind === 'patient' && asked.isSecondLook;
      if (asked.kind === 'consent') {
        work.consents.add(asked.consent);
      }
    }
  }
  const urls = records.map(({ asked }) => `${asked.resourceType}/${asked.id}/_history?_count=${VERSIONS}`);
  const answers = urls.length > 0 ? await deps.source.read(urls) : [];
  records.forEach(({ job, asked }, index) => {
    const { status = 0, resource } = answers[index] ?? {};
    if (status !== 404 && status !== 410 && resource?.resourceType !== 'Bundle') {
      throw sourceFault(status);
    }
    const versions = ((resource as Bundle | undefined)?.entry ?? []).flatMap((entry) =>
      entry.resource && isReplicated(entry.resource) ? entry.resource : []
    );
    const hint: Hint = versions[0] ? hintOf(versions[0]).hint : { resourceType: asked.resourceType, id: asked.id };
    const isTried = stateOf(deps.config.systems, job).attempts > 0;
    for (const patientId of new Set([asked.patientId, ...versions.flatMap((one) => patientIdOf(one) ?? [])])) {
      const work = workFor(patientId);
      work.jobs.add(job);
      work.records.push({ hint, job, isTried });
    }
  });
  return [...works.values()];
}
