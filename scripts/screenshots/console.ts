/** A first minute at the console, for a picture of it. */
import type { Browser, Page } from 'playwright-core';
import { openPage } from '../browser.ts';
import { openConsole } from '../console/serve.ts';
import { installBundle } from '../install.ts';
import { samplePatients } from '../samples/patients.ts';
import { createSandbox } from '../sandbox/sandbox.ts';
import { signIn } from '../story/rest.ts';

const START = '2026-03-02T08:20:00Z';

/**
 * Gives consent to all but a few classes, and waits until that is done.
 *
 * @param browser - The browser.
 * @param take - Takes the picture.
 */
export async function showConsole(browser: Browser, take: (page: Page) => Promise<void>): Promise<void> {
  const sandbox = await createSandbox({ start: START });
  const operator = await sandbox.source.createClient('operator', { admin: true });
  try {
    await installBundle(sandbox, { isCronOff: true });
    const source = await signIn(sandbox.source.baseUrl, operator);
    for (const bundle of samplePatients({ seed: 7, count: 3 })) {
      await source.send('POST', '', bundle);
    }
    await sandbox.source.idle();
    const site = await openConsole({ sandbox, operator });
    try {
      const { page } = await openPage(browser, { viewport: { width: 1280, height: 900 }, reducedMotion: 'reduce' });
      await page.goto(site.url);
      await page.getByText('Choose what is shared').click();
      await page.getByLabel('Visits').uncheck();
      await page.getByRole('button', { name: 'Share only this' }).click();
      await page.locator('#said').filter({ hasText: 'records are on the replica' }).waitFor();
      await page.getByText('Choose what is shared').click();
      await page.mouse.move(0, 0);
      await take(page);
    } finally {
      await site.close();
    }
  } finally {
    await sandbox.close();
  }
}
