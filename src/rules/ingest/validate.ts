/** What is wrong with a record from outside, as issues that name the place and never the value. Pure. */
import { isLoinc, LOINC } from '../../fhir/loinc.ts';
import { UCUM, vitalUnits } from './normal.ts';
import { eachObject, isObject, listOf } from './elements.ts';
import type { Elements } from './elements.ts';
import { PROFILES, VITAL_PANELS } from './profile.ts';

/** One issue (FHIR R4 OperationOutcome.issue). */
export interface Issue {
  readonly code:
    | 'required'
    | 'code-invalid'
    | 'value'
    | 'invalid'
    | 'structure'
    | 'not-supported'
    | 'not-found'
    | 'business-rule'
    | 'security'
    | 'forbidden'
    | 'conflict'
    | 'duplicate'
    | 'too-costly'
    | 'too-long'
    | 'timeout'
    | 'transient';
  /** FHIRPath; only names of elements. */
  readonly expression?: string;
  /** A sentence of ours. */
  readonly text: string;
}

const URI = /^(https?:\/\/[^\s|]+|urn:(oid|uuid|[a-z0-9][a-z0-9-]*):\S+)$/i;
const CODE = /^[^\s]+( [^\s]+)*$/;

/** Statuses of an Observation or a report that need not have a result. */
const WITHOUT_RESULT = ['registered', 'cancelled', 'entered-in-error'];

/**
 * @param resource - A record of a type in `PROFILES`.
 * @param namespace - The root of our own systems, which nobody else may use.
 * @returns All issues; none when it can be taken.
 */
export function validate(resource: Elements, namespace: string): Issue[] {
  const type = String(resource['resourceType']);
  const profile = Object.hasOwn(PROFILES, type) ? PROFILES[type] : undefined;
  if (!profile) {
    return [{ code: 'not-supported', text: 'A record of this type is not taken.' }];
  }
  const has = (name: string): boolean =>
    name.endsWith('[x]')
      ? Object.keys(resource).some((key) => isChoice(key, name.slice(0, -3)))
      : listOf(resource[name]).length > 0 && resource[name] !== '' && resource[name] !== null;
  return [
    ...profile.required
      .filter((name) => !has(name))
      .map((name): Issue => ({ code: 'required', expression: `${type}.${name}`, text: 'is required' })),
    ...Object.entries(profile.codes).flatMap(([name, codes]) =>
      listOf(resource[name])
        .filter((value) => typeof value !== 'string' || !codes.split(' ').includes(value))
        .map((): Issue => ({ code: 'code-invalid', expression: `${type}.${name}`, text: 'is not one of its codes' }))
    ),
    ...profile.concepts.flatMap((name) => problemsOfConcept(resource[name], `${type}.${name}`)),
    ...everywhere(resource, type, namespace),
    ...(RULES[type]?.(resource) ?? []),
  ];
}

function isChoice(key: string, stem: string): boolean {
  return key.startsWith(stem) && /^[A-Z]/.test(key.slice(stem.length));
}

function problemsOfConcept(value: unknown, expression: string): Issue[] {
  return listOf(value).flatMap((concept): Issue[] => {
    const codings = isObject(concept) ? listOf(concept['coding']) : [];
    const says =
      isObject(concept) &&
      (typeof concept['text'] === 'string' ||
        codings.some((each) => isObject(each) && typeof each['code'] === 'string'));
    return says ? [] : [{ code: 'required', expression, text: 'needs a coding or a text' }];
  });
}

/** Names of elements that a path may tell. Others may be anything that the sender has made up. */
const TOLD = new Set(
  (
    'code coding category class type status intent priority subject patient encounter performer component valueQuantity valueCodeableConcept ' +
    'identifier name telecom address extension content attachment url system value unit reasonCode reasonReference result medicationCodeableConcept ' +
    'medicationReference vaccineCode bodySite interpretation referenceRange reaction dosageInstruction dispenseRequest activity detail period ' +
    'effectiveDateTime effectivePeriod issued onsetDateTime abatementDateTime recordedDate authoredOn occurrenceDateTime performedDateTime ' +
    'performedPeriod clinicalStatus verificationStatus gender birthDate participant location diagnosis hospitalization presentedForm reference ' +
    'hasMember derivedFrom basedOn partOf start end date text given family use context contained author conclusionCode valueString valueBoolean ' +
    'effective onset performed occurrence medication deceased multipleBirth valueInteger valueDateTime valuePeriod valueRange valueRatio low high doseAndRate timing repeat'
  ).split(' ')
);

/**
 * @param path - FHIRPath of element names and indices, in the words of whoever sent it.
 * @returns As much of it as consists of names of R4.
 */
export function safePath(path: string): string {
  const [type = '', ...names] = path.split('.');
  const end = names.findIndex((name) => !TOLD.has(name.replace(/\[\d{1,4}\]$/, '').replace('[x]', '')));
  const safe = end < 0 ? names : names.slice(0, end);
  return [Object.hasOwn(PROFILES, type) ? type : 'Resource', ...safe].join('.');
}

/** What holds wherever it stands: codings, units, our own names, links into the store of Binaries. */
function everywhere(resource: Elements, type: string, namespace: string): Issue[] {
  const issues: Issue[] = [];
  const say = (code: Issue['code'], path: string, text: string): void => {
    issues.push({ code, expression: safePath(path), text });
  };
  eachObject(
    resource,
    (node, path) => {
      const { system, code, url } = node;
      if (system !== undefined && (typeof system !== 'string' || (!isContact(path) && !URI.test(system)))) {
        say('invalid', `${path}.system`, 'must be an absolute URI');
      }
      if (code !== undefined && typeof code === 'string' && !CODE.test(code)) {
        say('code-invalid', `${path}.code`, 'is no code');
      }
      if (system === LOINC && (typeof code !== 'string' || !isLoinc(code))) {
        say('code-invalid', `${path}.code`, 'is no LOINC code: the form or the check digit is wrong');
      }
      if (system === UCUM && typeof code !== 'string') {
        say('required', `${path}.code`, 'a unit of UCUM needs its code');
      }
      if ([system, url].some((each) => typeof each === 'string' && each.startsWith(namespace))) {
        say('security', path, 'uses a name that is reserved to this server');
      }
      // Medplum turns such a URL into one that anybody may open.
      if (typeof url === 'string' && /(^|\/)Binary\//i.test(url)) {
        say('security', `${path}.url`, 'must not lead to a Binary');
      }
    },
    type
  );
  return issues;
}

/** ContactPoint.system is a code, such as `phone`. */
function isContact(path: string): boolean {
  return /\.telecom(\[\d+\])?$/.test(path) || /\.value(ContactPoint)$/.test(path);
}

/** What one element asks of another. */
const RULES: Readonly<Record<string, (resource: Elements) => Issue[]>> = {
  Patient: ({ identifier, name }) => [
    ...(listOf(identifier).every((each) => isObject(each) && each['system'] && each['value'])
      ? []
      : [issue('required', 'Patient.identifier', 'each needs system and value')]),
    ...(listOf(name).every((each) => isObject(each) && (each['family'] || each['given'] || each['text']))
      ? []
      : [issue('required', 'Patient.name', 'needs a family or a given name')]),
  ],
  Encounter: (encounter) => {
    const coding = encounter['class'];
    return coding === undefined || (isObject(coding) && typeof coding['code'] === 'string' && coding['code'] !== '')
      ? []
      : [issue('required', 'Encounter.class.code', 'is required')];
  },
  Observation: (observation) => [...problemsOfValue(observation), ...problemsOfVital(observation)],
  Procedure: (procedure) =>
    procedure['status'] !== 'completed' || Object.keys(procedure).some((key) => isChoice(key, 'performed'))
      ? []
      : [issue('required', 'Procedure.performed[x]', 'is required when it is completed')],
  DocumentReference: ({ content }) =>
    listOf(content).every(
      (each) =>
        isObject(each) && isObject(each['attachment']) && (each['attachment']['url'] ?? each['attachment']['data'])
    )
      ? []
      : [issue('required', 'DocumentReference.content.attachment', 'needs a url or data')],
};

function problemsOfValue(observation: Elements): Issue[] {
  const names = Object.keys(observation);
  const isThere =
    names.some((key) => isChoice(key, 'value')) ||
    ['dataAbsentReason', 'component', 'hasMember'].some((name) => names.includes(name)) ||
    WITHOUT_RESULT.includes(String(observation['status']));
  return isThere ? [] : [issue('required', 'Observation.value[x]', 'needs a value, or a reason why there is none')];
}

/** A vital sign has a time, and a value in one of the units that its profile allows. */
function problemsOfVital(observation: Elements): Issue[] {
  const panels = listOf(isObject(observation['code']) ? observation['code']['coding'] : undefined).filter(
    (each) => isObject(each) && each['system'] === LOINC && VITAL_PANELS.includes(String(each['code']))
  );
  const parts = [
    { node: observation, path: 'Observation' },
    ...listOf(observation['component']).map((node, index) => ({ node, path: `Observation.component[${index}]` })),
  ];
  const units = parts.flatMap(({ node, path }): Issue[] => {
    const allowed = vitalUnits(node);
    const quantity = isObject(node) ? node['valueQuantity'] : undefined;
    if (!allowed || !isObject(quantity)) {
      return [];
    }
    return [
      ...(typeof quantity['value'] === 'number'
        ? []
        : [issue('required', `${path}.valueQuantity.value`, 'is required')]),
      ...(quantity['system'] === UCUM && allowed.includes(String(quantity['code']))
        ? []
        : [issue('code-invalid', `${path}.valueQuantity.code`, 'is not a unit of UCUM that this vital sign allows')]),
    ];
  });
  const isVital = panels.length > 0 || vitalUnits(observation) !== undefined;
  const isTimed = Object.keys(observation).some((key) => isChoice(key, 'effective'));
  return [
    ...units,
    ...(isVital && !isTimed ? [issue('required', 'Observation.effective[x]', 'is required of a vital sign')] : []),
  ];
}

function issue(code: Issue['code'], expression: string, text: string): Issue {
  return { code, expression, text };
}
