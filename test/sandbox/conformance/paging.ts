import type { Bundle, Patient } from '@medplum/fhirtypes';
import { describe, expect, test } from 'vitest';
import { anIdentifier, aPatient } from './api.ts';
import type { Api } from './api.ts';

export function pagingRules(api: () => Api): void {
  describe('paging (platform.md 5.5-5.8)', () => {
    test('without _count a page has 20, and the next link goes on by offset until all were seen once', async () => {
      const token = await tagged(api(), 45);
      const pages = await walk(api(), `Patient?_tag=${token}`);
      expect(pages.map((page) => page.length)).toEqual([20, 20, 5]);
      expect(new Set(pages.flat()).size).toBe(45);
    });

    test('sorted by _lastUpdated with _count of 20 or more, the next link is a cursor 2-<ms>', async () => {
      const token = await tagged(api(), 45);
      const { next } = await page(api(), `Patient?_tag=${token}&_sort=_lastUpdated&_count=20`);
      expect(next).toMatch(/_cursor=2-\d{13}/);
      expect(next).not.toContain('_offset');
    });

    test('a cursor walk sees each row once, although rows share a millisecond', async () => {
      const token = await tagged(api(), 45);
      const pages = await walk(api(), `Patient?_tag=${token}&_sort=_lastUpdated&_count=20`);
      expect(pages.map((found) => found.length)).toEqual([20, 20, 5]);
      expect(new Set(pages.flat()).size).toBe(45);
    });

    test.each(['_sort=_lastUpdated&_count=19', '_sort=-_lastUpdated&_count=20', '_sort=_id&_count=20', '_count=20'])(
      '%s is paged by offset',
      async (query) => {
        const token = await tagged(api(), 25);
        expect((await page(api(), `Patient?_tag=${token}&${query}`)).next).toContain('_offset=');
      }
    );

    test('a cursor can be made from a stored time', async () => {
      const token = await tagged(api(), 3);
      const all = await api().find<Patient>(`Patient?_tag=${token}&_sort=_lastUpdated`);
      const last = Date.parse(all.at(-1)?.meta?.lastUpdated ?? '');
      const query = `Patient?_tag=${token}&_sort=_lastUpdated&_count=20`;
      expect((await page(api(), `${query}&_cursor=2-${last}`)).ids).toContain(all.at(-1)?.id);
      expect((await page(api(), `${query}&_cursor=2-${last + 1}`)).ids).toEqual([]);
    });

    test('a malformed cursor is ignored, and a cursor with an offset is 400', async () => {
      const token = await tagged(api(), 3);
      const query = `Patient?_tag=${token}&_sort=_lastUpdated&_count=20`;
      expect((await page(api(), `${query}&_cursor=banana`)).ids).toHaveLength(3);
      expect((await api().fhir('GET', `${query}&_cursor=2-1000&_offset=1`)).status).toBe(400);
    });

    test('an offset over 10,000 is 400', async () => {
      expect((await api().fhir('GET', 'Patient?_offset=10000')).status).toBe(200);
      expect((await api().fhir('GET', 'Patient?_offset=10001')).status).toBe(400);
    });

    test('_count over 1,000 is taken for 1,000', async () => {
      const { body } = await api().fhir('GET', 'Patient?_count=5000');
      expect(body.link.find((link) => link.relation === 'self')?.url).toContain('_count=1000');
    });
  });
}

/** Makes patients in transactions, so that many share a millisecond. Returns a tag that they alone have. */
async function tagged(api: Api, count: number): Promise<string> {
  const { system, value, token } = anIdentifier();
  const resource = (): Patient => aPatient({ meta: { tag: [{ system, code: value }] } });
  for (let made = 0; made < count; made += 15) {
    const size = Math.min(15, count - made);
    await api.bundle(
      'transaction',
      Array.from({ length: size }, () => ({ request: { method: 'POST', url: 'Patient' }, resource: resource() }))
    );
  }
  return token;
}

async function page(api: Api, query: string): Promise<{ ids: (string | undefined)[]; next: string | undefined }> {
  const { body } = await api.fhir<Bundle>('GET', query);
  const next = body.link?.find((link) => link.relation === 'next')?.url;
  return { ids: (body.entry ?? []).map((entry) => entry.resource?.id), next: next?.split('/fhir/R4/')[1] };
}

async function walk(api: Api, query: string): Promise<(string | undefined)[][]> {
  const pages = [];
  for (let next: string | undefined = query; next;) {
    const found: Awaited<ReturnType<typeof page>> = await page(api, next);
    pages.push(found.ids);
    next = found.next;
  }
  return pages;
}
