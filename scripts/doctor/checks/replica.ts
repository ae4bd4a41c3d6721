/** The replica: there, willing, and able to do what the bots ask. Pure. */
import { REPLICATED_TYPES, STUB_TYPES } from '../../../src/config/policy.ts';
import type { Facts } from '../facts.ts';
import { fail, judged, ok, unseen, warn } from '../finding.ts';
import type { Judgement } from '../finding.ts';

/** Less is met by the assertion itself, whose `iat` lies back and whose `exp` leaves a minute. */
const MOST_SKEW_SECONDS = 60;

const NO_SETTINGS = 'the settings do not say where it is';

export function replicaReachable({ replica }: Facts): Judgement {
  if (!replica) {
    return unseen(NO_SETTINGS);
  }
  const { metadata, capabilities } = replica;
  if (metadata.problem) {
    return fail(
      `its metadata: ${metadata.problem}`,
      'Check REPLICA_BASE_URL and REPLICA_FHIR_PATH, and that the server can be reached from where the bots run.'
    );
  }
  return capabilities
    ? ok(`${capabilities.software?.name ?? 'a FHIR server'} ${capabilities.software?.version ?? ''}`.trim())
    : fail('it answers, but not as a FHIR server', 'Check REPLICA_FHIR_PATH.');
}

export function replicaToken({ replica, loaded, source }: Facts): Judgement {
  if (!replica || 'problems' in loaded) {
    return unseen(NO_SETTINGS);
  }
  const { projectId, auth, signingKey } = loaded.config.replica;
  if (auth === 'refresh-token') {
    return unseen('a refresh token is good for one use, and the bots need it: ask the bot health');
  }
  if (replica.token.problem) {
    const skewSeconds = Math.round((replica.metadata.skewMs ?? 0) / 1000);
    if (auth.startsWith('jwt-') && Math.abs(skewSeconds) > MOST_SKEW_SECONDS) {
      return fail(
        `no token: ${replica.token.problem}; its clock is ${skewSeconds} s away from ours`,
        'What the bots sign is good for four minutes: set the clocks of both servers by NTP.'
      );
    }
    return fail(
      `no token: ${replica.token.problem}`,
      signingKey
        ? `Check REPLICA_CLIENT_ID, REPLICA_TOKEN_PATH and REPLICA_SCOPE, and that the key ${signingKey.kid} (${signingKey.alg}) is registered there: \`npm run connect -- jwks\` prints it.`
        : 'Check REPLICA_CLIENT_ID, REPLICA_CLIENT_SECRET and REPLICA_TOKEN_PATH.'
    );
  }
  if (projectId && replica.projectId && projectId !== replica.projectId) {
    return fail(
      'the client belongs to another project than REPLICA_PROJECT_ID says',
      'Take a client of the right project: the bots refuse this one.'
    );
  }
  return replica.projectId && replica.projectId === source.project?.id
    ? fail(
        'REPLICA_* leads into the source project itself',
        'Copies would be written among the originals: make a second project.'
      )
    : ok(projectId ? 'obtained, of the project in REPLICA_PROJECT_ID' : 'obtained');
}

export function replicaConditional({ replica }: Facts): Judgement {
  const resources = replica?.capabilities?.rest?.[0]?.resource;
  if (!resources) {
    return unseen(replica ? 'it tells no capabilities' : NO_SETTINGS);
  }
  const written = [...REPLICATED_TYPES, ...STUB_TYPES];
  const complaints = written.flatMap((name) => {
    const type = resources.find((row) => row.type === name);
    return [
      ...(type?.conditionalUpdate ? [] : [`${name} has no conditional update`]),
      ...(/^(single|multiple)$/.test(type?.conditionalDelete ?? '') ? [] : [`${name} has no conditional delete`]),
    ];
  });
  return judged(
    complaints,
    fail,
    `conditional update and delete of ${written.join(', ')}`,
    'The bots write by token, which takes FHIR R4 conditional update and delete: use a server that has them.'
  );
}

/** Declared by HAPI and others as an operation; Medplum has it and does not say so. */
export function replicaExpunge({ replica }: Facts): Judgement {
  const { software, rest = [] } = replica?.capabilities ?? {};
  if (!replica?.capabilities) {
    return unseen(replica ? 'it tells no capabilities' : NO_SETTINGS);
  }
  const isDeclared = rest.some(({ operation = [], resource = [] }) =>
    [...operation, ...resource.flatMap((row) => row.operation ?? [])].some(
      ({ name }) => name.replace('$', '') === 'expunge'
    )
  );
  return isDeclared || /medplum/i.test(software?.name ?? '')
    ? ok('the server knows $expunge (it takes an admin there)')
    : warn(
        'the server declares no $expunge',
        'After a revocation the copies are deleted, but their history stays: have it removed by the operator of the replica.'
      );
}
