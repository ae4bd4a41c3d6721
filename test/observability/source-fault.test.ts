import { expect, test } from 'vitest';
import { sourceFault } from '../../src/observability/fault.ts';

test.each([
  [0, 'source-unavailable'],
  [200, 'source-unavailable'],
  [400, 'source-refused'],
  [401, 'source-refused'],
  [403, 'source-refused'],
  [408, 'source-unavailable'],
  [409, 'source-unavailable'],
  [422, 'source-refused'],
  [429, 'source-unavailable'],
  [500, 'source-unavailable'],
  [503, 'source-unavailable'],
])('status %i is %s', (status, code) => {
  expect(sourceFault(status)).toMatchObject({ code, details: [`status ${status}`] });
});
