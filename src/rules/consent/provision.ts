/** Nested provisions at every depth (rule 10): what a tree of rules says about one request. */
import type { Coding, ConsentProvision } from '@medplum/fhirtypes';
import type { Conditions } from './condition.ts';
import { inherit, matches, states } from './condition.ts';
import type { SilenceReason } from './decision.ts';
import type { Inquiry } from './inquiry.ts';
import type { Kind, Truth } from './three-valued.ts';

/** What a provision says, and the provision that decided it. */
export interface Finding {
  readonly says: 'permit' | 'deny' | 'nothing';
  readonly path: string;
  readonly conditions: Conditions;
  readonly kind: Kind;
  /** Why it says nothing. */
  readonly because?: SilenceReason;
  /** Of a permit: the requested purpose is stated on the path (rule 14). */
  readonly isPurposeStated?: boolean;
  /** Of a permit: the labels that it names, or that a permit nested in it names and that applies as well. */
  readonly labels?: readonly Coding[];
}

/** Where in the tree a provision stands. */
interface Place {
  readonly path: string;
  readonly inherited: Conditions;
  /** A rule above states the purpose. */
  readonly isPurposeStated: boolean;
}

const ROOT: Place = { path: 'provision', inherited: {}, isPurposeStated: false };

/**
 * What a root provision says.
 *
 * @param root - The provision, read as if its type were `kind`.
 * @param kind - Permit or deny.
 * @param inquiry - The request.
 * @returns The finding; path `provision` means that no nested rule changed it.
 */
export function readRoot(root: ConsentProvision, kind: Kind, inquiry: Inquiry): Finding {
  if (kind === 'permit') {
    return readPermit(root, ROOT, inquiry);
  }
  const { truth, failing, lifted, finding } = readDeny(root, ROOT, inquiry);
  if (!lifted) {
    return finding;
  }
  // An exception grants within the deny that it reverses, so the deny must certainly match. One that is limited to a label
  // only lifts: else restricted data would be permitted where normal data are not.
  const unsure = truth ? (states(root, 'securityLabel') ? 'securityLabel' : undefined) : failing;
  return unsure ? { ...finding, says: 'nothing', because: unsure } : lifted;
}

function children(rule: ConsentProvision, place: Place): [ConsentProvision, Place][] {
  return (rule.provision ?? []).map((child, i) => [child, { ...place, path: `${place.path}.provision[${i}]` }]);
}

/**
 * A permit that applies stands unless a nested deny holds. One that does not apply is additive: nested rules are tested with
 * its conditions for whatever they do not state. A child without type restricts: it is read as a deny, and its own denies count too.
 */
function readPermit(rule: ConsentProvision, place: Place, inquiry: Inquiry): Finding {
  const conditions = inherit(place.inherited, rule);
  const { truth, failing } = matches(conditions, 'permit', inquiry);
  let isPurposeStated = place.isPurposeStated || states(conditions, 'purpose');
  let granted: Finding | undefined;
  const labels = [...(conditions.securityLabel ?? [])];
  const below: Place = { path: place.path, inherited: truth ? {} : conditions, isPurposeStated };
  for (const [child, at] of children(rule, below)) {
    if (child.type !== 'permit') {
      const deny = readDeny(child, at, inquiry);
      if (deny.finding.says === 'deny' && !deny.lifted) {
        return deny.finding;
      }
      isPurposeStated ||= !!truth && !!deny.lifted && deny.truth === true && states(child, 'purpose');
    }
    if (child.type !== 'deny') {
      const found = readPermit(child, at, inquiry);
      if (found.says === 'deny') {
        return found;
      }
      if (child.type === 'permit' && found.says === 'permit') {
        granted = betterOf(granted, found);
        labels.push(...(found.labels ?? []));
      }
    }
  }
  const own = { path: place.path, conditions, kind: 'permit' } as const;
  return truth
    ? { ...own, says: 'permit', isPurposeStated, labels }
    : (granted ?? { ...own, says: 'nothing', because: failing! });
}

/** Of two permits that both apply, the one on whose path the purpose is stated; else the first. */
function betterOf(first: Finding | undefined, second: Finding): Finding {
  return first && (first.isPurposeStated || !second.isPurposeStated) ? first : second;
}

interface DenyFinding {
  readonly truth: Truth;
  readonly failing: SilenceReason | undefined;
  /** The permit that reverses it, if one does. */
  readonly lifted?: Finding;
  readonly finding: Finding;
}

/** A deny that may apply holds unless a nested permit applies and no nested deny beside it does. */
function readDeny(rule: ConsentProvision, place: Place, inquiry: Inquiry): DenyFinding {
  const conditions = inherit(place.inherited, rule);
  const { truth, failing } = matches(conditions, 'deny', inquiry, rule);
  const own = { path: place.path, conditions, kind: 'deny' } as const;
  if (truth === false) {
    return { truth, failing, finding: { ...own, says: 'nothing', because: failing! } };
  }
  let lifted: Finding | undefined;
  let denied: Finding | undefined;
  const isPurposeStated = place.isPurposeStated || states(conditions, 'purpose');
  for (const [child, at] of children(rule, { path: place.path, inherited: {}, isPurposeStated })) {
    if (child.type === 'permit') {
      const found = readPermit(child, at, inquiry);
      lifted = found.says === 'permit' ? betterOf(lifted, found) : lifted;
      denied ??= found.says === 'deny' ? found : undefined;
    } else if (child.type === 'deny') {
      const deny = readDeny(child, at, inquiry);
      denied ??= deny.finding.says === 'deny' && !deny.lifted ? deny.finding : undefined;
    }
  }
  const finding: Finding = lifted && denied ? denied : { ...own, says: 'deny' };
  return { truth, failing, finding, ...(lifted && !denied && { lifted }) };
}
