/** What the server of the console tells its page. */

/** How the replica is behaving. */
export const CONDITIONS = ['up', 'down', 'slow', 'throttled'] as const;
export type Condition = (typeof CONDITIONS)[number];

/** `copied`: both sides agree. `older`: a newer version is to come. `waiting`: may go and has not. `leaving`: may not be there any more, and is. `stays`: may not go. */
export type Standing = 'copied' | 'older' | 'waiting' | 'leaving' | 'stays';

/** A resource in a line. */
export interface Line {
  readonly title: string;
  readonly detail: string;
}

/** One record of the patient, on both sides. */
export interface RecordView {
  /** `Type/id` in the source. */
  readonly name: string;
  /** What kind of record that is, in a word that people use. */
  readonly kind: string;
  readonly here: Line;
  /** The copy, if there is one. */
  readonly there?: Line;
  readonly standing: Standing;
  /** Why it stands like that. */
  readonly why: string;
  /** A number that can be edited. */
  readonly value?: { readonly number: number; readonly unit: string };
}

/** Why something of a record is not in its copy. */
export interface Left {
  readonly why: string;
  readonly paths: readonly string[];
}

/** One record with all that there is to see. */
export interface Detail {
  readonly source: object;
  readonly copy?: object;
  /** In plain words. */
  readonly why: string;
  /** The sentence of the consent rules. */
  readonly decision: string;
  readonly left: readonly Left[];
}

export interface PatientView {
  readonly id: string;
  readonly name: string;
  readonly detail: string;
  /** How the replica knows the patient, as long as it does. */
  readonly token?: string;
  readonly consent: {
    readonly kind: 'none' | 'all' | 'some' | 'other';
    /** What is shared, by class. */
    readonly classes: readonly string[];
  };
  readonly records: readonly RecordView[];
}

/** Something that happened, in the order in which it did. */
export interface Entry {
  readonly seq: number;
  /** `HH:MM:SS` of the sandbox. */
  readonly at: string;
  readonly kind: 'you' | 'bot' | 'wire';
  readonly says: string;
  readonly isBad: boolean;
  /** Of the wire: what was sent, and what came back. */
  readonly request?: { readonly line: string; readonly body: string };
  readonly response?: { readonly line: string; readonly body: string };
}

export interface State {
  readonly condition: Condition;
  /** Bots that are at work. */
  readonly busy: readonly string[];
  readonly queue: {
    /** Changes that are to be delivered. */
    readonly waiting: number;
    /** Looks at a patient whose time is to come, such as the one ten minutes after an erasure. */
    readonly later: number;
    readonly failed: number;
    readonly held?: string;
  };
  readonly patients: readonly { readonly id: string; readonly name: string }[];
  readonly patient?: PatientView;
  /** Entries after the one that was asked for. */
  readonly journal: readonly Entry[];
}

/** What a person can do. */
export type Action =
  | { readonly action: 'grant'; readonly patient: string; readonly classes: readonly string[] }
  | { readonly action: 'revoke'; readonly patient: string }
  | { readonly action: 'edit'; readonly record: string; readonly value: number; readonly isLost: boolean }
  | { readonly action: 'condition'; readonly condition: Condition }
  | { readonly action: 'run'; readonly bot: string };
