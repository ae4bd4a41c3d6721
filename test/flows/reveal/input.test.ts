import { describe, expect, test } from 'vitest';
import { readAsk } from '../../../src/flows/reveal/input.ts';
import { systemsOf } from '../../../src/fhir/systems.ts';

const TOKEN = 'pt_bcdfghjkmpqrtvwxbcdfghjkmpqrtvwx';
const { dataClass, payload } = systemsOf();
const ask = { token: TOKEN, purpose: 'TREAT', reason: 'asked by phone' };
const read = (input: unknown): unknown => readAsk(input, dataClass);

describe('an ask', () => {
  test('is token, purpose and reason', () => {
    expect(read(ask)).toEqual({ kind: 'reveal', ...ask });
  });

  test.each([`Patient/${TOKEN}`, `${payload}/${TOKEN}`])('may name the token as %s', (token) => {
    expect(read({ ...ask, token })).toMatchObject({ token: TOKEN });
  });

  test.each(['Doe', '', 'pt_abc123', `${TOKEN}x`, 'Patient/123'])('what is no token is nobody’s: %j', (token) => {
    expect(read({ ...ask, token })).toMatchObject({ kind: 'reveal', token: undefined });
  });

  test('CARE is TREAT', () => expect(read({ ...ask, purpose: 'CARE' })).toMatchObject({ purpose: 'TREAT' }));

  test('breaks the glass by flag or purpose', () => {
    expect(read({ ...ask, breakGlass: true })).toMatchObject({ kind: 'break-glass', purpose: 'TREAT' });
    expect(read({ ...ask, purpose: 'BTG' })).toMatchObject({ kind: 'break-glass', purpose: 'BTG' });
    expect(read({ ...ask, breakGlass: false })).toMatchObject({ kind: 'reveal' });
  });

  test('list needs nothing else', () => expect(read({ action: 'list' })).toEqual({ kind: 'list' }));

  test.each([
    [undefined, 3],
    ['x', 3],
    [{}, 3],
    [{ ...ask, purpose: 'Curiosity' }, 1],
    [{ ...ask, purpose: { code: 'TREAT' } }, 1],
    [{ ...ask, reason: '   ' }, 1],
    [{ ...ask, reason: 'x'.repeat(501) }, 1],
    [{ ...ask, breakGlass: 'yes' }, 1],
    [{ ...ask, action: 'delete' }, 1],
  ])('%j has %i problems, none of which says a value', (input, count) => {
    const { problems } = read(input) as { problems: string[] };
    expect(problems).toHaveLength(count);
    expect(problems.join()).not.toMatch(/Curiosity|yes|delete|xxx/);
  });
});
