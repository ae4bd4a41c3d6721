/** What an ADMIN may ask about the partner: rows that the bot `admin` and the bots of the partner share. */
import { TYPE_NAMES } from '../config/policy.ts';

export const PULL = {
  effect: 'change',
  why: 'Goes on with the open pull of the partner’s records, or begins one.',
  parameters: {
    full: { kind: 'boolean', why: 'Everything, not only what has changed since the last pull.' },
    since: { kind: 'date', why: 'What has changed since this instant.' },
    types: { kind: 'list', choices: TYPE_NAMES, why: 'Only these types; by default those of PARTNER_TYPES.' },
    seconds: { kind: 'integer', min: 1, max: 280, why: 'How long this run may work; the next one goes on.' },
  },
} as const;

export const STATUS = {
  effect: 'read',
  why: 'How far the last pull is, or how it ended.',
  parameters: {},
} as const;

export const CANCEL = {
  effect: 'change',
  why: 'Gives the open pull up, and tells the partner to delete its export.',
  parameters: {},
} as const;

const patient = { kind: 'patient', isRequired: true, why: 'Whom it is about.' } as const;

export const MATCH = {
  effect: 'change',
  why: 'Looks a patient up at the partner, also if that was done before, as far as they consent.',
  parameters: { patient },
} as const;

export const DECIDE = {
  effect: 'change',
  why: 'Says which of the candidates a patient is at the partner; without one, that they are none.',
  parameters: {
    patient,
    candidate: { kind: 'id', why: 'The id of the partner’s Patient.' },
  },
} as const;
