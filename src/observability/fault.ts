/** The closed list of what can go wrong, its message, and whether trying again can help. One table decides. */
import type { OperationOutcome, OperationOutcomeIssue } from '@medplum/fhirtypes';
import type { ReplicaOutcome } from '../ports.ts';

interface Row {
  readonly message: string;
  readonly issue: NonNullable<OperationOutcomeIssue['code']>;
  /** True when the same request may succeed later without anybody acting. */
  readonly retryable: boolean;
}

/** Messages are constants: a thrown error ends in a stored AuditEvent, so nothing of the data may be in it. */
export const FAULTS = {
  'settings-invalid': { message: 'The settings are incomplete or invalid.', issue: 'exception', retryable: false },
  'input-invalid': {
    message: 'The bot was called with an input that it does not understand.',
    issue: 'invalid',
    retryable: false,
  },
  'source-unavailable': { message: 'The source server did not answer in time.', issue: 'transient', retryable: true },
  'source-refused': {
    message: 'The source server refused a request of the bot.',
    issue: 'forbidden',
    retryable: false,
  },
  'source-incomplete': {
    message: 'The source server returned part of what was asked for.',
    issue: 'incomplete',
    retryable: true,
  },
  'replica-unavailable': {
    message: 'The replica did not answer, or answered with a server error.',
    issue: 'transient',
    retryable: true,
  },
  'replica-throttled': { message: 'The replica asks to slow down.', issue: 'throttled', retryable: true },
  'replica-conflict': { message: 'The replica kept reporting concurrent changes.', issue: 'conflict', retryable: true },
  'replica-unauthorised': { message: 'The replica does not accept our credentials.', issue: 'login', retryable: true },
  'replica-wrong-project': {
    message: 'The replica credentials belong to another project than the settings say.',
    issue: 'security',
    retryable: false,
  },
  'replica-rejected': { message: 'The replica refuses the resource.', issue: 'processing', retryable: false },
  'replica-gone': {
    message: 'The replica does not have the resource that was to be changed.',
    issue: 'not-found',
    retryable: true,
  },
  'replica-duplicate': {
    message: 'The replica holds more than one copy under one token.',
    issue: 'duplicate',
    // A 412 is met by healing within the run; what is refused after that, a person has to see.
    retryable: false,
  },
  'erasure-incomplete': {
    message: 'Copies that should be gone were still found on the replica.',
    issue: 'incomplete',
    retryable: true,
  },
  'reveal-refused': {
    message: 'The original is not shown to this requester, for this purpose.',
    issue: 'forbidden',
    retryable: false,
  },
  'export-refused': {
    message: 'The record of this patient is not exported to this requester.',
    issue: 'forbidden',
    retryable: false,
  },
  'gateway-refused': {
    message: 'The gateway does not pass this on for this requester.',
    issue: 'forbidden',
    retryable: false,
  },
  'research-refused': {
    message: 'This research export is not for this requester, or not to be had.',
    issue: 'forbidden',
    retryable: false,
  },
  'payload-missing': {
    message: 'There is no encrypted original under this token.',
    issue: 'not-found',
    retryable: false,
  },
  'payload-unreadable': {
    message: 'The encrypted original has been changed, or its key is not known any more.',
    issue: 'processing',
    retryable: false,
  },
  'admin-refused': {
    message: 'Only an ADMIN may ask this.',
    issue: 'forbidden',
    retryable: false,
  },
  'ingest-refused': {
    message: 'Only the client of an Organization may send records.',
    issue: 'forbidden',
    retryable: false,
  },
  'ingest-invalid': { message: 'The record was not taken.', issue: 'invalid', retryable: false },
  'ingest-throttled': {
    message: 'More records than the sender may send in a minute.',
    issue: 'throttled',
    retryable: true,
  },
  'partner-unavailable': {
    message: 'The partner did not answer, or answered with a server error.',
    issue: 'transient',
    retryable: true,
  },
  'partner-unauthorised': { message: 'The partner does not accept our credentials.', issue: 'login', retryable: true },
  'partner-rejected': {
    message: 'The partner refuses what was asked, or answers what cannot be taken.',
    issue: 'processing',
    retryable: false,
  },
  'action-unknown': { message: 'There is no such action.', issue: 'not-supported', retryable: false },
  'patient-unknown': { message: 'There is no such patient.', issue: 'not-found', retryable: false },
  'bot-failed': { message: 'Another bot of ours could not do its part.', issue: 'exception', retryable: true },
  'too-large': { message: 'The resource is larger than the replica accepts.', issue: 'too-long', retryable: false },
  contention: { message: 'The record kept changing while it was being copied.', issue: 'conflict', retryable: true },
  deadline: { message: 'The run reached its deadline before it was done.', issue: 'timeout', retryable: true },
} as const satisfies Record<string, Row>;

export type FaultCode = keyof typeof FAULTS;

/** An error of ours. Carries a code and safe details; never a value of the data. */
export class Fault extends Error {
  readonly code: FaultCode;
  /** Safe additions to the constant message, such as names of settings or an HTTP status. */
  readonly details: readonly string[];
  /** What exactly is wrong with what the caller sent, in words of ours and names of elements. */
  readonly issues: readonly OperationOutcomeIssue[];

  /**
   * @param code - One of the closed list.
   * @param details - Safe additions: names of settings, statuses, our own codes.
   * @param issues - Safe issues with a place.
   */
  constructor(code: FaultCode, details: readonly string[] = [], issues: readonly OperationOutcomeIssue[] = []) {
    super(FAULTS[code].message);
    this.name = 'Fault';
    this.code = code;
    this.details = details;
    this.issues = issues;
  }
}

/**
 * Recognises a Fault by its shape: in the vm context `instanceof` fails across realms (`platform.md` §3.6).
 *
 * @param error - Anything caught.
 * @returns The fault's code, or undefined for a foreign error.
 */
export function faultCodeOf(error: unknown): FaultCode | undefined {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' && code in FAULTS ? (code as FaultCode) : undefined;
}

/**
 * The outcome that a caller sees. A bot throws this plain object: an `OperationOutcomeError` would lose its code
 * (`platform.md`, preface). The text of a foreign error is not repeated, since it may quote data.
 *
 * @param error - Anything caught.
 * @returns An OperationOutcome without PHI.
 */
export function outcomeOf(error: unknown): OperationOutcome {
  const code = faultCodeOf(error);
  if (!code) {
    return {
      resourceType: 'OperationOutcome',
      issue: [{ severity: 'fatal', code: 'exception', details: { text: 'The bot failed unexpectedly.' } }],
    };
  }
  const { message, issue } = FAULTS[code];
  const details = (error as Fault).details.map((detail): OperationOutcomeIssue => ({
    severity: 'error',
    code: issue,
    details: { text: detail },
  }));
  return {
    resourceType: 'OperationOutcome',
    issue: [
      { severity: 'error', code: issue, details: { coding: [{ code }], text: message } },
      ...details,
      ...((error as Partial<Fault>).issues ?? []),
    ],
  };
}

/** Client errors (RFC 9110 §15.5) that may pass by themselves: timeout, conflict, too many requests. */
const PASSING = [408, 409, 429];

/**
 * The fault that an answer of the source stands for which is not what was asked for. One that did not come at all (status 0) or came broken
 * may come later; a refusal will not.
 *
 * @param status - The HTTP status; 0 when there is none.
 * @returns The fault, with the status as its only detail.
 */
export function sourceFault(status: number): Fault {
  const isRefused = status >= 400 && status < 500 && !PASSING.includes(status);
  return new Fault(isRefused ? 'source-refused' : 'source-unavailable', [`status ${status}`]);
}

/**
 * The fault that an unsuccessful outcome of the replica stands for.
 *
 * @param outcome - Any outcome but `done`.
 * @returns The fault, with the HTTP status as its only detail.
 */
export function faultOf(outcome: ReplicaOutcome): Fault {
  if (outcome.kind === 'rejected' && outcome.status === 413) {
    return new Fault('too-large');
  }
  const status = 'status' in outcome && outcome.status ? [`status ${outcome.status}`] : [];
  return new Fault(outcome.kind === 'done' ? 'replica-unavailable' : `replica-${outcome.kind}`, status);
}
