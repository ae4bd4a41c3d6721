/** Every setting that there is: for documents, commands and the doctor. Bots load what they need. */
import { PARTNER_SETTINGS } from './partner-settings.ts';
import type { PartnerSettingName } from './partner-settings.ts';
import { SETTINGS } from './settings.ts';
import type { Setting, SettingName } from './settings.ts';

export const ALL_SETTINGS: readonly Setting[] = [...SETTINGS, ...PARTNER_SETTINGS];

export type AnySettingName = SettingName | PartnerSettingName;
