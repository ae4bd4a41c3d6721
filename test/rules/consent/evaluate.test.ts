/** The 25 rules of design/consent.md §2.1, each with own cases. */
import type { Consent, ConsentProvision, Resource } from '@medplum/fhirtypes';
import { describe, expect, test } from 'vitest';
import { evaluate } from '../../../src/rules/consent/evaluate.ts';
import type { ConsentRequest } from '../../../src/rules/consent/inquiry.ts';
import {
  aConsent,
  action,
  actor,
  anObservation,
  aRequest,
  category,
  concept,
  confidentiality,
  dataClass,
  labelled,
  loinc,
  ofType,
  policy,
  purpose,
  scope,
  sensitivity,
} from './builders.ts';

type Row = [sentence: string, consents: Consent | Consent[], request: Partial<ConsentRequest>, expected: string];

const permit: ConsentProvision = { type: 'permit' };
const deny: ConsentProvision = { type: 'deny' };
const YES = 'permit root-permit';
const NO = 'deny nested-exception';

/** A root permit with these conditions. */
const permits = (conditions: ConsentProvision, changes?: Partial<Consent>): Consent =>
  aConsent({ type: 'permit', ...conditions }, changes);
/** A root permit with a nested deny under these conditions. */
const denies = (conditions: ConsentProvision): Consent => permits({ provision: [{ type: 'deny', ...conditions }] });
const other = (consent: Consent, changes: Partial<Consent> = {}): Consent => ({ ...consent, id: 'c2', ...changes });
const resource = (value: object): Resource => value as Resource;
const observation = (changes: Parameters<typeof anObservation>[0]): Partial<ConsentRequest> => ({
  resource: anObservation(changes),
});

// One case a line.
// prettier-ignore
const RULES: Record<string, Row[]> = {
  '1 one patient': [
    ['a Patient names itself', permits({}), { resource: resource({ resourceType: 'Patient', id: '1' }) }, YES],
    ['another Patient is refused', permits({}), { resource: resource({ resourceType: 'Patient', id: '2' }) }, 'deny wrong-patient'],
    ['a second patient at any depth is refused', permits({}), observation({ focus: [{ reference: 'Patient/2' }] }), 'deny wrong-patient'],
    ['an absolute reference and a version are the same patient', permits({}), observation({ subject: { reference: 'https://e.org/fhir/Patient/1/_history/4' } }), YES],
    ['a patient known only by identifier may be another', permits({}), observation({ focus: [{ type: 'Patient', identifier: { value: 'x' } }] }), 'deny wrong-patient'],
    ['a conditional reference may be another patient', permits({}), observation({ focus: [{ reference: 'Patient?identifier=x' }] }), 'deny wrong-patient'],
    ['a contained Patient may be another', permits({}), observation({ contained: [{ resourceType: 'Patient', id: 'p' }] }), 'deny wrong-patient'],
    ['data that name nobody are refused', permits({}), { resource: resource({ resourceType: 'Medication', id: 'm' }) }, 'deny wrong-patient'],
    ['a Consent of another patient says nothing', aConsent(deny, { patient: { reference: 'Patient/2' } }), {}, 'no-consent patient'],
    ['the performer of a Consent may be anybody', permits({}, { performer: [{ reference: 'Patient/mother' }] }), {}, YES],
  ],
  '2 purpose tags on the data': [
    ['data tagged for another purpose are refused', permits({}), { resource: labelled(confidentiality('N'), purpose('HRESCH')) }, 'deny data-purpose-conflict'],
    ['data tagged for a broader purpose go', permits({}), { purpose: 'COC', resource: labelled(confidentiality('N'), purpose('TREAT')) }, YES],
    ['one fitting tag of two is enough', permits({}), { resource: labelled(confidentiality('N'), purpose('TREAT'), purpose('HRESCH')) }, YES],
    ['HTEST is no purpose tag', permits({}), { resource: labelled(confidentiality('N'), purpose('HTEST')) }, YES],
  ],
  '3 only active Consents count': [...(['inactive', 'rejected', 'draft', 'proposed', 'entered-in-error'] as const).map((status): Row => [`${status} neither permits nor denies`, aConsent(deny, { status }), {}, 'no-consent status'])],
  '4 a Consent that is not yet given': [
    ['a future permit is silent', permits({}, { dateTime: '2024-06-02' }), {}, 'no-consent not-yet-given'],
    ['a future deny is silent as well', aConsent(deny, { dateTime: '2024-06-02' }), {}, 'no-consent not-yet-given'],
    ['one of today is given', permits({}, { dateTime: '2024-06-01' }), {}, YES],
    ['data older than the statement are not excluded', permits({}, { dateTime: '2024-05-01' }), {}, YES],
    ['a permit of an unreadable date is silent', permits({}, { dateTime: '2024-02-31' }), {}, 'no-consent not-yet-given'],
    ['a deny of an unreadable date denies', aConsent(deny, { dateTime: '2024-02-31' }), {}, 'deny root-deny'],
  ],
  '5 scope': [
    ['a deny of scope treatment does not touch sharing', aConsent(deny, { scope: scope('treatment') }), {}, 'no-consent scope'],

    ['research covers research', permits({}, { scope: scope('research') }), { purpose: 'CLINTRCH' }, YES],
    ['research does not cover treatment', permits({}, { scope: scope('research') }), {}, 'no-consent scope'],
    ['a research deny does not touch treatment', aConsent(deny, { scope: scope('research') }), {}, 'no-consent scope'],
    ['research covers a project purpose of another system', permits({ purpose: [{ system: 'urn:x', code: 'P' }] }, { scope: scope('research') }), { purpose: { system: 'urn:x', code: 'P' } }, YES],
    ['treatment never covers', permits({}, { scope: scope('treatment') }), {}, 'no-consent scope'],
    ['without scope a permit does not count', permits({}, { scope: { text: 'privacy' } }), {}, 'no-consent scope'],
    ['without scope a deny counts', aConsent(deny, { scope: { text: 'privacy' } }), {}, 'deny root-deny'],
    ['a scope in the category is accepted', permits({}, { scope: {}, category: [scope('patient-privacy'), category('infa')] }), {}, YES],
  ],
  '6 category': [
    ...['npp', 'acd', 'dnr', 'hcd', 'polst'].map((code): Row => [`${code} alone never permits`, permits({}, { category: [category(code)] }), {}, 'no-consent category']),
    ['npp beside a sharing category permits', permits({}, { category: [category('npp'), category('infa')] }), {}, YES],
    ['a deny in a notice still denies', aConsent(deny, { category: [category('npp')] }), {}, 'deny root-deny'],
    ['an acknowledged notice without any rule is silent', aConsent(undefined, { category: [category('npp')] }), {}, 'no-consent category'],
    ['a notice that does not match is a notice', permits({ actor: [actor('IRCP', 'Organization/A')] }, { category: [category('npp')] }), { actor: ['Organization/B'] }, 'no-consent category'],
  ],
  '7 what cannot be interpreted': [
    ['a modifierExtension in a nested rule', permits({ provision: [{ type: 'permit', modifierExtension: [{ url: 'urn:not' }] }] }), {}, 'deny uninterpretable'],
    ['implicitRules', permits({}, { implicitRules: 'urn:rules' }), {}, 'deny uninterpretable'],
    ['neither type nor policy', aConsent({ period: { start: '2020' } }), {}, 'deny uninterpretable'],
    ['an unknown policy', aConsent(undefined, { policyRule: policy('HIPAASelfPay') }), {}, 'deny uninterpretable'],
    ['opting in and out at once', aConsent(undefined, { policyRule: { coding: [...policy('OPTIN').coding!, ...policy('OPTOUT').coding!] } }), {}, 'deny uninterpretable'],
    ['opting in with restrictions that are not there', aConsent(undefined, { policyRule: policy('OPTINR') }), {}, 'deny uninterpretable'],
  ],
  '8 the base decision': [
    ['HRex #regular does not cover sensitive data', permits({}, { policy: [{ uri: 'http://hl7.org/fhir/us/davinci-hrex/StructureDefinition-hrex-consent.html#regular' }] }), { resource: labelled(confidentiality('N'), sensitivity('HIV')) }, 'no-consent securityLabel'],

    ['a root type beats OPTIN', aConsent(deny, { policyRule: policy('OPTIN') }), {}, 'deny root-deny'],
    ['OPTOUT with a bare permit is a conflict', permits({ period: { start: '2020' } }, { policyRule: policy('OPTOUT') }), {}, 'deny policy-conflict'],
    ['OPTOUT with a permit under a condition is an exception', permits({ class: [ofType('Observation')] }, { policyRule: policy('OPTOUT') }), {}, YES],
    ['OPTIN alone permits', aConsent(undefined, { policyRule: policy('OPTIN') }), {}, 'permit policy-rule'],
    ['OPTOUT alone denies', aConsent(undefined, { policyRule: policy('OPTOUT') }), {}, 'deny policy-rule'],
    ['OPTIN with a nested deny', aConsent({ provision: [{ type: 'deny', class: [ofType('Observation')] }] }, { policyRule: policy('OPTIN') }), {}, NO],
    ['OPTOUT with a nested permit', aConsent({ provision: [{ type: 'permit', class: [ofType('Observation')] }] }, { policyRule: policy('OPTOUT') }), {}, 'permit nested-exception'],
    ['an untyped root that matches has two readings', aConsent({ class: [ofType('Observation')] }, { policyRule: policy('OPTIN') }), {}, 'deny ambiguous-root'],
    ['an untyped root that does not match permits in one reading only', aConsent({ class: [ofType('Encounter')] }, { policyRule: policy('OPTIN') }), {}, 'no-consent class'],
    ['an untyped root under OPTOUT that does not match', aConsent({ class: [ofType('Encounter')] }, { policyRule: policy('OPTOUT') }), {}, 'deny ambiguous-root'],
    ['both readings permit', aConsent({ class: [ofType('Observation')], provision: [{ type: 'permit', action: [action('disclose')] }] }, { policyRule: policy('OPTIN') }), {}, 'permit policy-rule'],
    ['both readings deny', aConsent({ class: [ofType('Observation')], action: [action('access')] }, { policyRule: policy('OPTOUT') }), {}, 'deny policy-rule'],
    ['HRex #regular does not cover restricted data', permits({}, { policy: [{ uri: 'http://hl7.org/fhir/us/davinci-hrex/StructureDefinition-hrex-consent.html#regular' }] }), { resource: labelled(confidentiality('R')) }, 'no-consent securityLabel'],
    ['HRex #regular does not cover unlabelled data', permits({}, { policy: [{ uri: 'http://hl7.org/fhir/us/davinci-hrex/StructureDefinition-hrex-consent.html#regular' }] }), { resource: labelled() }, 'no-consent securityLabel'],
    ['HRex #regular covers normal data', permits({}, { policy: [{ uri: 'http://hl7.org/fhir/us/davinci-hrex/StructureDefinition-hrex-consent.html#regular' }] }), {}, YES],
    ['another policy URI is text', permits({}, { policy: [{ uri: 'http://e.org/#regular' }] }), { resource: labelled(confidentiality('R')) }, YES],
  ],
  '9 AND across elements, OR within one': [
    ['one of two listed classes', permits({ class: [ofType('Encounter'), ofType('Observation')] }), {}, YES],
    ['class holds and code does not', permits({ class: [ofType('Observation')], code: [loinc('1-1')] }), {}, 'no-consent code'],
    ['halves of two Consents do not add up', [permits({ class: [ofType('Observation')], code: [loinc('1-1')] }), other(permits({ class: [ofType('Encounter')], code: [loinc('2339-0')] }))], {}, 'no-consent code'],
  ],
  '10 nesting': [
    ['a nested deny is not narrowed by a permit that applies', permits({ dataPeriod: { start: '2020' }, provision: [{ type: 'deny', class: [ofType('Patient')] }] }), { resource: resource({ resourceType: 'Patient', id: '1' }) }, NO],
    ['a child without type never grants', permits({ class: [ofType('Encounter')], provision: [{ class: [ofType('Patient')], dataPeriod: { start: '2020' } }] }), { resource: resource({ resourceType: 'Patient', id: '1' }) }, 'no-consent class'],
    ['it restricts even then', permits({ class: [ofType('Encounter')], provision: [{ code: [loinc('9-9')], class: [ofType('Observation')], provision: [] }] }), observation({ code: loinc('9-9') }), NO],

    ['an exception to an exception', permits({ provision: [{ ...deny, provision: [{ type: 'permit', code: [loinc('2339-0')] }] }] }), {}, YES],
    ['an exception of the exception to an exception', permits({ provision: [{ ...deny, provision: [{ type: 'permit', code: [loinc('2339-0')], provision: [{ type: 'deny', class: [ofType('Observation')] }] }] }] }), {}, NO],
    ['a nested permit reverses a root deny', aConsent({ ...deny, provision: [{ type: 'permit', class: [ofType('Observation')] }] }), {}, 'permit nested-exception'],
    [
      'siblings disagree and the deny wins',
      aConsent({
        ...deny,
        provision: [
          { type: 'permit', class: [ofType('Observation')] },
          { type: 'deny', code: [loinc('2339-0')] },
        ],
      }),
      {},
      NO,
    ],
    ['a deny nested in a deny stays the root deny', aConsent({ ...deny, provision: [{ type: 'deny', class: [ofType('Observation')] }] }), {}, 'deny root-deny'],
    ['a permit nested in a deny that is nested in a deny does not lift the outer one', aConsent({ ...deny, provision: [{ ...deny, provision: [permit] }] }), {}, 'deny root-deny'],
    ['a child without type restricts a permit', permits({ provision: [{ class: [ofType('Observation')] }] }), {}, NO],
    ['a child without type does nothing under a deny', aConsent({ ...deny, provision: [{ class: [ofType('Observation')] }] }), {}, 'deny root-deny'],
    ['a deny inside a child without type counts', permits({ provision: [{ class: [ofType('Encounter')], provision: [{ type: 'deny', class: [ofType('Observation')] }] }] }), {}, NO],
    ['a nested permit is additive to one that does not apply', permits({ securityLabel: [confidentiality('N')], provision: [{ type: 'permit', securityLabel: [confidentiality('R')] }] }), { resource: labelled(confidentiality('R')) }, 'permit nested-exception'],
    ['and keeps the conditions that it does not state', permits({ class: [ofType('Encounter')], purpose: [purpose('TREAT')], provision: [{ type: 'permit', purpose: [purpose('TREAT')] }] }), {}, 'no-consent class'],
    ['a deny nested in a permit that does not apply', permits({ securityLabel: [confidentiality('N')], provision: [{ type: 'deny', securityLabel: [confidentiality('R')] }] }), { resource: labelled(confidentiality('R')) }, NO],
    ['a deny in a same-type child counts', permits({ provision: [{ type: 'permit', provision: [deny] }] }), {}, NO],
    ['the children of a deny that does not apply say nothing', aConsent({ type: 'deny', class: [ofType('Encounter')], provision: [permit] }), {}, 'no-consent class'],
    ['an exception to a deny that may not apply does not permit', aConsent({ type: 'deny', actor: [actor('IRCP', 'Organization/A')], provision: [permit] }), {}, 'no-consent actor'],
    ['an exception to a denied label lifts it without granting', aConsent({ type: 'deny', securityLabel: [confidentiality('R')], provision: [permit] }), { resource: labelled(confidentiality('R')) }, 'no-consent securityLabel'],
  ],
  '11 a root condition that fails': [
    ['is named by the first dimension that does not hold, unknown or not', permits({ actor: [actor('IRCP', 'Organization/A')], class: [ofType('Encounter')] }), {}, 'no-consent actor'],

    ['is silence, not a deny', permits({ purpose: [purpose('HPAYMT')] }), {}, 'no-consent purpose'],
    ['of a deny as well', aConsent({ type: 'deny', purpose: [purpose('HPAYMT')] }), {}, 'no-consent purpose'],
  ],
  '12 period': [
    ['a zone west of Greenwich', permits({ period: { start: '2024-06-01T10:00:00-03:00' } }), {}, 'no-consent period'],

    ['the end is the whole day', permits({ period: { end: '2024-06-01' } }), { at: '2024-06-01T23:59:59Z' }, YES],
    ['and no longer', permits({ period: { end: '2024-06-01' } }), { at: '2024-06-02T00:00:00Z' }, 'no-consent period'],
    ['the start is at midnight', permits({ period: { start: '2024-06-01' } }), { at: '2024-06-01T00:00:00Z' }, YES],
    ['partial dates are ranges', permits({ period: { start: '2024', end: '2024-06' } }), {}, YES],
    ['in the zone of the project', permits({ period: { end: '2024-05-31' } }), { at: '2024-06-01T02:00:00Z', utcOffsetMinutes: -180 }, YES],
    ['an instant has its own zone', permits({ period: { start: '2024-06-01T13:00:00+01:00' } }), {}, YES],
    ['a reversed period does not permit', permits({ period: { start: '2025', end: '2023' } }), {}, 'no-consent period'],
    ['a reversed period denies', denies({ period: { start: '2025', end: '2023' } }), {}, NO],
  ],
  '13 purpose': [
    ['below a listed code', permits({ purpose: [purpose('TREAT')] }), { purpose: 'ERTREAT' }, YES],
    ['not above it', permits({ purpose: [purpose('ETREAT')] }), {}, 'no-consent purpose'],
    ...['BTG', 'CLINTRL', 'POPHLTH'].flatMap((code): Row[] => [
      [`${code} is not reached from TREAT`, permits({ purpose: [purpose('TREAT'), purpose('ETREAT')] }), { purpose: code }, 'no-consent purpose'],
      [`${code} can be named`, permits({ purpose: [purpose(code)] }), { purpose: code }, YES],
      [`a denied ${code} does not stop treatment`, denies({ purpose: [purpose(code)] }), {}, YES],
    ]),
    ['a deny stops a broader request', permits({ purpose: [purpose('HRESCH')], provision: [{ type: 'deny', purpose: [purpose('BIORCH')] }] }), { purpose: 'HRESCH' }, NO],
    ['a denied code that we do not know stops everything', denies({ purpose: [purpose('NEWCODE')] }), {}, NO],
    ['another system is exact', permits({ purpose: [{ system: 'urn:x', code: 'P' }] }), { purpose: { system: 'urn:x', code: 'P' } }, YES],
    ["the seeds' CARE is TREAT", permits({ purpose: [{ system: 'https://holilabs.xyz/fhir/purpose', code: 'CARE' }] }), { purpose: 'CARE' }, YES],
    ['a spelling of hl7.org/fhir/v3', permits({ purpose: [{ system: 'http://hl7.org/fhir/v3/ActReason', code: 'TREAT' }] }), {}, YES],
    ['a spelling as OID', denies({ purpose: [{ system: 'urn:oid:2.16.840.1.113883.5.8', code: 'TREAT' }] }), {}, NO],
  ],
  '14 a purpose outside treatment is stated': [
    ['scope research does not state a project purpose', permits({}, { scope: scope('research') }), { purpose: { system: 'urn:x', code: 'P' } }, 'no-consent purpose-not-stated'],
    ['a purpose stated only inside an exception of an exception', permits({ provision: [{ ...deny, provision: [{ type: 'permit', purpose: [purpose('HPAYMT')] }] }] }), { purpose: 'HPAYMT' }, 'no-consent purpose-not-stated'],
    ['a narrower purpose stated by an excepted deny', permits({ provision: [{ type: 'deny', purpose: [purpose('BIORCH')], provision: [permit] }] }), { purpose: 'HRESCH' }, 'no-consent purpose-not-stated'],

    ['payment is not fed by a general permit', permits({}), { purpose: 'HPAYMT' }, 'no-consent purpose-not-stated'],
    ['emergency treatment is treatment', permits({}), { purpose: 'ETREAT' }, YES],
    ['BTG is not', permits({}), { purpose: 'BTG' }, 'no-consent purpose-not-stated'],
    ['scope research states research', permits({}, { scope: scope('research') }), { purpose: 'BIORCH' }, YES],
    ['a nested permit may state it', aConsent({ ...deny, provision: [{ type: 'permit', purpose: [purpose('HRESCH')] }] }), { purpose: 'HRESCH' }, 'permit nested-exception'],
    ['a nested permit that does not', aConsent({ ...deny, provision: [permit] }), { purpose: 'HRESCH' }, 'no-consent purpose-not-stated'],
    ['of two nested permits the one that states it', aConsent({ ...deny, provision: [permit, { type: 'permit', purpose: [purpose('HRESCH')] }] }), { purpose: 'HRESCH' }, 'permit nested-exception'],
    ['a deny that states it and is excepted', permits({ provision: [{ type: 'deny', purpose: [purpose('HPAYMT')], provision: [{ type: 'permit', class: [ofType('Observation')] }] }] }), { purpose: 'HPAYMT' }, YES],
    ['OPTIN alone does not state it', aConsent(undefined, { policyRule: policy('OPTIN') }), { purpose: 'HRESCH' }, 'no-consent purpose-not-stated'],
  ],
  '15 actor': [
    ["HRex's performer is the custodian", permits({ actor: [{ role: concept('http://terminology.hl7.org/CodeSystem/provenance-participant-type', 'performer'), reference: { reference: 'Organization/A' } }] }), observation({ meta: { source: 'https://e.org/fhir/Organization/A' } }), YES],

    ['one of the references of the requester', permits({ actor: [actor('IRCP', 'Organization/A')] }), { actor: ['Practitioner/1', 'https://e.org/Organization/A'] }, YES],
    ['a nobody is unknown to a permit', permits({ actor: [actor('IRCP', 'Organization/A')] }), {}, 'no-consent actor'],
    ['and to a deny', denies({ actor: [actor('IRCP', 'Organization/A')] }), {}, NO],
    ['without role code: a recipient', permits({ actor: [{ role: {}, reference: { reference: 'Organization/A' } }] }), { actor: ['Organization/A'] }, YES],
    ['an unknown role does not grant', permits({ actor: [actor('HPOWATT', 'Organization/A')] }), { actor: ['Organization/A'] }, 'no-consent actor'],
    ['an unknown role denies', denies({ actor: [actor('HPOWATT', 'Organization/A')] }), { actor: ['Organization/B'] }, NO],
    ['every role family holds for a permit', permits({ actor: [actor('IRCP', 'Organization/A'), actor('AUT', 'Practitioner/9')] }), { actor: ['Organization/A'], ...observation({ performer: [{ reference: 'Practitioner/8' }] }) }, 'no-consent actor'],
    ['one is enough for a deny', denies({ actor: [actor('IRCP', 'Organization/A'), actor('AUT', 'Practitioner/9')] }), { actor: ['Organization/A'], ...observation({ performer: [{ reference: 'Practitioner/8' }] }) }, NO],
    ['the custodian of the data', permits({ actor: [actor('CST', 'Organization/A')] }), { resource: resource({ resourceType: 'Encounter', id: 'e', subject: { reference: 'Patient/1' }, serviceProvider: { reference: 'Organization/A' } }) }, YES],
    ['the source of the data', permits({ actor: [actor('CST', 'Organization/A')] }), observation({ meta: { source: 'https://e.org/fhir/Organization/A' } }), YES],
    ['a source that is no resource leaves the custodian unknown', denies({ actor: [actor('CST', 'Organization/A')] }), observation({ meta: { source: 'urn:x' } }), NO],
    ['the performer of an order is not its author', permits({ actor: [actor('AUT', 'Practitioner/9')] }), { resource: resource({ resourceType: 'ServiceRequest', id: 's', intent: 'order', subject: { reference: 'Patient/1' }, requester: { reference: 'Practitioner/8' }, performer: [{ reference: 'Practitioner/9' }] }) }, 'no-consent actor'],
    ['the actor behind a performer', permits({ actor: [actor('AUT', 'Practitioner/9')] }), { resource: resource({ resourceType: 'Procedure', id: 'p', subject: { reference: 'Patient/1' }, performer: [{ actor: { reference: 'Practitioner/9' } }] }) }, YES],
  ],
  '16 action': [
    ['disclose permits a copy', permits({ action: [action('access'), action('disclose')] }), {}, YES],
    ...['access', 'collect', 'use', 'correct'].flatMap((code): Row[] => [
      [`${code} alone does not`, permits({ action: [action(code)] }), {}, 'no-consent action'],
      [`a denied ${code} stops a copy`, denies({ action: [action(code)] }), {}, NO],
    ]),
    ['correct meets viewing', permits({ action: [action('correct')] }), { action: 'access' }, YES],
    ['disclose does not meet viewing', permits({ action: [action('disclose')] }), { action: 'access' }, 'no-consent action'],
    ['a denied collect does not stop viewing', denies({ action: [action('collect')] }), { action: 'access' }, YES],
    ['an action in words only is unknown', denies({ action: [{ text: 'x' }] }), { action: 'access' }, NO],
  ],
  '17 security labels': [
    ['a permit covers up to its label', permits({ securityLabel: [confidentiality('R')] }), {}, YES],
    ['and not above', permits({ securityLabel: [confidentiality('N')] }), { resource: labelled(confidentiality('R')) }, 'no-consent securityLabel'],
    ['the highest label counts', permits({ securityLabel: [confidentiality('N')] }), { resource: labelled(confidentiality('N'), confidentiality('V')) }, 'no-consent securityLabel'],
    ['a deny covers its label and above', denies({ securityLabel: [confidentiality('R')] }), { resource: labelled(confidentiality('V')) }, NO],
    ['and not below', denies({ securityLabel: [confidentiality('R')] }), {}, YES],
    ['unlabelled data are unassessed for a permit', permits({ securityLabel: [confidentiality('N')] }), { resource: labelled() }, 'no-consent securityLabel'],
    ['and for a deny', denies({ securityLabel: [confidentiality('V')] }), { resource: labelled() }, NO],
    ['every sensitivity is covered', permits({ securityLabel: [sensitivity('PSY')] }), { resource: labelled(confidentiality('R'), sensitivity('PSY'), sensitivity('HIV')) }, 'no-consent securityLabel'],
    ['a sensitivity below a listed one is', permits({ securityLabel: [sensitivity('ETH')] }), { resource: labelled(confidentiality('R'), sensitivity('ETHUD')) }, YES],
    ['SUD is above ETHUD as well', denies({ securityLabel: [sensitivity('SUD')] }), { resource: labelled(confidentiality('R'), sensitivity('ETHUD')) }, NO],
    ['a denied label below that of the data is unknown', denies({ securityLabel: [sensitivity('ETHUD')] }), { resource: labelled(confidentiality('R'), sensitivity('ETH')) }, NO],
    ['an unrelated sensitivity is not denied', denies({ securityLabel: [sensitivity('HIV')] }), { resource: labelled(confidentiality('R'), sensitivity('SEX')) }, YES],
    ['a sensitivity that we do not know may be the denied one', denies({ securityLabel: [sensitivity('HIV')] }), { resource: labelled(confidentiality('R'), sensitivity('NEWCODE')) }, NO],
    ['confidentiality and sensitivity both hold', permits({ securityLabel: [confidentiality('N'), sensitivity('PSY')] }), { resource: labelled(confidentiality('V'), sensitivity('PSY')) }, 'no-consent securityLabel'],
    ['a permit for a sensitivity says nothing of data without', permits({ securityLabel: [sensitivity('PSY')] }), {}, 'no-consent securityLabel'],
    ['other systems are equal or not', denies({ securityLabel: [{ system: 'urn:x', code: 'a' }] }), { resource: labelled(confidentiality('N'), { system: 'urn:x', code: 'b' }) }, YES],
    ['the ValueSet of sensitivities is ActCode', denies({ securityLabel: [{ system: 'http://terminology.hl7.org/ValueSet/v3-InformationSensitivityPolicy', code: 'HIV' }] }), { resource: labelled(confidentiality('R'), sensitivity('HIV')) }, NO],
    ['the label of a document is a label', permits({ securityLabel: [confidentiality('N')] }), { resource: resource({ resourceType: 'DocumentReference', id: 'd', subject: { reference: 'Patient/1' }, meta: { security: [confidentiality('N')] }, securityLabel: [{ coding: [confidentiality('V')] }] }) }, 'no-consent securityLabel'],
    ['the confidentiality of a Composition is a label', denies({ securityLabel: [confidentiality('R')] }), { resource: resource({ resourceType: 'Composition', id: 'd', subject: { reference: 'Patient/1' }, confidentiality: 'R' }) }, NO],
  ],
  '18 class': [
    ['a profile', permits({ class: [{ system: 'urn:ietf:rfc:3986', code: 'http://e.org/p' }] }), observation({ meta: { profile: ['http://e.org/p|1.0'] } }), YES],
    ['a media type', denies({ class: [{ system: 'urn:ietf:bcp:13', code: 'application/pdf' }] }), { resource: resource({ resourceType: 'DocumentReference', id: 'd', subject: { reference: 'Patient/1' }, content: [{ attachment: { contentType: 'text/plain' } }, { attachment: { contentType: 'Application/PDF; q=1' } }] }) }, NO],
    ['an unknown system does not permit', permits({ class: [{ system: 'urn:x', code: 'Observation' }] }), {}, 'no-consent class'],
    ['an unknown system denies', denies({ class: [{ system: 'urn:x', code: 'Observation' }] }), {}, NO],
    ['every resource is a Resource', denies({ class: [ofType('Resource')] }), {}, NO],
    ['our class of the data', permits({ class: [dataClass('LAB_RESULTS')] }), {}, YES],
    ['another class of ours', permits({ class: [dataClass('VITAL_SIGNS')] }), {}, 'no-consent class'],
    ['a resource of two classes needs both', permits({ class: [dataClass('LAB_RESULTS')] }), observation({ code: loinc('8867-4') }), 'no-consent class'],
    ['and has them', permits({ class: [dataClass('LAB_RESULTS'), dataClass('VITAL_SIGNS')] }), observation({ code: loinc('8867-4') }), YES],
    ['one denied class of two denies', denies({ class: [dataClass('VITAL_SIGNS')] }), observation({ code: loinc('8867-4') }), NO],
    ['what cannot be classified is of an unknown class', denies({ class: [dataClass('VITAL_SIGNS')] }), observation({ category: [], code: loinc('1-1') }), NO],
    ['a Consent without class is not restricted by class', permits({}), observation({ category: [], code: loinc('1-1') }), YES],
  ],
  '19 code': [
    ['a permit looks at the principal code', permits({ code: [loinc('2339-0')] }), {}, YES],
    ['and nowhere else', permits({ code: [loinc('9-9')] }), observation({ valueCodeableConcept: loinc('9-9') }), 'no-consent code'],
    ['a deny looks everywhere', denies({ code: [loinc('9-9')] }), observation({ component: [{ code: loinc('9-9') }] }), NO],
    ['a trailing slash in the system', denies({ code: [concept('http://loinc.org/', '2339-0')] }), {}, NO],
    ['a medication that is only referenced is unknown', denies({ code: [loinc('9-9')] }), { resource: resource({ resourceType: 'MedicationRequest', id: 'm', intent: 'order', subject: { reference: 'Patient/1' }, medicationReference: { reference: 'Medication/1' } }) }, NO],
    ['a contained medication is known', denies({ code: [loinc('9-9')] }), { resource: resource({ resourceType: 'MedicationRequest', id: 'm', intent: 'order', subject: { reference: 'Patient/1' }, contained: [{ resourceType: 'Medication', id: 'x', code: loinc('1-1') }], medicationReference: { reference: '#x' } }) }, YES],
    ['data coded in words only are unknown', denies({ code: [loinc('9-9')] }), observation({ code: { text: 'x' } }), NO],
    ['a policy code is no content code', permits({ code: [concept('urn:oid:2.16.840.1.113883.3.1937.777.24.5.3', '2.16.840.1.113883.3.1937.777.24.5.3.8')] }), {}, 'no-consent code'],
  ],
  '20 dataPeriod': [
    ['wholly inside', permits({ dataPeriod: { start: '2022-06', end: '2022-06-13' } }), {}, YES],
    ['a partial date reaching outside', permits({ dataPeriod: { start: '2022-02', end: '2022-12' } }), observation({ effectiveDateTime: '2022' }), 'no-consent dataPeriod'],
    ['an open interval reaches outside', permits({ dataPeriod: { end: '2023' } }), { resource: resource({ resourceType: 'Encounter', id: 'e', subject: { reference: 'Patient/1' }, period: { start: '2022' } }) }, 'no-consent dataPeriod'],
    ['undated data are not permitted', permits({ dataPeriod: { start: '2000' } }), { resource: resource({ resourceType: 'Observation', id: 'o', code: loinc('1-1'), subject: { reference: 'Patient/1' } }) }, 'no-consent dataPeriod'],
    ['undated data are denied', denies({ dataPeriod: { start: '2050' } }), { resource: resource({ resourceType: 'Observation', id: 'o', code: loinc('1-1'), subject: { reference: 'Patient/1' } }) }, NO],
    ['a deny hits an interval that contains its window', denies({ dataPeriod: { start: '2022-03', end: '2022-04' } }), { resource: resource({ resourceType: 'Procedure', id: 'p', subject: { reference: 'Patient/1' }, performedPeriod: { start: '2022-01', end: '2022-12' } }) }, NO],
    ['a deny hits lastUpdated', denies({ dataPeriod: { start: '2024' } }), observation({ meta: { lastUpdated: '2024-03-01T00:00:00Z' } }), NO],
    ['a deny misses data outside', denies({ dataPeriod: { start: '2024' } }), {}, YES],
    ['a Patient passes a permit', permits({ dataPeriod: { start: '2024' } }), { resource: resource({ resourceType: 'Patient', id: '1', birthDate: '1980-01-01' }) }, YES],
    ['a Patient is not hit by a deny', denies({ dataPeriod: { start: '1970' } }), { resource: resource({ resourceType: 'Patient', id: '1', birthDate: '1980-01-01' }) }, YES],
    ['every event of a Timing counts', permits({ dataPeriod: { start: '2022' } }), observation({ effectiveDateTime: undefined as never, effectiveTiming: { event: ['2022-01-01', '2021-01-01'] } }), 'no-consent dataPeriod'],
  ],
  '21 data': [
    ['the instance', permits({ data: [{ meaning: 'instance', reference: { reference: 'Observation/o1' } }] }), {}, YES],
    ['another instance', permits({ data: [{ meaning: 'instance', reference: { reference: 'Observation/o2' } }] }), {}, 'no-consent data'],
    ['related: data of the encounter', permits({ data: [{ meaning: 'related', reference: { reference: 'Encounter/e' } }] }), observation({ encounter: { reference: 'Encounter/e' } }), YES],
    ['related: not data of an order', permits({ data: [{ meaning: 'related', reference: { reference: 'ServiceRequest/s' } }] }), observation({ basedOn: [{ reference: 'ServiceRequest/s' }] }), 'no-consent data'],
    ['denied related: data of an order as well', denies({ data: [{ meaning: 'related', reference: { reference: 'ServiceRequest/s' } }] }), observation({ basedOn: [{ reference: 'ServiceRequest/s' }] }), NO],
    ['dependents refer to it', permits({ data: [{ meaning: 'dependents', reference: { reference: 'ServiceRequest/s' } }] }), observation({ basedOn: [{ reference: 'ServiceRequest/s' }] }), YES],
    ['dependents: it itself is denied with them', denies({ data: [{ meaning: 'dependents', reference: { reference: 'Observation/o1' } }] }), {}, NO],
    ['authoredby', permits({ data: [{ meaning: 'authoredby', reference: { reference: 'Practitioner/9' } }] }), observation({ performer: [{ reference: 'Practitioner/9' }] }), YES],
    ['no author is unknown', denies({ data: [{ meaning: 'authoredby', reference: { reference: 'Practitioner/9' } }] }), {}, NO],
    ['a reference without target is unknown', denies({ data: [{ meaning: 'instance', reference: { display: 'x' } }] }), {}, NO],
  ],
  '22 several Consents': [
    ['a deny overrides', [permits({}), other(aConsent(deny), { dateTime: '2020' })], {}, 'deny root-deny'],
    ['a permit beside silence permits', [permits({}), other(permits({ purpose: [purpose('HPAYMT')] }))], {}, YES],
    ['the reason that came furthest', [permits({ purpose: [purpose('HPAYMT')] }), other(permits({ class: [ofType('Encounter')] }))], {}, 'no-consent class'],
    ['a later version of one statement supersedes', [aConsent(deny, { identifier: [{ system: 's', value: 'v' }] }), other(permits({}), { dateTime: '2023-02-01', identifier: [{ system: 's', value: 'v' }] })], {}, YES],
    ['not before it is given', [aConsent(deny, { identifier: [{ system: 's', value: 'v' }] }), other(permits({}), { dateTime: '2025', identifier: [{ system: 's', value: 'v' }] })], {}, 'deny root-deny'],
    ['not of the same day', [aConsent(deny, { identifier: [{ system: 's', value: 'v' }] }), other(permits({}), { dateTime: '2023-01-01T10:00:00Z', identifier: [{ system: 's', value: 'v' }] })], {}, 'deny root-deny'],
    ['not when it is inactive', [aConsent(deny, { identifier: [{ system: 's', value: 'v' }] }), other(permits({}), { status: 'inactive', dateTime: '2023-02-01', identifier: [{ system: 's', value: 'v' }] })], {}, 'deny root-deny'],
    ['not of another patient', [aConsent(deny, { identifier: [{ system: 's', value: 'v' }] }), other(permits({}), { patient: { reference: 'Patient/2' }, dateTime: '2023-02-01', identifier: [{ system: 's', value: 'v' }] })], {}, 'deny root-deny'],
    ['not by value alone', [aConsent(deny, { identifier: [{ value: 'v' }] }), other(permits({}), { dateTime: '2023-02-01', identifier: [{ value: 'v' }] })], {}, 'deny root-deny'],
  ],
  '23 verification': [
    [
      'the latest says no',
      permits(
        {},
        {
          verification: [
            { verified: false, verificationDate: '2023-06-01' },
            { verified: true, verificationDate: '2023-05-01' },
          ],
        }
      ),
      {},
      'no-consent unverified',
    ],
    ['an undated no may be the latest', permits({}, { verification: [{ verified: false }, { verified: true, verificationDate: '2023-05-01' }] }), {}, 'no-consent unverified'],
    [
      'an earlier no was repaired',
      permits(
        {},
        {
          verification: [
            { verified: false, verificationDate: '2023-05-01' },
            { verified: true, verificationDate: '2023-06-01' },
          ],
        }
      ),
      {},
      YES,
    ],
    ['its denies stay', aConsent(deny, { verification: [{ verified: false }] }), {}, 'deny root-deny'],
  ],
  '24 nothing to read': [['no Consent at all', [], {}, 'no-consent no-consents']],
  '25 break-glass is a purpose': [
    ['it needs a Consent like others', permits({ purpose: [purpose('TREAT')] }), { purpose: 'BTG' }, 'no-consent purpose'],
    ['a dissent except break-glass', aConsent({ ...deny, provision: [{ type: 'permit', purpose: [purpose('BTG')] }] }), { purpose: 'BTG' }, 'permit nested-exception'],
  ],
};

describe.each(Object.entries(RULES))('rule %s', (_, rows) => {
  test.each(rows)('%s', (_sentence, consents, request, expected) => {
    const { decision, reason } = evaluate([consents].flat(), aRequest(request));
    expect(`${decision} ${reason}`).toBe(expected);
  });
});

test('an unset clock is a fault and no decision', () => {
  expect(() => evaluate([], aRequest({ at: '' }))).toThrow(RangeError);
});

describe('the evidence of a decision', () => {
  test('names the Consent, its version, the provision and each dimension with both values', () => {
    const consent = aConsent(
      { ...deny, provision: [{ type: 'permit', purpose: [purpose('TREAT')], class: [dataClass('LAB_RESULTS')] }] },
      { meta: { versionId: '7' } }
    );
    expect(evaluate([consent], aRequest())).toMatchObject({
      decision: 'permit',
      consent: { id: 'c1', versionId: '7' },
      path: 'provision.provision[0]',
      purpose: 'TREAT',
      dimensions: [
        { dimension: 'purpose', requested: ['TREAT'], listed: ['TREAT'], holds: 'true' },
        { dimension: 'class', requested: ['Observation', 'LAB_RESULTS'], listed: ['LAB_RESULTS'], holds: 'true' },
      ],
      considered: [{ id: 'c1', versionId: '7', decision: 'permit', reason: 'nested-exception' }],
    });
  });

  test('names the dimension that was unknown', () => {
    const consent = permits({ actor: [actor('IRCP', 'Organization/A')] });
    expect(evaluate([consent], aRequest()).dimensions).toMatchObject([
      { dimension: 'actor', requested: [], holds: 'unknown' },
    ]);
  });

  test('lists the policies that are only text', () => {
    const consent = permits({}, { policy: [{ uri: 'http://e.org/policy' }] });
    expect(evaluate([consent], aRequest()).considered[0]?.policies).toEqual(['http://e.org/policy']);
  });

  test.each([
    ['rsdid: no crosswalk entry', { category: [category('rsdid')] }, ['no-crosswalk']],
    ['rsreid', { category: [category('rsreid')] }, ['reidentify-only-as-consented']],
    ['no redisclosure', { meta: { security: [sensitivity('NORDSCLCD')] } }, ['no-redisclosure']],
    ['none', {}, []],
  ] as const)('obligations: %s', (_, changes, expected) => {
    expect(evaluate([permits({}, changes as Partial<Consent>)], aRequest()).obligations).toEqual(expected);
  });

  test('obligations of every permitting Consent hold together', () => {
    const both = [permits({}), other(permits({}), { category: [category('rsdid')] })];
    expect(evaluate(both, aRequest()).obligations).toEqual(['no-crosswalk']);
  });
});

describe('validUntil', () => {
  const validUntil = (...consents: Consent[]): string | undefined => evaluate(consents, aRequest()).validUntil;
  test.each([
    ['nothing ever changes by itself', [permits({})], undefined],
    [
      'the end of a permit, after its whole last day',
      [permits({ period: { end: '2024-12-31' } })],
      '2025-01-01T00:00:00.000Z',
    ],
    [
      'the start of a nested deny',
      [permits({ provision: [{ type: 'deny', period: { start: '2024-08-01' } }] })],
      '2024-08-01T00:00:00.000Z',
    ],
    [
      'a Consent of the future',
      [permits({}), other(aConsent(deny), { dateTime: '2024-09-01' })],
      '2024-09-01T00:00:00.000Z',
    ],
    [
      'the earliest of all',
      [permits({ period: { end: '2024-12-31' } }), other(permits({ period: { end: '2024-06' } }))],
      '2024-07-01T00:00:00.000Z',
    ],
    [
      'not of an inactive Consent',
      [permits({}), other(permits({ period: { end: '2024-12' } }), { status: 'inactive' })],
      undefined,
    ],
    ['a refusal has one as well', [permits({ period: { start: '2025' } })], '2025-01-01T00:00:00.000Z'],
  ] as const)('%s', (_, consents, expected) => {
    expect(validUntil(...consents)).toBe(expected);
  });
});
