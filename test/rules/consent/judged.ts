/** Cases judged by hand from the written rules before they were run: the corners that a first reading of R4 leaves open. */
import type { Consent, ConsentProvision, Resource } from '@medplum/fhirtypes';
import type { ConsentRequest } from '../../../src/rules/consent/inquiry.ts';
import {
  aConsent,
  action,
  actor,
  anObservation,
  category,
  concept,
  confidentiality,
  dataClass,
  denies,
  labelled,
  loinc,
  ofType,
  other,
  permits,
  policy,
  purpose,
  scope,
  sensitivity,
} from './builders.ts';
import type { Row } from './cases.ts';

const permit: ConsentProvision = { type: 'permit' };
const deny: ConsentProvision = { type: 'deny' };
const YES = 'permit root-permit';
const NO = 'deny nested-exception';
const ODD = 'deny uninterpretable';

const resource = (value: object): Partial<ConsentRequest> => ({ resource: value as Resource });
const observation = (changes: Parameters<typeof anObservation>[0]): Partial<ConsentRequest> => ({
  resource: anObservation(changes),
});
const condition = (changes: object): Partial<ConsentRequest> =>
  resource({ resourceType: 'Condition', id: 'k', subject: { reference: 'Patient/1' }, ...changes });
const odd = (changes: object): Partial<Consent> => changes;
const oddRule = (changes: object): ConsentProvision => changes;
const restricted = { resource: labelled(confidentiality('R')) };
const identifier = [{ system: 's', value: 'v' }];
const rcpt = (reference: string): ConsentProvision => ({ actor: [actor('IRCP', reference)] });

// One case a line.
// prettier-ignore
export const JUDGED: Record<string, Row[]> = {
  '1 one patient': [
    ['a Consent of a contained patient', aConsent(permit, { patient: { reference: '#p' } }), {}, 'no-consent patient'],
    ['a Consent of a patient by identifier beside a good one', [permits({}), other(aConsent(deny, { patient: { type: 'Patient', identifier: { value: 'x' } } }))], {}, YES],
    ['data of a Group', permits({}), observation({ subject: { reference: 'Group/1' } }), 'deny wrong-patient'],
    ['a patient found by search', permits({}), observation({ subject: { reference: 'Patient?identifier=x' } }), 'deny wrong-patient'],
    ['a longer id', permits({}), observation({ subject: { reference: 'Patient/11' } }), 'deny wrong-patient'],
  ],
  '2 purpose tags': [
    ['a purpose that v3 does not know', permits({}), { resource: labelled(confidentiality('N'), purpose('XYZ')) }, 'deny data-purpose-conflict'],
    ['one of two tags covers', permits({}), { resource: labelled(confidentiality('N'), purpose('HMARKT'), purpose('TREAT')) }, YES],
    ['a test tag', permits({}), { resource: labelled(confidentiality('N'), purpose('HTEST')) }, YES],
  ],
  '3 status': [
    ...(['draft', 'proposed', 'rejected', 'inactive', 'entered-in-error'] as const).map((status): Row => [`a ${status} deny beside a permit`, [permits({}), other(aConsent(deny, { status }))], {}, YES]),
    ['a status that R4 does not have', permits({}, odd({ status: 'Active' })), {}, 'no-consent status'],
    ['an inactive one that we cannot read beside a permit', [permits({}), other(aConsent(deny, { status: 'inactive', implicitRules: 'urn:x' }))], {}, YES],
  ],
  '4 dateTime': [
    ['given at this instant', permits({}, { dateTime: '2024-06-01T12:00:00.000Z' }), {}, YES],
    ['given 1 ms later', permits({}, { dateTime: '2024-06-01T12:00:00.001Z' }), {}, 'no-consent not-yet-given'],
    ['given today', permits({}, { dateTime: '2024-06-01' }), {}, YES],
    ['given next month', permits({}, { dateTime: '2024-07' }), {}, 'no-consent not-yet-given'],
    ['a deny given tomorrow', [permits({}), other(aConsent(deny, { dateTime: '2024-06-02' }))], {}, YES],
    ['another zone, already past', permits({}, { dateTime: '2024-06-01T13:30:00+02:00' }), {}, YES],
  ],
  '5 scope and 6 category': [
    ['privacy and treatment at once: a deny counts', [permits({}), other(aConsent(deny, { scope: { coding: [...scope('patient-privacy').coding!, ...scope('treatment').coding!] } }))], {}, 'deny root-deny'],
    ['privacy and treatment at once: no permit', permits({}, { scope: { coding: [...scope('patient-privacy').coding!, ...scope('treatment').coding!] } }), {}, 'no-consent scope'],
    ['a deny of scope treatment', [permits({}), other(aConsent(deny, { scope: scope('treatment') }))], {}, YES],
    ['an unknown scope: a deny counts', [permits({}), other(aConsent(deny, { scope: scope('x') }))], {}, 'deny root-deny'],
    ['scope in words', permits({}, { scope: { text: 'patient-privacy' } }), {}, 'no-consent scope'],
    ['research scope with category npp', permits({}, { scope: scope('research'), category: [category('npp')] }), { purpose: 'HRESCH' }, 'no-consent category'],
    ['research scope, unverified', permits({}, { scope: scope('research'), verification: [{ verified: false }] }), { purpose: 'HRESCH' }, 'no-consent unverified'],
    ['dnr beside a sharing category', permits({}, { category: [category('dnr'), category('infa')] }), {}, YES],
    ['polst of adr scope denies nothing', [permits({}), other(aConsent(deny, { scope: scope('adr'), category: [category('polst')] }))], {}, YES],
  ],
  '7 what cannot be read': [
    ['an unknown modifierExtension of the root', permits(oddRule({ modifierExtension: [{ url: 'urn:x', valueBoolean: true }] })), {}, ODD],
    ['three levels down', permits({ provision: [{ ...permit, provision: [{ ...deny, provision: [oddRule({ type: 'permit', modifierExtension: [{ url: 'urn:x' }] })] }] }] }), {}, ODD],
    ['of an actor', permits({ actor: [{ ...actor('IRCP', 'Organization/1'), modifierExtension: [{ url: 'urn:x' }] }] }), { actor: ['Organization/1'] }, ODD],
    ['of the verification', permits({}, { verification: [{ verified: true, modifierExtension: [{ url: 'urn:x' }] }] }), {}, ODD],
    ['an extension that is no modifier', permits(oddRule({ extension: [{ url: 'urn:x', valueBoolean: true }] })), {}, YES],
    ['exceptions of STU3', permits({}, odd({ except: [{ type: 'deny' }] })), {}, ODD],
    ['a decision of R5', permits({}, odd({ decision: 'deny' })), {}, ODD],
    ['a condition of R5', permits(oddRule({ documentType: [{ code: 'x' }] })), {}, ODD],
    ['a condition of R5 in a nested deny', denies(oddRule({ resourceType: [{ code: 'Observation' }] })), {}, ODD],
    ['an extension of a primitive', permits({}, odd({ _dateTime: { extension: [{ url: 'urn:x' }] } })), {}, YES],
  ],
  '8 policies': [
    ['OPTIN and OPTOUT at once with a bare permit', permits({}, { policyRule: { coding: [...policy('OPTIN').coding!, ...policy('OPTOUT').coding!] } }), {}, 'deny policy-conflict'],
    ['OPTOUTE with a bare permit', permits({}, { policyRule: policy('OPTOUTE') }), {}, 'deny policy-conflict'],
    ['OPTOUT with a permit for a purpose', permits({ purpose: [purpose('TREAT')] }, { policyRule: policy('OPTOUT') }), {}, YES],
    ['OPTIN in words only, without a root', aConsent(undefined, { policyRule: { text: 'OPTIN' } }), {}, ODD],
    ['OPTIN of another system', aConsent(undefined, { policyRule: concept('urn:x', 'OPTIN') }), {}, ODD],
    ['OPTIN by the OID of ActCode', aConsent(undefined, { policyRule: concept('urn:oid:2.16.840.1.113883.5.4', 'OPTIN') }), {}, 'permit policy-rule'],
    ['OPTOUT without root beside a permit', [permits({}), other(aConsent(undefined, { policyRule: policy('OPTOUT') }))], {}, 'deny policy-rule'],
    ['OPTIN with an untyped root that holds only an untyped child', aConsent({ provision: [{ class: [ofType('Observation')] }] }, { policyRule: policy('OPTIN') }), {}, NO],
    ['OPTIN, untyped root, exception for another class', aConsent({ provision: [{ ...deny, class: [ofType('Condition')] }] }, { policyRule: policy('OPTIN') }), {}, 'permit policy-rule'],
  ],
  '10 nesting': [
    ['permit, deny, permit, deny: the innermost holds', permits({ provision: [{ ...deny, provision: [{ ...permit, class: [ofType('Observation')], provision: [{ ...deny, code: [loinc('2339-0')] }] }] }] }), {}, NO],
    ['the innermost misses', permits({ provision: [{ ...deny, provision: [{ ...permit, class: [ofType('Observation')], provision: [{ ...deny, code: [loinc('9-9')] }] }] }] }), {}, YES],
    ['deny, permit, deny, permit', aConsent({ ...deny, provision: [{ ...permit, provision: [{ ...deny, class: [ofType('Observation')], provision: [{ ...permit, code: [loinc('2339-0')] }] }] }] }), {}, 'permit nested-exception'],
    ['an exception to an inner deny does not lift the outer', aConsent({ ...deny, provision: [{ ...deny, provision: [permit] }] }), {}, 'deny root-deny'],
    ['an untyped child of a deny does nothing', aConsent({ ...deny, provision: [{ provision: [permit] }] }), {}, 'deny root-deny'],
    ['an unknown inner permit does not lift', permits({ provision: [{ ...deny, provision: [{ ...permit, class: [{ system: 'urn:x', code: 'y' }] }] }] }), {}, NO],
    ['an unknown innermost deny holds', permits({ provision: [{ ...deny, provision: [{ ...permit, provision: [{ ...deny, class: [{ system: 'urn:x', code: 'y' }] }] }] }] }), {}, NO],
    ['the deny in a permit that is over', permits({ period: { end: '2024-05-31' }, provision: [{ ...deny, class: [ofType('Observation')] }] }), {}, 'no-consent period'],
    ['an additive permit keeps the period of the parent', permits({ period: { end: '2024-05-31' }, purpose: [purpose('HPAYMT')], provision: [{ ...permit, purpose: [purpose('TREAT')] }] }), {}, 'no-consent period'],
    ['two levels of additive permits', permits({ purpose: [purpose('HPAYMT')], provision: [{ ...permit, purpose: [purpose('HRESCH')], provision: [{ ...permit, purpose: [purpose('TREAT')] }] }] }), {}, 'permit nested-exception'],
    ['siblings below a deny disagree', aConsent({ ...deny, provision: [permit, { ...deny, class: [ofType('Observation')] }] }), {}, NO],
  ],
  '12 period': [
    ['its first instant', permits({ period: { start: '2024-06-01T12:00:00.000Z' } }), {}, YES],
    ['1 ms before it', permits({ period: { start: '2024-06-01T12:00:00.001Z' } }), {}, 'no-consent period'],
    ['its last instant', permits({ period: { end: '2024-06-01T12:00:00.000Z' } }), {}, YES],
    ['1 ms after it', permits({ period: { end: '2024-06-01T11:59:59.999Z' } }), {}, 'no-consent period'],
    ['the last ms of the last day', permits({ period: { end: '2024-06-01' } }), { at: '2024-06-01T23:59:59.999Z' }, YES],
    ['1 ms after the last day', permits({ period: { end: '2024-06-01' } }), { at: '2024-06-02T00:00:00.000Z' }, 'no-consent period'],
    ['the last ms of the last month', permits({ period: { end: '2024-02' } }), { at: '2024-02-29T23:59:59.999Z' }, YES],
    ['the first ms after the last year', permits({ period: { end: '2023' } }), { at: '2024-01-01T00:00:00.000Z' }, 'no-consent period'],
    ['a deny on its last ms', denies({ period: { end: '2024-06-01' } }), { at: '2024-06-01T23:59:59.999Z' }, NO],
    ['and 1 ms later', denies({ period: { end: '2024-06-01' } }), { at: '2024-06-02T00:00:00.000Z' }, YES],
    ['an end that only says why it is absent', permits({ period: oddRule({ _end: { extension: [{ url: 'http://hl7.org/fhir/StructureDefinition/data-absent-reason', valueCode: 'unknown' }] } }) }), {}, 'no-consent period'],
    ['a day that does not exist denies', denies({ period: { end: '2024-02-30' } }), {}, NO],
    ['the last day in the zone of the project', permits({ period: { end: '2024-05-31' } }), { at: '2024-06-01T03:00:00Z', utcOffsetMinutes: -300 }, YES],
  ],
  '13 purpose': [
    ['emergency treatment is below treatment', permits({ purpose: [purpose('TREAT')] }), { purpose: 'ETREAT' }, YES],
    ['treatment is not below emergency treatment', permits({ purpose: [purpose('ETREAT')] }), {}, 'no-consent purpose'],
    ['a purpose without system', permits({ purpose: [{ code: 'TREAT' }] }), {}, 'no-consent purpose'],
    ['an unknown purpose denies', denies({ purpose: [purpose('XYZ')] }), {}, NO],
    ['a denied sibling purpose', denies({ purpose: [purpose('HPAYMT')] }), {}, YES],
    ['clinical trial research below research', permits({ purpose: [purpose('HRESCH')] }), { purpose: 'CLINTRCH' }, YES],
    ['an old URL of v3', permits({ purpose: [{ system: 'http://hl7.org/fhir/v3/ActReason', code: 'TREAT' }] }), {}, YES],
  ],
  '15 actor': [
    ['an organization behind a role', permits(rcpt('Organization/1')), { actor: ['PractitionerRole/7', 'Practitioner/8', 'Organization/1'] }, YES],
    ['a group', denies(rcpt('Group/2')), { actor: ['Practitioner/8', 'Group/2'] }, NO],
    ['a related person', permits(rcpt('RelatedPerson/3')), { actor: ['RelatedPerson/3'] }, YES],
    ['the same id of another type', permits(rcpt('Practitioner/1')), { actor: ['PractitionerRole/1'] }, 'no-consent actor'],
    ['a role without a reference permits nobody', permits({ actor: [oddRule({ role: actor('IRCP', 'x').role }) as never] }), { actor: ['Organization/1'] }, 'no-consent actor'],
    ['and denies everybody', denies({ actor: [oddRule({ role: actor('IRCP', 'x').role }) as never] }), { actor: ['Organization/1'] }, NO],
    ['a denied contained actor may be the requester', denies(rcpt('#org')), { actor: ['Organization/1'] }, NO],
    ['a denied actor found by search may be', denies(rcpt('Organization?identifier=x')), { actor: ['Organization/1'] }, NO],
    ['a denied URN may be', denies(rcpt('urn:uuid:6d9ac8d9-0b0a-4b1f-9c53-7b6b7e5d0001')), { actor: ['Organization/1'] }, NO],
    ['a requester by URN may be the denied one', denies(rcpt('Organization/1')), { actor: ['urn:uuid:6d9ac8d9-0b0a-4b1f-9c53-7b6b7e5d0001'] }, NO],
    ['the same URN', permits(rcpt('urn:uuid:6d9ac8d9-0b0a-4b1f-9c53-7b6b7e5d0001')), { actor: ['urn:uuid:6d9ac8d9-0b0a-4b1f-9c53-7b6b7e5d0001'] }, YES],
    ['a requester that cannot be read may be the denied one', denies(rcpt('Organization/1')), { actor: ['https://e.org/o?x=1'] }, NO],
    ['a denied identifier may be', denies({ actor: [{ role: actor('IRCP', 'x').role, reference: { type: 'Organization', identifier: { value: 'x' } } }] }), { actor: ['Organization/1'] }, NO],
    ['an absolute reference with a version', permits(rcpt('https://e.org/fhir/Organization/1/_history/3')), { actor: ['Organization/1'] }, YES],
    ['a role of somebody else’s code system grants nothing', permits({ actor: [{ role: concept('urn:x', 'IRCP'), reference: { reference: 'Organization/1' } }] }), { actor: ['Organization/1'] }, 'no-consent actor'],
    ['and denies', denies({ actor: [{ role: concept('urn:x', 'CST'), reference: { reference: 'Organization/1' } }] }), { actor: ['Organization/2'] }, NO],
    ['contained author', denies({ actor: [actor('AUT', 'Practitioner/9')] }), observation({ performer: [{ reference: '#a' }] }), NO],
    ['contained author with the name of a contained actor', permits({ actor: [actor('AUT', '#a')] }), observation({ performer: [{ reference: '#a' }] }), 'no-consent actor'],
  ],
  '16 action': [
    ['use alone', permits({ action: [action('use')] }), {}, 'no-consent action'],
    ['access or disclose', permits({ action: [action('access'), action('disclose')] }), {}, YES],
    ['a denied action that R4 does not have stops viewing', denies({ action: [action('look')] }), { action: 'access' }, NO],
    ['a denied use does not stop viewing', denies({ action: [action('use')] }), { action: 'access' }, YES],
  ],
  '17 labels': [
    ['a label without system may be a higher one', permits({ securityLabel: [confidentiality('N')] }), { resource: labelled(confidentiality('N'), { code: 'R' }) }, 'no-consent securityLabel'],
    ['and is unknown to a deny', denies({ securityLabel: [confidentiality('R')] }), { resource: labelled(confidentiality('N'), { code: 'R' }) }, NO],
    ['a label in words', permits({ securityLabel: [confidentiality('N')] }), resource({ resourceType: 'DocumentReference', id: 'd', meta: { security: [confidentiality('N')] }, subject: { reference: 'Patient/1' }, securityLabel: [{ text: 'very restricted' }] }), 'no-consent securityLabel'],
    ['a confidentiality that v3 does not know', permits({ securityLabel: [confidentiality('V')] }), { resource: labelled(confidentiality('X')) }, 'no-consent securityLabel'],
    ['opioid use below substance use', denies({ securityLabel: [sensitivity('SUD')] }), { resource: labelled(confidentiality('N'), sensitivity('OPIOIDUD')) }, NO],
    ['and below ETH', denies({ securityLabel: [sensitivity('ETH')] }), { resource: labelled(confidentiality('N'), sensitivity('OPIOIDUD')) }, NO],
    ['PSY below SPI by two steps', permits({ securityLabel: [sensitivity('SPI'), confidentiality('R')] }), { resource: labelled(confidentiality('R'), sensitivity('COGN')) }, YES],
    ['a broader label may hold the denied', denies({ securityLabel: [sensitivity('SUD')] }), { resource: labelled(confidentiality('N'), sensitivity('SPI')) }, NO],
    ['an unknown sensitivity is not covered', permits({ securityLabel: [sensitivity('HIV'), confidentiality('R')] }), { resource: labelled(confidentiality('R'), sensitivity('XYZ')) }, 'no-consent securityLabel'],
    ['R under a permit of M', permits({ securityLabel: [confidentiality('M')] }), restricted, 'no-consent securityLabel'],
  ],
  '18 class': [
    ['a LOINC document type does not permit', permits({ class: [{ system: 'http://loinc.org', code: '34133-9' }] }), {}, 'no-consent class'],
    ['a LOINC document type denies', denies({ class: [{ system: 'http://loinc.org', code: '34133-9' }] }), {}, NO],
    ['a misspelt type denies', denies({ class: [ofType('observation')] }), {}, NO],
    ['a data class that we do not have denies', denies({ class: [dataClass('LABS')] }), {}, NO],
    ['a data class that we do not have beside one that we have', permits({ class: [dataClass('LABS'), dataClass('LAB_RESULTS')] }), {}, YES],
    ['an attachment without media type may be the denied one', denies({ class: [{ system: 'urn:ietf:bcp:13', code: 'application/pdf' }] }), resource({ resourceType: 'DocumentReference', id: 'd', subject: { reference: 'Patient/1' }, content: [{ attachment: { url: 'Binary/1' } }] }), NO],
    ['another media type is not', denies({ class: [{ system: 'urn:ietf:bcp:13', code: 'application/pdf' }] }), resource({ resourceType: 'DocumentReference', id: 'd', subject: { reference: 'Patient/1' }, content: [{ attachment: { contentType: 'text/plain' } }] }), YES],
  ],
  '19 code': [
    ['a component without system may be the denied code', denies({ code: [loinc('9-9')] }), observation({ component: [{ code: { coding: [{ code: '9-9' }] } }] }), NO],
    ['a principal code without system may be any', denies({ code: [loinc('9-9')] }), observation({ code: { coding: [{ code: 'local-1' }] } }), NO],
    ['a component with another code is not', denies({ code: [loinc('9-9')] }), observation({ component: [{ code: { coding: [{ code: '8-8' }] } }] }), YES],
    ['a contained medication that is not there', denies({ code: [loinc('9-9')] }), resource({ resourceType: 'MedicationRequest', id: 'm', intent: 'order', subject: { reference: 'Patient/1' }, medicationReference: { reference: '#x' } }), NO],
    ['a concept in words is unknown to a deny', denies({ code: [{ text: 'HIV' }] }), {}, NO],
  ],
  '20 dataPeriod': [
    ['the first ms of the window', permits({ dataPeriod: { start: '2022-06-13' } }), observation({ effectiveDateTime: '2022-06-13T00:00:00.000Z' }), YES],
    ['1 ms before', permits({ dataPeriod: { start: '2022-06-13' } }), observation({ effectiveDateTime: '2022-06-12T23:59:59.999Z' }), 'no-consent dataPeriod'],
    ['1 ms after the window of a deny', denies({ dataPeriod: { end: '2022-06-12' } }), observation({ effectiveDateTime: '2022-06-13T00:00:00.000Z' }), YES],
    ['an illness that lasted through the window of a deny', denies({ dataPeriod: { start: '2021', end: '2021' } }), condition({ onsetDateTime: '2019', abatementDateTime: '2023' }), NO],
    ['an illness that ended after the window of a permit', permits({ dataPeriod: { start: '2018', end: '2020' } }), condition({ onsetDateTime: '2019', abatementDateTime: '2023' }), 'no-consent dataPeriod'],
    ['an illness wholly inside', permits({ dataPeriod: { start: '2018', end: '2020' } }), condition({ onsetPeriod: { start: '2019-01', end: '2019-02' }, abatementDateTime: '2020' }), YES],
    ['an end of the window that is only said to be absent', permits({ dataPeriod: oddRule({ start: '2020', _end: {} }) }), {}, 'no-consent dataPeriod'],
  ],
  '21 data': [
    ['a denied contained instance may be this one', denies({ data: [{ meaning: 'instance', reference: { reference: '#o' } }] }), {}, NO],
    ['a denied URN may be', denies({ data: [{ meaning: 'instance', reference: { reference: 'urn:uuid:6d9ac8d9-0b0a-4b1f-9c53-7b6b7e5d0001' } }] }), {}, NO],
    ['an instance by version', permits({ data: [{ meaning: 'instance', reference: { reference: 'Observation/o1/_history/2' } }] }), {}, YES],
    ['denied dependents of an encounter', denies({ data: [{ meaning: 'dependents', reference: { reference: 'Encounter/e' } }] }), observation({ encounter: { reference: 'https://e.org/Encounter/e' } }), NO],
    ['not authored by', denies({ data: [{ meaning: 'authoredby', reference: { reference: 'Practitioner/9' } }] }), observation({ performer: [{ reference: 'Practitioner/8' }] }), YES],
    ['an author by identifier', denies({ data: [{ meaning: 'authoredby', reference: { reference: 'Practitioner/9' } }] }), observation({ performer: [{ identifier: { value: 'x' } }] }), NO],
  ],
  '22 several': [
    ['a later permit supersedes, a third denies', [aConsent(deny, { identifier }), other(permits({}), { dateTime: '2023-02-01', identifier }), other(aConsent(deny), { id: 'c3', identifier: [{ system: 's', value: 'w' }] })], {}, 'deny root-deny'],
    ['a later statement of the same value in another system', [aConsent(deny, { identifier }), other(permits({}), { dateTime: '2023-02-01', identifier: [{ system: 't', value: 'v' }] })], {}, 'deny root-deny'],
    ['a later version that we cannot read', [permits({}, { identifier }), other(permits({}), { dateTime: '2023-02-01', identifier, implicitRules: 'urn:x' })], {}, ODD],
  ],
};
