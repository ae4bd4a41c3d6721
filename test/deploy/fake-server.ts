/** A server in memory for deployments: what they ask of Medplum, with the answers that the real 5.0.10 gave. */
import type { Bot, ProjectMembership, Resource } from '@medplum/fhirtypes';
import { Refusal } from '../../scripts/deploy/server.ts';
import type { Server } from '../../scripts/deploy/server.ts';

type Row = Resource & { id: string };

export interface Fake extends Server {
  /** Everything, by `Type/id`. */
  readonly rows: Map<string, Row>;
  /** Every write, in order, as `VERB Type`. */
  readonly writes: string[];
  /** Writes that are answered with success and do nothing, or fail: by `VERB Type`. */
  readonly broken: Map<string, 'ignored' | 'refused'>;
  of<T extends Resource>(type: T['resourceType']): (T & { id: string })[];
}

/** @returns A project without anything in it. */
export function fakeServer(): Fake {
  const rows = new Map<string, Row>();
  const writes: string[] = [];
  const broken = new Map<string, 'ignored' | 'refused'>();
  const binaries = new Map<string, string>();
  const lambdas = new Map<string, string>();
  let last = 0;
  const nextId = (): string => `id-${String(++last).padStart(4, '0')}`;
  const all = (type: string): Row[] => [...rows.values()].filter(({ resourceType }) => resourceType === type);

  /** Whether the write is to take place. */
  const note = (verb: string, type: string): boolean => {
    writes.push(`${verb} ${type}`);
    const fate = broken.get(`${verb} ${type}`);
    if (fate === 'refused') {
      throw new Refusal(`${verb} ${type}: 400`, 'repair it', 400);
    }
    return fate === undefined;
  };
  const put = (row: Row): Row => {
    // As JSON: what is undefined does not arrive.
    const copy = JSON.parse(JSON.stringify({ ...row, meta: { ...row.meta, versionId: nextId() } })) as Row;
    rows.set(`${row.resourceType}/${row.id}`, copy);
    return copy;
  };
  const matches = (row: Row, name: string, value: string): boolean => {
    const fields = row as unknown as Record<string, { reference?: string; endpoint?: string } | undefined>;
    const [system = '', code = ''] = value.split('|');
    switch (name) {
      case '_tag':
        return Boolean(row.meta?.tag?.some((tag) => tag.system === system && (!code || tag.code === code)));
      case 'identifier':
        return Boolean(
          (row as Bot).identifier?.some((each) => each.system === system && (!code || each.value === code))
        );
      case 'user':
        return fields.user?.reference === value;
      case 'access-policy':
        return fields.accessPolicy?.reference === value;
      case 'url':
        return fields.channel?.endpoint === value;
      default:
        throw new Error(`the fake server does not know ?${name}`);
    }
  };

  return {
    rows,
    writes,
    broken,
    of: <T extends Resource>(type: T['resourceType']) => all(type) as (T & { id: string })[],
    session: async () => ({ projectId: 'p', projectName: 'clinic', isAdmin: true }),
    async read<T extends Resource>(path: string) {
      const row = rows.get(path);
      if (!row) {
        throw new Refusal(`GET ${path}: 404`, '', 404);
      }
      return structuredClone(row) as unknown as T & { id: string };
    },
    async search<T extends Resource>(query: string) {
      const [type = '', terms = ''] = query.split('?');
      const wanted = [...new URLSearchParams(terms)];
      return structuredClone(
        all(type).filter((row) => wanted.every(([name, value]) => matches(row, name, value)))
      ) as unknown as (T & { id: string })[];
    },
    async create<T extends Resource>(resource: T) {
      const row: Row = { ...resource, id: nextId() };
      return (note('create', resource.resourceType) ? put(row) : row) as unknown as T & { id: string };
    },
    async update<T extends Resource>(resource: T) {
      const row = resource as unknown as Row;
      if (rows.get(`${row.resourceType}/${row.id}`)?.meta?.versionId !== row.meta?.versionId) {
        throw new Refusal('412', '', 412);
      }
      return (note('update', row.resourceType) ? put(row) : row) as unknown as T & { id: string };
    },
    async remove(path) {
      if (note('delete', path.split('/')[0]!)) {
        rows.delete(path);
      }
    },
    async upload(text) {
      const id = nextId();
      binaries.set(`Binary/${id}`, text);
      return id;
    },
    async deploy(botId, code) {
      if (note('deploy', 'Bot')) {
        lambdas.set(botId, code);
        put({ ...rows.get(`Bot/${botId}`)!, executableCode: { url: `Binary/${botId}` } } as Bot & { id: string });
      }
    },
    async call<T>(_method: string, path: string, body?: unknown) {
      if (!path.endsWith('/bot')) {
        throw new Error(`the fake server does not know ${path}`);
      }
      note('make', 'Bot');
      const { accessPolicy, ...bot } = body as Partial<ProjectMembership> & { name: string };
      const made = put({ resourceType: 'Bot', id: nextId(), ...bot } as Bot & { id: string });
      const self = { reference: `Bot/${made.id}` };
      put({
        resourceType: 'ProjectMembership',
        id: nextId(),
        project: {},
        user: self,
        profile: self,
        accessPolicy,
      } as ProjectMembership & { id: string });
      return made as T;
    },
    /** A bundle of the fake is its version. */
    async execute<T>(botId: string) {
      const bot = rows.get(`Bot/${botId}`) as Bot | undefined;
      const code =
        bot?.runtimeVersion === 'awslambda' ? lambdas.get(botId) : binaries.get(bot?.executableCode?.url ?? '');
      if (code === undefined) {
        throw new Refusal('No executable code', '', 400);
      }
      return { bot: bot?.name, version: code } as T;
    },
  };
}
