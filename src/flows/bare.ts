/** A copy as it is shown to somebody. Pure. */
import type { Meta, Resource } from '@medplum/fhirtypes';

/**
 * @param content - A copy, as the replica holds it.
 * @returns The same. Of the meta stays what FHIR knows, but for tags: author, project and compartments are the replica's own business.
 */
export function bare(content: Resource): Resource {
  const { versionId, lastUpdated, security } = content.meta ?? {};
  const meta: Meta = {
    ...(versionId && { versionId }),
    ...(lastUpdated && { lastUpdated }),
    ...(security && { security }),
  };
  return { ...content, meta };
}
