/** What the caller of a reconciliation asks for, judged. Pure. */
import { REPLICATED_TYPES } from '../../../config/policy.ts';
import type { ReplicatedType } from '../../../config/policy.ts';
import { Fault } from '../../../observability/fault.ts';
import { organizationOf, pluralOf } from '../../reconciliation.ts';
import type { RunState, Scope } from '../../reconciliation.ts';

const MAX_BATCH = 1000;
const MAX_SECONDS = 280;

/** A call. */
export interface Call {
  readonly scope: Scope;
  /** How long this run of the bot may take. */
  readonly seconds?: number;
  /** Where a dry run goes on: what the one before has answered. */
  readonly state?: RunState;
}

/** Everything, as each night. */
export const EVERYTHING: Scope = {
  types: REPLICATED_TYPES,
  batchSize: MAX_BATCH,
  staleDays: 0,
  isDryRun: false,
  isDeep: false,
  isFill: false,
};

/**
 * @param input - `{types, patient, organization, batchSize, staleDays, dryRun, deep, onlyNotSynced, limit, seconds}`, all optional.
 * @returns The call.
 * @throws Fault `input-invalid` with the names of what is wrong.
 */
export function callOf(input: unknown): Call {
  const given = (typeof input === 'object' && input !== null ? input : {}) as Readonly<Record<string, unknown>>;
  const problems: string[] = [];
  const integer = (name: string, max: number): number | undefined => {
    const value = given[name];
    if (value === undefined) {
      return undefined;
    }
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > max) {
      problems.push(`${name} must be an integer from 0 to ${max}`);
    }
    return Number(value);
  };
  const flag = (name: string): boolean => {
    const value = given[name] ?? false;
    if (typeof value !== 'boolean') {
      problems.push(`${name} must be true or false`);
    }
    return value === true;
  };
  const id = (name: string, type: string): string | undefined => {
    const value = given[name];
    const [, found] = new RegExp(`^(?:${type}/)?([A-Za-z0-9.-]{1,64})$`).exec(String(value)) ?? [];
    if (value !== undefined && found === undefined) {
      problems.push(`${name} must be ${type}/<id>`);
    }
    return value === undefined ? undefined : found;
  };
  const types = typesOf(given['types']);
  if (!types) {
    problems.push(`types must be some of ${REPLICATED_TYPES.join(', ')}`);
  }
  const patient = id('patient', 'Patient');
  const organization = id('organization', 'Organization') ?? id('orgId', 'Organization');
  const limit = integer('limit', 1_000_000_000);
  const seconds = integer('seconds', MAX_SECONDS);
  const scope: Scope = {
    types: types ?? REPLICATED_TYPES,
    ...(patient && { patient }),
    ...(organization && { organization: organizationOf(organization) }),
    batchSize: Math.max(1, integer('batchSize', MAX_BATCH) ?? MAX_BATCH),
    staleDays: integer('staleDays', 36_500) ?? 0,
    isDryRun: flag('dryRun'),
    isDeep: flag('deep'),
    isFill: flag('onlyNotSynced'),
    ...(limit && { limit }),
  };
  if (problems.length > 0) {
    throw new Fault('input-invalid', problems);
  }
  const state = scope.isDryRun ? (given['state'] as RunState | undefined) : undefined;
  return { scope, ...(seconds !== undefined && { seconds }), ...(state && { state }) };
}

/** `Encounter` or, as the seeds say, `encounters`. In the order in which they may be written. */
function typesOf(given: unknown): readonly ReplicatedType[] | undefined {
  if (given === undefined) {
    return REPLICATED_TYPES;
  }
  const names = Array.isArray(given) ? (given as unknown[]) : typeof given === 'string' ? given.split(',') : [];
  const isNamed = (type: ReplicatedType): boolean => names.includes(type) || names.includes(pluralOf(type));
  const types = REPLICATED_TYPES.filter(isNamed);
  return types.length > 0 && types.length === new Set(names).size ? types : undefined;
}
