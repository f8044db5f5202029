/**
 * What lies in a Leoflow home, by name. Anything else in it is somebody's.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isTemporaryName } from '../archive/index.js';

/**
 * Directories of tools and sources, which `leoflow setup` fetches again, and of a cluster whose making was broken off: what they hold does not
 * matter.
 */
export const TOOLS: ReadonlySet<string> = new Set(['postgres', 'python', 'venv', 'pysrc', '.pgdata-provisioning']);
/** What the datastore's programs write into `dev/`. */
export const DEV_FILES: ReadonlySet<string> = new Set(['postgres.log', 'db-port']);

/** What only an install has. */
const UNMISTAKABLE: ReadonlySet<string> = new Set(['config.yaml', 'setup.json', 'pgdata']);
const INSTALL = new Set([...UNMISTAKABLE, 'dev', ...TOOLS]);
/** What a restore keeps of the files that it replaces. */
const KEPT_BY_RESTORE = /^(?:config\.yaml|setup\.json)\.before-restore-/;

/** The names in a home, sorted. */
export interface HomeEntries {
  /** What an install consists of. */
  own: string[];
  /** What it does not; what `dev` holds is named with it: `dev/notes.txt`. */
  foreign: string[];
}

/** Tells what is an install's from what is not. Throws as `readdir` does. */
export async function homeEntries(home: string): Promise<HomeEntries> {
  const entries: HomeEntries = { own: [], foreign: [] };
  const found = await readdir(home, { withFileTypes: true });
  for (const name of found.map((entry) => entry.name).sort()) {
    const isOwn = INSTALL.has(name) || KEPT_BY_RESTORE.test(name) || isTemporaryName(name);
    entries[isOwn ? 'own' : 'foreign'].push(name);
  }
  if (found.some((entry) => entry.name === 'dev' && entry.isDirectory())) {
    const names = await readdir(join(home, 'dev')).catch(() => []);
    entries.foreign.push(...names.filter((name) => !DEV_FILES.has(name)).map((name) => join('dev', name)));
  }
  return entries;
}

/** Whether a directory with these entries is a Leoflow home: where other things lie, `venv` and the like do not make it one. */
export function isHome({ own, foreign }: HomeEntries): boolean {
  return foreign.length === 0 || own.some((name) => UNMISTAKABLE.has(name));
}
