/** A change that a Subscription brings over, against a bare conditional update of the same copy through the same sandbox. */
import type { Bundle, Observation } from '@medplum/fhirtypes';
import type { Ratio } from '../bench.ts';
import { installBundle } from '../install.ts';
import { createSandbox } from '../sandbox/sandbox.ts';
import { samplePatients } from '../samples/patients.ts';
import { consentToShare } from '../story/consent.ts';
import { signIn } from '../story/rest.ts';
import { medians } from './median.ts';

const CHANGES = 20;

/**
 * @returns The ratio, with requests and interaction units per change.
 */
export async function benchEventPath(): Promise<Ratio[]> {
  const sandbox = await createSandbox();
  try {
    const { source, replica } = sandbox;
    await installBundle(sandbox, { isCronOff: true });
    const operator = await signIn(source.baseUrl, await source.createClient('operator', { admin: true }));
    const reader = await signIn(replica.baseUrl, await replica.createClient('reader', { admin: true }));
    for (const bundle of samplePatients({ seed: 2, count: 1 })) {
      await operator.send('POST', '', bundle);
    }
    const patient = (await operator.get<Bundle>('Patient')).entry?.[0]?.resource;
    await operator.send('POST', 'Consent', consentToShare(`Patient/${patient?.id}`));
    await source.idle();

    const found = (await operator.get<Bundle<Observation>>('Observation?_count=100')).entry ?? [];
    const original = found
      .map(({ resource }) => resource)
      .find((one) => one?.valueQuantity && one.category?.[0]?.coding?.[0]?.code === 'vital-signs') as Observation;
    const copies =
      (await reader.get<Bundle<Observation>>(`Observation?code=${original.code.coding?.[0]?.code}`)).entry ?? [];
    const { id: _id, meta: _meta, ...copy } = copies[0]?.resource as Observation;
    const where = `Observation?identifier=${encodeURIComponent(`${copy.identifier?.[0]?.system}|${copy.identifier?.[0]?.value}`)}`;

    let value = 0;
    let requests = 0;
    source.onRequest(({ caller }) => (requests += caller?.startsWith('Bot/') ? 1 : 0));
    replica.onRequest(({ interaction }) => (requests += interaction === 'token' ? 0 : 1));
    let changes = 0;
    let floorRequests = 0;
    const time = await medians(5, {
      floor: async () => {
        for (let i = 0; i < CHANGES; i++) {
          floorRequests++;
          await reader.send('PUT', where, {
            ...copy,
            valueQuantity: { ...copy.valueQuantity, value: ++value },
          });
        }
      },
      eventPath: async () => {
        for (let i = 0; i < CHANGES; i++) {
          changes++;
          await source.repo.updateResource<Observation>({
            ...original,
            valueQuantity: { ...original.valueQuantity, value: ++value },
          });
          await source.idle();
        }
      },
    });
    const perChange = (requests - floorRequests) / changes;
    const last = (await reader.get<Bundle<Observation>>(where)).entry?.[0]?.resource?.valueQuantity?.value;
    if (last !== value) {
      throw new Error(`the copy says ${last}, not ${value}`);
    }
    return [
      {
        what: 'one change from Subscription to audit, one after the other',
        against: 'a bare conditional update of the same copy',
        ratio: time.eventPath / time.floor,
        note: `${perChange.toFixed(2)} requests per change`,
      },
    ];
  } finally {
    await sandbox.close();
  }
}
