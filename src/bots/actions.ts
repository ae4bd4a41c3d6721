/** What the bot `admin` can be asked: the tables of the areas, joined. */
import { join } from '../flows/admin/help.ts';

/** All actions; an area joins by its table. */
export const ACTIONS = join();
