/** Stubs of practitioners, organizations and places: written along with the first copy that refers to them. */
import type { Bundle, Resource } from '@medplum/fhirtypes';
import { NARROW } from '../../config/policy.ts';
import type { StubType } from '../../config/policy.ts';
import type { Sealed } from '../../fhir/sealed.ts';
import { faultOf, sourceFault } from '../../observability/fault.ts';
import type { Copy } from '../../ports.ts';
import { deidentifyStub } from '../../rules/deid/deidentify.ts';
import type { Deps } from '../deps.ts';
import { writeTogether } from './apply.io.ts';
import { inIdOrder } from './compare.ts';
import type { Told } from './done.ts';
import { removeExtra } from './duplicates.io.ts';
import type { Plan, Rules, StubTarget } from './plan.ts';
import { stubsOfPlans } from './search.ts';

/** Ids in one search: what fits into an address. */
const AT_A_TIME = 100;

/**
 * Makes and renews the stubs that copies of a page refer to, and leaves one under each token. They are made by conditional updates: records
 * of many patients refer to the same ones.
 *
 * @param deps - The run.
 * @param rules - Settings, keys, time.
 * @param plans - The plans of the page.
 * @param copies - All copies under the tokens of the stubs, and others.
 * @param tell - Writes into the trail what is about to be sent.
 * @throws Fault when either server cannot be reached, or the replica refuses a stub.
 */
export async function keepStubs(
  deps: Deps,
  rules: Rules,
  plans: readonly Plan[],
  copies: readonly Copy[],
  tell: (told: readonly Told[]) => Promise<void>
): Promise<void> {
  const targets = stubsOfPlans(plans);
  if (targets.length === 0) {
    return;
  }
  const sealed = await sealStubs(deps, targets, rules);
  const byToken = Map.groupBy(copies, ({ token }) => token);
  const extra = targets.flatMap(({ token }) => inIdOrder(byToken.get(token) ?? []).slice(1));
  // A conditional update, and a reference by token, need one and not several.
  const removed = await removeExtra(deps, targets, extra);
  if (removed.kind !== 'done') {
    throw faultOf(removed);
  }
  const changed = sealed.filter(({ token, digest }) => inIdOrder(byToken.get(token) ?? [])[0]?.digest !== digest);
  const tokens = new Set(changed.map(({ token }) => token));
  await tell(targets.filter(({ token }) => tokens.has(token)).map((target): Told => ({ action: 'put', target })));
  const outcome = await writeTogether(deps.replica, changed);
  if (outcome.kind !== 'done') {
    throw faultOf(outcome);
  }
}

/**
 * Seals stubs. What the source no longer has, or what cannot be shown to be without names, is a stub that tells nothing.
 *
 * @param deps - The run.
 * @param targets - The stubs.
 * @param rules - Settings, keys, time.
 * @returns The stubs: one batch for all; no request when there are none.
 * @throws Fault `source-*` when their resources cannot be read.
 */
export async function sealStubs(deps: Deps, targets: readonly StubTarget[], rules: Rules): Promise<Sealed[]> {
  const { stubs } = rules;
  if (!stubs || targets.length === 0) {
    return [];
  }
  const found = await resourcesOf(deps, targets);
  const { systems, profile } = rules.config;
  const context = { keys: stubs.keys, systems, profile, narrow: NARROW, at: rules.at, stubs };
  return targets.flatMap(({ reference, resourceType }) => {
    const empty = { resourceType, id: reference.slice(resourceType.length + 1) } as Resource;
    const made = deidentifyStub(found.get(reference) ?? empty, context);
    const result = made.ok ? made : deidentifyStub(empty, context);
    return result.ok ? [result.sealed] : [];
  });
}

async function resourcesOf({ source }: Deps, targets: readonly StubTarget[]): Promise<Map<string, Resource>> {
  const urls = [...Map.groupBy(targets, ({ resourceType }) => resourceType)].flatMap(([type, some]) =>
    searches(
      type,
      some.map(({ reference }) => reference.slice(type.length + 1))
    )
  );
  const answers = await source.read(urls);
  const bundles = answers.map(({ status, resource }): Bundle => {
    if (resource?.resourceType !== 'Bundle') {
      throw sourceFault(status);
    }
    return resource;
  });
  const resources = bundles.flatMap(({ entry = [] }) => entry.flatMap(({ resource }) => resource ?? []));
  return new Map(resources.map((resource) => [`${resource.resourceType}/${resource.id}`, resource]));
}

function searches(type: StubType, ids: readonly string[]): string[] {
  return Array.from({ length: Math.ceil(ids.length / AT_A_TIME) }, (_, at) => {
    const some = ids.slice(at * AT_A_TIME, (at + 1) * AT_A_TIME);
    return `${type}?_id=${some.join(',')}&_count=${AT_A_TIME}`;
  });
}
