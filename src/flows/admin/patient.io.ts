/** Finds the patients whom a call names. */
import type { Basic } from '@medplum/fhirtypes';
import { Fault, sourceFault } from '../../observability/fault.ts';
import type { AdminDeps } from '../action.ts';
import type { Call } from './input.ts';

/** A call whose parameters of kind `patient` are ids of Patients that exist, and whom it is about. */
export interface Resolved {
  readonly values: Call['values'];
  readonly patientId?: string;
  readonly token?: string;
}

/**
 * @param deps - The run.
 * @param call - A call.
 * @returns The call with ids. At most one patient is named.
 * @throws Fault `patient-unknown`, without saying who was asked for.
 */
export async function withPatient(
  deps: Pick<AdminDeps, 'source' | 'config'>,
  { action, values }: Call
): Promise<Resolved> {
  const kinds = Object.entries(action.parameters);
  const nameOf = (kind: string): string | undefined =>
    kinds.find(([name, row]) => row.kind === kind && values[name] !== undefined)?.[0];
  const [patient, token] = [nameOf('patient'), nameOf('token')];
  const named = token ? { token: String(values[token]) } : {};
  if (!patient) {
    return { values, ...named };
  }
  const given = String(values[patient]);
  const byToken = given.startsWith('pt_') ? { token: given } : named;
  const id = given.startsWith('pt_') ? await idOf(deps, given) : given;
  const [found] = id ? await deps.source.read([`Patient/${id}`]) : [];
  if (found && !found.resource && found.status !== 404 && found.status !== 410) {
    throw sourceFault(found.status);
  }
  if (!id || !found?.resource) {
    throw new Fault('patient-unknown');
  }
  return { values: { ...values, [patient]: id }, patientId: id, ...byToken };
}

async function idOf(
  { source, config }: Pick<AdminDeps, 'source' | 'config'>,
  token: string
): Promise<string | undefined> {
  const term = encodeURIComponent(`${config.systems.patientToken}|${token}`);
  const page = await source.search(`Basic?identifier=${term}&_count=1`);
  return (page.entry?.[0]?.resource as Basic | undefined)?.subject?.reference?.split('/')[1];
}
