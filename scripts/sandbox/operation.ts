/** Custom operations: an OperationDefinition that names a bot (`operations/custom.ts` of 5.0.10, platform.md §7). */
import { allOk, badRequest, getExtension, isResource, OperationOutcomeError } from '@medplum/core';
import type { WithId } from '@medplum/core';
import type { Bot, OperationDefinition, OperationOutcome, Reference, Resource, ResourceType } from '@medplum/fhirtypes';
import type { FhirRequest } from '@medplum/fhir-router';
import type { Bots } from './bots.ts';
import type { Backend, Caller } from './caller.ts';
import type { SandboxRequest } from './http.ts';
import type { StrictRepository } from './repository.ts';

const IMPLEMENTATION = 'https://medplum.com/fhir/StructureDefinition/operationDefinition-implementation';

/**
 * Runs the bot behind an operation. The code is all that stands after the `$`, a query included; the id of an instance reaches nobody.
 *
 * @returns The answer; undefined when no such operation is defined, or none that the caller may read.
 * @throws OperationOutcomeError when the caller may not read the bot.
 */
export async function customOperation(
  request: SandboxRequest,
  fhir: FhirRequest,
  caller: Caller,
  repository: StrictRepository,
  bots: Bots,
  backend: Backend
): Promise<[OperationOutcome, Resource] | undefined> {
  const code = fhir.url
    .split('/')
    .find((part) => part.startsWith('$'))
    ?.slice(1);
  const operation =
    code === undefined
      ? undefined
      : await repository.searchOne<OperationDefinition>({
          resourceType: 'OperationDefinition',
          filters: [{ code: 'code', operator: 'exact', value: code }],
        });
  const reference = operation && getExtension(operation, IMPLEMENTATION)?.valueReference;
  if (!operation || !reference?.reference?.startsWith('Bot/')) {
    return undefined;
  }
  const readable = await repository.readReference<Bot>(reference as Reference<Bot>);
  const bot = backend.store.row('Bot', readable.id ?? '')?.current.resource as WithId<Bot>;
  const result = await bots.run({
    bot,
    trigger: 'execute',
    input: request.method === 'POST' ? fhir.body : Object.fromEntries(request.query),
    contentType: request.headers['content-type'],
    requester: caller.author,
    headers: request.headers,
    trace: request.trace,
  });
  return result.success
    ? [allOk, outputOf(operation, result.returnValue)]
    : [badRequest(result.output), result.returnValue as Resource];
}

/** With one parameter named `return` the answer is sent as it is; with none declared nothing of it is (`utils/parameters.ts`). */
function outputOf({ parameter = [] }: OperationDefinition, value: unknown): Resource {
  const [first, ...others] = parameter.filter(({ use }) => use === 'out');
  if (!first) {
    return { resourceType: 'Parameters' };
  }
  if (first.name !== 'return' || others.length > 0) {
    throw new OperationOutcomeError(badRequest('The sandbox knows operations with one output, `return`.'));
  }
  if (!isResource(value, first.type as ResourceType)) {
    throw new OperationOutcomeError(badRequest(`Expected ${first.type} output, but got unexpected ${typeof value}`));
  }
  return value;
}
