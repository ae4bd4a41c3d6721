/** The base decision of one Consent (rules 7 and 8): root type, `policyRule`, or both readings of an untyped root. */
import type { Coding, Consent, ConsentProvision } from '@medplum/fhirtypes';
import { V3_ACT_CODE } from '../../fhir/systems.ts';
import type { Conditions } from './condition.ts';
import { states } from './condition.ts';
import { codesOf } from './coding.ts';
import type { DenyReason, PermitReason, SilenceReason } from './decision.ts';
import { DIMENSIONS } from './decision.ts';
import type { Elements } from './facts.ts';
import type { Inquiry } from './inquiry.ts';
import { isRegular } from './label.ts';
import { oncePer } from './once.ts';
import type { Finding } from './provision.ts';
import { readRoot } from './provision.ts';
import type { Kind } from './three-valued.ts';

const HREX_POLICY = /\/davinci-hrex\/.*#(?:regular|sensitive)$/;

/** What one Consent says, before the rules about whole Consents. */
export interface BaseFinding {
  readonly decision: 'permit' | 'deny' | 'no-consent';
  readonly reason: PermitReason | DenyReason | SilenceReason;
  readonly path?: string;
  readonly conditions?: Conditions;
  readonly kind?: Kind;
  /** Of a permit: the purpose is stated on its path, and the labels that it names. */
  readonly isPurposeStated?: boolean;
  readonly labels?: readonly Coding[];
}

/**
 * Whether a Consent holds something that must not be ignored.
 *
 * @param consent - The Consent.
 * @returns True if it has `implicitRules`, a `modifierExtension` at any depth, or a provision that is not built as R4 says.
 */
export function isModified(consent: Consent): boolean {
  return holdsModifier(consent);
}

const holdsModifier = oncePer(
  (consent: Consent) =>
    !!consent.implicitRules ||
    hasModifier(consent as unknown as Elements) ||
    !holdsOnly(consent, CONSENT_ELEMENTS) ||
    (consent.provision !== undefined && !isWellFormed(consent.provision))
);

/** What R4 does not have (`except` of STU3, `decision` of R5) may restrict; extensions of primitives start with an underscore. */
function holdsOnly(node: object, names: ReadonlySet<string>): boolean {
  return Object.keys(node).every((name) => names.has(name.replace(/^_/, '')));
}

const CONSENT_ELEMENTS: ReadonlySet<string> = new Set(
  (
    'resourceType id meta implicitRules language text contained extension modifierExtension identifier status scope category ' +
    'patient dateTime performer organization sourceAttachment sourceReference policy policyRule verification provision'
  ).split(' ')
);
const PROVISION_ELEMENTS: ReadonlySet<string> = new Set(['id', 'extension', 'type', 'provision', ...DIMENSIONS]);

/** R5 has a list of provisions and a `decision`; older servers store one object where R4 has a list. Neither can be read as R4. */
function isWellFormed(rule: ConsentProvision): boolean {
  const isList = (name: string): boolean => name !== 'period' && name !== 'dataPeriod';
  return (
    typeof rule === 'object' &&
    !Array.isArray(rule) &&
    holdsOnly(rule, PROVISION_ELEMENTS) &&
    [undefined, 'permit', 'deny'].includes(rule.type) &&
    ['provision' as const, ...DIMENSIONS].every(
      (name) => rule[name] === undefined || Array.isArray(rule[name]) === isList(name)
    ) &&
    (rule.provision ?? []).every(isWellFormed)
  );
}

function hasModifier(node: Elements): boolean {
  return (
    'modifierExtension' in node || Object.keys(node).some((name) => isObject(node[name]) && hasModifier(node[name]))
  );
}

function isObject(value: unknown): value is Elements {
  return typeof value === 'object' && value !== null;
}

/**
 * The `policy.uri` of a Consent that are only text to us.
 *
 * @param consent - The Consent.
 * @returns The URIs.
 */
export function textPolicies(consent: Consent): readonly string[] {
  return (consent.policy ?? []).flatMap(({ uri }) => (uri && !HREX_POLICY.test(uri) ? [uri] : []));
}

/**
 * Whether a Consent states a rule at all: a root type, or a policy that we know.
 *
 * @param consent - The Consent.
 * @returns False if there is nothing to interpret.
 */
export function statesRule(consent: Consent): boolean {
  return rootType(consent) !== undefined || policyOf(consent) !== undefined;
}

function rootType({ provision }: Consent): Kind | undefined {
  return provision?.type === 'permit' || provision?.type === 'deny' ? provision.type : undefined;
}

/**
 * The policy of a Consent, OPTIN* or OPTOUT*.
 *
 * @param consent - The Consent.
 * @returns Undefined for both at once, or OPTINR without the restriction that it announces: no policy that we understand.
 */
export function policyOf({ policyRule, provision }: Consent): Kind | undefined {
  const codes = codesOf(policyRule?.coding, V3_ACT_CODE);
  const isOptIn = codes.some((code) => code.startsWith('OPTIN'));
  const isOptOut = codes.some((code) => code.startsWith('OPTOUT'));
  const isUnseenRestriction = codes.includes('OPTINR') && isBare(provision ?? {}) && !provision?.type;
  return isOptIn === isOptOut || isUnseenRestriction ? undefined : isOptIn ? 'permit' : 'deny';
}

/** One OPTOUT among several policies is enough to contradict. */
function isOptedOut({ policyRule }: Consent): boolean {
  return codesOf(policyRule?.coding, V3_ACT_CODE).some((code) => code.startsWith('OPTOUT'));
}

/**
 * Whether a provision states a condition.
 *
 * @param root - The provision.
 * @returns False if it has a type and nested provisions at most.
 */
export function hasConditions(root: ConsentProvision): boolean {
  return DIMENSIONS.some((dimension) => states(root, dimension));
}

/**
 * Whether a provision says nothing but when.
 *
 * @param root - The provision.
 * @returns True if it has a type and a period at most.
 */
export function isBare(root: ConsentProvision): boolean {
  const { period: _period, ...rest } = root;
  return !hasConditions(rest) && !root.provision?.length;
}

/**
 * What the rules of a Consent say.
 *
 * @param consent - A Consent that states a rule.
 * @param inquiry - The request.
 * @returns The finding.
 */
export function readBase(consent: Consent, inquiry: Inquiry): BaseFinding {
  const found = readRules(consent, inquiry);
  const isRegularOnly = (consent.policy ?? []).some(
    ({ uri }) => uri && HREX_POLICY.test(uri) && uri.endsWith('#regular')
  );
  return found.decision === 'permit' && isRegularOnly && !isRegular(inquiry.labels)
    ? { ...found, decision: 'no-consent', reason: 'securityLabel' }
    : found;
}

function readRules(consent: Consent, inquiry: Inquiry): BaseFinding {
  const { provision: root = NO_ROOT } = consent;
  const type = rootType(consent);
  const policy = policyOf(consent);
  if (type) {
    return type === 'permit' && isOptedOut(consent) && isBare(root)
      ? { decision: 'deny', reason: 'policy-conflict', path: 'policyRule' }
      : stated(readRoot(root, type, inquiry), `root-${type}`, 'provision');
  }
  if (!policy) {
    return { decision: 'deny', reason: 'uninterpretable' };
  }
  if (!hasConditions(root)) {
    return stated(readRoot(root, policy, inquiry), 'policy-rule', 'policyRule');
  }
  const context = readRoot(root, policy, inquiry);
  const opposite = policy === 'permit' ? 'deny' : 'permit';
  const exception = readRoot(exceptionOf(root)[opposite], policy, inquiry);
  return bothReadings(context, exception);
}

/** A root read as an exception to the policy. */
const exceptionOf = oncePer((root: ConsentProvision) => ({
  permit: { provision: [{ ...root, type: 'permit' }] } satisfies ConsentProvision,
  deny: { provision: [{ ...root, type: 'deny' }] } satisfies ConsentProvision,
}));

const NO_ROOT: ConsentProvision = {};

/** A permit needs both readings; a deny needs one. */
function bothReadings(context: Finding, exception: Finding): BaseFinding {
  const said = [context.says, exception.says];
  const evidence = { ...grantOf(context), path: 'policyRule', conditions: context.conditions, kind: context.kind };
  if (said.includes('deny')) {
    return {
      ...evidence,
      decision: 'deny',
      reason: said.every((one) => one === 'deny') ? 'policy-rule' : 'ambiguous-root',
    };
  }
  const silent = context.says === 'nothing' ? context : exception;
  return silent.says === 'nothing'
    ? { ...evidence, decision: 'no-consent', reason: silent.because! }
    : { ...evidence, decision: 'permit', reason: 'policy-rule' };
}

function stated(
  finding: Finding,
  rootReason: 'root-permit' | 'root-deny' | 'policy-rule',
  rootPath: string
): BaseFinding {
  const { says, conditions, kind, because } = finding;
  const isRoot = finding.path === 'provision';
  const evidence = { ...grantOf(finding), path: isRoot ? rootPath : finding.path, conditions, kind };
  return says === 'nothing'
    ? { ...evidence, decision: 'no-consent', reason: because! }
    : { ...evidence, decision: says, reason: isRoot ? rootReason : 'nested-exception' };
}

function grantOf({ isPurposeStated = false, labels = [] }: Finding): Pick<BaseFinding, 'isPurposeStated' | 'labels'> {
  return { isPurposeStated, labels };
}
