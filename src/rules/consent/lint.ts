/** What is ambiguous in Consents, and how to write it: a closed list. Pure; says nothing of the data or the patient. */
import type { CodeableConcept, Coding, Consent, ConsentProvision } from '@medplum/fhirtypes';
import { V3_CONFIDENTIALITY } from '../../fhir/systems.ts';
import { CONSENT_ACTION } from './action.ts';
import { hasConditions, isBare, isModified, policyOf, statesRule } from './base.ts';
import { codesOf, codingsOf, normalSystem } from './coding.ts';
import { isNeverPermitting, SCOPE } from './standing.ts';

/** Every kind of finding; `advice.ts` says how to write each instead. */
export const LINT_CODES = [
  'untyped-root',
  'untyped-rule',
  'no-rule',
  'policy-conflict',
  'label-without-confidentiality',
  'label-on-unlabelled-data',
  'refusal-as-rejected',
  'no-scope',
  'scope-in-category',
  'no-purpose',
  'view-only',
  'category-never-permits',
  'uninterpretable',
] as const;
export type LintCode = (typeof LINT_CODES)[number];

/** One thing that is ambiguous. */
export interface LintFinding {
  /** The id of the Consent. */
  readonly consent: string;
  readonly code: LintCode;
  /** Where, as a FHIRPath. */
  readonly path: string;
}

/**
 * Looks for what can be read in more than one way.
 *
 * @param consents - All Consents of one patient.
 * @returns The findings, Consent by Consent.
 */
export function lint(consents: readonly Consent[]): LintFinding[] {
  const isPermitted = consents.some(({ status, provision }) => status === 'active' && provision?.type !== 'deny');
  return consents.flatMap((consent) => {
    const find = (code: LintCode, path: string): LintFinding => ({
      consent: consent.id ?? '',
      code,
      path: `Consent.${path}`,
    });
    if (consent.status === 'rejected' && isPermitted) {
      return [find('refusal-as-rejected', 'status')];
    }
    if (!['active', 'draft', 'proposed'].includes(consent.status)) {
      return [];
    }
    return isModified(consent)
      ? [find('uninterpretable', 'provision')]
      : [...ofConsent(consent, find), ...ofRule(consent.provision ?? {}, 'provision', find)];
  });
}

type Find = (code: LintCode, path: string) => LintFinding;

function ofConsent(consent: Consent, find: Find): LintFinding[] {
  const { scope, category, provision: root = {} } = consent;
  const policy = policyOf(consent);
  const hasScope = codesOf(scope?.coding, SCOPE).length > 0;
  const isScopeInCategory = codesOf(codingsOf(category), SCOPE).length > 0;
  const found: [boolean, LintCode, string][] = [
    [!hasScope, isScopeInCategory ? 'scope-in-category' : 'no-scope', 'scope'],
    [isNeverPermitting(consent), 'category-never-permits', 'category'],
    [!statesRule(consent), 'no-rule', 'provision.type'],
    [!root.type && !!policy && hasConditions(root), 'untyped-root', 'provision.type'],
    [root.type === 'permit' && policy === 'deny' && isBare(root), 'policy-conflict', 'policyRule'],
    [root.type === 'permit' && !statesPurpose(root), 'no-purpose', 'provision.purpose'],
  ];
  return found.filter(([is]) => is).map(([, code, path]) => find(code, path));
}

function ofRule(rule: ConsentProvision, path: string, find: Find): LintFinding[] {
  const { type, action, securityLabel = [], provision = [] } = rule;
  const isConfidentiality = ({ system }: Coding): boolean => normalSystem(system) === V3_CONFIDENTIALITY;
  const found: [boolean, LintCode, string][] = [
    [!type && path !== 'provision', 'untyped-rule', 'type'],
    [type === 'permit' && !!action?.length && !action.some(isDisclosure), 'view-only', 'action'],
    [
      securityLabel.length > 0,
      securityLabel.some(isConfidentiality) ? 'label-on-unlabelled-data' : 'label-without-confidentiality',
      'securityLabel',
    ],
  ];
  return [
    ...found.filter(([is]) => is).map(([, code, name]) => find(code, `${path}.${name}`)),
    ...provision.flatMap((child, i) => ofRule(child, `${path}.provision[${i}]`, find)),
  ];
}

function statesPurpose({ purpose, provision }: ConsentProvision): boolean {
  return !!purpose?.length || !!provision?.some((child) => child.type === 'permit' && statesPurpose(child));
}

function isDisclosure({ coding }: CodeableConcept): boolean {
  return codesOf(coding, CONSENT_ACTION).includes('disclose');
}
