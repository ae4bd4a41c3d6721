/** A cohort as the text of a search. Pure. */
import type { Cohort } from './input.ts';

/** @param pairs - Names and values. @returns The query. */
export function encodeQuery(pairs: Cohort['query']): string {
  return pairs.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&');
}

/** @param cohort - A cohort. @returns The search, as it was asked for. */
export function textOf({ type, query }: Cohort): string {
  return query.length > 0 ? `${type}?${encodeQuery(query)}` : type;
}
