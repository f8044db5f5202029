/**
 * Setup: a new install, or what one that is there lacks.
 *
 *     judge: the home, its config.yaml, the workspace, PostgreSQL       refusals; nothing is written
 *     make:  the home, links to PostgreSQL, the workspace
 *            setup.json, and at last config.yaml, which makes it an install
 *
 * What is there is never changed, but for links that lead nowhere: it may be run again at any time.
 */
import { access, constants, lchown, lstat, readlink, rename, stat, symlink, unlink } from 'node:fs/promises';
import { basename, delimiter, dirname, isAbsolute, join, resolve } from 'node:path';
import { createdAt, openPrivate, syncDirectory, temporaryName } from '../archive/index.js';
import { findPrograms, PROGRAMS, type ProgramDirectory, pgdataOf, requireShortSocket } from '../datastore/index.js';
import { SnapshotError, systemErrorCode, systemErrorText, throwIfAborted } from '../errors.js';
import {
  configString,
  defaultHome,
  homeEntries,
  isHome,
  newConfig,
  newSetup,
  parseConfig,
  readInstallFile,
  resolveWorkspace,
  workspaceFault,
} from '../install/index.js';
import { lockInstall, refuseIfLocked } from '../install-lock.js';
import { MadeDirectories, type Owner, ownerOf } from '../ownership.js';
import { realPath } from '../real-path.js';
import { requireNothingUnfinished } from '../recovery.js';
import type { SetupOptions, SetupResult } from './options.js';
import { homeIn } from './removable.js';
import { isRootsOwn, ROOT_REFUSED, rootAdvice } from './root.js';
import { hashPassword, newJwtSecret, newPassword } from './secrets.js';

/** The workspace's name beside a new home. */
const WORKSPACE = 'leoflow';
const ADMIN_EMAIL = 'admin@leoflow.local';

/**
 * Makes an install, without a datastore: `runLite()` makes that.
 *
 * @throws SnapshotError, see {@link ErrorCode}: `SETUP_CONFLICT`, `SETUP_FAILED`, `WORKSPACE_UNSAFE`, `CONFIG_INVALID`, `CONFIG_UNREADABLE`,
 *   `TOOL_NOT_FOUND`, `CLUSTER_START`, `CLUSTER_PROVISION`, `INSTALL_BUSY`, `RECOVERY_NEEDED`, `USAGE`, `INTERRUPTED`
 */
export async function setup(options: SetupOptions = {}): Promise<SetupResult> {
  const started = performance.now();
  throwIfAborted(options.signal);
  const home = resolve(options.home ?? defaultHome());
  const dryRun = options.dryRun === true;
  const owner = await ownerOf(home);
  const made = new MadeDirectories(owner);
  let unlock = async () => {};
  let isMade = false;
  try {
    if (dryRun) await refuseIfLocked(home);
    else {
      await made.make(dirname(home));
      unlock = await lockInstall(home, 'setup');
    }
    await requireNothingUnfinished(home);
    const plan = await judge(home, options);
    if (await isRootsOwn(home)) {
      options.onEvent?.({ type: 'note', message: `${ROOT_REFUSED}: ${rootAdvice('leoflow setup')}` });
    }
    // Making it takes no time that anybody would wait for.
    throwIfAborted(options.signal);
    const adminPassword = dryRun ? null : await make(plan, { owner, made });
    isMade = true;
    const { workspace, adminEmail, postgres, isNew } = plan;
    const [missing, present] = [plan.parts.filter(({ there }) => !there), plan.parts.filter(({ there }) => there)];
    return {
      dryRun,
      isNew,
      home,
      workspace,
      adminEmail,
      adminPassword,
      postgres,
      made: missing.map(({ path }) => path),
      kept: present.map(({ path }) => path),
      durationMs: performance.now() - started,
    };
  } catch (error) {
    throw failure(error, home);
  } finally {
    await unlock();
    // The lock lay in one of them.
    if (!isMade) await made.removeEmpty();
  }
}

/** What is there, and what is not. */
interface Plan {
  home: string;
  workspace: string;
  adminEmail: string | null;
  postgres: ProgramDirectory;
  /** Whether there is no config.yaml yet. */
  isNew: boolean;
  /** Whether `postgres/bin` needs links to that PostgreSQL. */
  needsLinks: boolean;
  parts: { path: string; there: boolean }[];
}

async function judge(home: string, options: SetupOptions): Promise<Plan> {
  requireShortSocket(pgdataOf(home));
  await requireHome(home);
  const adminEmail = address(options.adminEmail ?? ADMIN_EMAIL);
  const own = await ownConfig(home);
  const workspace = own?.workspace ?? resolve(options.workspace ?? join(dirname(home), WORKSPACE));
  if (own === null) await requireSafe(workspace, home);
  else if (options.workspace !== undefined && resolve(options.workspace) !== workspace) {
    throw new SnapshotError('SETUP_CONFLICT', `the install at ${home} has its workspace at ${workspace}`, {
      hint: 'to move it, move the directory and change `workspace:` in config.yaml; setup keeps what is there',
    });
  }
  const present = await stat(workspace).catch(() => null);
  if (present !== null && !present.isDirectory()) {
    throw new SnapshotError('SETUP_CONFLICT', `${workspace}, where the workspace goes, is not a directory`, {
      hint: 'move it away, or name another directory with --workspace <dir>',
    });
  }
  const { pgBin, signal } = options;
  const postgres = await findPrograms({ home, pgBin, signal });
  const bin = ownBin(home);
  const needsLinks = postgres.directory !== bin;
  const parts = [
    { path: home, there: await exists(home) },
    { path: bin, there: !needsLinks },
    { path: workspace, there: present !== null },
    { path: join(home, 'setup.json'), there: own !== null && (await exists(join(home, 'setup.json'))) },
    { path: join(home, 'config.yaml'), there: own !== null },
  ];
  return {
    home,
    workspace,
    adminEmail: own === null ? adminEmail : own.adminEmail,
    postgres,
    isNew: own === null,
    needsLinks,
    parts,
  };
}

/** @returns the administrator's password, where one was made */
async function make(
  plan: Plan,
  { owner, made }: { owner: Owner | null; made: MadeDirectories },
): Promise<string | null> {
  const { home, workspace } = plan;
  await made.make(home, 0o700);
  if (plan.needsLinks) {
    await made.make(ownBin(home));
    for (const program of PROGRAMS)
      await link(join(plan.postgres.directory, program), join(ownBin(home), program), owner);
  }
  await made.make(workspace);
  const lacks = new Set(plan.parts.filter(({ there }) => !there).map(({ path }) => basename(path)));
  if (!lacks.has('setup.json')) return null;
  const password = plan.isNew ? newPassword() : null;
  const install = {
    home,
    workspace,
    adminEmail: plan.adminEmail ?? ADMIN_EMAIL,
    passwordHash: password === null ? '' : await hashPassword(password),
    jwtSecret: newJwtSecret(),
    python: await findPython(),
    updatedAt: createdAt(new Date()),
  };
  await put(join(home, 'setup.json'), newSetup(install), 0o644, owner);
  if (plan.isNew) await put(join(home, 'config.yaml'), newConfig(install), 0o600, owner);
  return password;
}

function ownBin(home: string): string {
  return join(home, 'postgres', 'bin');
}

/** Refuses a home that is none: config.yaml and directories of ours must not come to lie among somebody's files. */
async function requireHome(home: string): Promise<void> {
  const stats = await stat(home).catch(() => null);
  if (stats === null) return;
  const hint = 'name another directory for the install with --home <dir>';
  if (!stats.isDirectory()) throw new SnapshotError('SETUP_CONFLICT', `${home} is not a directory`, { hint });
  const entries = await homeEntries(home);
  if (isHome(entries)) return;
  const { foreign } = entries;
  const more = foreign.length > 3 ? ` and ${foreign.length - 3} more` : '';
  throw new SnapshotError(
    'SETUP_CONFLICT',
    `${home} is no Leoflow home: it holds ${foreign.slice(0, 3).join(', ')}${more}`,
    { hint },
  );
}

/** Refuses a place that is none for a workspace, by its name or by what its name leads to. */
async function requireSafe(workspace: string, home: string): Promise<void> {
  const real = { workspace: await realPath(workspace), home: await realPath(home) };
  const fault =
    workspaceFault({ workspace, home, chosen: true }) ??
    workspaceFault({ ...real, chosen: true }) ??
    (await homeFault(real.workspace));
  if (fault === null) return;
  throw new SnapshotError('WORKSPACE_UNSAFE', `the workspace would be ${workspace}, which is ${fault}`, {
    hint: 'name a directory of its own with --workspace <dir>',
  });
}

async function homeFault(workspace: string): Promise<string | null> {
  const home = await homeIn(workspace);
  if (home === null) return null;
  return home === workspace ? "somebody's home directory" : `a directory that the home directory ${home} lies in`;
}

function address(email: string): string {
  if (/^[^\s@]+@[^\s@]+$/.test(email) && !/\p{Cc}/u.test(email)) return email;
  throw new SnapshotError('USAGE', `'${email}' is not an e-mail address`, {
    hint: 'one looks like admin@example.org; it is the name that the administrator signs in with',
  });
}

/** What an existing config.yaml says; null where there is none. */
async function ownConfig(home: string): Promise<{ workspace: string; adminEmail: string | null } | null> {
  const path = join(home, 'config.yaml');
  const hint = 'correct it, or move it away and run `leoflow setup` again';
  try {
    const { content } = await readInstallFile(path);
    const config = parseConfig(content, path, hint);
    const workspace = resolveWorkspace(configString(config, 'workspace'), home);
    return { workspace, adminEmail: configString(config, 'admin_email') };
  } catch (cause) {
    if (cause instanceof SnapshotError) throw cause;
    if (systemErrorCode(cause) === 'ENOENT' && !(await exists(path))) return null;
    throw new SnapshotError('CONFIG_UNREADABLE', `cannot read ${path}: ${systemErrorText(cause)}`, { hint, cause });
  }
}

/** Makes a link, in place of one that leads elsewhere; a file of somebody's stays. */
async function link(target: string, path: string, owner: Owner | null): Promise<void> {
  const present = await lstat(path).catch(() => null);
  if (present !== null && !present.isSymbolicLink()) return;
  if (present !== null && (await readlink(path)) !== target) await unlink(path);
  else if (present !== null) return;
  await symlink(target, path);
  if (owner !== null) await lchown(path, owner.uid, owner.gid);
}

/** Writes a file that is there whole or not at all. */
async function put(path: string, text: string, mode: number, owner: Owner | null): Promise<void> {
  const directory = dirname(path);
  const temporary = join(directory, temporaryName(basename(path)));
  const handle = await openPrivate(temporary, directory);
  try {
    try {
      await handle.writeFile(text);
      await handle.chmod(mode);
      if (owner !== null) await handle.chown(owner.uid, owner.gid);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
    await syncDirectory(directory);
  } catch (error) {
    await unlink(temporary).catch(() => {});
    throw error;
  }
}

/** A Python interpreter on `PATH`; where there is none yet, the name under which one will be. */
async function findPython(): Promise<string> {
  const directories = (process.env.PATH ?? '').split(delimiter).filter((directory) => isAbsolute(directory));
  for (const path of directories.map((directory) => join(directory, 'python3'))) {
    const isProgram = await access(path, constants.X_OK)
      .then(() => true)
      .catch(() => false);
    if (isProgram) return path;
  }
  return 'python3';
}

function failure(error: unknown, home: string): unknown {
  if (error instanceof SnapshotError || systemErrorCode(error) === undefined) return error;
  const path = error instanceof Error && 'path' in error ? String(error.path) : home;
  return new SnapshotError('SETUP_FAILED', `cannot make ${path}: ${systemErrorText(error)}`, {
    hint: 'free some space there or make it writable, and run `leoflow setup` again: it goes on where it stopped',
    cause: error,
  });
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}
