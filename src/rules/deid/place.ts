/** Where somebody lives, as coarse as Safe Harbor asks: the state, and three digits of the ZIP code. */
import { ZIP3_RUNS } from './zip3.ts';

/** What is left of an Address. */
export interface Place {
  readonly state?: string;
  readonly postalCode?: string;
  readonly country?: string;
}

/** What a ZIP code becomes whose area has 20,000 people or fewer (45 CFR 164.514(b)(2)(i)(B)(2)). */
const TOO_FEW = '000';

const STATES: ReadonlyMap<string, string> = new Map(
  'AL:Alabama|AK:Alaska|AZ:Arizona|AR:Arkansas|CA:California|CO:Colorado|CT:Connecticut|DE:Delaware|DC:District of Columbia|FL:Florida|GA:Georgia|HI:Hawaii|ID:Idaho|IL:Illinois|IN:Indiana|IA:Iowa|KS:Kansas|KY:Kentucky|LA:Louisiana|ME:Maine|MD:Maryland|MA:Massachusetts|MI:Michigan|MN:Minnesota|MS:Mississippi|MO:Missouri|MT:Montana|NE:Nebraska|NV:Nevada|NH:New Hampshire|NJ:New Jersey|NM:New Mexico|NY:New York|NC:North Carolina|ND:North Dakota|OH:Ohio|OK:Oklahoma|OR:Oregon|PA:Pennsylvania|PR:Puerto Rico|RI:Rhode Island|SC:South Carolina|SD:South Dakota|TN:Tennessee|TX:Texas|UT:Utah|VT:Vermont|VA:Virginia|WA:Washington|WV:West Virginia|WI:Wisconsin|WY:Wyoming'
    .split('|')
    .flatMap((pair) => {
      const [code = '', name = ''] = pair.split(':');
      return [
        [code.toLowerCase(), code],
        [name.toLowerCase(), code],
      ];
    })
);

const ZIP3: ReadonlySet<string> = new Set(
  ZIP3_RUNS.split('|').flatMap((run) => {
    const [first = '', last = first] = run.split('-');
    return Array.from({ length: Number(last) - Number(first) + 1 }, (_, i) =>
      String(Number(first) + i).padStart(3, '0')
    );
  })
);

/**
 * The first address that is in the United States.
 *
 * @param addresses - `address` of the source.
 * @returns Its state and ZIP3, or undefined. Another country gives nothing: its postal codes are not ours to judge.
 */
export function placeOf(addresses: unknown): Place | undefined {
  for (const address of Array.isArray(addresses) ? addresses : [addresses]) {
    const place = publicPlace(address);
    if (place) return place;
  }
  return undefined;
}

function publicPlace(address: unknown): Place | undefined {
  if (typeof address !== 'object' || address === null) return undefined;
  const { state, postalCode, country } = address as Readonly<Record<string, unknown>>;
  if (country !== undefined && !isHere(country)) return undefined;
  const known = typeof state === 'string' ? STATES.get(state.trim().toLowerCase()) : undefined;
  const zip = typeof postalCode === 'string' && /^\d{5}(?:-?\d{4})?$/.test(postalCode) ? zip3(postalCode) : undefined;
  return known || zip ? { ...(known && { state: known }), ...(zip && { postalCode: zip }), country: 'US' } : undefined;
}

function isHere(country: unknown): boolean {
  return typeof country === 'string' && /^(?:USA?|United States(?: of America)?)$/i.test(country);
}

function zip3(postalCode: string): string {
  const prefix = postalCode.slice(0, 3);
  return ZIP3.has(prefix) ? prefix : TOO_FEW;
}
