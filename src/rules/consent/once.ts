/** Values that are worked out once: the same Consents are asked about every record of a patient. */

/** One entry for each object, whatever is remembered of it: weak entries are what the garbage collector takes longest for. */
const memos = new WeakMap<object, Map<unknown, unknown>>();

/**
 * Remembers what was made of an object, as long as the object lives. Consents are never changed, so this cannot be seen from outside; and
 * no run sees another's, since each reads its Consents anew.
 *
 * @param make - A pure function of the object.
 * @returns The same function, faster.
 */
export function oncePer<K extends object, V>(make: (key: K) => V): (key: K) => V {
  return (key) => {
    let memo = memos.get(key);
    if (!memo) {
      memos.set(key, (memo = new Map<unknown, unknown>()));
    }
    if (!memo.has(make)) {
      memo.set(make, make(key));
    }
    return memo.get(make) as V;
  };
}

/**
 * Makes a value when it is first asked for.
 *
 * @param make - A pure function.
 * @returns The same function, called once.
 */
export function lazily<V>(make: () => V): () => V {
  let made: { readonly value: V } | undefined;
  return () => (made ??= { value: make() }).value;
}
