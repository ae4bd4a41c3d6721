/** Asks the partner whom it knows that may be our patient: by `$match` where there is one, else by search. What is asked by stands in no URL. */
import type { Bundle, CapabilityStatement, Patient } from '@medplum/fhirtypes';
import { Fault } from '../../observability/fault.ts';
import type { PartnerAnswer } from '../../ports.ts';
import { chosen } from '../../rules/match/choose.ts';
import type { Candidate } from '../../rules/match/choose.ts';
import { personOf } from '../../rules/match/person.ts';
import { queriesOf } from '../../rules/match/queries.ts';
import type { Query } from '../../rules/match/queries.ts';
import { lower, scoreOf } from '../../rules/match/score.ts';
import type { Grade } from '../../rules/match/score.ts';
import type { MatchDeps } from './deps.ts';

const GRADE = 'http://hl7.org/fhir/StructureDefinition/match-grade';
const GRADES: readonly string[] = ['certain', 'probable', 'possible', 'certainly-not'];
/** Of one search: a name that more people have says too little. */
const MOST_FOUND = 50;
/** Answers that say that there is no such operation. */
const NO_OPERATION = [400, 404, 405, 422, 501];

/** Somebody of the partner, as it tells them. */
interface Found {
  readonly patient: Patient;
  /** What the partner thinks, where it was asked to. */
  readonly theirs?: Grade;
}

/**
 * Looks somebody up.
 *
 * @param deps - The run.
 * @param demographics - What the partner is told.
 * @returns Who may be meant, the best first, scored by our own rules: what the partner thinks can only make it less sure.
 * @throws Fault `partner-*`.
 */
export async function lookUp(deps: MatchDeps, demographics: Patient): Promise<Candidate[]> {
  const { partner } = deps;
  const way = partner.match === 'auto' ? await wayOf(deps) : partner.match;
  const matched = way === 'search' ? undefined : await byOperation(deps, demographics);
  if (!matched && partner.match === 'operation') {
    throw new Fault('partner-rejected', ['there is no $match']);
  }
  const found = matched ?? (await bySearch(deps, demographics));
  const isShared = (system: string): boolean => partner.identifierSystems.includes(system);
  const self = personOf(demographics, isShared);
  const candidates = [...found].map(([id, { patient, theirs }]): Candidate => {
    const score = scoreOf(self, personOf(patient, isShared), partner.thresholds);
    return { id, ...score, grade: theirs ? lower(score.grade, theirs) : score.grade };
  });
  return chosen(candidates);
}

/** What the server says of itself is public (FHIR R4 http.html#capabilities); one that says nothing is tried. */
async function wayOf({ fhir }: MatchDeps): Promise<'operation' | 'search'> {
  const { status, body } = await fhir.ask('GET', 'metadata');
  const statement = status === 200 ? (jsonOf(body) as CapabilityStatement | undefined) : undefined;
  const rest = statement?.resourceType === 'CapabilityStatement' ? statement.rest : undefined;
  if (!rest?.length) {
    return 'operation';
  }
  const operations = rest.flatMap(({ operation = [], resource = [] }) => [
    ...operation,
    ...resource.flatMap((row) => (row.type === 'Patient' ? (row.operation ?? []) : [])),
  ]);
  return operations.some(({ name }) => /^(\$|patient-)?match$/i.test(name)) ? 'operation' : 'search';
}

/** Undefined where there is no such operation. */
async function byOperation({ fhir }: MatchDeps, demographics: Patient): Promise<Map<string, Found> | undefined> {
  const body = JSON.stringify({
    resourceType: 'Parameters',
    parameter: [
      { name: 'resource', resource: demographics },
      { name: 'count', valueInteger: 20 },
      { name: 'onlyCertainMatches', valueBoolean: false },
    ],
  });
  const answer = await fhir.ask('POST', 'Patient/$match', {
    headers: { 'Content-Type': 'application/fhir+json' },
    body,
  });
  return NO_OPERATION.includes(answer.status) ? undefined : peopleIn(answer);
}

async function bySearch({ fhir }: MatchDeps, demographics: Patient): Promise<Map<string, Found>> {
  const found = new Map<string, Found>();
  for (const query of queriesOf(demographics)) {
    const answer = await fhir.ask('POST', 'Patient/_search', {
      headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
      body: formOf(query),
    });
    peopleIn(answer).forEach((each, id) => found.set(id, each));
  }
  return found;
}

function formOf(query: Query): string {
  return new URLSearchParams({ ...query, _count: String(MOST_FOUND) }).toString();
}

function peopleIn({ status, body }: PartnerAnswer): Map<string, Found> {
  if (status === 401 || status === 403) {
    throw new Fault('partner-unauthorised', [`status ${status}`]);
  }
  const bundle = jsonOf(body) as Bundle | undefined;
  if (status !== 200 || bundle?.resourceType !== 'Bundle') {
    const isPassing = status === 200 || status === 408 || status === 429 || status >= 500;
    throw new Fault(isPassing ? 'partner-unavailable' : 'partner-rejected', [`status ${status}`]);
  }
  return new Map(
    (bundle.entry ?? []).flatMap(({ resource, search }) => {
      const grade = search?.extension?.find(({ url }) => url === GRADE)?.valueCode;
      const isOne = resource?.resourceType === 'Patient' && /^[A-Za-z0-9.-]{1,64}$/.test(resource.id ?? '');
      const isReplaced = isOne && resource.link?.some(({ type }) => type === 'replaced-by');
      const theirs = grade !== undefined && GRADES.includes(grade) ? { theirs: grade as Grade } : {};
      return isOne && !isReplaced ? [[resource.id ?? '', { patient: resource, ...theirs }] as const] : [];
    })
  );
}

function jsonOf(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
