/** Nested provisions at every depth (rule 10): what a tree of rules says about one request. */
import type { Coding, ConsentProvision } from '@medplum/fhirtypes';
import type { Conditions } from './condition.ts';
import type { Stated } from './condition.ts';
import { inherit, matches, NONE, stated, states } from './condition.ts';
import type { SilenceReason } from './decision.ts';
import type { Inquiry } from './inquiry.ts';
import { oncePer } from './once.ts';
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

/** A provision made ready for many requests. */
interface Rule {
  readonly type: ConsentProvision['type'];
  readonly path: string;
  readonly own: Stated;
  readonly children: readonly Rule[];
  /** Its conditions with those of the parent, for the parent's that were asked for last. */
  merged: { readonly inherited: Stated; readonly all: Stated } | undefined;
}

/** Where in the tree a provision stands. */
interface Place {
  readonly inherited: Stated;
  /** A rule above states the purpose. */
  readonly isPurposeStated: boolean;
}

const ROOT: Place = { inherited: NONE, isPurposeStated: false };

const ruleOf = oncePer((root: ConsentProvision) => makeReady(root, 'provision'));

function makeReady(rule: ConsentProvision, path: string): Rule {
  return { type: rule.type, path, own: stated(rule), children: children(rule, { path }), merged: undefined };
}

function children(rule: ConsentProvision, place: { readonly path: string }): Rule[] {
  return (rule.provision ?? []).map((child, i) => makeReady(child, `${place.path}.provision[${i}]`));
}

function conditionsOf(rule: Rule, { inherited }: Place): Stated {
  if (inherited.tests.length === 0) {
    return rule.own;
  }
  if (rule.merged?.inherited !== inherited) {
    rule.merged = { inherited, all: inherit(inherited, rule.own) };
  }
  return rule.merged.all;
}

/**
 * What a root provision says.
 *
 * @param root - The provision, read as if its type were `kind`. It is made ready once: it must not change afterwards.
 * @param kind - Permit or deny.
 * @param inquiry - The request.
 * @returns The finding; path `provision` means that no nested rule changed it.
 */
export function readRoot(root: ConsentProvision, kind: Kind, inquiry: Inquiry): Finding {
  const rule = ruleOf(root);
  if (kind === 'permit') {
    return readPermit(rule, ROOT, inquiry);
  }
  const { truth, failing, lifted, finding } = readDeny(rule, ROOT, inquiry);
  if (!lifted) {
    return finding;
  }
  // An exception grants within the deny that it reverses, so the deny must certainly match. One that is limited to a label
  // only lifts: else restricted data would be permitted where normal data are not.
  const unsure = truth ? (states(root, 'securityLabel') ? 'securityLabel' : undefined) : failing;
  return unsure ? { ...finding, says: 'nothing', because: unsure } : lifted;
}

/**
 * A permit that applies stands unless a nested deny holds. One that does not apply is additive: nested rules are tested with
 * its conditions for whatever they do not state. A child without type restricts: it is read as a deny, and its own denies count too.
 */
function readPermit(rule: Rule, place: Place, inquiry: Inquiry): Finding {
  const all = conditionsOf(rule, place);
  const conditions = all.rule;
  const { truth, failing } = matches(all, 'permit', inquiry);
  let isPurposeStated = place.isPurposeStated || states(conditions, 'purpose');
  let granted: Finding | undefined;
  const labels = [...(conditions.securityLabel ?? [])];
  const below: Place = { inherited: truth ? NONE : all, isPurposeStated };
  for (const child of rule.children) {
    if (child.type !== 'permit') {
      const deny = readDeny(child, below, inquiry);
      if (deny.finding.says === 'deny' && !deny.lifted) {
        return deny.finding;
      }
      isPurposeStated ||= !!truth && !!deny.lifted && deny.truth === true && states(child.own.rule, 'purpose');
    }
    if (child.type !== 'deny') {
      const found = readPermit(child, below, inquiry);
      if (found.says === 'deny') {
        return found;
      }
      if (child.type === 'permit' && found.says === 'permit') {
        granted = betterOf(granted, found);
        labels.push(...(found.labels ?? []));
      }
    }
  }
  const own = { path: rule.path, conditions, kind: 'permit' } as const;
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
function readDeny(rule: Rule, place: Place, inquiry: Inquiry): DenyFinding {
  const all = conditionsOf(rule, place);
  const conditions = all.rule;
  const { truth, failing } = matches(all, 'deny', inquiry, rule.own.rule);
  const own = { path: rule.path, conditions, kind: 'deny' } as const;
  if (truth === false) {
    return { truth, failing, finding: { ...own, says: 'nothing', because: failing! } };
  }
  let lifted: Finding | undefined;
  let denied: Finding | undefined;
  const isPurposeStated = place.isPurposeStated || states(conditions, 'purpose');
  const below: Place = { inherited: NONE, isPurposeStated };
  for (const child of rule.children) {
    if (child.type === 'permit') {
      const found = readPermit(child, below, inquiry);
      lifted = found.says === 'permit' ? betterOf(lifted, found) : lifted;
      denied ??= found.says === 'deny' ? found : undefined;
    } else if (child.type === 'deny') {
      const deny = readDeny(child, below, inquiry);
      denied ??= deny.finding.says === 'deny' && !deny.lifted ? deny.finding : undefined;
    }
  }
  const finding: Finding = lifted && denied ? denied : { ...own, says: 'deny' };
  return { truth, failing, finding, ...(lifted && !denied && { lifted }) };
}
