/**
 * Finding the install to back up: the home, its two files, and the workspace that `config.yaml` names.
 */
import type { Stats } from 'node:fs';
import { opendir, realpath, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { SnapshotError, systemErrorCode, systemErrorText } from '../errors.js';
import { configString, parseConfig } from './config.js';
import { type InstallFile, kindOf, readInstallFile } from './install-file.js';

/** An install as a backup needs it. */
export interface Install {
  /** The Leoflow home: absolute, real path. */
  home: string;
  /** The home as it was named, absolute: `~` is the directory that this lies in, also where the home is a symlink. */
  namedHome: string;
  /** `config.yaml`, the exact bytes. */
  config: InstallFile;
  /** `setup.json`, where there is one. */
  setup: InstallFile | null;
  /** The workspace: absolute, real path of an existing directory. */
  workspace: string;
}

/** The workspace's name beside the home where `config.yaml` names none. */
export const DEFAULT_WORKSPACE = 'leoflow-projects';

/**
 * Reads what a backup needs. Each file is read once, from one open file, so that what is judged is what is archived.
 *
 * @param home the Leoflow home itself (`~/.leoflow`); a relative path is taken from the current directory
 * @throws SnapshotError `HOME_NOT_FOUND`, `CONFIG_NOT_FOUND`, `CONFIG_UNREADABLE`, `CONFIG_INVALID` (the message says line and
 * column), `SETUP_UNREADABLE`, `WORKSPACE_NOT_FOUND`, `WORKSPACE_UNREADABLE`, `WORKSPACE_IS_HOME`
 */
export async function readInstall(home: string): Promise<Install> {
  const named = resolve(home);
  const real = await realHome(named);
  const config = await readConfig(join(named, 'config.yaml'));
  const setup = await readSetup(join(named, 'setup.json'));
  const wanted = configString(parseConfig(config.content, config.path), 'workspace');
  const workspace = await realWorkspace(resolveWorkspace(wanted, named), wanted === null, config.path);
  if (workspace === real) {
    throw new SnapshotError('WORKSPACE_IS_HOME', `the workspace named in ${config.path} is the Leoflow home itself`, {
      hint: 'give `workspace:` in config.yaml a directory of its own',
    });
  }
  return { home: real, namedHome: named, config, setup, workspace };
}

/**
 * Where a `workspace:` value points: `~` and relative paths mean the directory that the home lies in (the user's home directory);
 * no value means `leoflow-projects` there.
 *
 * @param home the Leoflow home, absolute
 */
export function resolveWorkspace(value: string | null, home: string): string {
  const base = dirname(home);
  if (value === null) return join(base, DEFAULT_WORKSPACE);
  if (isAbsolute(value)) return resolve(value);
  return resolve(base, value.replace(/^~(?=\/|$)/, '.'));
}

async function realHome(home: string): Promise<string> {
  const hint = 'run `leoflow setup` first, or name the Leoflow home with --home <dir>';
  let stats: Stats;
  try {
    stats = await stat(home);
  } catch (cause) {
    const message =
      systemErrorCode(cause) === 'ENOENT'
        ? `there is no Leoflow install at ${home}`
        : `cannot look into the Leoflow home ${home}: ${systemErrorText(cause)}`;
    throw new SnapshotError('HOME_NOT_FOUND', message, { hint, cause });
  }
  if (!stats.isDirectory()) {
    throw new SnapshotError('HOME_NOT_FOUND', `the Leoflow home ${home} is ${kindOf(stats)}, not a directory`, {
      hint,
    });
  }
  return realpath(home);
}

async function readConfig(path: string): Promise<InstallFile> {
  try {
    return await readInstallFile(path);
  } catch (cause) {
    if (systemErrorCode(cause) === 'ENOENT') {
      throw new SnapshotError('CONFIG_NOT_FOUND', `${path} does not exist, so there is no install to back up`, {
        hint: 'run `leoflow setup` first, or name the Leoflow home with --home <dir>',
        cause,
      });
    }
    throw new SnapshotError('CONFIG_UNREADABLE', `cannot read ${path}: ${systemErrorText(cause)}`, {
      hint: 'run this as the owner of the Leoflow home, or name another one with --home <dir>',
      cause,
    });
  }
}

async function readSetup(path: string): Promise<InstallFile | null> {
  try {
    return await readInstallFile(path);
  } catch (cause) {
    if (systemErrorCode(cause) === 'ENOENT') return null;
    throw new SnapshotError('SETUP_UNREADABLE', `cannot read ${path}: ${systemErrorText(cause)}`, {
      hint: 'run this as the owner of the Leoflow home, or run `leoflow setup` to have it written anew',
      cause,
    });
  }
}

/** The real path of the workspace, once it is known to be a directory that can be listed. */
async function realWorkspace(path: string, isDefault: boolean, configPath: string): Promise<string> {
  const origin = isDefault ? `${configPath} names none, so this is the default` : `named in ${configPath}`;
  const hint = 'create it, or correct `workspace:` in config.yaml';
  try {
    const real = await realpath(path);
    const stats = await stat(real);
    if (!stats.isDirectory()) {
      const message = `the workspace ${path} (${origin}) is ${kindOf(stats)}, not a directory`;
      throw new SnapshotError('WORKSPACE_NOT_FOUND', message, { hint });
    }
    await (await opendir(real)).close();
    return real;
  } catch (cause) {
    if (cause instanceof SnapshotError) throw cause;
    if (systemErrorCode(cause) === 'ENOENT' || systemErrorCode(cause) === 'ENOTDIR') {
      const message = `the workspace ${path} (${origin}) does not exist`;
      throw new SnapshotError('WORKSPACE_NOT_FOUND', message, { hint, cause });
    }
    const message = `cannot read the workspace ${path} (${origin}): ${systemErrorText(cause)}`;
    throw new SnapshotError('WORKSPACE_UNREADABLE', message, {
      hint: 'run this as a user who may read it',
      cause,
    });
  }
}
