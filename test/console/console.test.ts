/** The console of `npm start`: a newcomer's first minute in a real browser, and what a page elsewhere can do, which is nothing. */
import type { WithId } from '@medplum/core';
import type { Consent, Patient } from '@medplum/fhirtypes';
import { request as httpRequest } from 'node:http';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { CHROMIUM, openBrowser, openPage } from '../../scripts/browser.ts';
import { openConsole } from '../../scripts/console/serve.ts';
import type { Console } from '../../scripts/console/serve.ts';
import type { State } from '../../scripts/console/view.ts';
import { isTooWide, NO_CHROMIUM, paleTexts } from '../support/browser.ts';
import { admit, all, copies, createWorld } from '../support/world.ts';
import type { World } from '../support/world.ts';

const NAME = '<script>alert(1)</script>';

let world: World;
let page: Console;
let patient: WithId<Patient>;

beforeEach(async () => {
  world = await createWorld();
  ({ patient } = await admit(world, NAME));
  await world.settle();
  page = await openConsole({
    sandbox: world.sandbox,
    operator: await world.sandbox.source.createClient('operator', { admin: true }),
  });
});
afterEach(async () => {
  await page.close();
  await world.close();
});

const tokenOf = (html: string): string => /name="console-token" content="([^"]+)"/.exec(html)?.[1] ?? '';

describe('without a browser', () => {
  const call = async (path: string, headers: Record<string, string>, body?: object): Promise<Response> =>
    fetch(new URL(path, page.url), {
      headers: { ...(body && { 'content-type': 'application/json' }), ...headers },
      ...(body && { method: 'POST', body: JSON.stringify(body) }),
    });

  test('the page is one document that may load nothing, with no credentials in it', async () => {
    const answer = await call('/', {});
    const html = await answer.text();
    const policy = answer.headers.get('content-security-policy') ?? '';
    expect(policy).toMatch(
      /^default-src 'none'; script-src 'sha256-[^']+'; style-src 'sha256-[^']+'; connect-src 'self';/
    );
    expect(policy).not.toMatch(/unsafe|\*/);
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).toContain("require-trusted-types-for 'script'");
    expect(html).not.toMatch(/<link|<img|https?:\/\/|url\(|@import| style=| on\w+=/);
    const { secret } = world.installed.replicaClient;
    expect(html).not.toContain(secret);
    expect(html).not.toMatch(/PSEUDONYM_KEY|client_secret|Bearer/);
  });

  test('nobody without the token of the page reads or changes anything', async () => {
    const origin = page.url.replace(/\/$/, '');
    const token = tokenOf(await (await call('/', {})).text());
    const revoke = { action: 'grant', patient: patient.id, classes: ['VITAL_SIGNS'] };
    expect((await call('/api/state', {})).status).toBe(403);
    expect((await call('/api/act', { origin }, revoke)).status).toBe(403);
    expect((await call('/api/act', { 'x-console-token': token }, revoke)).status).toBe(403);
    expect((await call('/api/act', { 'x-console-token': token, origin: 'http://evil.test' }, revoke)).status).toBe(403);
    expect((await call('/api/act', { 'x-console-token': token, origin }, { action: 'drop' })).status).toBe(400);
    expect(await all<Consent>(world.sandbox, 'Consent', 'source')).toEqual([]);
    expect((await call('/api/act', { 'x-console-token': token, origin }, revoke)).status).toBe(200);
    expect(await all<Consent>(world.sandbox, 'Consent', 'source')).toHaveLength(1);
    await world.settle();
  });

  test('a name that only resolves to this machine gets nothing, not even the page', async () => {
    const status = await new Promise((resolve, reject) => {
      httpRequest(page.url, { headers: { host: 'rebound.test' } }, (answer) => resolve(answer.statusCode))
        .on('error', reject)
        .end();
    });
    expect(status).toBe(403);
  });

  test('what went over the wire is told without credentials', async () => {
    const token = tokenOf(await (await call('/', {})).text());
    const origin = page.url.replace(/\/$/, '');
    await call(
      '/api/act',
      { 'x-console-token': token, origin },
      { action: 'grant', patient: patient.id, classes: ['VITAL_SIGNS', 'DEMOGRAPHICS'] }
    );
    await world.settle();
    const state = (await (
      await call(`/api/state?patient=${patient.id}`, { 'x-console-token': token })
    ).json()) as State;
    const text = JSON.stringify(state.journal);
    expect(state.journal.map(({ says }) => says)).toContain('Signed in: done');
    expect(text).toContain('8867-4');
    expect(text).not.toMatch(/Bearer|client_secret|access_token|Janeway/);
    expect(text).not.toContain(world.installed.replicaClient.secret);
    expect(state.patient?.records.map(({ kind, standing, why }) => [kind, standing, why])).toEqual([
      ['Person', 'copied', 'Shared by consent.'],
      ['Visit', 'stays', 'The consent does not cover this kind of data.'],
      ['Measurement', 'copied', 'Shared by consent.'],
    ]);
  });
});

describe.skipIf(CHROMIUM === undefined)(`in a browser${NO_CHROMIUM}`, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(async () => {
    await browser.close();
  });

  const said = (tab: Page, text: string | RegExp): Promise<void> =>
    tab.locator('#said').filter({ hasText: text }).waitFor({ timeout: 45_000 });
  const rights = (tab: Page): Promise<string[]> => tab.locator('#records .cell:nth-child(2) b').allTextContents();

  test('one gives consent, reads what left and what did not, narrows it, revokes it, and sees it gone', async () => {
    const { page: tab, complaints } = await openPage(browser);
    await tab.goto(page.url);
    await tab.getByText('No consent', { exact: true }).waitFor();
    expect(await rights(tab)).toEqual(['No consent.', 'No consent.', 'No consent.']);
    expect(await tab.locator('#there').textContent()).toBe('0');

    await tab.getByRole('button', { name: 'Give consent' }).click();
    await said(tab, '3 of 3 records are on the replica.');
    expect(await copies(world)).toEqual({ Patient: 1, Encounter: 1, Observation: 1 });
    expect((await rights(tab))[2]).toBe('LOINC 8867-4');
    expect(await tab.locator('#journal').textContent()).toContain('A consent changed: 3 sent.');

    const pulseRow = tab.locator('#records > li').nth(2);
    await pulseRow.locator('summary').click();
    await pulseRow.getByText('What of it did not leave').waitFor();
    expect(await pulseRow.textContent()).toContain('a label of a code or reference; the code is what counts: ');
    const [here = '', there = ''] = await pulseRow.locator('pre').allTextContents();
    expect(here).toContain('pulse of a patient');
    expect(there).toContain('8867-4');
    expect(there).not.toContain('pulse of a patient');
    expect(there).not.toContain(patient.id);

    await tab.getByText('Choose what is shared').click();
    await tab.getByLabel('Vital signs').uncheck();
    await tab.getByRole('button', { name: 'Share only this' }).click();
    await said(tab, '2 of 3 records are on the replica.');
    expect((await rights(tab))[2]).toBe('The consent does not cover this kind of data.');

    await tab.getByRole('button', { name: 'Revoke consent' }).click();
    await said(tab, 'Nothing of this patient is on the replica. 2 copies were taken back.');
    expect(await copies(world)).toEqual({ Patient: 0, Encounter: 0, Observation: 0 });
    expect(await rights(tab)).toEqual(Array(3).fill('The consent has ended.'));
    expect(complaints).toEqual([]);
  });

  test('a lost event leaves an older copy, which the sweep renews', async () => {
    const { page: tab } = await openPage(browser);
    await tab.goto(page.url);
    await tab.getByRole('button', { name: 'Give consent' }).click();
    await said(tab, '3 of 3');
    await tab.getByLabel('New value').fill('99');
    await tab.getByLabel('Lose the event').check();
    await tab.getByRole('button', { name: 'Save' }).click();
    await tab.getByText('being renewed').waitFor();
    expect(await tab.locator('#records > li').nth(2).textContent()).toMatch(/99 beats\/min.*72 /);
    await tab.getByRole('button', { name: 'Sweep' }).click();
    await tab.locator('#records > li.copied').nth(2).waitFor();
    expect(await tab.locator('#records > li').nth(2).textContent()).toMatch(/99 beats\/min.*99 /);
  });

  test('a replica that is down costs nothing: what changes waits, and goes when it is back', async () => {
    const { page: tab } = await openPage(browser);
    await tab.goto(page.url);
    await tab.getByRole('button', { name: 'Give consent' }).click();
    await said(tab, '3 of 3');
    await tab.getByLabel('Down').check();
    await tab.getByText('Replica is down').waitFor();
    await tab.getByRole('button', { name: 'Revoke consent' }).click();
    await said(tab, '3 of 3 records are on the replica. A change waits in the queue.');
    expect(await tab.locator('#queue').textContent()).toContain(
      'One change waits in the queue. The replica did not answer'
    );
    expect(await tab.locator('#records > li.leaving').count()).toBe(3);
    await tab.getByRole('radio', { name: 'Works' }).check();
    await tab.getByRole('button', { name: 'Work through the queue' }).click();
    await said(tab, 'Nothing of this patient is on the replica.');
    expect(await copies(world)).toEqual({ Patient: 0, Encounter: 0, Observation: 0 });
  });

  test('a replica that refuses is asked less, and another patient is another record', async () => {
    const other = await admit(world, 'Neelix');
    await world.settle();
    const { page: tab } = await openPage(browser);
    await tab.goto(page.url);
    await tab.getByRole('combobox', { name: 'Patient' }).selectOption({ label: 'Janeway Neelix' });
    await tab.locator('#records b', { hasText: 'Janeway Neelix' }).waitFor();
    await tab.getByLabel('Refuses (429)').check();
    await tab.getByRole('button', { name: 'Give consent' }).click();
    await said(tab, 'Nothing of this patient is on the replica. A change waits in the queue.');
    expect(await tab.locator('#journal').textContent()).toContain('refused as too much (429)');
    expect(await tab.locator('#queue').textContent()).toContain('The replica asks to slow down.');
    expect(await tab.locator('#records > li.waiting').count()).toBe(3);
    await tab.getByRole('radio', { name: 'Works' }).check();
    await tab.getByRole('button', { name: 'Work through the queue' }).click();
    await said(tab, '3 of 3');
    const consents = await all<Consent>(world.sandbox, 'Consent', 'source');
    expect(consents.map((consent) => consent.patient?.reference)).toEqual([`Patient/${other.patient.id}`]);
  });

  test.each(['Compare both sides', 'Mirror the audit trail', 'Let five minutes pass'])(
    '%s: it runs, and says so',
    async (name) => {
      const { page: tab } = await openPage(browser);
      await tab.goto(page.url);
      await tab.getByRole('button', { name }).click();
      await said(tab, 'Nothing of this patient is on the replica.');
      expect(await tab.locator('#journal > li.you').count()).toBe(1);
      expect(await tab.locator('#journal > li.isbad').count()).toBe(0);
    }
  );

  test('by keyboard alone, with the focus seen, and the change said', async () => {
    const { page: tab } = await openPage(browser);
    await tab.goto(page.url);
    await tab.locator('#records > li').first().waitFor();
    const focused = (): Promise<string> =>
      tab.evaluate(() => {
        const element = document.activeElement as HTMLElement;
        const { outlineStyle } = getComputedStyle(element);
        return `${element.id || element.textContent || ''}${outlineStyle === 'none' ? ' UNSEEN' : ''}`;
      });
    const path: string[] = [];
    for (let step = 0; step < 4; step++) {
      await tab.keyboard.press('Tab');
      path.push(await focused());
    }
    expect(path).toEqual(['To the records', 'Status page', 'patient', 'grant']);
    await tab.keyboard.press('Enter');
    await said(tab, '3 of 3');
    expect(await focused()).toBe('revoke');
    await tab.keyboard.press('Enter');
    await said(tab, 'Nothing of this patient');
    expect(await tab.locator('#said').getAttribute('aria-live')).toBe('polite');
    const unnamed = await tab.evaluate(
      () =>
        [...document.querySelectorAll<HTMLInputElement>('input,select,button')].filter((each) =>
          each.tagName === 'BUTTON' ? each.textContent === '' : (each.labels?.length ?? 0) === 0
        ).length
    );
    expect(unnamed).toBe(0);
  });

  test.each([
    ['light', 1280],
    ['light', 360],
    ['dark', 1280],
    ['dark', 360],
  ] as const)(
    '%s, %i pixels wide: nothing sticks out, every text is legible, a hostile name is a name',
    async (colorScheme, width) => {
      const { page: tab, complaints } = await openPage(browser, {
        colorScheme,
        viewport: { width, height: 800 },
        reducedMotion: 'reduce',
      });
      await tab.goto(page.url);
      await tab.getByText('No consent', { exact: true }).waitFor();
      expect((await paleTexts(tab)).pale).toEqual([]);
      await tab.getByRole('button', { name: 'Give consent' }).click();
      await said(tab, '3 of 3');
      expect(await tab.evaluate(() => document.getAnimations().length)).toBe(0);
      await tab.getByText('Choose what is shared').click();
      await tab.locator('#records summary').first().click();
      await tab.locator('#records pre').first().waitFor();
      await tab.locator('#journal summary').first().click();
      expect(await isTooWide(tab)).toBe(false);
      const { pale, count } = await paleTexts(tab);
      expect(pale).toEqual([]);
      expect(count).toBeGreaterThan(60);
      expect(await tab.locator('#records b').first().textContent()).toBe(`Janeway ${NAME}`);
      expect(complaints).toEqual([]);
    }
  );

  test('the status page is one click away', async () => {
    const { page: tab, complaints } = await openPage(browser);
    await tab.goto(new URL('/status', page.url).href);
    await tab.getByRole('heading', { name: 'Erasures' }).waitFor();
    expect(complaints).toEqual([]);
  });
});
