/**
 * Judging a restore: everything that can be refused is refused here, before anything is written.
 */
import { lstat, readFile, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { damaged } from './archive/index.js';
import {
  type ClusterLease,
  type ClusterReport,
  inspectCluster,
  leaseCluster,
  requireNoSessions,
  requirePsqlWithRestrict,
  requireReplayInPlace,
  requireServerFor,
  requireStartable,
} from './datastore/index.js';
import { SnapshotError, systemErrorCode, systemErrorText } from './errors.js';
import {
  configString,
  type DatastoreState,
  judgeHome,
  judgeWorkspace,
  parseConfig,
  type Relocation,
  refuseUnsafeWorkspace,
  relocate,
  resolveWorkspace,
  supportedSchema,
} from './install/index.js';
import type { OpenedArchive } from './opened-archive.js';
import type { RestoreOptions, RestorePart, RestoreResult } from './options.js';
import { realPath } from './real-path.js';
import { datastoreSearch } from './recovery.js';

export interface RestoreRequest {
  options: RestoreOptions;
  /** The Leoflow home, absolute, as it is named. */
  home: string;
  parts: ReadonlySet<RestorePart>;
  signal: AbortSignal;
}

/** What the judgement found; the restore goes by it. */
export interface Judgement {
  /** The present config.yaml and setup.json; null where there is none. */
  own: { config: Buffer | null; setup: Buffer | null };
  /** Where the workspace goes, as a real path; nothing need be there. */
  workspace: string;
  /** Whether somebody here has named that place, and not the archive alone. */
  isChosen: boolean;
  /** The datastore as it was found; what a dry run tells of it. */
  datastore: { source: string; cluster: ClusterLease['state']; inPlace: boolean };
  /** What a restore replaces, by its own name: paths, and `database …`. */
  inTheWay: RestoreResult['previous'];
}

/**
 * Judges whether an archive may be restored here.
 *
 * @throws SCHEMA_TOO_NEW, INSTALL_EXISTS, SERVER_TOO_OLD, DATASTORE_BUSY, WORKSPACE_UNSAFE, CONFIG_INVALID, STAGING_FULL, and what looking at the
 *   datastore throws
 */
export async function judge(archive: OpenedArchive, request: RestoreRequest): Promise<Judgement> {
  const { home, parts } = request;
  await judgeSchema(archive);
  judgeDump(archive, request);
  const own = await ownFiles(home);
  const { workspace, isChosen } = await judgePlace(archive, own, request);
  const found = await judgeDatastore(archive, request, (state) => judgeInstall(request, workspace, state));
  const database = found.holds === 'absent' || found.holds === 'empty' ? null : `database ${found.liveDatabase}`;
  const inTheWay = await presentOf([
    ...(parts.has('workspace') ? [workspace] : []),
    ...(parts.has('config') ? ['config.yaml', 'setup.json'].map((name) => join(home, name)) : []),
  ]);
  if (database !== null && parts.has('datastore')) inTheWay.push({ what: database, where: database });
  return { own, workspace, isChosen, datastore: found.datastore, inTheWay };
}

/** The config.yaml and setup.json that are here. @throws CONFIG_UNREADABLE */
export async function ownFiles(home: string): Promise<Judgement['own']> {
  return { config: await readOwn(join(home, 'config.yaml')), setup: await readOwn(join(home, 'setup.json')) };
}

/** Refuses an archive without the dump that is asked for. @throws ARCHIVE_DAMAGED */
export function judgeDump({ dump }: OpenedArchive, { parts }: RestoreRequest): void {
  if (parts.has('datastore') && dump === null) throw damaged('there is no datastore.sql in it');
}

/**
 * Where the workspace goes, if it may go there.
 *
 * @returns its real path; nothing need be there. `isChosen`: whether somebody here has named it, and not the archive alone
 * @throws WORKSPACE_UNREADABLE, WORKSPACE_UNSAFE, CONFIG_INVALID, STAGING_FULL
 */
export async function judgePlace(
  archive: OpenedArchive,
  own: Judgement['own'],
  request: RestoreRequest,
): Promise<Pick<Judgement, 'workspace' | 'isChosen'>> {
  const { options, home, parts } = request;
  const workspace = await placeOf(relocationOf(archive, archive, own, request).workspace);
  const isChosen = options.workspace !== undefined || (await isOwnWorkspace(own, home, workspace));
  if (parts.has('workspace')) {
    refuseUnsafeWorkspace({ workspace, home: await placeOf(home), chosen: isChosen, wasInHome: true });
    if (!isChosen) await requireUnused(workspace);
    await judgeRoom(archive, workspace);
  }
  return { workspace, isChosen };
}

/** Refuses to replace, on the word of an archive alone, a directory with anything of anybody's in it. @throws WORKSPACE_UNSAFE */
export async function requireUnused(workspace: string): Promise<void> {
  const finding = await judgeWorkspace(workspace);
  if (finding === null) return;
  throw new SnapshotError(
    'WORKSPACE_UNSAFE',
    `the workspace would be restored to ${workspace}, which is neither that of the install here nor named with --workspace: ${finding}`,
    {
      hint: 'name a directory with --workspace <dir>: another one, or this one with --force to have all of it replaced',
    },
  );
}

/** Gives the archive's config the paths of this place. */
export function relocationOf(
  archive: Pick<OpenedArchive, 'manifest'>,
  files: { config: Buffer | null; setup: Buffer | null },
  own: Judgement['own'],
  { options, home, parts }: RestoreRequest,
): Relocation {
  const { source } = archive.manifest;
  return relocate(
    {
      config: parts.has('config') ? files.config : null,
      setup: parts.has('config') ? files.setup : null,
      sourceHome: source?.home ?? null,
      sourceWorkspace: source?.workspace ?? null,
    },
    {
      home,
      ...(options.workspace === undefined ? {} : { workspace: options.workspace }),
      ownConfig: own.config,
      ownSetup: own.setup,
    },
  );
}

/** The real path of something that may not exist yet. @throws WORKSPACE_UNREADABLE */
async function placeOf(path: string): Promise<string> {
  try {
    return await realPath(path);
  } catch (cause) {
    throw new SnapshotError('WORKSPACE_UNREADABLE', `cannot look into ${path}: ${systemErrorText(cause)}`, {
      hint: 'run this as a user who may, or choose another place with --workspace',
      cause,
    });
  }
}

async function presentOf(paths: readonly string[]): Promise<RestoreResult['previous']> {
  const present: RestoreResult['previous'] = [];
  for (const path of paths) {
    if (await exists(path)) present.push({ what: path, where: path });
  }
  return present;
}

/** Refuses a dump that the installed Leoflow could not read. @throws SCHEMA_TOO_NEW */
export async function judgeSchema({ manifest }: OpenedArchive): Promise<void> {
  const supported = await supportedSchema();
  if (manifest.schema_version <= supported.version) return;
  throw new SnapshotError(
    'SCHEMA_TOO_NEW',
    `the archive has schema version ${manifest.schema_version}, and this install reads up to version ${supported.version} (${supported.source})`,
    {
      hint: `upgrade Leoflow to the release that made the archive (${manifest.leoflow_version}) or a newer one; --force does not help`,
    },
  );
}

/** The datastore as it was found. */
interface FoundDatastore {
  holds: DatastoreState;
  liveDatabase: string;
  datastore: Judgement['datastore'];
}

/**
 * Looks at the datastore.
 *
 * @param judgeState refuses by what the live database holds; asked before anybody is told of sessions, which is the lesser obstacle
 */
async function judgeDatastore(
  archive: OpenedArchive,
  request: RestoreRequest,
  judgeState: (state: DatastoreState) => Promise<void>,
): Promise<FoundDatastore> {
  const { options, home, parts, signal } = request;
  const search = datastoreSearch(home, { ...options, signal });
  const touched = parts.has('datastore');
  const found = await inspectCluster(search).catch((error: unknown) => {
    if (touched || signal.aborted) throw error;
    return null;
  });
  if (found === null) {
    // It is not touched, but whether there is one tells whether this is an install.
    const holds = await unseenState(home);
    await judgeState(holds);
    return { holds, liveDatabase: '', datastore: asFound(null) };
  }
  if (touched) requireServer(archive, found, home);
  const { state, liveDatabase } = found;
  const holds = stateOf(found);
  const looked = { holds, liveDatabase, datastore: asFound(found) };
  // A cluster that is stopped has to be started to be looked into.
  const worthALease = state === 'stopped' ? options.force !== true : touched && state !== 'absent';
  const lease = worthALease
    ? await leaseCluster(search).catch((error: unknown) => {
        if (touched || signal.aborted) throw error;
        return null;
      })
    : null;
  if (lease === null) {
    await judgeState(holds);
    if (touched) {
      // What bringing it up would find out, when files have been written.
      await requirePsqlWithRestrict(search);
      await requireStartable(search, found);
    }
    return looked;
  }
  try {
    if (state === 'stopped') looked.holds = stateOf({ ...(await inspectCluster(search)), state: 'running' });
    looked.datastore = datastoreOf(lease);
    await judgeState(looked.holds);
    if (touched && !lease.maySwap) await requireReplayInPlace(lease, signal);
    if (touched && options.force !== true && lease.liveExists) await requireNoSessions(lease, signal);
    return looked;
  } finally {
    await lease.release({ keep: true });
  }
}

/** Refuses where the server is older than the dump's, or there is none and none can be made. @throws SERVER_TOO_OLD, TOOL_NOT_FOUND */
export function requireServer({ dump }: OpenedArchive, found: ClusterReport, home: string): void {
  if (found.serverMajor === null) {
    throw new SnapshotError('TOOL_NOT_FOUND', `${home} has no datastore, and there is no initdb here to make one`, {
      hint: 'run `leoflow setup`, or install PostgreSQL (Debian: apt install postgresql), or name a database with --dsn',
    });
  }
  if (dump === null) return;
  requireServerFor(dump, { num: found.serverMajor, version: found.serverVersion ?? String(found.serverMajor) });
}

/** What a restore tells of the datastore that it works on. */
export function datastoreOf(lease: ClusterLease): Judgement['datastore'] {
  const { connection } = lease.datastore;
  // Its own name for itself is that of another database, as long as the live one does not exist.
  const source = connection.kind === 'managed' ? connection.address : `${connection.address}/${lease.liveDatabase}`;
  return { source, cluster: lease.state, inPlace: !lease.maySwap };
}

function asFound(found: ClusterReport | null): Judgement['datastore'] {
  const states = { running: 'running', external: 'external', stopped: 'started', absent: 'provisioned' } as const;
  return {
    source: found?.source ?? 'the datastore of the home',
    cluster: found === null ? 'running' : states[found.state],
    inPlace: false,
  };
}

/** What is known of a datastore that nobody could look for. */
export async function unseenState(home: string): Promise<DatastoreState> {
  return (await exists(join(home, 'pgdata'))) ? 'unknown' : 'absent';
}

/** What a datastore holds, as far as a look tells. */
export function stateOf({ state, userTables }: Pick<ClusterReport, 'state' | 'userTables'>): DatastoreState {
  if (state === 'absent') return 'absent';
  if (userTables === null) return 'unknown';
  return userTables ? 'tables' : 'empty';
}

/** Refuses where there is an install, unless it may be replaced. @throws INSTALL_EXISTS */
export async function judgeInstall(
  { options, home }: RestoreRequest,
  workspace: string,
  datastore: DatastoreState,
): Promise<void> {
  if (options.force === true) return;
  const state = await judgeHome(home, workspace, datastore);
  if (state.kind === 'free') return;
  throw new SnapshotError('INSTALL_EXISTS', `there is an install at ${home} already: ${state.findings.join('; ')}`, {
    hint: 'to replace it, add --force; what it replaces is kept under another name unless you say --discard-previous',
  });
}

async function judgeRoom({ members, size }: OpenedArchive, workspace: string): Promise<void> {
  const needed = members === null ? size : members.reduce((sum, member) => sum + member.blockBytes, 0);
  let place = dirname(workspace);
  for (;;) {
    try {
      const { bavail, bsize } = await statfs(place);
      if (bavail * bsize >= needed) return;
      throw new SnapshotError(
        'STAGING_FULL',
        `restoring takes at least ${Math.ceil(needed / 1e6)} MB in ${place}, and ${Math.floor((bavail * bsize) / 1e6)} MB are free`,
        { hint: 'free some space there, or choose another place with --workspace; nothing was changed' },
      );
    } catch (error) {
      if (systemErrorCode(error) !== 'ENOENT') throw error;
      place = dirname(place);
    }
  }
}

/** Whether a place is what the present config.yaml names; one that cannot be read names none. */
async function isOwnWorkspace({ config }: Judgement['own'], home: string, workspace: string): Promise<boolean> {
  if (config === null) return false;
  try {
    const named = configString(parseConfig(config, join(home, 'config.yaml')), 'workspace');
    return (await placeOf(resolveWorkspace(named, home))) === workspace;
  } catch (error) {
    if (error instanceof SnapshotError) return false;
    throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

async function readOwn(path: string): Promise<Buffer | null> {
  try {
    return await readFile(path);
  } catch (cause) {
    if (systemErrorCode(cause) === 'ENOENT' || systemErrorCode(cause) === 'ENOTDIR') return null;
    throw new SnapshotError('CONFIG_UNREADABLE', `cannot read ${path}: ${systemErrorText(cause)}`, {
      hint: 'make it readable, or move it away',
      cause,
    });
  }
}
