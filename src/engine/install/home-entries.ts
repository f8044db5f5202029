/**
 * What lies in a Leoflow home, by name. Anything else in it is somebody's.
 */
import { readdir } from 'node:fs/promises';
import { isTemporaryName } from '../archive/index.js';

/**
 * Directories of tools and sources, which `leoflow setup` fetches again, and of a cluster whose making was broken off: what they hold does not
 * matter.
 */
export const TOOLS: ReadonlySet<string> = new Set(['postgres', 'python', 'venv', 'pysrc', '.pgdata-provisioning']);
/** What the datastore's programs write into `dev/`. */
export const DEV_FILES: ReadonlySet<string> = new Set(['postgres.log', 'db-port']);

const INSTALL = new Set(['config.yaml', 'setup.json', 'pgdata', 'dev', ...TOOLS]);
/** What a restore keeps of the files that it replaces. */
const KEPT_BY_RESTORE = /^(?:config\.yaml|setup\.json)\.before-restore-/;

/** The names in a home, sorted: what an install consists of, and what it does not. Both are empty where there is no home. */
export async function homeEntries(home: string): Promise<{ own: string[]; foreign: string[] }> {
  const entries = { own: [] as string[], foreign: [] as string[] };
  for (const name of (await readdir(home)).sort()) {
    const isOwn = INSTALL.has(name) || KEPT_BY_RESTORE.test(name) || isTemporaryName(name);
    entries[isOwn ? 'own' : 'foreign'].push(name);
  }
  return entries;
}
