/**
 * Whether a restore would overwrite anything of anybody's.
 *
 * A home is free when it is missing, empty, or holds only what `leoflow setup` alone leaves behind. Everything else counts as an
 * install, also a file nobody can explain: being asked once too often for `--force` costs a moment, the opposite costs an install.
 */
import type { Dirent, Stats } from 'node:fs';
import { lstat, opendir, readdir, realpath, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { isTemporaryName } from '../archive/index.js';
import { SnapshotError, systemErrorCode, systemErrorText } from '../errors.js';
import { configString, parseConfig } from './config.js';
import { DEV_FILES, TOOLS } from './home-entries.js';
import { type InstallFile, kindOf, readInstallFile } from './install-file.js';
import { resolveWorkspace } from './read-install.js';

/** What stands where an install is to be restored. */
export type HomeState =
  /** Nothing that a restore could overwrite; `reason` completes "… because <home>" in a log: `does not exist`. */
  | { kind: 'free'; reason: string }
  /** Something is in the way; each finding is one clause for the message. */
  | { kind: 'install'; findings: string[] };

/** What is known of the datastore; `unknown` (there is one, but it could not be asked) counts as an install. */
export type DatastoreState = 'absent' | 'empty' | 'tables' | 'unknown';

/** Files that a scaffold may put into a new workspace, none of them longer than this many bytes. */
const SCAFFOLD = new Set(['README.md', '.gitignore', '.leoflowignore']);
const SCAFFOLD_BYTES = 4096;
/** How far the times of one `leoflow setup` may lie apart, in milliseconds. */
const TOGETHER_MS = 120_000;
/** Findings of one kind that are spelled out. */
const NAMED = 5;

/**
 * Judges the place of a restore. Only reads.
 *
 * @param home the Leoflow home, absolute; nothing need be there
 * @param workspace where the archive's workspace goes, absolute; nothing need be there
 * @param datastore what is known of the datastore that the restore would replace
 */
export async function judgeHome(home: string, workspace: string, datastore: DatastoreState): Promise<HomeState> {
  const findings: string[] = [];
  const entries = await listHome(home, findings);
  const own = entries ? await judgeSetup(home, findings) : null;
  if (entries) await judgeEntries(home, entries, [workspace, ...(own ? [own] : [])], datastore, findings);
  await judgeWorkspaces(own ? [own, workspace] : [workspace], findings);
  if (datastore === 'tables') findings.push('its datastore holds tables');
  if (datastore === 'unknown') findings.push('its datastore could not be looked into');
  if (findings.length > 0) return { kind: 'install', findings };
  if (entries === null) return { kind: 'free', reason: 'does not exist' };
  return { kind: 'free', reason: entries.length === 0 ? 'is empty' : 'holds only what `leoflow setup` leaves behind' };
}

/** The entries of the home; null where it does not exist or is no directory that can be listed (which is a finding). */
async function listHome(home: string, findings: string[]): Promise<Dirent[] | null> {
  try {
    return await readdir(home, { withFileTypes: true });
  } catch (error) {
    const missing = systemErrorCode(error) === 'ENOENT' && (await lstatOrNull(home)) === null;
    if (!missing) findings.push(`${home} cannot be listed: ${systemErrorText(error)}`);
    return null;
  }
}

/**
 * Judges `config.yaml` and `setup.json`: free where both are missing, or both were written together and not touched since.
 *
 * @returns the workspace that `config.yaml` names, absolute; null where there is no config.yaml to ask
 */
async function judgeSetup(home: string, findings: string[]): Promise<string | null> {
  const config = await readOrFind(join(home, 'config.yaml'), findings);
  const setup = await readOrFind(join(home, 'setup.json'), findings);
  if (config === 'unreadable' || setup === 'unreadable') return null;
  if (config && !setup) findings.push(`${config.path} stands there without a setup.json`);
  if (setup && !config) findings.push(`${setup.path} stands there without a config.yaml`);
  if (config && setup && !writtenTogether(config, setup)) {
    findings.push(`${config.path} is not as \`leoflow setup\` left it`);
  }
  return config && workspaceOf(config, home, findings);
}

async function readOrFind(path: string, findings: string[]): Promise<InstallFile | 'unreadable' | null> {
  try {
    return await readInstallFile(path);
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT' && (await lstatOrNull(path)) === null) return null;
    findings.push(`${path} cannot be read: ${systemErrorText(error)}`);
    return 'unreadable';
  }
}

/** Both files have the same age, and it is the one that setup.json states; a copied or edited install fails one of the two. */
function writtenTogether(config: InstallFile, setup: InstallFile): boolean {
  const stated = updatedAt(setup.content);
  const times = [stated, setup.mtimeMs, config.mtimeMs];
  return Math.max(...times) - Math.min(...times) <= TOGETHER_MS;
}

/** `updated_at` of setup.json in milliseconds since the epoch; NaN where it states none. */
function updatedAt(content: Buffer): number {
  try {
    const setup: unknown = JSON.parse(content.toString('utf8'));
    if (typeof setup !== 'object' || setup === null || !('updated_at' in setup)) return Number.NaN;
    return typeof setup.updated_at === 'string' ? Date.parse(setup.updated_at) : Number.NaN;
  } catch {
    return Number.NaN;
  }
}

function workspaceOf(config: InstallFile, home: string, findings: string[]): string | null {
  try {
    return resolveWorkspace(configString(parseConfig(config.content, config.path), 'workspace'), home);
  } catch (error) {
    if (!(error instanceof SnapshotError)) throw error;
    findings.push(error.message);
    return null;
  }
}

/** Judges everything else in the home by its name and kind. */
async function judgeEntries(
  home: string,
  entries: Dirent[],
  workspaces: string[],
  datastore: DatastoreState,
  findings: string[],
): Promise<void> {
  const real = await realpath(home);
  // A workspace inside the home is judged as a workspace.
  const inside = new Set(workspaces.filter((path) => [home, real].includes(dirname(path))));
  const strange: string[] = [];
  for (const entry of entries) {
    const path = join(home, entry.name);
    if (entry.name === 'config.yaml' || entry.name === 'setup.json') continue;
    // What a restore that was killed has left, and the next one removes.
    if (isTemporaryName(entry.name)) continue;
    if (inside.has(path) || inside.has(join(real, entry.name))) continue;
    const isDirectory = (await statOrNull(path))?.isDirectory() ?? false;
    if (isDirectory && TOOLS.has(entry.name)) continue;
    if (isDirectory && entry.name === 'dev') strange.push(...(await strangeIn(path, (name) => DEV_FILES.has(name))));
    else if (isDirectory && entry.name === 'pgdata') {
      if (datastore === 'absent') strange.push(...(await strangeIn(path, () => false)));
    } else strange.push(path);
  }
  nameSome(
    strange,
    (names) => `${names} ${strange.length === 1 ? 'is' : 'are'} nothing that \`leoflow setup\` makes`,
    findings,
  );
}

/** The entries of a directory that are not files with an expected name. */
async function strangeIn(directory: string, expected: (name: string) => boolean): Promise<string[]> {
  try {
    const entries = await readdir(directory, { withFileTypes: true });
    return entries
      .filter((entry) => !(entry.isFile() && expected(entry.name)))
      .map((entry) => join(directory, entry.name));
  } catch {
    return [directory];
  }
}

async function judgeWorkspaces(paths: string[], findings: string[]): Promise<void> {
  const seen = new Set<string>();
  for (const path of paths) {
    const real = await realpath(path).catch(() => resolve(path));
    if (seen.has(real)) continue;
    seen.add(real);
    const finding = await judgeWorkspace(path);
    if (finding !== null) findings.push(finding);
  }
}

/**
 * Judges a place for a workspace. Only reads.
 *
 * @param path absolute; nothing need be there
 * @returns what a restore would take away there, one clause for the message; null where that is nothing but a scaffold
 */
export async function judgeWorkspace(path: string): Promise<string | null> {
  try {
    const stats = await stat(path);
    if (!stats.isDirectory()) return `${kindOf(stats)} stands at ${path}, where the workspace goes`;
    const file = await firstOfTheUsers(path, true);
    return file === null ? null : `the workspace ${path} holds ${file}`;
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') return `${path} cannot be looked into: ${systemErrorText(error)}`;
    return (await lstatOrNull(path)) && `a broken symbolic link stands at ${path}, where the workspace goes`;
  }
}

/**
 * The first thing in a workspace that a scaffold does not explain, relative to it; null where there is none. Directories with
 * nothing in them are nobody's.
 */
async function firstOfTheUsers(directory: string, isTop: boolean): Promise<string | null> {
  try {
    for await (const entry of await opendir(directory)) {
      const path = join(directory, entry.name);
      if (entry.isDirectory()) {
        const below = await firstOfTheUsers(path, false);
        if (below !== null) return join(entry.name, below);
      } else if (!(isTop && SCAFFOLD.has(entry.name) && entry.isFile() && (await lstat(path)).size <= SCAFFOLD_BYTES)) {
        return entry.name;
      }
    }
    return null;
  } catch (error) {
    return `something that cannot be read (${systemErrorText(error)})`;
  }
}

function nameSome(all: string[], say: (names: string) => string, findings: string[]): void {
  if (all.length === 0) return;
  const more = all.length > NAMED ? ` and ${all.length - NAMED} more` : '';
  findings.push(say(all.sort().slice(0, NAMED).join(', ') + more));
}

async function statOrNull(path: string): Promise<Stats | null> {
  return await stat(path).catch(() => null);
}

async function lstatOrNull(path: string): Promise<Stats | null> {
  return await lstat(path).catch(() => null);
}
