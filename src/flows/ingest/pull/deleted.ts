/** What the partner has deleted, and what errors it reports: files of Bundles and of OperationOutcomes. Pure. */
import type { Resource } from '@medplum/fhirtypes';
import type { Systems } from '../../../fhir/systems.ts';
import { isObject, listOf } from '../../../rules/ingest/elements.ts';
import type { Elements } from '../../../rules/ingest/elements.ts';

/** A record of the partner. */
export interface Deleted {
  readonly type: string;
  readonly id: string;
}

/** Where a type says that a record was entered in error: a status, or a concept beside which another must not stand (con-5, ait-2). */
const VERIFICATION: Readonly<Record<string, string>> = {
  Condition: 'http://terminology.hl7.org/CodeSystem/condition-ver-status',
  AllergyIntolerance: 'http://terminology.hl7.org/CodeSystem/allergyintolerance-verification',
};

/**
 * Reads a line of a file of deletions ("Response - Complete Status", `deleted`): a transaction Bundle of DELETE.
 *
 * @param text - The line.
 * @returns What was deleted; undefined when it is no such Bundle.
 */
export function deletedIn(text: string): readonly Deleted[] | undefined {
  const bundle = jsonOf(text);
  if (!isObject(bundle) || bundle['resourceType'] !== 'Bundle' || !Array.isArray(bundle['entry'])) {
    return undefined;
  }
  return bundle['entry'].flatMap((entry: unknown): Deleted[] => {
    const request = isObject(entry) ? entry['request'] : undefined;
    const { method, url } = isObject(request) ? request : {};
    const [, type = '', id = ''] = /^(?:.*\/)?([A-Z][A-Za-z]{1,40})\/([A-Za-z0-9.-]{1,64})$/.exec(String(url)) ?? [];
    return method === 'DELETE' && type ? [{ type, id }] : [];
  });
}

/**
 * Reads a line of a file of errors.
 *
 * @param text - The line.
 * @returns `severity code` of each issue. The words of the partner may say anything about anybody, and stay out.
 */
export function errorsIn(text: string): readonly string[] {
  const outcome = jsonOf(text);
  const issues = isObject(outcome) ? listOf(outcome['issue']) : [];
  const names = issues.flatMap((issue) => {
    const { severity, code } = isObject(issue) ? issue : {};
    const isCode = (value: unknown): value is string => typeof value === 'string' && /^[a-z][a-z-]{1,20}$/.test(value);
    return isCode(severity) && isCode(code) ? [`${severity} ${code}`] : [];
  });
  return names.length > 0 ? names : ['unreadable'];
}

/**
 * A record that its author has deleted: it stays, as entered in error, since somebody may have acted on it. What says which version came in goes, so
 * that the record is taken again if the author brings it back.
 *
 * @param record - What is stored.
 * @param systems - Our systems.
 * @returns What is to be stored; undefined when it says so already.
 */
export function marked(record: Resource, systems: Systems): Resource | undefined {
  const content = record as unknown as Elements;
  const system = VERIFICATION[record.resourceType];
  const { clinicalStatus: _status, ...rest } = content;
  const identifier = listOf(content['identifier']).map((each) =>
    isObject(each) && each['system'] === systems.ingested ? { system: each['system'], value: each['value'] } : each
  );
  const status = system
    ? { verificationStatus: { coding: [{ system, code: 'entered-in-error' }] } }
    : { status: 'entered-in-error' };
  return isMarked(content)
    ? undefined
    : ({ ...(system ? rest : content), ...status, identifier } as unknown as Resource);
}

function isMarked({ status, verificationStatus }: Elements): boolean {
  const codings = isObject(verificationStatus) ? listOf(verificationStatus['coding']) : [];
  return (
    status === 'entered-in-error' || codings.some((coding) => isObject(coding) && coding['code'] === 'entered-in-error')
  );
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
