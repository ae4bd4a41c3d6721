/** What happened, and what went over the wire: the newest of it, in order. */
import type { BotRun } from '../sandbox/bots.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import type { WireEntry } from '../sandbox/wire.ts';
import type { Entry } from './view.ts';
import { requestText, runText, statusText } from './words.ts';

const KEPT = 300;
/** A page of copies is some 100 kB, and nobody reads further than this. */
const SHOWN_CHARACTERS = 20_000;

/** Runs that tell nobody anything: they answer a person, or somebody who watches. */
const QUIET = ['health', 'metrics', 'status', 'admin', 'explain', 'export', 'gateway', 'reveal', 'ingest'];

type News = Omit<Entry, 'seq' | 'at'>;

/** The journal of one sandbox. */
export class Journal {
  #entries: Entry[] = [];
  #seq = 0;
  readonly #sandbox: Sandbox;

  constructor(sandbox: Sandbox) {
    this.#sandbox = sandbox;
    sandbox.replica.onRequest((entry) => this.add(ofWire(entry)));
    sandbox.source.onBotRun((run) => {
      const news = ofRun(run);
      if (news) {
        this.add(news);
      }
    });
  }

  add(news: News): void {
    const at = this.#sandbox.clock.iso().slice(11, 19);
    this.#entries = [...this.#entries.slice(1 - KEPT), { seq: ++this.#seq, at, ...news }];
  }

  /** The entries after one, oldest first. */
  after(seq: number): readonly Entry[] {
    return this.#entries.filter((entry) => entry.seq > seq);
  }
}

function ofRun({ bot, trigger, success, returnValue }: BotRun): News | undefined {
  const name = bot.name ?? '';
  if (QUIET.includes(name)) {
    return undefined;
  }
  const says = success ? runText(name, returnValue) : `${name} could not do its work; it is done again later.`;
  // Cron runs each minute, mostly for nothing.
  return trigger === 'cron' && success && says.includes('nothing to do')
    ? undefined
    : { kind: 'bot', says, isBad: !success };
}

function ofWire(entry: WireEntry): News {
  const { method, url, status, durationMs, interaction } = entry;
  const isSecret = interaction === 'token' || url.includes('oauth2/');
  const body = isSecret ? undefined : parsed(entry.body);
  const isBad = status === undefined || status >= 400;
  const what = requestText(isSecret ? 'token' : interaction, method, body);
  return {
    kind: 'wire',
    says: `${what}: ${statusText(status)}`,
    isBad,
    request: {
      line: `${method} ${decodeURIComponent(url)}`,
      body: isSecret ? 'Credentials are not shown.' : shown(entry.body),
    },
    response: {
      line: status === undefined ? 'no answer' : `${status}, ${Math.round(durationMs)} ms`,
      body: isSecret ? 'An access token is not shown.' : shown(entry.responseBody),
    },
  };
}

function parsed(text: string): unknown {
  try {
    return text === '' ? undefined : (JSON.parse(text) as unknown);
  } catch {
    return undefined;
  }
}

function shown(text: string): string {
  const value = parsed(text);
  const pretty = value === undefined ? text : JSON.stringify(value, undefined, 2);
  return pretty.length > SHOWN_CHARACTERS
    ? `${pretty.slice(0, SHOWN_CHARACTERS)}\n… ${pretty.length} characters`
    : pretty;
}
