/** Lists of values for search parameters, as long as a server takes them. Pure. */

/**
 * Medplum refuses a query of more than 70,000 characters, also within a batch (`FhirRouter`, MAX_QUERY_STRING_LENGTH); the next link of a
 * page repeats the query and names up to a thousand ids of 36 characters to leave out. 30,000 and 37,000 and the rest are below that.
 */
const MOST_CHARACTERS = 30_000;

/**
 * @param values - Values of a search parameter, encoded as they stand in a URL.
 * @returns The same, comma-separated, in as few lists as fit.
 */
export function listsOf(values: readonly string[]): string[] {
  const lists: string[] = [];
  let list = '';
  for (const value of values) {
    if (list !== '' && list.length + value.length >= MOST_CHARACTERS) {
      lists.push(list);
      list = '';
    }
    list += list === '' ? value : `,${value}`;
  }
  return list === '' ? lists : [...lists, list];
}
