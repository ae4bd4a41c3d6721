/** Which elements a resource has, by name and never by value. */

/** Names of FHIR are spelt like this; a property with another name may be called after anything. */
const NAME = /^_?[a-z][A-Za-z0-9]{0,63}$/;

/**
 * @param value - A resource, or a part of one.
 * @returns The paths of all elements in it, such as `code` and `code.coding`, without positions, each once; a name that FHIR cannot have is `*`.
 */
export function elementsOf(value: unknown): string[] {
  const paths = new Set<string>();
  collect(value, '', paths);
  return [...paths];
}

function collect(value: unknown, path: string, paths: Set<string>): void {
  if (Array.isArray(value)) {
    value.forEach((each) => {
      collect(each, path, paths);
    });
    return;
  }
  if (typeof value !== 'object' || value === null) {
    return;
  }
  for (const [name, child] of Object.entries(value)) {
    const own = `${path}${path && '.'}${NAME.test(name) ? name : '*'}`;
    paths.add(own);
    collect(child, own, paths);
  }
}
