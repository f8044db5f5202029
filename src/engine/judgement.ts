/**
 * Judging a restore: everything that can be refused is refused here, before anything is written.
 */
import { readFile, realpath, statfs } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { damaged } from './archive/index.js';
import {
  type ClusterLease,
  inspectCluster,
  leaseCluster,
  requireNoSessions,
  requireServerFor,
} from './datastore/index.js';
import { SnapshotError, systemErrorCode, systemErrorText } from './errors.js';
import {
  type DatastoreState,
  judgeHome,
  type Relocation,
  readInstall,
  refuseUnsafeWorkspace,
  relocate,
  supportedSchema,
} from './install/index.js';
import type { OpenedArchive } from './opened-archive.js';
import type { RestoreOptions, RestorePart } from './options.js';

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
  /** Whether the live database has anything worth keeping. */
  databaseHolds: boolean;
}

/**
 * Judges whether an archive may be restored here.
 *
 * @throws SCHEMA_TOO_NEW, INSTALL_EXISTS, SERVER_TOO_OLD, DATASTORE_BUSY, WORKSPACE_UNSAFE, CONFIG_INVALID, STAGING_FULL, and what looking at the
 *   datastore throws
 */
export async function judge(archive: OpenedArchive, request: RestoreRequest): Promise<Judgement> {
  const { options, home, parts } = request;
  await judgeSchema(archive);
  if (parts.has('datastore') && archive.dump === null) throw damaged('there is no datastore.sql in it');
  const own = { config: await readOwn(join(home, 'config.yaml')), setup: await readOwn(join(home, 'setup.json')) };
  const relocation = relocationOf(archive, archive, own, request);
  const workspace = await realPath(relocation.workspace);
  if (parts.has('workspace')) {
    const chosen = options.workspace !== undefined || (await isOwnWorkspace(home, workspace));
    refuseUnsafeWorkspace({ workspace, home: await realPath(home), chosen, wasInHome: true });
    await judgeRoom(archive, workspace);
  }
  const datastore = await judgeDatastore(archive, request);
  if (options.force !== true) await judgeInstall(home, workspace, datastore);
  return { own, workspace, databaseHolds: datastore !== 'absent' && datastore !== 'empty' };
}

/** Gives the archive's config the paths of this place. */
export function relocationOf(
  archive: Pick<OpenedArchive, 'manifest'>,
  files: { config: Buffer | null; setup: Buffer | null },
  own: Judgement['own'],
  { options, home, parts }: RestoreRequest,
): Relocation {
  const { source } = archive.manifest;
  const text = (value: unknown) => (typeof value === 'string' ? value : null);
  return relocate(
    {
      config: parts.has('config') ? files.config : null,
      setup: parts.has('config') ? files.setup : null,
      sourceHome: text(source?.home),
      sourceWorkspace: text(source?.workspace),
    },
    {
      home,
      ...(options.workspace === undefined ? {} : { workspace: options.workspace }),
      ownConfig: own.config,
      ownSetup: own.setup,
    },
  );
}

/** The real path of something that may not exist yet: that of the nearest directory above, and the rest as it stands. */
export async function realPath(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT' || dirname(path) === path) throw error;
    return join(await realPath(dirname(path)), basename(path));
  }
}

async function judgeSchema({ manifest }: OpenedArchive): Promise<void> {
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

async function judgeDatastore(archive: OpenedArchive, request: RestoreRequest): Promise<DatastoreState> {
  const { options, home, parts, signal } = request;
  const search = {
    home,
    signal,
    ...(options.dsn === undefined ? {} : { dsn: options.dsn }),
    ...(options.pgBin === undefined ? {} : { pgBin: options.pgBin }),
  };
  if (!parts.has('datastore')) {
    // It is not touched, but whether there is one tells whether this is an install.
    const state = await inspectCluster(search).catch(() => null);
    return state === null ? 'unknown' : stateOf(state.state, state.userTables);
  }
  const found = await inspectCluster(search);
  if (found.serverMajor !== null && archive.dump !== null) {
    requireServerFor(archive.dump, {
      num: found.serverMajor,
      version: found.serverVersion ?? String(found.serverMajor),
    });
  }
  if (options.force === true) return stateOf(found.state, found.userTables);
  if (found.state === 'absent') return 'absent';
  // A cluster that is stopped has to be started to be looked into; and only one that runs has sessions.
  const lease: ClusterLease = await leaseCluster(search);
  try {
    if (lease.liveExists) await requireNoSessions(lease, signal);
    const looked = found.state === 'stopped' ? await inspectCluster(search) : found;
    return stateOf(looked.state, looked.userTables);
  } finally {
    await lease.release({ keep: true });
  }
}

function stateOf(state: 'running' | 'stopped' | 'absent' | 'external', userTables: boolean | null): DatastoreState {
  if (state === 'absent') return 'absent';
  if (userTables === null) return 'unknown';
  return userTables ? 'tables' : 'empty';
}

async function judgeInstall(home: string, workspace: string, datastore: DatastoreState): Promise<void> {
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

async function isOwnWorkspace(home: string, workspace: string): Promise<boolean> {
  return readInstall(home).then(
    (install) => install.workspace === workspace,
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
