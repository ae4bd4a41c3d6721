/** The server of the console: one page and a small API, for this machine only. */
import { build } from 'esbuild';
import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Basic, Patient, Task } from '@medplum/fhirtypes';
import { systemsOf } from '../../src/fhir/systems.ts';
import { FAULTS } from '../../src/observability/fault.ts';
import { controlOf, controlTerm, heldBy } from '../../src/queue/control.ts';
import { jobsSearch, typeOf } from '../../src/queue/job.ts';
import { act, actionIn, basicOf } from './actions.ts';
import type { Stage } from './actions.ts';
import { refusalOf } from './guard.ts';
import { Journal } from './journal.ts';
import { consolePage } from './page.ts';
import { patientView, recordDetail, search } from './patient.ts';
import { lineOf } from './record.ts';
import type { Condition, State } from './view.ts';

const MAX_BODY_BYTES = 10_000;
/** A consent of some thirty records takes half a minute where each request takes a second and a half. */
const PATIENCE_MS = 120_000;

const HEADERS = {
  'Cache-Control': 'no-store',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
};

/** A console that is up. */
export interface Console {
  /** Ends with a slash. */
  readonly url: string;
  close(): Promise<void>;
}

/** What is answered. */
interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const json = (status: number, value: unknown): Answer => ({
  status,
  type: 'application/json',
  body: JSON.stringify(value),
});
const html = (body: string, policy: string): Answer => ({
  status: 200,
  type: 'text/html; charset=utf-8',
  body,
  headers: { 'Content-Security-Policy': policy },
});

/**
 * Starts it. What happens in the sandbox from now on is in its journal.
 *
 * @param stage - The sandbox with the bundle installed, and an operator of its source.
 * @param port - On 127.0.0.1; 0 is any free port.
 * @returns Where it is.
 */
export async function openConsole(stage: Stage, port = 0): Promise<Console> {
  const journal = new Journal(stage.sandbox);
  const token = randomBytes(32).toString('base64url');
  const page = await assembled(token);
  const api = apiOf(stage, journal);
  const server = createServer((request, response) => {
    void answer(request).then(
      (given) => send(response, given),
      () => send(response, json(500, { says: 'That did not work.' }))
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const own = (server.address() as AddressInfo).port;
  return { url: `http://127.0.0.1:${own}/`, close: () => close(server) };

  async function answer(request: IncomingMessage): Promise<Answer> {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://console.invalid');
    const refusal = refusalOf(
      {
        method: request.method ?? '',
        isApi: pathname.startsWith('/api/'),
        host: request.headers.host,
        origin: request.headers.origin,
        token: request.headers['x-console-token'] as string | undefined,
        contentType: request.headers['content-type'],
        site: request.headers['sec-fetch-site'],
      },
      own,
      token
    );
    if (refusal !== undefined) {
      return json(403, { says: `Refused: ${refusal}.` });
    }
    switch (`${request.method} ${pathname}`) {
      case 'GET /':
        return html(page.html, page.policy);
      case 'GET /status':
        return html(await statusPage(stage), "frame-ancestors 'none'");
      case 'GET /api/state':
        return json(
          200,
          await api.state(searchParams.get('patient') ?? undefined, Number(searchParams.get('after') ?? 0))
        );
      case 'GET /api/record': {
        const detail = await api.record(searchParams.get('patient') ?? '', searchParams.get('name') ?? '');
        return detail ? json(200, detail) : json(404, { says: 'There is no such record.' });
      }
      case 'POST /api/act': {
        const action = actionIn(await bodyOf(request));
        return action ? json(200, await api.act(action)) : json(400, { says: 'There is no such action.' });
      }
      default:
        return json(404, { says: 'There is nothing here.' });
    }
  }
}

/** The page with its script and style inside, and the policy that allows these two and nothing else. */
async function assembled(token: string): Promise<{ readonly html: string; readonly policy: string }> {
  const { outputFiles } = await build({
    entryPoints: [join(import.meta.dirname, 'client.ts')],
    bundle: true,
    write: false,
    format: 'iife',
    target: 'es2022',
    minify: true,
    legalComments: 'none',
    logLevel: 'silent',
  });
  const script = outputFiles[0]?.text ?? '';
  const page = consolePage(script, token);
  const hash = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
  const policy = [
    "default-src 'none'",
    `script-src ${hash(script)}`,
    `style-src ${hash(page.style)}`,
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ');
  return { html: page.html, policy };
}

async function statusPage({ sandbox, operator }: Stage): Promise<string> {
  const identifier = encodeURIComponent(`${systemsOf().bot}|status`);
  const answer = await fetch(`${sandbox.source.baseUrl}fhir/R4/Bot/$execute?identifier=${identifier}`, {
    headers: { authorization: basicOf(operator) },
  });
  return answer.text();
}

interface Api {
  state(patientId: string | undefined, after: number): Promise<State>;
  record(patientId: string, name: string): ReturnType<typeof recordDetail>;
  act(action: Parameters<typeof act>[1]): Promise<{ readonly done: boolean }>;
}

function apiOf(stage: Stage, journal: Journal): Api {
  const { sandbox } = stage;
  let condition: Condition = 'up';
  return {
    async state(patientId, after) {
      const patients = (await search<Patient>(sandbox.source, 'Patient?_sort=_lastUpdated')).map((patient) => ({
        id: patient.id,
        name: lineOf(patient).title,
      }));
      const chosen = patients.find(({ id }) => id === patientId) ?? patients[0];
      const patient = chosen && (await patientView(sandbox, chosen.id));
      return {
        condition,
        busy: sandbox.source.running,
        queue: await queueOf(stage),
        patients,
        ...(patient && { patient }),
        journal: journal.after(Number.isFinite(after) ? after : 0),
      };
    },
    record: (patientId, name) => recordDetail(sandbox, patientId, name),
    async act(action) {
      condition = action.action === 'condition' ? action.condition : condition;
      try {
        await act(stage, action, (says) => journal.add({ kind: 'you', says, isBad: false }));
        // Answered when all that this set to work has ended; the page looks on meanwhile.
        await sandbox.source.idle({ timeoutMs: PATIENCE_MS });
        return { done: true };
      } catch {
        journal.add({ kind: 'you', says: 'That could not be done.', isBad: true });
        return { done: false };
      }
    },
  };
}

async function queueOf({ sandbox: { source } }: Stage): Promise<State['queue']> {
  const systems = systemsOf();
  const jobs = await search<Task>(source, `${jobsSearch(systems)}&status=requested,in-progress,failed`);
  const [control] = await search<Basic>(source, `Basic?identifier=${controlTerm(systems)}`);
  const held = heldBy(controlOf(systems, control));
  const failed = jobs.filter(({ status }) => status === 'failed').length;
  const later = jobs.filter((job) => job.status !== 'failed' && isLook(typeOf(systems, job))).length;
  return {
    waiting: jobs.length - failed - later,
    later,
    failed,
    ...(held !== undefined && {
      held: Object.hasOwn(FAULTS, held) ? FAULTS[held as keyof typeof FAULTS].message : held,
    }),
  };
}

/** Not a change, but a timer. */
function isLook(type: string): boolean {
  return type === 'patient-recheck' || type === 'patient-second-look';
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) {
      return undefined;
    }
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown;
  } catch {
    return undefined;
  }
}

function send(response: ServerResponse, { status, type, body, headers }: Answer): void {
  response.writeHead(status, { ...HEADERS, 'Content-Type': type, ...headers });
  response.end(body);
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
