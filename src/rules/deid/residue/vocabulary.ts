/** Words that are nobody's name wherever they stand in a copy. */

/**
 * Codes and fixed words of FHIR and HL7 that may stand in a copy whatever the patient is called: a patient named Male, Loc or Final is
 * not a leak. Said here again, and not taken from the tables, so that a code added there must be looked at here.
 */
const VOCABULARY: ReadonlySet<string> = new Set(
  (
    'male|female|other|unknown|arrived|cancelled|entered-in-error|finished|in-progress|onleave|planned|triaged|amended|corrected|final|preliminary|registered|' +
    'activity|exam|imaging|laboratory|procedure|social-history|survey|therapy|vital-signs|ACUTE|AMB|EMER|FLD|HH|IMP|NONAC|OBSENC|PRENC|SS|VR|' +
    'ADM|ALY|ATND|AUT|AUTHEN|BBY|BEN|CAGNT|CALLBCK|CAT|CON|COV|CSM|CST|DEV|DIR|DIS|DIST|DON|DST|ELOC|ENT|ESC|EXPAGNT|EXPART|EXPTRGT|EXSRC|GUAR|HLD|IND|INF|IRCP|LA|LOC|NOT|NRD|ORG|PART|PPRF|PRCP|PRD|PRF|RCT|RCV|RDV|REF|REFB|REFT|RESP|RML|SBJ|SPC|SPRF|TPA|TRANS|TRC|VIA|VRF|WIT|' +
    'AA|AC|CAR|Carrier|DET|EX|EXP|HM|HU|HX|IE|LL|LU|LX|MS|NCL|ND|NEG|NR|NS|OBX|ObservationInterpretationDetection|ObservationInterpretationExpectation|POS|QCF|RR|ReactivityObservationInterpretation|SDD|SYN-R|SYN-S|TOX|UNE|VS|WR|' +
    'as-text|asked-declined|asked-unknown|error|masked|negative-infinity|not-a-number|not-applicable|not-asked|not-performed|not-permitted|positive-infinity|temp-unknown|unsupported|' +
    'ASKU|DER|INV|MSK|NA|NASK|NAV|NAVU|NI|NINF|NP|OTH|PINF|QS|UNC|UNK|CR|CS|CSP|CSR|EL|EM|PRN|UD|UR|AD|CC|CM|DD|billing|post-op|pre-op|' +
    'born|emd|gp|hosp-trans|mp|nursing|outp|psych|rehab|aadvice|alt-home|exp|home|hosp|long|oth|other-hcf|psy|snf|emergency|translator|' +
    'endocrine|follicular|luteal|midcycle|normal|post|postmenopausal|pre|pre-puberty|recommended|therapeutic|treatment|type|' +
    'ar|bn|cs|da|de|el|en|es|fi|fr|fy|hi|hr|it|ja|ko|nl|no|pa|pl|pt|ru|sr|sv|te|zh|' +
    'min|wk|mo|MORN|MORN.early|MORN.late|NOON|AFT|AFT.early|AFT.late|EVE|EVE.early|EVE.late|NIGHT|PHS|HS|WAKE|CD|CV|ACM|ACD|ACV|PC|PCM|PCD|PCV|' +
    'active|inactive|recurrence|relapse|remission|resolved|confirmed|differential|provisional|refuted|unconfirmed|encounter-diagnosis|problem-list-item|' +
    'health-concern|AU|BG|BLB|CG|CH|CP|CT|CTH|CUS|EC|EN|GE|ICU|IMG|IMM|LAB|MB|MCB|MYC|NMR|NMS|NRS|OSL|OT|OUS|PAR|PAT|PF|PHR|PHY|PT|RAD|RC|RT|RUS|RX|SP|SR|' +
    'TX|URN|VUS|XRC|community|discharge|inpatient|outpatient|acute|continuous|seasonal|BC|TB|TE|TG|calculated|ordered|IMMUNE|MEDPREC|OSTOCK|PATOBJ|' +
    'coldchainbreak|partial|recall|assess-plan|clinical-note|bus|cg|crs|dept|edu|govt|ins|pay|prov|reli|team|area|bd|bu|ca|co|ho|jdn|lvl|rd|ro|si|ve|wa|wi|' +
    'CNM|CNP|CNS|DO|MD|PA|PharmD|RPH|completed|draft|on-hold|stopped|filler-order|instance-order|option|order|original-order|plan|proposal|reflex-order|' +
    'asap|routine|stat|urgent|allergy|intolerance|biologic|environment|food|medication|high|low|unable-to-assess|mild|moderate|severe|not-done|preparation|' +
    'appended|current|superseded|appends|replaces|signs|transforms|revoked|Appointment|CommunicationRequest|DeviceRequest|MedicationRequest|NutritionOrder|' +
    'ServiceRequest|Task|VisionPrescription|not-started|scheduled|directive|suspended|instance|kind|' +
    'ADOL|BH|CEL|COGN|DEMO|DIA|DOB|DRGIS|DVD|EMOTDIS|EMP|EMPL|ETH|ETHUD|GDIS|GENDER|HIV|LIVARG|LOCIS|MARST|MH|MST|OPIOIDUD|PDS|PRS|PSY|PSYTHPN|' +
    'RACE|REL|SCA|SDV|SEX|SICKLE|SPI|SSP|STD|SUD|TBOO|VIO|BP|EP|PR|ADMS|OKI|dairy-free|gluten-free|halal|kosher|nut-free|vegan|vegetarian|EXT|NRM|' +
    'STF|VIP|add-bed|att|dog|int|wheel|AM|BED|BID|MO|PM|QD|QID|QOD|TID|WK|altchoice|clarif|drughigh|hospadm|labint|non-avail|preg|salg|sddi|' +
    'sdupther|sintol|surg|washout|jurisdiction|provider|record|school|RA|IDINJ|IM|IVINJ|NASINHLC|PO|SQ|TRNSDERM|AP|OP|ineligible|uninsured|' +
    'private|public|ABSTRED|AGGRED|ANONYED|MAPPED|MASKED|REDACTED|SUBSETTED|SYNTAC|TRSLT|VERSIONED|ACC|ALL|AMPUT|BMTC|BMTU|BREAST|CANC|CAPC|CARD|' +
    'CATH|CCU|CHEST|CHR|COAG|COMM|CRS|CSC|CVDX|DADDR|DERM|DX|ECHO|ENDO|ENDOS|EPIL|ER|ETU|FMC|GACH|GI|GIDX|GIM|GYN|HAND|HD|HEM|HLAB|HOSP|HRAD|HTN|' +
    'HUSCS|IEC|INFD|INLAB|INPHARM|LYMPH|MBL|MGEN|MHSP|MOBL|NCCF|NCCS|NEPH|NEUR|OB|OF|OMS|ONCL|OPH|OPTC|ORTHO|OUTLAB|OUTPHARM|PAINCL|PEDC|PEDCARD|' +
    'PEDE|PEDGI|PEDHEM|PEDHO|PEDICU|PEDID|PEDNEPH|PEDNICU|PEDRHEUM|PEDU|PHARM|PHU|PLS|POD|PRC|PREV|PROCTO|PROFF|PROS|PSI|PSYCHF|PTRES|RADDX|RADO|' +
    'RH|RHAT|RHEUM|RHII|RHMAD|RHPI|RHPIH|RHPIMS|RHPIVS|RHU|RHYAD|RNEU|RTF|SCHOOL|SLEEP|SNF|SPMED|SU|SURF|TR|TRAVEL|UPC|URO|WND|WORK|ADMIN|BILL|HR|' +
    'PATINF|PAYOR|PRESS|explanted|implanted|manipulated|reserved|' +
    'PSEUDED'
  ).split('|')
);

/**
 * Whether a string is a fixed word of FHIR or HL7.
 *
 * @param text - A string of the output.
 * @returns True for exactly such a word.
 */
export function isVocabulary(text: string): boolean {
  return VOCABULARY.has(text);
}
