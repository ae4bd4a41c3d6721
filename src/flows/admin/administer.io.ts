/** Does what an ADMIN asks, and writes down every ask, also a refused and a misunderstood one. */
import { adminEventOf } from '../../observability/admin-trail.ts';
import type { AdminEvent } from '../../observability/admin-trail.ts';
import { Fault, faultCodeOf } from '../../observability/fault.ts';
import type { Role } from '../../rules/access/role.ts';
import type { Actions, AdminDeps } from '../action.ts';
import { readCall, safeValues } from './input.ts';
import type { Call } from './input.ts';
import { withPatient } from './patient.io.ts';
import type { Resolved } from './patient.io.ts';
import { standingOf } from './standing.io.ts';

/** What the wiring gives: who asks is known, in which role is not. */
export type Asked = Omit<AdminDeps, 'role'>;

/**
 * Answers one call.
 *
 * @param actions - All actions of the bot.
 * @param asked - The run.
 * @param input - `{action, …parameters}`, as the caller sent it.
 * @returns What the action answers.
 * @throws Fault `admin-refused` for whoever is no ADMIN, before anything else is looked at; `action-unknown` with the actions that
 *   there are; `input-invalid` with the names of what is wrong; `patient-unknown`; any Fault of the action.
 */
export async function administer(actions: Actions, asked: Asked, input: unknown): Promise<object> {
  const call = readCall(actions, input);
  const effect = ('action' in call && call.action.effect) || (actions[call.name ?? '']?.effect ?? 'read');
  const write = async (step: Step): Promise<void> => record(asked, { action: call.name, effect, ...step });
  const refuse = async (fault: Fault, reason: string, role: Role | undefined): Promise<never> => {
    await write({ result: 'refused', reason, role });
    throw fault;
  };
  const roles = await standingOf(asked);
  const [first] = roles;
  if (!roles.includes('ADMIN')) {
    return refuse(new Fault('admin-refused'), 'no-role', first);
  }
  const role = 'ADMIN';
  if (call.name === undefined) {
    return refuse(
      new Fault('action-unknown', [`actions: ${Object.keys(actions).sort().join(', ')}`]),
      'action-unknown',
      role
    );
  }
  if ('problems' in call) {
    return refuse(new Fault('input-invalid', call.problems), 'input-invalid', role);
  }
  return perform({ ...asked, role }, call, write);
}

type Step = Pick<AdminEvent, 'result' | 'reason' | 'role' | 'patientId' | 'token' | 'values'>;

async function perform(deps: AdminDeps, call: Call, write: (step: Step) => Promise<void>): Promise<object> {
  const { role } = deps;
  const values = safeValues(call);
  let about: Pick<Resolved, 'patientId' | 'token'> = {};
  let answer: object;
  try {
    const { values: resolved, ...whose } = await withPatient(deps, call);
    about = whose;
    if (call.action.effect === 'change') {
      await write({ result: 'begun', role, values, ...about });
    }
    answer = await call.action.run(deps, resolved);
  } catch (error) {
    const reason = faultCodeOf(error) ?? 'unexpected';
    const isRefusal = ['input-invalid', 'patient-unknown'].includes(reason);
    await write({ result: isRefusal ? 'refused' : 'failed', reason, role, values, ...about });
    throw error;
  }
  // What is not written down is not shown.
  await write({ result: 'done', role, values, ...about });
  return answer;
}

async function record(asked: Asked, event: Step & Pick<AdminEvent, 'action' | 'effect'>): Promise<void> {
  const { source, config, clock, correlationId, bot, requester, log } = asked;
  await source.record(adminEventOf({ ...event, correlationId, bot, requester, at: clock.now() }, config.systems));
  const { action = 'unknown', result, reason } = event;
  log(result === 'done' || result === 'begun' ? 'info' : 'warn', 'admin-answered', {
    action: action.replaceAll('/', '-'),
    reason: reason ?? result,
  });
}
