/** What the caller of `gateway` asks to have passed on: an allow-list. Pure; a problem names parameters, and repeats nothing of the values. */
import { REPLICATED_TYPES } from '../../config/policy.ts';
import type { ReplicatedType } from '../../config/policy.ts';
import { includesOf, isShaped, parametersOf, patientParameters } from '../parameters.ts';

/** One request. Every one becomes a search: a read is one for an id, so that what comes back is judged in one way. */
export interface GatewayAsk {
  readonly interaction: 'read' | 'search';
  readonly type: ReplicatedType;
  /** The token of the patient whom the request names. */
  readonly patientToken: string | undefined;
  /** Of a read: the id on the replica, or the token of the copy. */
  readonly name: string | undefined;
  /** Parameters that are passed on as they are. */
  readonly query: readonly (readonly [name: string, value: string])[];
  readonly includes: readonly ('Patient' | 'Encounter')[];
  readonly count: number;
  readonly offset: number;
  /** The request as the links name it, without `_offset`. */
  readonly self: string;
}

/** Why a request is not passed on, whoever makes it. */
export interface NotPassed {
  readonly refusal: 'input-invalid' | 'read-only' | 'path-not-allowed' | 'parameter-not-allowed';
  /** Sentences of ours. */
  readonly problems: readonly string[];
}

const MAX_PATH = 2000;
const DEFAULT_COUNT = 20;
export const MAX_COUNT = 100;
const MAX_OFFSET = 10_000;
const TOKEN = /^[a-z]{2,4}_[bcdfghjkmpqrtvwx]{32}$/;
const PATIENT = /^(?:Patient\/)?(pt_[bcdfghjkmpqrtvwx]{32})$/;
/** `Type` or `Type/id`, spelt plainly: nothing encoded, no dots, no second slash, no operation. */
const PLACE = /^\/?([A-Z][A-Za-z]+)(?:\/([A-Za-z0-9_-]{1,64}))?$/;

/**
 * Reads a request.
 *
 * @param input - `{method, path}`, as the caller sent it.
 * @returns The request, or why it is not passed on.
 */
export function readGateway(input: unknown): GatewayAsk | NotPassed {
  const { method = 'GET', path, body, ...rest } = (input ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof path !== 'string' || path.length > MAX_PATH || typeof method !== 'string') {
    return invalid(`method and path must be texts, the path of up to ${MAX_PATH} characters`);
  }
  if (Object.keys(rest).length > 0) {
    return invalid('known parameters: method, path, body');
  }
  if (method !== 'GET' || (body !== undefined && body !== null)) {
    return { refusal: 'read-only', problems: ['only GET without a body: nothing is written through the gateway'] };
  }
  const [place = '', search, ...more] = path.split('?');
  const [, type = '', name] = PLACE.exec(place) ?? [];
  if (!isReplicatedType(type) || more.length > 0) {
    return {
      refusal: 'path-not-allowed',
      problems: [`path must be <Type>/<id>, <Type>/<token> or <Type>?…, Type of ${REPLICATED_TYPES.join(', ')}`],
    };
  }
  if (name !== undefined) {
    return search === undefined ? read(type, name) : notAllowed('a read has no parameters');
  }
  return readSearch(type, search ?? '');
}

const invalid = (problem: string): NotPassed => ({ refusal: 'input-invalid', problems: [problem] });
const notAllowed = (problem: string): NotPassed => ({ refusal: 'parameter-not-allowed', problems: [problem] });

function isReplicatedType(type: string): type is ReplicatedType {
  return (REPLICATED_TYPES as readonly string[]).includes(type);
}

function read(type: ReplicatedType, name: string): GatewayAsk {
  const patientToken = type === 'Patient' ? PATIENT.exec(name)?.[1] : undefined;
  return {
    interaction: 'read',
    type,
    patientToken,
    name,
    query: [],
    includes: [],
    count: 2,
    offset: 0,
    self: `${type}/${name}`,
  };
}

/** What is taken of the query apart from what is passed on. */
interface Special {
  patientToken?: string;
  includes: ('Patient' | 'Encounter')[];
  count: number;
  offset: number;
}

function readSearch(type: ReplicatedType, search: string): GatewayAsk | NotPassed {
  const pairs = pairsOf(search);
  if (!pairs) {
    return invalid('the query is not name=value, percent-encoded once');
  }
  const special: Special = { includes: [], count: DEFAULT_COUNT, offset: 0 };
  const query: (readonly [string, string])[] = [];
  for (const [name, value] of pairs) {
    const taken = takeSpecial(type, special, name, value) ?? takeKnown(type, name, value);
    if (taken === undefined || taken === 'shape') {
      return taken === 'shape' ? invalid(`the value of ${name} is not of its form`) : notAllowed(help(type));
    }
    if (taken === 'pass') {
      query.push([name, value]);
    }
  }
  const { patientToken, includes, count, offset } = special;
  const shown = pairs.filter(([name]) => name !== '_offset');
  return {
    interaction: 'search',
    type,
    patientToken,
    name: undefined,
    query,
    includes: [...new Set(includes)],
    count,
    offset,
    self: shown.length > 0 ? `${type}?${encode(shown)}` : type,
  };
}

/** `shape`: the name is known, the value is not of its form. Undefined: the name is not known. */
type Taken = 'taken' | 'pass' | 'shape' | undefined;

function takeSpecial(type: ReplicatedType, special: Special, name: string, value: string): Taken {
  if (patientParameters(type).includes(name) || (type === 'Patient' && name === 'identifier')) {
    const token = PATIENT.exec(value)?.[1];
    if (!token || special.patientToken !== undefined) {
      return 'shape';
    }
    special.patientToken = token;
    return 'taken';
  }
  switch (name) {
    case '_include':
      if (!includesOf(type).includes(value)) {
        return 'shape';
      }
      special.includes.push(value.endsWith(':encounter') ? 'Encounter' : 'Patient');
      return 'taken';
    case '_count':
    case '_offset': {
      const number = /^\d{1,5}$/.test(value) ? Number(value) : -1;
      const [min, max, key] =
        name === '_count' ? ([1, MAX_COUNT, 'count'] as const) : ([0, MAX_OFFSET, 'offset'] as const);
      special[key] = number;
      return number >= min && number <= max ? 'taken' : 'shape';
    }
    case '_sort': {
      const known = [...parametersOf(type).keys()];
      return value.split(',').every((part) => known.includes(part.replace(/^-/, ''))) ? 'pass' : 'shape';
    }
    default:
      return undefined;
  }
}

function takeKnown(type: ReplicatedType, name: string, value: string): Taken {
  const [plain = '', modifier] = name.split(':');
  const kind = parametersOf(type).get(plain);
  if (!kind || (modifier !== undefined && !(kind === 'token' && modifier === 'not'))) {
    return undefined;
  }
  return isShaped(kind, value) ? 'pass' : 'shape';
}

function help(type: ReplicatedType): string {
  const names = [...patientParameters(type), ...parametersOf(type).keys(), '_include', '_sort', '_count', '_offset'];
  return `known parameters of ${type}: ${(type === 'Patient' ? ['identifier', ...names] : names).join(', ')}`;
}

/** Decoded once; what is still encoded then is of no shape. */
function pairsOf(search: string): [string, string][] | undefined {
  try {
    const parts = search === '' ? [] : search.split('&');
    const pairs = parts.map((part): [string, string] => {
      const at = part.indexOf('=');
      return at < 1 ? ['', ''] : [decodeURIComponent(part.slice(0, at)), decodeURIComponent(part.slice(at + 1))];
    });
    return pairs.every(([name, value]) => name !== '' && value !== '') ? pairs : undefined;
  } catch {
    return undefined;
  }
}

/**
 * @param pairs - Names and values.
 * @returns The query.
 */
export function encode(pairs: readonly (readonly [string, string])[]): string {
  return pairs.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join('&');
}

/**
 * The search that the replica gets.
 *
 * @param ask - The request.
 * @param systems - Our systems.
 * @param patientIds - The ids of the named patient on the replica; undefined when none is named.
 * @returns FHIR-relative.
 */
export function searchOf(
  { type, name, patientToken, query, count, offset }: GatewayAsk,
  systems: { readonly patientToken: string; readonly resourceToken: string },
  patientIds: readonly string[] | undefined
): string {
  const named = patientToken ?? (name && TOKEN.test(name) ? name : undefined);
  const system = type === 'Patient' ? systems.patientToken : systems.resourceToken;
  const pairs: (readonly [string, string])[] = [
    ...(type === 'Patient' && patientIds ? [['_id', patientIds.join(',')] as const] : []),
    ...(type !== 'Patient' && patientIds
      ? [['patient', patientIds.map((id) => `Patient/${id}`).join(',')] as const]
      : []),
    ...(name && !patientToken
      ? [named ? (['identifier', `${system}|${named}`] as const) : (['_id', name] as const)]
      : []),
    ...query,
    ['_count', String(count)],
    ...(offset > 0 ? [['_offset', String(offset)] as const] : []),
  ];
  return `${type}?${encode(pairs)}`;
}
