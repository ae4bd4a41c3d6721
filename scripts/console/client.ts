/** The script of the page: it asks the server how things stand, shows that, and passes on what a person does. Text is only ever set as text. */
import type { Action, Detail, Entry, RecordView, State } from './view.ts';

const EVERY_MS = 1000;
const EVERY_MS_AT_WORK = 250;

const token = document.querySelector<HTMLMetaElement>('meta[name=console-token]')?.content ?? '';

function at<T extends HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

type Child = Node | string;

function h(tag: string, className: string, ...children: readonly Child[]): HTMLElement {
  const element = document.createElement(tag);
  element.className = className;
  element.append(...children);
  return element;
}

async function ask<T>(path: string, body?: Action): Promise<T> {
  const answer = await fetch(path, {
    headers: { 'x-console-token': token, ...(body && { 'content-type': 'application/json' }) },
    ...(body && { method: 'POST', body: JSON.stringify(body) }),
  });
  if (!answer.ok) {
    throw new Error(String(answer.status));
  }
  return (await answer.json()) as T;
}

let shown: State | undefined;
let patientId = '';
let lastEntry = 0;
/** How much of what a person asked for is still being done. */
let acting = 0;
/** What a person waits for: said when all is done. */
let isToBeTold = false;
/** How many copies there were when something was last said. */
let copiesBefore = 0;
let timer = 0;

function set(id: string, text: string): void {
  const element = at(id);
  if (element.textContent !== text) {
    element.textContent = text;
  }
}

// ---- the records

interface Row {
  readonly item: HTMLElement;
  readonly details: HTMLDetailsElement;
  readonly more: HTMLElement;
  view: string;
}

const rows = new Map<string, Row>();

const TAGS: Readonly<Record<RecordView['standing'], string>> = {
  copied: '✓ shared',
  older: 'being renewed',
  waiting: 'on its way',
  leaving: 'being taken back',
  stays: '',
};

function showRecords(records: readonly RecordView[]): void {
  const list = at('records');
  for (const [name, { item }] of rows) {
    if (!records.some((record) => record.name === name)) {
      item.remove();
      rows.delete(name);
    }
  }
  for (const record of records) {
    const row = rows.get(record.name) ?? newRow(record.name, list);
    const view = JSON.stringify(record);
    if (row.view !== view) {
      const isNew = row.view !== '' && record.standing === 'copied';
      row.view = view;
      row.item.className = record.standing;
      row.details.firstElementChild?.replaceChildren(...cells(record, isNew));
      if (row.details.open) {
        void showDetail(record.name, row.more);
      }
    }
  }
}

function newRow(name: string, list: HTMLElement): Row {
  const more = h('div', 'more');
  const details = h('details', '', h('summary', ''), more) as HTMLDetailsElement;
  details.addEventListener('toggle', () => {
    if (details.open) {
      void showDetail(name, more);
    }
  });
  const row = { item: h('li', '', details), details, more, view: '' };
  list.append(row.item);
  rows.set(name, row);
  return row;
}

function cells({ kind, here, there, standing, why }: RecordView, isNew: boolean): Node[] {
  const left = h(
    'span',
    'cell',
    h('span', 'kind', kind),
    h('b', '', here.title),
    h('span', 'quiet small', here.detail)
  );
  const tag = h('span', 'kind', there ? kind : 'stays here', h('span', 'tag', TAGS[standing]));
  const right = there
    ? h('span', 'cell', tag, h('b', '', there.title), h('span', 'quiet small', there.detail))
    : h('span', 'cell', tag, h('b', '', why));
  right.classList.toggle('new', isNew);
  return [left, right];
}

async function showDetail(name: string, into: HTMLElement): Promise<void> {
  const query = new URLSearchParams({ patient: patientId, name });
  const { source, copy, why, decision, left } = await ask<Detail>(`/api/record?${query.toString()}`);
  const lost = left.map(({ why, paths }) => {
    const names = paths.slice(0, 6).join(', ') + (paths.length > 6 ? ` and ${paths.length - 6} more` : '');
    return h('li', '', h('span', '', `${why}: `), h('code', 'quiet', names));
  });
  const json = (title: string, value: object): HTMLElement => {
    const text = h('pre', '', JSON.stringify(value, undefined, 2));
    text.tabIndex = 0;
    text.setAttribute('aria-label', title);
    return h('div', '', h('h3', '', title), text);
  };
  into.replaceChildren(
    h('h3', '', 'Why'),
    h('p', 'small', why),
    h('p', 'quiet small', decision),
    ...(lost.length > 0 ? [h('h3', '', 'What of it did not leave'), h('ul', 'small', ...lost)] : []),
    h('div', 'two', json('Here', source), ...(copy ? [json('There', copy)] : []))
  );
}

// ---- the rest of the page

const CONDITIONS: Readonly<Record<State['condition'], readonly [text: string, className: string]>> = {
  up: ['Replica works', 'good'],
  down: ['Replica is down', 'bad'],
  slow: ['Replica is slow', 'warn'],
  throttled: ['Replica refuses', 'bad'],
};

let consentShown = '';
let patientsShown = '';
let measuredShown = '';

function show(state: State): void {
  shown = state;
  const [text, className] = CONDITIONS[state.condition];
  set('health', state.busy.length > 0 ? `${text} · bots at work` : text);
  at('health').className = `pill ${className}`;
  showPatients(state);
  const { patient, queue } = state;
  set('queue', queueText(queue));
  if (patient) {
    const copies = patient.records.filter(({ there }) => there).length;
    copiesBefore = isToBeTold ? copiesBefore : copies;
    set('here', String(patient.records.length));
    set('there', String(copies));
    set(
      'token',
      patient.token ? `copies (replica), known as ${patient.token.slice(0, 11)}…` : 'copies without identity (replica)'
    );
    showConsent(patient);
    showMeasured(patient.records);
    showRecords(patient.records);
    if (isToBeTold && acting === 0 && state.busy.length === 0) {
      isToBeTold = false;
      set('said', summary(patient.records.length, copies, queue.waiting));
      copiesBefore = copies;
    }
  }
  state.journal.forEach(showEntry);
}

function queueText({ waiting, later, failed, held }: State['queue']): string {
  const parts = [
    ...(waiting > 0 ? [`${waiting === 1 ? 'One change waits' : `${waiting} changes wait`} in the queue.`] : []),
    ...(held === undefined ? [] : [`${held} Nothing is lost: it is asked again each minute.`]),
    ...(failed > 0 ? [`${failed} given up, for a person to look at.`] : []),
    ...(later > 0 ? ['Ten minutes after an erasure one looks again whether all is gone.'] : []),
  ];
  return parts.length > 0 ? parts.join(' ') : 'The queue is empty.';
}

function summary(all: number, copies: number, waiting: number): string {
  const gone = copiesBefore > copies ? ` ${copiesBefore - copies} copies were taken back.` : '';
  const rest = waiting > 0 ? ` ${waiting === 1 ? 'A change waits' : `${waiting} changes wait`} in the queue.` : gone;
  return copies === 0
    ? `Nothing of this patient is on the replica.${rest}`
    : `${copies} of ${all} records are on the replica.${rest}`;
}

function showPatients({ patients, patient }: State): void {
  const text = JSON.stringify([patients, patient?.id]);
  if (text !== patientsShown) {
    patientsShown = text;
    const select = at<HTMLSelectElement>('patient');
    select.replaceChildren(...patients.map(({ id, name }) => new Option(name, id)));
    patientId = patient?.id ?? '';
    select.value = patientId;
  }
}

const STATES = {
  none: ['No consent', 'Nothing of this patient leaves the clinic.'],
  all: [
    'Consent is given',
    'Everything but genetic data is shared, without name, address or free text, under shifted dates.',
  ],
  some: ['Consent is given in part', 'Only what is ticked below is shared.'],
  other: ['Consent with conditions', 'The consent is not of the simple kind; open a record to see what it says.'],
} as const;

function showConsent({ consent }: NonNullable<State['patient']>): void {
  const text = JSON.stringify([patientId, consent]);
  if (text === consentShown) {
    return;
  }
  consentShown = text;
  const [state, says] = STATES[consent.kind];
  set('consent-state', state);
  set('consent-says', says);
  const [grant, revoke] = [at('grant'), at('revoke')];
  // Whoever has just pressed one of them goes on with the other.
  const isHere = document.activeElement === grant || document.activeElement === revoke;
  grant.hidden = consent.kind === 'all' || consent.kind === 'other';
  set('grant', consent.kind === 'some' ? 'Share everything' : 'Give consent');
  revoke.hidden = consent.kind === 'none';
  if (isHere) {
    (revoke.hidden ? grant : revoke).focus();
  }
  for (const box of document.querySelectorAll<HTMLInputElement>('#classes input')) {
    box.checked = consent.kind === 'none' || consent.classes.includes(box.value);
  }
}

function showMeasured(records: readonly RecordView[]): void {
  const measured = records.filter(({ value }) => value);
  const select = at<HTMLSelectElement>('record');
  const names = JSON.stringify(measured.map(({ name, here }) => [name, here.title]));
  if (names !== measuredShown) {
    measuredShown = names;
    select.replaceChildren(...measured.map(({ name, here }) => new Option(here.title, name)));
    proposeValue();
  }
}

function proposeValue(): void {
  const name = at<HTMLSelectElement>('record').value;
  const value = shown?.patient?.records.find((record) => record.name === name)?.value;
  at<HTMLInputElement>('value').value = value ? String(Math.round((value.number + 1) * 100) / 100) : '';
}

const KINDS: Readonly<Record<Entry['kind'], string>> = { you: 'You', bot: 'Bot', wire: 'To the replica' };

function showEntry(entry: Entry): void {
  if (entry.seq <= lastEntry) {
    return;
  }
  lastEntry = entry.seq;
  const when = h('span', 'at', h('span', '', KINDS[entry.kind]), h('span', '', entry.at));
  const what = h('span', 'what', entry.says);
  const part = (title: string, body: string): HTMLElement[] => [
    h('h3', '', title),
    ...(body === '' ? [] : [focusable(h('pre', '', body), title)]),
  ];
  const { request, response } = entry;
  const content =
    request && response
      ? [
          h(
            'details',
            '',
            h('summary', '', what),
            ...part(request.line, request.body),
            ...part(response.line, response.body)
          ),
        ]
      : [what];
  at('journal').prepend(h('li', `${entry.kind}${entry.isBad ? ' isbad' : ''}`, when, ...content));
}

function focusable(element: HTMLElement, label: string): HTMLElement {
  element.tabIndex = 0;
  element.setAttribute('aria-label', label);
  return element;
}

// ---- going on

async function refresh(): Promise<void> {
  clearTimeout(timer);
  const asked = patientId;
  try {
    const query = new URLSearchParams({ ...(patientId && { patient: patientId }), after: String(lastEntry) });
    const state = await ask<State>(`/api/state?${query.toString()}`);
    // Another patient may have been chosen while this one was asked about.
    if (asked === patientId) {
      show(state);
    }
  } catch {
    set('health', 'The sandbox has ended');
    at('health').className = 'pill bad';
  }
  const isBusy = acting > 0 || isToBeTold || (shown?.busy.length ?? 0) > 0;
  timer = window.setTimeout(() => void refreshIfSeen(), isBusy ? EVERY_MS_AT_WORK : EVERY_MS);
}

/** A page that nobody looks at asks nothing. */
async function refreshIfSeen(): Promise<void> {
  if (!document.hidden) {
    await refresh();
  }
}

async function act(action: Action): Promise<void> {
  acting++;
  isToBeTold = true;
  set('said', 'Working …');
  clearTimeout(timer);
  timer = window.setTimeout(() => void refreshIfSeen(), EVERY_MS_AT_WORK);
  try {
    await ask('/api/act', action);
  } catch {
    isToBeTold = false;
    set('said', 'That could not be done.');
  } finally {
    acting--;
  }
  await refresh();
}

const classes = (): string[] =>
  [...document.querySelectorAll<HTMLInputElement>('#classes input')].map(({ value }) => value);

at('grant').addEventListener('click', () => void act({ action: 'grant', patient: patientId, classes: classes() }));
at('revoke').addEventListener('click', () => void act({ action: 'revoke', patient: patientId }));
at('classes').addEventListener('submit', (event) => {
  event.preventDefault();
  const chosen = [...document.querySelectorAll<HTMLInputElement>('#classes input:checked')].map(({ value }) => value);
  void act(
    chosen.length > 0
      ? { action: 'grant', patient: patientId, classes: chosen }
      : { action: 'revoke', patient: patientId }
  );
});
at('edit').addEventListener('submit', (event) => {
  event.preventDefault();
  const lost = at<HTMLInputElement>('lost');
  void act({
    action: 'edit',
    record: at<HTMLSelectElement>('record').value,
    value: at<HTMLInputElement>('value').valueAsNumber,
    isLost: lost.checked,
  });
  lost.checked = false;
});
at('record').addEventListener('change', proposeValue);
at('patient').addEventListener('change', () => {
  patientId = at<HTMLSelectElement>('patient').value;
  at('records').replaceChildren();
  rows.clear();
  set('said', '');
  void refresh();
});
for (const radio of document.querySelectorAll<HTMLInputElement>('input[name=condition]')) {
  radio.addEventListener(
    'change',
    () => void act({ action: 'condition', condition: radio.value as State['condition'] })
  );
}
for (const button of document.querySelectorAll<HTMLButtonElement>('[data-run]')) {
  button.addEventListener('click', () => void act({ action: 'run', bot: button.dataset['run'] ?? '' }));
}
document.addEventListener('visibilitychange', () => void refreshIfSeen());
void refresh();
