/**
 * The outlook for an archive: whether it could be restored here, and everything that stands in the way.
 *
 * The judgements are those of a restore, each asked by itself: a restore stops at the first obstacle. Nothing is started, nothing is written.
 */
import { resolve } from 'node:path';
import { inspectCluster, requirePsqlWithRestrict, requireStartable } from './datastore/index.js';
import { type ErrorCode, SnapshotError } from './errors.js';
import { defaultHome, supportedSchema } from './install/index.js';
import { refuseIfLocked } from './install-lock.js';
import {
  judgeDump,
  judgeInstall,
  judgePlace,
  judgeSchema,
  ownFiles,
  type RestoreRequest,
  requireServer,
  stateOf,
  unseenState,
} from './judgement.js';
import type { OpenedArchive } from './opened-archive.js';
import { RESTORE_PARTS } from './options.js';
import { datastoreSearch, requireNothingUnfinished } from './recovery.js';

/** Something that a restore would be refused for. */
export interface Obstacle {
  code: ErrorCode;
  /** What is the matter, one sentence. */
  message: string;
  /** What to do about it; null where there is nothing to say. */
  hint: string | null;
}

/** Whether an archive could be restored here. */
export interface Outlook {
  /** `with-force`: if what is here may be replaced. */
  restorable: 'yes' | 'with-force' | 'no';
  /** Why not. */
  obstacles: Obstacle[];
  /** The Leoflow home that it would go to; null where nobody knows. */
  home: string | null;
  /** The real path that the workspace would go to; null where that cannot be said. */
  workspace: string | null;
  /** Which schemas meet. */
  schema: {
    /** That of the archive. */
    archive: number;
    /** Up to which one can be restored here; null where nobody says so. */
    supported: {
      /** The newest. */
      version: number;
      /** Who says so, for people. */
      source: string;
    } | null;
  };
  /** Which servers meet. */
  postgres: {
    /** Release of the one that was dumped; null where the dump does not name it. */
    dump: string | null;
    /** Release of the one here; null where it is unknown, or there is none. */
    server: string | null;
    /** `stopped`: it is there, and was not started for this; `absent`: one would be made; null where it cannot be told. */
    state: 'running' | 'stopped' | 'absent' | 'external' | null;
  };
}

/** Where it would be restored to. */
export interface OutlookOptions {
  home?: string | undefined;
  dsn?: string | undefined;
  pgBin?: string | undefined;
}

/** Looks whether an archive could be restored here. @throws INTERRUPTED */
export async function outlookFor(
  archive: OpenedArchive,
  { home: named, dsn, pgBin }: OutlookOptions,
  signal: AbortSignal,
): Promise<Outlook> {
  const obstacles: Obstacle[] = [];
  /** What a judgement says; null where it refuses. */
  const ask = async <T>(judgement: () => T | Promise<T>): Promise<T | null> => {
    try {
      return await judgement();
    } catch (error) {
      if (!(error instanceof SnapshotError) || error.code === 'INTERRUPTED' || signal.aborted) throw error;
      const { code, message, hint = null } = error;
      if (!obstacles.some((known) => known.message === message)) obstacles.push({ code, message, hint });
      return null;
    }
  };
  const supported = await ask(() => supportedSchema());
  if (supported !== null) await ask(() => judgeSchema(archive));
  const schema = { archive: archive.manifest.schema_version, supported };
  const outlook = { obstacles, home: null, workspace: null, schema };
  const postgres: Outlook['postgres'] = { dump: archive.dump?.serverVersion ?? null, server: null, state: null };
  const home = await ask(() => resolve(named ?? defaultHome()));
  if (home === null) return { ...outlook, restorable: 'no', postgres };

  const place = { ...(dsn !== undefined && { dsn }), ...(pgBin !== undefined && { pgBin }) };
  const request: RestoreRequest = { options: { input: '', ...place }, home, parts: new Set(RESTORE_PARTS), signal };
  await ask(() => judgeDump(archive, request));
  await ask(() => refuseIfLocked(home));
  await ask(() => requireNothingUnfinished(home));
  const own = await ask(() => ownFiles(home));
  const workspace = own === null ? null : await ask(async () => (await judgePlace(archive, own, request)).workspace);
  const search = datastoreSearch(home, { ...place, signal });
  await ask(() => requirePsqlWithRestrict({ home, pgBin, signal }));
  const found = await ask(() => inspectCluster(search));
  if (found !== null) {
    Object.assign(postgres, { server: found.serverVersion, state: found.state });
    await ask(() => requireServer(archive, found, home));
    await ask(() => requireStartable(search, found));
  }
  const holds = found === null ? await unseenState(home) : stateOf(found);
  if (workspace !== null) await ask(() => judgeInstall(request, workspace, holds));
  const isForced = obstacles.every(({ code }) => code === 'INSTALL_EXISTS');
  const restorable = obstacles.length === 0 ? 'yes' : isForced ? 'with-force' : 'no';
  return { ...outlook, home, workspace, restorable, postgres };
}
