/**
 * Uninstall: the tools of an install, or with `purge` all of it.
 *
 *     judge:  what goes, and whether all of it is ours to remove       refusals; nothing is removed
 *     stop:   the datastore, where it runs and anything goes
 *     remove: everything that goes is renamed first, so that it is gone from its place as one, and then removed
 */
import { lstat, readdir, realpath, rename, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { removeTree, temporaryName } from '../archive/index.js';
import { clusterRuns, stopCluster } from '../datastore/index.js';
import { SnapshotError, systemErrorCode, systemErrorText, throwIfAborted } from '../errors.js';
import {
  below,
  configString,
  defaultHome,
  homeEntries,
  isHome,
  parseConfig,
  readInstallFile,
  resolveWorkspace,
  TOOLS,
} from '../install/index.js';
import { lockInstall, refuseIfLocked } from '../install-lock.js';
import { requireNothingUnfinished } from '../recovery.js';
import type { Removal, UninstallOptions, UninstallResult } from './options.js';
import { judgeRemovable } from './removable.js';

/**
 * Removes an install.
 *
 * @throws SnapshotError, see {@link ErrorCode}: `HOME_NOT_FOUND`, `UNINSTALL_UNSAFE`, `UNINSTALL_FAILED`, `CONFIG_INVALID`, `CONFIG_UNREADABLE`,
 *   `CLUSTER_STOP`, `TOOL_NOT_FOUND`, `INSTALL_BUSY`, `RECOVERY_NEEDED`, `INTERRUPTED`
 */
export async function uninstall(options: UninstallOptions = {}): Promise<UninstallResult> {
  const started = performance.now();
  const home = resolve(options.home ?? defaultHome());
  const dryRun = options.dryRun === true;
  const { signal } = options;
  options.onEvent?.({ type: 'phase', phase: 'judge' });
  throwIfAborted(signal);
  await requireHome(home);
  if (dryRun) await refuseIfLocked(home);
  const unlock = dryRun ? async () => {} : await lockInstall(home, 'uninstall');
  try {
    await requireNothingUnfinished(home);
    const plan = await judge(home, options);
    let stopped = plan.removals.length > 0 && (await clusterRuns(home));
    if (!dryRun) {
      if (stopped) {
        options.onEvent?.({ type: 'phase', phase: 'stop' });
        stopped = await stopCluster({ home, pgBin: options.pgBin, signal });
      }
      throwIfAborted(signal);
      options.onEvent?.({ type: 'phase', phase: 'remove' });
      await remove(plan);
    }
    for (const message of plan.notes) options.onEvent?.({ type: 'note', message });
    const { removals: removed, kept } = plan;
    return {
      dryRun,
      home,
      purge: options.purge === true,
      stopped,
      removed,
      kept,
      durationMs: performance.now() - started,
    };
  } finally {
    await unlock();
  }
}

interface Plan {
  removals: Removal[];
  /** Links by which the removed directories were named. */
  links: string[];
  kept: string[];
  notes: string[];
}

async function requireHome(home: string): Promise<void> {
  const entries = await homeEntries(home).catch((cause: unknown) => {
    if (['ENOENT', 'ENOTDIR'].includes(systemErrorCode(cause) ?? '')) return { own: [], foreign: [] };
    throw new SnapshotError('HOME_NOT_FOUND', `cannot look into ${home}: ${systemErrorText(cause)}`, {
      hint: 'run this as its owner, or name another Leoflow home with --home <dir>',
      cause,
    });
  });
  if (entries.own.length > 0 && isHome(entries)) return;
  throw new SnapshotError('HOME_NOT_FOUND', `there is no Leoflow install at ${home}`, {
    hint: 'there is nothing to do, or name the Leoflow home with --home <dir>',
  });
}

async function judge(home: string, options: UninstallOptions): Promise<Plan> {
  return options.purge === true ? judgePurge(home, options) : judgeTools(home, options);
}

/** Without `purge` goes what `leoflow setup` brings back. */
async function judgeTools(home: string, { signal }: UninstallOptions): Promise<Plan> {
  const realHome = await realpath(home);
  const { uid } = await stat(home);
  const named = await workspaceOf(home).catch(() => null);
  const workspace = named === null ? null : await realpath(named).catch(() => null);
  const removals: Removal[] = [];
  const kept: string[] = [];
  for (const name of (await homeEntries(home)).own) {
    const path = join(home, name);
    if (!TOOLS.has(name)) kept.push(path);
    else {
      const holdsWorkspace = workspace !== null && below(workspace, join(realHome, name)) !== null;
      if (holdsWorkspace) throw holdsMore(`the directory ${path}`, `the workspace ${workspace}`);
      const extent = await judgeRemovable({ path, what: 'directory', uid, histories: false, signal });
      removals.push({ what: 'tool', path, ...extent });
    }
  }
  if (named !== null) kept.push(named);
  return { removals, links: [], kept, notes: [] };
}

async function judgePurge(home: string, { signal }: UninstallOptions): Promise<Plan> {
  const realHome = await realpath(home);
  const { uid } = await stat(home);
  const named = await workspaceOf(home);
  const workspace = named === null ? null : await realpath(named).catch(() => null);
  await requireOwnEntries(home, workspace);
  const removals: Removal[] = [];
  if (workspace !== null) {
    const common = { path: workspace, what: 'workspace', uid, signal };
    if (below(realHome, workspace) !== null) {
      throw holdsMore(`the workspace ${workspace}`, `the Leoflow home ${realHome}`);
    }
    const extent = await judgeRemovable({ ...common, histories: true });
    // What lies in the home goes with it.
    if (below(workspace, realHome) === null) removals.push({ what: 'workspace', path: workspace, ...extent });
  }
  const extent = await judgeRemovable({ path: realHome, what: 'Leoflow home', uid, histories: false, signal });
  removals.push({ what: 'install', path: realHome, ...extent });
  const links = [];
  for (const path of [named, home]) if (path !== null && (await isLink(path))) links.push(path);
  const kept = named === null ? [] : await previousOf(named);
  return { removals, links, kept, notes: await notesOf(home) };
}

function holdsMore(what: string, inner: string): SnapshotError {
  return new SnapshotError('UNINSTALL_UNSAFE', `${what} is not removed: ${inner} lies in it`, {
    hint: 'remove by hand what may go of it; nothing was removed',
  });
}

/** Refuses a home with things in it that no install makes. */
async function requireOwnEntries(home: string, workspace: string | null): Promise<void> {
  const { foreign } = await homeEntries(home);
  const strange = await besideWorkspace(await realpath(home), foreign, workspace);
  if (strange.length === 0) return;
  const more = strange.length > 3 ? ` and ${strange.length - 3} more` : '';
  const names = strange.slice(0, 3).map((name) => join(home, name));
  throw new SnapshotError(
    'UNINSTALL_UNSAFE',
    `${home} is not removed: ${names.join(', ')}${more} ${strange.length === 1 ? 'is' : 'are'} nothing that Leoflow makes`,
    { hint: 'move it away, or remove it by hand; nothing was removed' },
  );
}

/** What of some entries of a home, relative to it, is not the workspace. Of a directory on the way to the workspace, what it holds besides. */
async function besideWorkspace(home: string, entries: string[], workspace: string | null): Promise<string[]> {
  const beside: string[] = [];
  for (const entry of entries) {
    const path = join(home, entry);
    if (path === workspace) continue;
    if (workspace === null || below(workspace, path) === null) beside.push(entry);
    else {
      const inside = (await readdir(path)).sort().map((name) => join(entry, name));
      beside.push(...(await besideWorkspace(home, inside, workspace)));
    }
  }
  return beside;
}

/**
 * The workspace that config.yaml names; null where there is no config.yaml.
 *
 * @throws `CONFIG_INVALID`, `CONFIG_UNREADABLE`
 */
async function workspaceOf(home: string): Promise<string | null> {
  const path = join(home, 'config.yaml');
  const hint =
    'correct config.yaml, so that it names the workspace, or remove the install by hand; nothing was removed';
  try {
    const { content } = await readInstallFile(path);
    return resolveWorkspace(configString(parseConfig(content, path, hint), 'workspace'), home);
  } catch (cause) {
    if (cause instanceof SnapshotError) throw cause;
    if (systemErrorCode(cause) === 'ENOENT') return null;
    throw new SnapshotError('CONFIG_UNREADABLE', `cannot read ${path}: ${systemErrorText(cause)}`, { hint, cause });
  }
}

/** Workspaces that restores have replaced: they are for their owner to remove. */
async function previousOf(workspace: string): Promise<string[]> {
  const directory = dirname(workspace);
  const names = await readdir(directory).catch(() => []);
  const previous = names.filter((name) => name.startsWith(`${basename(workspace)}.before-restore-`));
  return previous.sort().map((name) => join(directory, name));
}

async function notesOf(home: string): Promise<string[]> {
  const docker = await lstat(join(home, 'dev', 'db-port')).catch(() => null);
  return docker === null ? [] : ['the datastore in Docker is not touched; `docker rm` removes it'];
}

async function remove({ removals, links }: Plan): Promise<void> {
  const aside: { from: string; to: string }[] = [];
  for (const from of [...removals.map(({ path }) => path), ...links]) {
    const to = join(dirname(from), temporaryName(basename(from)));
    try {
      await rename(from, to);
    } catch (cause) {
      const left = await putBack(aside);
      const stays = left.length === 0 ? 'nothing was removed' : `and move ${left.join(', ')}`;
      throw new SnapshotError('UNINSTALL_FAILED', `cannot remove ${from}: ${systemErrorText(cause)}`, {
        hint: `run this as a user who may write to the directory around it; ${stays}`,
        cause,
      });
    }
    aside.push({ from, to });
  }
  for (const { from, to } of aside) {
    await removeTree(to).catch((cause: unknown) => {
      throw new SnapshotError(
        'UNINSTALL_FAILED',
        `${from} could not be removed to the end: ${systemErrorText(cause)}`,
        {
          hint: `what is left of it lies in ${to}; remove it by hand`,
          cause,
        },
      );
    });
  }
}

/** @returns what could not be put back, and where it belongs: `<path> back to <path>` */
async function putBack(aside: readonly { from: string; to: string }[]): Promise<string[]> {
  const left: string[] = [];
  for (const { from, to } of aside.toReversed()) {
    await rename(to, from).catch(() => left.push(`${to} back to ${from}`));
  }
  return left;
}

async function isLink(path: string): Promise<boolean> {
  return lstat(path).then(
    (stats) => stats.isSymbolicLink(),
    () => false,
  );
}
