import { expect, test } from 'vitest';
import { triggerOf } from '../../src/bots/trigger.ts';

const encounter = { resourceType: 'Encounter', id: 'e' };

test.each([
  ['a changed resource', encounter, { kind: 'changed', resource: encounter }],
  ['a deleted resource', { deletedResource: encounter }, { kind: 'deleted', resource: encounter }],
  ['a cron tick, which brings the Bot itself', { resourceType: 'Bot', id: 'b' }, { kind: 'tick' }],
  ['a call with a body', { action: 'x' }, { kind: 'request', input: { action: 'x' } }],
  ['a call with text', 'text', { kind: 'request', input: 'text' }],
  ['a call with nothing', undefined, { kind: 'request', input: undefined }],
  ['a call with null', null, { kind: 'request', input: null }],
  ['a deletion of nothing', { deletedResource: 7 }, { kind: 'request', input: { deletedResource: 7 } }],
])('%s is told apart', (_name, input, expected) => {
  expect(triggerOf(input)).toEqual(expected);
});
