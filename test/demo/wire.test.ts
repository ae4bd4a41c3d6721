import { describe, expect, test } from 'vitest';
import { wireLine } from '../../scripts/demo/wire.ts';

const exchange = {
  at: '2026-01-01T00:00:00Z',
  method: 'POST',
  url: '/oauth2/token',
  headers: { authorization: 'Basic abc', accept: '*/*' },
  body: 'grant_type=client_credentials&client_secret=hush&scope=x',
  status: 200,
  responseHeaders: {},
  responseBody: '{"access_token":"hush"}',
  durationMs: 1,
  interaction: 'token',
  caller: undefined,
};

describe('a line of the wire', () => {
  test('has everything but the credentials and the answer', () => {
    expect(wireLine(exchange, 1, 'http://replica/')).toEqual({
      sequence: 1,
      method: 'POST',
      url: 'http://replica/oauth2/token',
      headers: { authorization: '<redacted>', accept: '*/*' },
      body: 'grant_type=client_credentials&client_secret=<redacted>&scope=x',
      status: 200,
    });
  });

  test('has JSON as JSON, null for no body, and null for a cut connection', () => {
    expect(wireLine({ ...exchange, body: '{"a":1}' }, 1, 'http://replica/').body).toEqual({ a: 1 });
    expect(wireLine({ ...exchange, body: '', status: undefined }, 1, 'http://replica/')).toMatchObject({
      body: null,
      status: null,
    });
  });
});
