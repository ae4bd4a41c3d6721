/** A patient's form has changed: the one Consent that it stands for follows. Works by what the source holds now, so events may repeat. */
import type { Bundle, Consent, Questionnaire, QuestionnaireResponse } from '@medplum/fhirtypes';
import { adminEventOf } from '../../observability/admin-trail.ts';
import { Fault } from '../../observability/fault.ts';
import { consentOfForm, countingOf, formIdentifier, formUrl, isSameForm } from '../../rules/consent/form.ts';
import type { Deps } from '../deps.ts';

export type FormDeps = Pick<Deps, 'config' | 'source' | 'clock' | 'log' | 'correlationId' | 'bot'>;

/** What came of it. */
export interface FormReceipt {
  readonly result: 'written' | 'unchanged' | 'ignored';
}

/** Somebody else's change in between is read again that often. */
const TRIES = 3;

/**
 * @param deps - The run.
 * @param response - The response that has changed, or was deleted.
 * @returns What was done; responses to other questionnaires, or of nobody, are ignored.
 * @throws Fault `source-*`; `contention` when others keep changing the Consent.
 */
export async function applyForm(deps: FormDeps, response: QuestionnaireResponse): Promise<FormReceipt> {
  const patient = /^Patient\/[A-Za-z0-9.-]{1,64}$/.exec(response.subject?.reference ?? '')?.[0];
  if (patient === undefined || (await oursAmong(deps, [response])).length === 0) {
    return { result: 'ignored' };
  }
  for (let tries = 0; tries < TRIES; tries++) {
    const result = await follow(deps, patient);
    if (result) {
      return { result };
    }
  }
  throw new Fault('contention');
}

/** One look and one write; undefined when somebody else was faster. */
async function follow(deps: FormDeps, patient: string): Promise<FormReceipt['result'] | undefined> {
  const { source, config } = deps;
  const { system, value } = formIdentifier(patient, config.systems);
  const term = encodeURIComponent(`${system}|${value}`);
  const page = await source.search(`Consent?identifier=${term}&_count=1`);
  const current = page.entry?.[0]?.resource as Consent | undefined;
  const responses = await responsesOf(deps, patient);
  const counting = countingOf(responses, patient, config.adminClients);
  const wanted = counting
    ? consentOfForm(counting, patient, config.systems)
    : current && { ...current, status: 'inactive' as const };
  if (!wanted || (current && isSameForm(current, wanted))) {
    return 'unchanged';
  }
  const by = counting?.meta?.author?.reference;
  await record(deps, patient, by, 'begun');
  if (!current) {
    const made = await source.ensureConsent(wanted);
    if (!isSameForm(made, wanted)) {
      return undefined;
    }
  } else if (
    !(await source.replaceConsent({ ...wanted, id: current.id ?? '', ...(current.meta && { meta: current.meta }) }))
  ) {
    return undefined;
  }
  await record(deps, patient, by, 'done');
  return 'written';
}

async function responsesOf(deps: FormDeps, patient: string): Promise<QuestionnaireResponse[]> {
  const found: QuestionnaireResponse[] = [];
  for (let url: string | undefined = `QuestionnaireResponse?subject=${patient}&_count=100`; url;) {
    const page: Bundle = await deps.source.search(url);
    found.push(...(page.entry ?? []).flatMap(({ resource }) => (resource as QuestionnaireResponse | undefined) ?? []));
    url = page.link?.find(({ relation }) => relation === 'next')?.url;
  }
  return oursAmong(deps, found);
}

/** By canonical URL, with or without a version; or by `Questionnaire/<id>`, as some portals write it. */
async function oursAmong(
  { source, config }: FormDeps,
  responses: readonly QuestionnaireResponse[]
): Promise<QuestionnaireResponse[]> {
  const url = formUrl(config.systems.namespace);
  const names = new Set(responses.map(({ questionnaire = '' }) => questionnaire));
  const byId = [...names].flatMap((name) => /^Questionnaire\/([A-Za-z0-9.-]{1,64})$/.exec(name)?.[1] ?? []);
  const answers = byId.length > 0 ? await source.read(byId.map((id) => `Questionnaire/${id}`)) : [];
  const unread = answers.find(({ status, resource }) => !resource && status !== 404 && status !== 410);
  if (unread) {
    throw new Fault('source-unavailable', [`status ${unread.status}`]);
  }
  const ours = byId.filter((_, i) => (answers[i]?.resource as Questionnaire | undefined)?.url === url);
  return responses.filter(
    ({ questionnaire = '' }) =>
      questionnaire.split('|')[0] === url || ours.some((id) => questionnaire === `Questionnaire/${id}`)
  );
}

async function record(
  { source, config, clock, correlationId, bot, log }: FormDeps,
  patient: string,
  requester: string | undefined,
  result: 'begun' | 'done'
): Promise<void> {
  const event = { action: 'consent-form', effect: 'change', result, correlationId, bot, requester } as const;
  await source.record(
    adminEventOf({ ...event, role: undefined, patientId: patient.split('/')[1], at: clock.now() }, config.systems)
  );
  log('info', 'admin-answered', { action: 'consent-form', reason: result });
}
