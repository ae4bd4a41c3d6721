/** Every identifier system, extension URL and code system of ours, said once and derived from one namespace. */

/** The default of the setting NAMESPACE. */
export const DEFAULT_NAMESPACE = 'https://holilabs.xyz/fhir';

/** Our own URLs below one namespace. */
export interface Systems {
  readonly namespace: string;
  /** Identifier system of `pt_…` tokens (seed §3.1: `https://holilabs.xyz/patient-token`). */
  readonly patientToken: string;
  /** Identifier system of the tokens of every other type. */
  readonly resourceToken: string;
  /** `meta.tag` system of the keyed digest of a replica resource. */
  readonly digest: string;
  /** Coding system of data classes in `Consent.provision.class`. */
  readonly dataClass: string;
  /** `meta.tag` system of sync directives on source resources; code `no-sync` is the seeds' `fhirSyncEnabled=false`. */
  readonly sync: string;
  /** Code system of our AuditEvent types (FHIR_SYNC, …). */
  readonly auditType: string;
  /** Code system of our decision and outcome codes in AuditEvent details. */
  readonly auditDetail: string;
  /** Identifier system of correlation ids. */
  readonly correlation: string;
  /** Code system of the control resources (Basic) in the source. */
  readonly control: string;
  /** Code system of the kinds of jobs (Task.code) in the source. */
  readonly jobType: string;
  /** Extension of a copy: where its encrypted original is (seed §3.1). */
  readonly encryptedPayload: string;
  /** Identifier system of encrypted originals, and the root of the URIs that copies know them by. */
  readonly payload: string;
  /** Identifier system of patient links: the id of the source Patient. */
  readonly link: string;
  /** Identifier system of control resources about one record: `Type/id` in the source. */
  readonly record: string;
  /** Extension of a patient link: the patient's random secret, in profile `safe-harbor`. */
  readonly crosswalk: string;
  /** Code system of roles in `PractitionerRole.code`: ADMIN, RESEARCHER. */
  readonly role: string;
  /** Identifier system of bots: the stable name by which they are deployed and called. */
  readonly bot: string;
  /** `meta.tag` system of mirrored AuditEvents; the code is the id on the replica. What makes each of them come once. */
  readonly mirrored: string;
  /** Identifier system of what a mirrored event names by a reference that only the replica can resolve. */
  readonly replicaReference: string;
  /** Identifier system of organizations in mirrored events. */
  readonly organization: string;
  /** Extension of an AuditEvent: the keyed hash of its content. */
  readonly eventMac: string;
  /** Identifier system on an Organization: the ids of the ClientApplications that send in its name. */
  readonly ingestClient: string;
  /** Identifier system of what was received from a sender: a digest of organization, type and the sender's id. */
  readonly ingested: string;
  /** Identifier system of a sender's fence: the id of the Organization. */
  readonly ingestSender: string;
  /** Root of the identifier systems of what a sender names and we do not know. */
  readonly ingestReference: string;
  /** `meta.tag` system of AuditEvents that came back from an archive; the code is the id that they had. */
  readonly restored: string;
}

/**
 * Derives all our URLs from the namespace.
 *
 * @param namespace - An absolute URL without a trailing slash.
 * @returns The systems.
 */
export function systemsOf(namespace: string = DEFAULT_NAMESPACE): Systems {
  return {
    namespace,
    patientToken: `${namespace.replace(/\/fhir$/, '')}/patient-token`,
    resourceToken: `${namespace}/resource-token`,
    digest: `${namespace}/digest`,
    dataClass: `${namespace}/data-class`,
    sync: `${namespace}/sync`,
    auditType: `${namespace}/audit-event-type`,
    auditDetail: `${namespace}/audit-detail`,
    correlation: `${namespace}/correlation-id`,
    control: `${namespace}/control`,
    jobType: `${namespace}/job-type`,
    encryptedPayload: `${namespace}/encrypted-payload`,
    payload: `${namespace}/payload`,
    link: `${namespace}/patient-link`,
    record: `${namespace}/record`,
    crosswalk: `${namespace}/crosswalk`,
    role: `${namespace}/role`,
    bot: `${namespace}/bot`,
    mirrored: `${namespace}/audit-mirror`,
    replicaReference: `${namespace}/replica-reference`,
    organization: `${namespace}/organization`,
    eventMac: `${namespace}/audit-mac`,
    restored: `${namespace}/audit-restored`,
    ingestClient: `${namespace}/ingest-client`,
    ingested: `${namespace}/ingested`,
    ingestSender: `${namespace}/ingest-sender`,
    ingestReference: `${namespace}/ingest-reference`,
  };
}

export const V3_OBSERVATION_VALUE = 'http://terminology.hl7.org/CodeSystem/v3-ObservationValue';
export const V3_ACT_REASON = 'http://terminology.hl7.org/CodeSystem/v3-ActReason';
export const V3_CONFIDENTIALITY = 'http://terminology.hl7.org/CodeSystem/v3-Confidentiality';
export const V3_ACT_CODE = 'http://terminology.hl7.org/CodeSystem/v3-ActCode';
