import type { DiagnosticReport, DocumentReference, Encounter } from '@medplum/fhirtypes';
import { describe, expect, test } from 'vitest';
import type { Config } from '../../../src/config/load.ts';
import { documentedIdsOf, documentSearches } from '../../../src/config/policy.ts';
import type { Replicated } from '../../../src/config/policy.ts';
import { hasFinished, isHeldBack } from '../../../src/flows/sync/documents.ts';
import { encountersOf } from '../../../src/flows/sync/facts.ts';
import type { Facts, Hint } from '../../../src/flows/sync/facts.ts';

const visit = (id: string, status: Encounter['status'], patient = 'p'): Encounter => ({
  resourceType: 'Encounter',
  id,
  status,
  class: {},
  subject: { reference: `Patient/${patient}` },
});
type References = NonNullable<DocumentReference['context']>['encounter'];
const note = (...encounter: NonNullable<References>): DocumentReference => ({
  resourceType: 'DocumentReference',
  status: 'current',
  content: [],
  context: { encounter },
});
const report: DiagnosticReport = {
  resourceType: 'DiagnosticReport',
  status: 'final',
  code: {},
  encounter: { reference: 'Encounter/e' },
};

describe('the Encounters that a record documents', () => {
  test.each<[string, Replicated, string[]]>([
    ['a report', report, ['e']],
    ['a note of two, one of them named twice', note(...['e', 'f', 'e'].map(to)), ['e', 'f']],
    ['a note of none', { resourceType: 'DocumentReference', status: 'current', content: [] }, []],
    ['an episode of care is no Encounter', note({ reference: 'EpisodeOfCare/e' }, { type: 'EpisodeOfCare' }), []],
    ['one that is named by identifier', note({ identifier: { value: '7' } }), ['']],
    ['one of another server', note({ reference: 'https://elsewhere/fhir/Encounter/e' }), ['']],
    ['one version of it', note({ reference: 'Encounter/e/_history/1' }), ['']],
    ['what is no documentation', { resourceType: 'Observation', status: 'final', code: {}, encounter: to('e') }, []],
  ])('%s', (_name, record, ids) => {
    expect(documentedIdsOf(record)).toEqual(ids);
  });

  test('are searched for by type, and nothing is asked for about none', () => {
    expect(documentSearches(['e', 'f'], ['DocumentReference', 'DiagnosticReport'])).toEqual([
      'DocumentReference?encounter=Encounter/e,Encounter/f&_fields=meta,subject,context',
      'DiagnosticReport?encounter=Encounter/e,Encounter/f&_fields=meta,subject,encounter',
    ]);
    expect(documentSearches([], ['DocumentReference'])).toEqual([]);
  });

  test('are read once each, and none without an id', () => {
    const hint: Hint = { resourceType: 'DiagnosticReport', id: 'r', encounterId: 'e', documents: ['e', '', 'f'] };
    expect(encountersOf(hint)).toEqual(['Encounter/e', 'Encounter/f']);
  });
});

describe('documentation is held back', () => {
  const rules = (...heldDocuments: Config['heldDocuments']): { readonly config: Config } => ({
    config: { heldDocuments } as unknown as Config,
  });
  const isHeld = (record: Replicated, ...encounters: readonly Encounter[]): boolean => {
    const records = new Map<string, Replicated>(encounters.map((one) => [`Encounter/${one.id}`, one]));
    return isHeldBack({ patientId: 'p', records }, record, rules('DocumentReference'));
  };
  test.each([
    'planned',
    'arrived',
    'triaged',
    'in-progress',
    'onleave',
    'cancelled',
    'entered-in-error',
    'unknown',
  ] as const)('of an Encounter that is %s', (status) => {
    expect(isHeld(note(to('e')), visit('e', status))).toBe(true);
  });
  test('of one that is not there, or another patient’s, or cannot be found', () => {
    expect(isHeld(note(to('e')))).toBe(true);
    expect(isHeld(note(to('e')), visit('e', 'finished', 'q'))).toBe(true);
    expect(isHeld(note({ identifier: { value: '7' } }), visit('e', 'finished'))).toBe(true);
  });
  test('until the last of several is finished', () => {
    expect(isHeld(note(to('e'), to('f')), visit('e', 'finished'), visit('f', 'in-progress'))).toBe(true);
    expect(isHeld(note(to('e'), to('f')), visit('e', 'finished'), visit('f', 'finished'))).toBe(false);
  });
  test('never of no Encounter, nor of a type that the setting does not name', () => {
    expect(isHeld(note())).toBe(false);
    expect(isHeld(report, visit('e', 'in-progress'))).toBe(false);
  });
  test('by what was found of Encounters that the facts do not hold', () => {
    const held = (finished: boolean): boolean =>
      isHeldBack({ patientId: 'p', records: new Map() }, note(to('e')), {
        ...rules('DocumentReference'),
        finished: new Map([['e', finished]]),
      });
    expect([held(true), held(false)]).toEqual([false, true]);
  });
});

describe('an Encounter has finished, or is so no longer', () => {
  const turned = (now: Encounter | undefined, ...earlier: readonly Encounter[]): boolean => {
    const records = new Map<string, Replicated>(now ? [['Encounter/e', now]] : []);
    return hasFinished({ patientId: 'p', records, earlier } as unknown as Facts, {
      resourceType: 'Encounter',
      id: 'e',
    });
  };
  test('when an earlier version says otherwise', () => {
    expect(turned(visit('e', 'finished'), visit('e', 'finished'), visit('e', 'in-progress'))).toBe(true);
    expect(turned(visit('e', 'in-progress'), visit('e', 'finished'))).toBe(true);
    expect(turned(visit('e', 'finished', 'q'), visit('e', 'finished'))).toBe(true);
    expect(turned(undefined, visit('e', 'finished'))).toBe(true);
  });
  test('not when all say the same', () => {
    expect(turned(visit('e', 'finished'), visit('e', 'finished'))).toBe(false);
    expect(turned(visit('e', 'in-progress'), visit('e', 'planned'))).toBe(false);
    expect(turned(visit('e', 'finished'))).toBe(false);
  });
});

function to(id: string): { readonly reference: string } {
  return { reference: `Encounter/${id}` };
}
