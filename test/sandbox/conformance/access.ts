import type { AccessPolicy } from '@medplum/fhirtypes';
import { describe, expect, test } from 'vitest';
import { anIdentifier, aPatient, Api, fetchToken, reason, send } from './api.ts';
import type { Body, Driver } from './api.ts';

const FORM = { 'content-type': 'application/x-www-form-urlencoded' };

export function accessRules(driver: () => Driver, api: () => Api): void {
  const token = (form: Record<string, string>, headers: Record<string, string> = {}): ReturnType<typeof send<Body>> =>
    send<Body>(driver().baseUrl, 'POST', 'oauth2/token', new URLSearchParams(form).toString(), { ...FORM, ...headers });
  const basic = (id: string, secret: string): string => `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`;
  const read = (authorization: string): ReturnType<typeof send<Body>> =>
    send<Body>(driver().baseUrl, 'GET', 'fhir/R4/Patient?_count=1', undefined, { authorization });

  describe('OAuth2 client credentials (source: oauth/token.ts)', () => {
    test('credentials in the body and as Basic both give a token that opens the API', async () => {
      const { id, secret } = driver().client;
      const inBody = await token({ grant_type: 'client_credentials', client_id: id, client_secret: secret });
      const asBasic = await token({ grant_type: 'client_credentials' }, { authorization: basic(id, secret) });
      for (const { status, body } of [inBody, asBasic]) {
        expect([status, body.token_type, body.expires_in]).toEqual([200, 'Bearer', 3600]);
        expect((await read(`Bearer ${body.access_token}`)).status).toBe(200);
      }
    });

    test('a wrong secret is 400 invalid_request', async () => {
      const { status, body } = await token({
        grant_type: 'client_credentials',
        client_id: driver().client.id,
        client_secret: 'x',
      });
      expect([status, body]).toEqual([400, { error: 'invalid_request', error_description: 'Invalid secret' }]);
    });

    test.each([
      [{}, 'Missing grant_type'],
      [{ grant_type: 'password' }, 'Unsupported grant_type'],
      [{ grant_type: 'client_credentials' }, 'Missing client_id'],
      [{ grant_type: 'client_credentials', client_id: 'x' }, 'Missing client_secret'],
      [
        { grant_type: 'client_credentials', client_id: '00000000-0000-4000-8000-000000000000', client_secret: 'x' },
        'Invalid client',
      ],
    ])('%o is refused: %s', async (form, description) => {
      const { status, body } = await token(form);
      expect([status, body.error, body.error_description]).toEqual([400, 'invalid_request', description]);
    });

    test('Basic authentication of a client opens the API; a wrong secret does not', async () => {
      const { id, secret } = driver().client;
      expect((await read(basic(id, secret))).status).toBe(200);
      expect((await read(basic(id, 'x'))).status).toBe(401);
    });

    test.each(['', 'Bearer nonsense', 'Bearer a.b.c', 'Digest x'])(
      'authorization "%s" is 401 with an OperationOutcome',
      async (authorization) => {
        const { status, body } = await read(authorization);
        expect([status, body.issue[0].code]).toEqual([401, 'login']);
      }
    );

    test('a token expires', async ({ skip }) => {
      const advance = driver().advance ?? skip('the clock of this server cannot be moved');
      const old = await fetchToken(driver().baseUrl, driver().client);
      await advance(3_599_000 - 5_000);
      expect((await read(`Bearer ${old}`)).status).toBe(200);
      await advance(6_000);
      expect((await read(`Bearer ${old}`)).status).toBe(401);
    });

    test('healthcheck and metadata are open to all', async () => {
      expect((await send<Body>(driver().baseUrl, 'GET', 'healthcheck', undefined, {})).body.ok).toBe(true);
      const { body } = await send<Body>(driver().baseUrl, 'GET', 'fhir/R4/metadata', undefined, {});
      expect([body.resourceType, body.fhirVersion]).toEqual(['CapabilityStatement', '4.0.1']);
    });

    test('auth/me says who calls', async () => {
      const bearer = `Bearer ${await fetchToken(driver().baseUrl, driver().client)}`;
      const { body } = await send<Body>(driver().baseUrl, 'GET', 'auth/me', undefined, { authorization: bearer });
      expect([body.profile.resourceType, body.profile.id]).toEqual(['ClientApplication', driver().client.id]);
    });
  });

  describe('AccessPolicy (platform.md 6.2-6.4)', () => {
    const restricted = async (...rules: Parameters<Driver['restrictedClient']>[0]): Promise<Api> =>
      new Api(driver().baseUrl, await driver().restrictedClient(rules));

    test('a type that is not listed is 403, whatever is done', async () => {
      const { id } = await api().create(aPatient());
      const caller = await restricted({ resourceType: 'Task' });
      for (const [method, path, body] of [
        ['GET', `Patient/${id}`, undefined],
        ['GET', 'Patient', undefined],
        ['POST', 'Patient', aPatient()],
        ['PUT', `Patient/${id}`, { ...aPatient(), id }],
        ['DELETE', `Patient/${id}`, undefined],
      ] as const) {
        expect((await caller.fhir(method, path, body)).status).toBe(403);
      }
    });

    test('criteria hide what does not match: 404 on read, absent from search, 403 on create', async () => {
      const { token: tag, system, value: code } = anIdentifier();
      const meta = { tag: [{ system, code }] };
      const inside = await api().create(aPatient({ meta }));
      const outside = await api().create(aPatient());
      const caller = await restricted({ resourceType: 'Patient', criteria: `Patient?_tag=${tag}` });
      expect((await caller.fhir('GET', `Patient/${inside.id}`)).status).toBe(200);
      expect((await caller.fhir('GET', `Patient/${outside.id}`)).status).toBe(404);
      expect((await caller.find(`Patient?_id=${inside.id},${outside.id}`)).map(({ id }) => id)).toEqual([inside.id]);
      expect((await caller.fhir('POST', 'Patient', aPatient())).status).toBe(403);
      expect((await caller.fhir('POST', 'Patient', aPatient({ meta }))).status).toBe(201);
    });

    test('nobody can write a resource out of the criteria', async () => {
      const { token: tag, system, value: code } = anIdentifier();
      const inside = await api().create(aPatient({ meta: { tag: [{ system, code }] } }));
      const caller = await restricted({ resourceType: 'Patient', criteria: `Patient?_tag=${tag}` });
      const { meta: _meta, ...untagged } = inside;
      expect((await caller.fhir('PUT', `Patient/${inside.id}`, untagged)).status).toBe(403);
      expect((await api().fhir('GET', `Patient/${inside.id}`)).body.meta.tag).toHaveLength(1);
    });

    test('readonly permits reading and no writing', async () => {
      const { id } = await api().create(aPatient());
      const caller = await restricted({ resourceType: 'Patient', readonly: true });
      expect((await caller.fhir('GET', `Patient/${id}/_history`)).status).toBe(200);
      expect((await caller.fhir('PUT', `Patient/${id}`, { ...aPatient(), id })).status).toBe(403);
      expect((await caller.fhir('DELETE', `Patient/${id}`)).status).toBe(403);
    });

    test('a list of interactions permits these and no others', async () => {
      const caller = await restricted(
        { resourceType: 'AuditEvent', interaction: ['create', 'read', 'search'] },
        { resourceType: 'Patient', interaction: ['create', 'read'] }
      );
      const { id } = await caller.create(aPatient());
      expect((await caller.fhir('GET', `Patient/${id}`)).status).toBe(200);
      expect((await caller.fhir('DELETE', `Patient/${id}`)).status).toBe(403);
      expect((await caller.fhir('GET', `Patient/${id}/_history`)).status).toBe(403);
      expect((await caller.fhir('GET', 'Patient')).status).toBe(403);
    });

    test('hidden fields are absent on read, readonly fields keep their value', async () => {
      const { id } = await api().create(aPatient({ gender: 'female', birthDate: '1980-01-01' }));
      const caller = await restricted({
        resourceType: 'Patient',
        hiddenFields: ['birthDate'],
        readonlyFields: ['gender'],
      });
      expect((await caller.fhir('GET', `Patient/${id}`)).body.birthDate).toBeUndefined();
      const { status, body } = await caller.fhir('PUT', `Patient/${id}`, { ...aPatient({ gender: 'male' }), id });
      expect([status, body.gender]).toEqual([200, 'female']);
      expect((await api().fhir('GET', `Patient/${id}`)).body.birthDate).toBe('1980-01-01');
    });

    test('in a transaction a forbidden entry undoes the permitted ones', async () => {
      const caller = await restricted({ resourceType: 'Patient' });
      const patient = aPatient();
      const { status } = await caller.bundle('transaction', [
        { request: { method: 'POST', url: 'Patient' }, resource: patient },
        { request: { method: 'POST', url: 'Basic' }, resource: { resourceType: 'Basic', code: { text: 'x' } } },
      ]);
      expect(status).toBe(403);
      expect(await api().find(`Patient?identifier=${patient.identifier[0].value}`)).toEqual([]);
    });

    test('a policy that is gone makes every call fail', async () => {
      const credentials = await driver().restrictedClient([{ resourceType: 'Patient' }]);
      const caller = new Api(driver().baseUrl, credentials);
      expect((await caller.fhir('GET', 'Patient')).status).toBe(200);
      const policies = await api().find<AccessPolicy>('AccessPolicy?_sort=-_lastUpdated&_count=1');
      await api().fhir('DELETE', `AccessPolicy/${policies[0]?.id}`);
      const { status, body } = await caller.fhir('GET', 'Patient');
      expect([status, reason(body)]).toEqual([400, 'Cannot authenticate: Invalid access policy']);
    });

    test('memberships are not for clients that are no admins', async () => {
      expect((await api().fhir('GET', 'ProjectMembership')).status).toBe(403);
      expect((await api().fhir('GET', 'Login')).status).toBe(403);
    });
  });
}
