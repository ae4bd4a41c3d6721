import type { Basic } from '@medplum/fhirtypes';
import { describe, expect, test } from 'vitest';
import { load } from '../../src/config/load.ts';
import type { Config } from '../../src/config/load.ts';
import type { Fetched, SourceFhir } from '../../src/ports.ts';
import { carryToken } from '../../src/remote/token-cache.io.ts';
import { openToken, sealToken } from '../../src/remote/token-seal.io.ts';

const TOKEN = { value: 'an-access-token', until: 5000 };

test('a sealed token opens with its secret only, and never looks the same twice', () => {
  const sealed = sealToken(TOKEN, 'secret');
  expect(openToken(sealed, 'secret')).toEqual(TOKEN);
  expect(openToken(sealed, 'other')).toBeUndefined();
  expect(sealToken(TOKEN, 'secret')).not.toBe(sealed);
  expect(sealed).not.toContain('access');
});

test.each([0, 20, 40])('a sealed token with a changed character (%i) does not open', (at) => {
  const sealed = sealToken(TOKEN, 'secret');
  const changed = sealed.slice(0, at) + (sealed[at] === 'A' ? 'B' : 'A') + sealed.slice(at + 1);
  expect(openToken(changed, 'secret')).toBeUndefined();
});

describe('a token that is kept in the source', () => {
  const config = (secret = 'client-secret'): Config => {
    const values = {
      REPLICA_BASE_URL: 'https://r.test',
      REPLICA_CLIENT_ID: 'c',
      REPLICA_CLIENT_SECRET: secret,
      PSEUDONYM_KEY: 'c4a1f0d27be95368a0c4e1d72b96f8350d4ac7e1928b5f63d0e8a7c41f92b563',
    };
    const loaded = load(
      Object.fromEntries(Object.entries(values).map(([name, valueString]) => [name, { valueString }]))
    );
    if ('problems' in loaded) {
      throw new Error(loaded.problems.join());
    }
    return loaded.config;
  };

  /** A source that keeps what is saved, and answers each read with its URL as a status of its own. */
  function shelf(): { source: SourceFhir; reads: string[][]; saved: () => Basic | undefined } {
    let kept: Basic | undefined;
    const reads: string[][] = [];
    const answer = (url: string): Fetched =>
      url.startsWith('Basic')
        ? {
            status: 200,
            resource: { resourceType: 'Bundle', type: 'searchset', entry: kept ? [{ resource: kept }] : [] },
          }
        : { status: 404 };
    return {
      reads,
      saved: () => kept,
      source: {
        read: (urls) => {
          reads.push([...urls]);
          return Promise.resolve(urls.map(answer));
        },
        save: (basic) => {
          kept = basic;
          return Promise.resolve();
        },
        search: () => Promise.reject(new Error('not asked')),
        record: () => Promise.reject(new Error('not asked')),
        commit: () => Promise.reject(new Error('not asked')),
        ensure: () => Promise.reject(new Error('not asked')),
        ensureConsent: () => Promise.reject(new Error('not asked')),
        replaceConsent: () => Promise.reject(new Error('not asked')),
        enlist: () => Promise.reject(new Error('not asked')),
        change: () => Promise.reject(new Error('not asked')),
        dismiss: () => Promise.reject(new Error('not asked')),
        replace: () => Promise.reject(new Error('not asked')),
        store: () => Promise.reject(new Error('not asked')),
        load: () => Promise.reject(new Error('not asked')),
        discard: () => Promise.reject(new Error('not asked')),
        append: () => Promise.reject(new Error('not asked')),
        remove: () => Promise.reject(new Error('not asked')),
      },
    };
  }
  const clock = (now: number): { now(): number; sleep(): Promise<void> } => ({
    now: () => now,
    sleep: () => Promise.resolve(),
  });

  test('comes along with the first reads of the next run, and those are answered as if alone', async () => {
    const { source, reads, saved } = shelf();
    await carryToken(source, config(), clock(0)).cache.save(TOKEN);
    expect(JSON.stringify(saved())).not.toContain(TOKEN.value);
    const next = carryToken(source, config(), clock(1000));
    expect(await next.source.read(['Patient/1'])).toEqual([{ status: 404 }]);
    expect(next.cache.load()).toEqual(TOKEN);
    await next.source.read(['Patient/2']);
    expect(reads.map((urls) => urls.length)).toEqual([2, 1]);
  });

  test('is not used when it has ended, or when the secret has changed', async () => {
    const { source } = shelf();
    await carryToken(source, config(), clock(0)).cache.save(TOKEN);
    for (const next of [
      carryToken(source, config(), clock(6000)),
      carryToken(source, config('rotated-secret'), clock(1000)),
    ]) {
      await next.source.read(['Patient/1']);
      expect(next.cache.load()).toBeUndefined();
    }
  });
});
