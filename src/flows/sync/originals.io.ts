/** Keeps the encrypted originals of copied records in line with them: one Binary per record, none without a copy. */
import type { Sealer } from '../../ports.ts';
import type { Deps } from '../deps.ts';
import { keptOf, payloadBasic } from '../payload.ts';
import type { Kept, Payload } from '../payload.ts';
import type { Facts } from './facts.ts';
import type { Plan } from './plan.ts';

type Put = Extract<Plan, { readonly action: 'put' }>;

/** `application/jose` is the media type of a compact serialisation (RFC 7515 §9.2.1, RFC 7516). */
const JOSE = 'application/jose';

/**
 * Writes the originals of what is to be put, and deletes those of what is not. Two requests for a new one, three for a changed one.
 *
 * @param deps - The run.
 * @param facts - What the plans were made from.
 * @param plans - The plans.
 * @returns Whether anything was written.
 * @throws Fault `source-*` when the source cannot be reached.
 */
export async function keepOriginals(deps: Deps, facts: Facts, plans: readonly Plan[]): Promise<boolean> {
  let hasWritten = false;
  for (const plan of plans.filter((one) => !isSettled(deps, facts, one))) {
    const known = keptOf(deps.config.systems, facts.originals, nameOf(plan));
    await (plan.action === 'put' && plan.keepsOriginal ? keep(deps, facts, plan, known) : forget(deps, known));
    hasWritten = true;
  }
  return hasWritten;
}

/**
 * @param deps - The run.
 * @param facts - The newest facts.
 * @param plans - The plans.
 * @returns Whether every original is there that should be, of the newest version, and none else.
 */
export function areOriginalsKept(deps: Deps, facts: Facts, plans: readonly Plan[]): boolean {
  return plans.every((plan) => isSettled(deps, facts, plan));
}

function isSettled({ vault, config }: Deps, facts: Facts, plan: Plan): boolean {
  const known = keptOf(config.systems, facts.originals, nameOf(plan));
  switch (plan.action) {
    case 'skip':
    case 'quarantine':
      return true;
    case 'withdraw':
      return known?.binary === undefined;
    case 'put':
      // Without a key nothing is written; and nothing deleted that was written under a key that is only missing.
      return vault === undefined || isUpToDate(vault, facts, plan, known);
  }
}

function isUpToDate(vault: Sealer, facts: Facts, plan: Put, known: Kept | undefined): boolean {
  if (!plan.keepsOriginal) {
    return known?.binary === undefined;
  }
  return (
    known?.binary !== undefined &&
    known.token === plan.target.token &&
    known.kid === vault.kid &&
    known.version === versionOf(facts, plan)
  );
}

function versionOf(facts: Facts, { target }: Put): string | undefined {
  return facts.records.get(`${target.reference}`)?.meta?.versionId;
}

/** By its record: what its token is depends on keys, and those may have changed. */
function nameOf({ target }: Plan): { readonly record: string } {
  return { record: `${target.reference}` };
}

/** The Binary first, then what names it, then the Binary that was named before: at no time is a Binary named that is not there. */
async function keep({ source, vault, config }: Deps, facts: Facts, plan: Put, known: Kept | undefined): Promise<void> {
  const { token, reference } = plan.target;
  const version = versionOf(facts, plan);
  if (!vault || reference === undefined || version === undefined) {
    return;
  }
  const sealed = vault.seal(JSON.stringify(facts.records.get(reference)), { token, version });
  const binary = await source.store(sealed, JOSE, reference);
  const formerTokens = [known?.token ?? '', ...(known?.formerTokens ?? [])].filter(
    (one) => one !== '' && one !== token
  );
  const { patientId } = facts;
  const payload: Payload = { record: reference, patientId, token, formerTokens, binary, version, kid: vault.kid };
  const basic = payloadBasic(config.systems, payload);
  // Whoever loses a race takes their Binary away, and looks again in the next round.
  const isOurs = known
    ? await source.replace({ ...basic, id: known.id }, known.versionId)
    : keptOf(config.systems, [await source.ensure(basic)], nameOf(plan))?.binary === binary;
  const superfluous = isOurs ? known?.binary : binary;
  if (superfluous !== undefined) {
    await source.discard(superfluous);
  }
}

async function forget({ source, config }: Deps, known: Kept | undefined): Promise<void> {
  if (known?.binary === undefined) {
    return;
  }
  const { record, patientId, token, formerTokens = [], id, versionId } = known;
  const basic = payloadBasic(config.systems, { record, patientId, token, formerTokens });
  if (await source.replace({ ...basic, id }, versionId)) {
    await source.discard(known.binary);
  }
}
