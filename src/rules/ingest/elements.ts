/** Reading JSON whose shape is not known yet. Pure. */

/** An object of JSON. */
export type Elements = Readonly<Record<string, unknown>>;

/**
 * @param value - Anything.
 * @returns Whether it is an object, and no list.
 */
export function isObject(value: unknown): value is Elements {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * @param value - An element that may repeat.
 * @returns Its values.
 */
export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : value === undefined ? [] : [value];
}

/**
 * Maps every object of a value, from the inside out.
 *
 * @param value - JSON of bounded depth.
 * @param change - Is given each object with its members already mapped, and the name under which it stands.
 * @returns The mapped value; the given one is not changed.
 */
export function mapObjects(value: unknown, change: (node: Elements, name: string) => unknown, name = ''): unknown {
  if (Array.isArray(value)) {
    return value.map((each) => mapObjects(each, change, name));
  }
  if (!isObject(value)) {
    return value;
  }
  return change(
    Object.fromEntries(Object.entries(value).map(([key, each]) => [key, mapObjects(each, change, key)])),
    name
  );
}

/**
 * @param value - JSON of bounded depth.
 * @param visit - Is given each object, and its path as a FHIRPath expression of element names.
 * @param path - Where the value stands.
 */
export function eachObject(value: unknown, visit: (node: Elements, path: string) => void, path: string): void {
  if (Array.isArray(value)) {
    value.forEach((each, index) => eachObject(each, visit, `${path}[${index}]`));
  } else if (isObject(value)) {
    visit(value, path);
    for (const [name, each] of Object.entries(value)) {
      eachObject(each, visit, `${path}.${name}`);
    }
  }
}
