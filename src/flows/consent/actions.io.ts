/** What an ADMIN may ask about Consents. */
import { GRANTABLE } from '../../rules/consent/simple.ts';
import { adminAction } from '../action.ts';
import type { Actions } from '../action.ts';
import { grant, revoke } from './change.io.ts';
import { consentsOf, findingsOf, stateOf } from './state.io.ts';

const patient = {
  kind: 'patient',
  isRequired: true,
  why: 'Patient/<id>, an id, or the token on the replica.',
} as const;
const dryRun = { kind: 'boolean', why: 'Says what would be done, and writes nothing.' } as const;

export const CONSENT_ACTIONS: Actions = {
  'consent/show': adminAction({
    effect: 'read',
    why: 'The Consents of a patient, what they permit class by class, and what in them is ambiguous.',
    parameters: { patient },
    run: (deps, values) => stateOf(deps, values.patient),
  }),
  'consent/grant': adminAction({
    effect: 'change',
    why: 'Writes a Consent of the simple model; the replica fills by itself.',
    parameters: {
      patient,
      classes: { kind: 'list', choices: GRANTABLE, why: 'Classes of data; all but genetics by default.' },
      until: { kind: 'date', why: 'The last day, or instant, on which it holds.' },
      purpose: { kind: 'code', why: 'A v3-ActReason code, or CARE, which is TREAT and the default.' },
      actors: { kind: 'references', why: 'Who receives; anybody for whom the replica is kept by default.' },
      dryRun,
    },
    run: (deps, { patient: id, dryRun: isDryRun, ...wanted }) => grant(deps, id, wanted, isDryRun ?? false),
  }),
  'consent/revoke': adminAction({
    effect: 'change',
    why: 'Takes back what was granted by the simple model; the copies go by themselves.',
    parameters: {
      patient,
      classes: { kind: 'list', choices: GRANTABLE, why: 'What is taken back; everything by default.' },
      dryRun,
    },
    run: (deps, { patient: id, classes, dryRun: isDryRun }) => revoke(deps, id, classes, isDryRun ?? false),
  }),
  'consent/lint': adminAction({
    effect: 'read',
    why: 'What in the Consents of a patient can be read in more than one way, and how to write it.',
    parameters: { patient },
    run: async (deps, values) => ({ findings: findingsOf(await consentsOf(deps, values.patient)) }),
  }),
};
