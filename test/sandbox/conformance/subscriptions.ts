import type { Basic, Bot, Extension, Patient, Subscription } from '@medplum/fhirtypes';
import { describe, expect, test } from 'vitest';
import { anIdentifier, aPatient, Api } from './api.ts';
import type { Driver } from './api.ts';

const EXTENSION = 'https://medplum.com/fhir/StructureDefinition';
const interaction = (valueCode: string): Extension => ({
  url: `${EXTENSION}/subscription-supported-interaction`,
  valueCode,
});
const expression = (valueString: string): Extension => ({
  url: `${EXTENSION}/fhir-path-criteria-expression`,
  valueString,
});

/** What a recording bot saw. */
interface Seen {
  readonly id?: string;
  readonly version?: string;
  readonly deleted?: string;
  readonly headers: Record<string, string>;
  readonly requester?: string;
  readonly contentType: string;
}

export function subscriptionRules(driver: () => Driver, api: () => Api): void {
  /** Subscribes a bot that writes down what it is called with, and `then` does more. */
  async function recorder(
    criteria: (tag: string) => string,
    extension: Extension[] = [],
    then = ''
  ): Promise<Recorder> {
    const { system, value, token } = anIdentifier();
    const bot = await driver().deployBot(`
      exports.handler = async (medplum, event) => {
        const { deletedResource, ...resource } = event.input;
        const seen = {
          id: resource.id, version: resource.meta && resource.meta.versionId, deleted: deletedResource && deletedResource.id,
          headers: event.headers, requester: event.requester && event.requester.reference, contentType: event.contentType,
        };
        const identifier = [{ system: ${JSON.stringify(system)}, value: ${JSON.stringify(value)} }];
        await medplum.createResource({ resourceType: 'Basic', identifier, code: { text: JSON.stringify(seen) } });
        ${then}
      };`);
    const subscription = await api().create<Subscription>({
      resourceType: 'Subscription',
      status: 'active',
      reason: 'conformance',
      criteria: criteria(token),
      channel: { type: 'rest-hook', endpoint: `Bot/${bot}` },
      ...(extension.length > 0 && { extension }),
    });
    return {
      bot,
      subscription,
      tag: { system, code: value },
      async seen() {
        await driver().settle();
        const found = await api().find<Basic>(`Basic?identifier=${token}&_sort=_lastUpdated&_count=100`);
        return found.map((basic) => JSON.parse(basic.code.text ?? '{}') as Seen);
      },
    };
  }
  interface Recorder {
    readonly bot: string;
    readonly subscription: Subscription & { id: string };
    readonly tag: { system: string; code: string };
    readonly seen: () => Promise<Seen[]>;
  }
  const tagged = (tag: { system: string; code: string }, override: Partial<Patient> = {}): Patient =>
    aPatient({ ...override, meta: { tag: [tag] } });
  const byTag = (tag: string): string => `Patient?_tag=${tag}`;

  describe('Subscriptions that call a Bot (platform.md 2)', () => {
    test('a create, an update and a delete each call it once (2.5)', async () => {
      const { tag, subscription, seen } = await recorder(byTag);
      const created = await api().create(tagged(tag));
      await driver().settle();
      const { body: updated } = await api().fhir('PUT', `Patient/${created.id}`, { ...created, active: true });
      await driver().settle();
      await api().fhir('DELETE', `Patient/${created.id}`);
      const calls = await seen();
      expect(calls.map(({ version, headers }) => [version, headers['X-Medplum-Interaction']])).toEqual([
        [created.meta?.versionId, 'create'],
        [updated.meta.versionId, 'update'],
        [undefined, 'delete'],
      ]);
      expect(calls[2]?.deleted).toBe(created.id);
      expect(calls[2]?.headers['X-Medplum-Deleted-Resource']).toBe(`Patient/${created.id}`);
      expect(calls.every(({ headers }) => headers['X-Medplum-Subscription'] === subscription.id)).toBe(true);
      expect(calls.every(({ contentType }) => contentType === 'application/fhir+json')).toBe(true);
    });

    test('the requester is the author of the version (2.11)', async () => {
      const { tag, seen } = await recorder(byTag);
      await api().create(tagged(tag));
      expect((await seen())[0]?.requester).toBe(`ClientApplication/${driver().client.id}`);
    });

    test('each version gets its own run with exactly that version (2.1)', async () => {
      const { tag, seen } = await recorder(byTag);
      let patient = await api().create(tagged(tag));
      const versions = [patient.meta?.versionId];
      for (let i = 1; i <= 5; i++) {
        patient = (
          await api().fhir<typeof patient>('PUT', `Patient/${patient.id}`, { ...patient, multipleBirthInteger: i })
        ).body;
        versions.push(patient.meta?.versionId);
      }
      expect((await seen()).map(({ version }) => version).sort()).toEqual(versions.sort());
    });

    test('an update that changes nothing calls nobody (2.9)', async () => {
      const { tag, seen } = await recorder(byTag);
      const created = await api().create(tagged(tag));
      await api().fhir('PUT', `Patient/${created.id}`, created);
      expect(await seen()).toHaveLength(1);
    });

    test('a bot that throws is run once (2.4)', async () => {
      const { tag, seen } = await recorder(byTag, [], `throw new Error('broken');`);
      await api().create(tagged(tag));
      expect(await seen()).toHaveLength(1);
    });

    test('criteria see the new version only (2.6)', async () => {
      const { tag, seen } = await recorder((token) => `${byTag(token)}&active=true`);
      const created = await api().create(tagged(tag, { active: true }));
      await driver().settle();
      await api().fhir('PUT', `Patient/${created.id}`, { ...created, gender: 'female' });
      await driver().settle();
      await api().fhir('PUT', `Patient/${created.id}`, { ...created, active: false });
      expect(await seen()).toHaveLength(2);
    });

    test.each(['general-practitioner.name=x', 'shoe-size=42', '_filter=active eq true'])(
      'criteria with %s are accepted and never fire (2.6)',
      async (criterion) => {
        const { tag, seen } = await recorder((token) => `${byTag(token)}&${criterion}`);
        await api().create(tagged(tag, { active: true }));
        expect(await seen()).toEqual([]);
      }
    );

    test('a supported interaction restricts, and only the first one counts (2.5)', async () => {
      const { tag, seen } = await recorder(byTag, [interaction('create'), interaction('update')]);
      const created = await api().create(tagged(tag));
      await api().fhir('PUT', `Patient/${created.id}`, { ...created, active: true });
      await driver().settle();
      await api().fhir('DELETE', `Patient/${created.id}`);
      expect((await seen()).map(({ headers }) => headers['X-Medplum-Interaction'])).toEqual(['create']);
    });

    test('an expression compares %previous with %current (2.7)', async () => {
      const becomesActive = `%current.active and (%previous.active.exists().not() or %previous.active = false)`;
      const { tag, seen } = await recorder(byTag, [expression(becomesActive)]);
      const created = await api().create(tagged(tag, { active: false }));
      const active = (await api().fhir('PUT', `Patient/${created.id}`, { ...created, active: true })).body;
      await driver().settle();
      await api().fhir('PUT', `Patient/${created.id}`, { ...active, gender: 'female' });
      expect((await seen()).map(({ version }) => version)).toEqual([active.meta.versionId]);
    });

    test('an expression that cannot be parsed never fires (2.6)', async () => {
      const { tag, seen } = await recorder(byTag, [expression('%current.(')]);
      await api().create(tagged(tag));
      expect(await seen()).toEqual([]);
    });

    test('a Subscription that is off does not fire', async () => {
      const { tag, subscription, seen } = await recorder(byTag);
      await api().fhir('PUT', `Subscription/${subscription.id}`, { ...subscription, status: 'off' });
      await api().create(tagged(tag));
      expect(await seen()).toEqual([]);
    });

    test('a transaction that fails calls nobody, and one that succeeds calls after the commit', async () => {
      const { tag, seen } = await recorder(byTag);
      const post = { request: { method: 'POST' as const, url: 'Patient' }, resource: tagged(tag) };
      const bad = {
        request: { method: 'POST' as const, url: 'Patient' },
        resource: { ...aPatient(), nickname: 'x' } as Patient,
      };
      await api().bundle('transaction', [post, bad]);
      expect(await seen()).toEqual([]);
      await api().bundle('transaction', [post, { ...post, resource: tagged(tag) }]);
      expect(await seen()).toHaveLength(2);
    });

    test('AuditEvents never fire (4.10)', async () => {
      const { seen } = await recorder(() => 'AuditEvent');
      await api().create(aPatient());
      expect(await seen()).toEqual([]);
    });

    test('a bot that is subscribed to what it writes can see that it is the author (2.10)', async () => {
      const { tag, bot, seen } = await recorder(
        byTag,
        [],
        `if (event.requester.reference !== event.bot.reference && !deletedResource) await medplum.updateResource({ ...resource, active: true });`
      );
      await api().create(tagged(tag));
      await driver().settle();
      expect((await seen()).map(({ requester }) => requester)).toEqual([
        `ClientApplication/${driver().client.id}`,
        `Bot/${bot}`,
      ]);
    });

    test('up to twenty run at once, so an older version can finish last (2.1)', async () => {
      const wait = `await require('node:timers/promises').setTimeout(resource.multipleBirthInteger === 1 ? 300 : 0);
        await medplum.createResource({ resourceType: 'Basic', identifier: [{ system: 'https://example.com/order', value: ${JSON.stringify('ID')} + resource.identifier[0].value }], code: { text: String(resource.multipleBirthInteger) } });`;
      const { tag } = await recorder(byTag, [], wait);
      let patient = await api().create(tagged(tag, { multipleBirthInteger: 1 }));
      patient = (
        await api().fhir<typeof patient>('PUT', `Patient/${patient.id}`, { ...patient, multipleBirthInteger: 2 })
      ).body;
      await driver().settle();
      const finished = await api().find<Basic>(
        `Basic?identifier=https://example.com/order|ID${patient.identifier?.[0]?.value}&_sort=_lastUpdated&_count=20`
      );
      expect(finished.map((basic) => basic.code.text)).toEqual(['2', '1']);
    });
  });

  describe('cron (platform.md 1)', () => {
    async function cronBot(cronString: string, code: string): Promise<string> {
      const id = await driver().deployBot(`exports.handler = async (medplum, event) => { ${code} };`);
      const bot = (await api().fhir<Bot>('GET', `Bot/${id}`)).body;
      expect((await api().fhir('PUT', `Bot/${id}`, { ...bot, cronString })).status).toBe(200);
      return id;
    }
    const record = (
      value: string
    ): string => `await medplum.createResource({ resourceType: 'Basic', identifier: [{ system: 'https://example.com/cron', value: '${value}' }],
      code: { text: JSON.stringify([event.input.resourceType, event.input.id, typeof event.requester, typeof event.headers, event.contentType]) } });`;

    test('a tick gives the Bot as input, and neither requester nor headers (1.4)', async ({ skip }) => {
      const advance = driver().advance ?? skip('the clock of this server cannot be moved');
      const { value } = anIdentifier();
      const id = await cronBot('*/5 * * * *', record(value));
      await advance(11 * 60_000);
      const mine = new Api(driver().baseUrl, driver().client);
      const runs = await mine.find<Basic>(`Basic?identifier=https://example.com/cron|${value}`);
      expect(runs.length).toBeGreaterThanOrEqual(2);
      expect(JSON.parse(runs[0]?.code.text ?? '')).toEqual([
        'Bot',
        id,
        'undefined',
        'undefined',
        'application/fhir+json',
      ]);
    });

    test.each(['*/5 * * * * *', 'every minute'])('"%s" is accepted and never runs (1.2)', async (cronString) => {
      const { value } = anIdentifier();
      await cronBot(cronString, record(value));
      await driver().advance?.(5 * 60_000);
      const mine = new Api(driver().baseUrl, driver().client);
      expect(await mine.find(`Basic?identifier=https://example.com/cron|${value}`)).toEqual([]);
    });

    test('a throw is not made up for before the next tick (1.6)', async ({ skip }) => {
      const advance = driver().advance ?? skip('the clock of this server cannot be moved');
      const { value } = anIdentifier();
      await cronBot('* * * * *', `${record(value)} throw new Error('broken');`);
      await advance(60_000);
      const mine = new Api(driver().baseUrl, driver().client);
      expect(await mine.find(`Basic?identifier=https://example.com/cron|${value}`)).toHaveLength(1);
    });
  });
}
