/**
 * Where a restore may put a workspace.
 *
 * A restore moves the previous workspace aside as a whole and the new one into its place. So it must be a directory of its own: what
 * holds the Leoflow home, or other people's directories, would be moved away with everything in it. That includes an install whose
 * workspace *was* the user's home directory: it can be backed up, and is restored with `--workspace`.
 *
 * Beyond that, a path that only the archive names must not lead where files take effect by lying there (`~/.ssh`, `~/bin`,
 * `/etc/cron.d`), nor, whatever `--force` says, to where anything of the user's lies (`~/Documents`), which only who looks at the disk can
 * tell. A user who wants it there says so with `--workspace`.
 */
import { dirname } from 'node:path';
import { SnapshotError } from '../../errors.js';
import { below } from './source-home.js';

/** What the Leoflow home is made of; a workspace inside the home cannot be called so. */
const PARTS_OF_HOME = /^(?:postgres|pgdata|dev|python|venv|pysrc|config\.yaml|setup\.json)(?:[./]|$)/;
/** Directories that others share. */
const SHARED =
  /^\/(?:bin|boot|dev|etc|home|lib|lib64|media|mnt|opt|proc|root|run|sbin|srv|sys|tmp|usr|var(?:\/lib|\/tmp)?|Users|Library|System|Volumes|private)$/;
/** Directories whose content the system acts upon. */
const OF_THE_SYSTEM =
  /^\/(?:bin|boot|dev|etc|lib(?:32|64|x32)?|proc|run(?!\/media\/)|sbin|sys|usr|var\/spool|System|Library|private\/etc)\//;

/** Directories of a user whose content takes effect by lying there; macOS takes them in any case. */
const OF_A_USER = /^(?:bin|Library)(?:\/|$)/i;

/** A place for a workspace, and who chose it. */
export interface WorkspacePlace {
  /** Absolute and normal; a caller that can look at the disk asks again with real paths. */
  workspace: string;
  /** The Leoflow home, absolute and normal. */
  home: string;
  /** Whether the user chose it (`--workspace`, or the install that is there already) and not the archive alone. */
  chosen: boolean;
  /** Whether the archived install, or the one that is there, had its workspace inside its home. Default: false. */
  wasInHome?: boolean;
}

/**
 * Refuses a place where a restore must not put a workspace.
 *
 * @throws SnapshotError `WORKSPACE_UNSAFE`
 */
export function refuseUnsafeWorkspace(place: WorkspacePlace): void {
  const fault = workspaceFault(place);
  if (fault === null) return;
  const message = `the workspace would be restored to ${place.workspace}, which is ${fault}`;
  throw new SnapshotError('WORKSPACE_UNSAFE', message, {
    hint: 'name a directory of its own with --workspace <dir>; a restore replaces the workspace as a whole',
  });
}

/** What is wrong with a place for a workspace; completes "which is …". Null where nothing is. */
export function workspaceFault({ workspace, home, chosen, wasInHome = false }: WorkspacePlace): string | null {
  if (workspace === '/') return 'the root directory';
  if (workspace === home) return 'the Leoflow home itself';
  if (workspace === dirname(home)) return 'the home directory that the Leoflow home lies in';
  if (below(home, workspace) !== null) return 'a directory that the Leoflow home lies in';
  if (SHARED.test(workspace)) return 'a directory that others share';
  const inHome = below(workspace, home);
  if (inHome !== null && (!wasInHome || PARTS_OF_HOME.test(inHome))) return 'inside the Leoflow home';
  if (chosen) return null;
  if (OF_THE_SYSTEM.test(workspace)) return 'a directory of the system';
  if (/^\/(?:home|Users)\/[^/]+$/.test(workspace)) return "somebody's home directory";
  const beside = below(workspace, dirname(home));
  // Services have their home directories below /var.
  if (workspace.startsWith('/var/') && (beside === null || dirname(home) === '/')) return 'a directory of the system';
  if (OF_A_USER.test(beside ?? workspace.replace(/^\/(?:root|(?:home|Users)\/[^/]+)\//, '')))
    return 'a directory whose files the system acts upon';
  if (isHidden(inHome ?? beside ?? workspace)) return 'a hidden directory that only the archive names';
  return null;
}

function isHidden(path: string): boolean {
  return path.split('/').some((part) => part.startsWith('.'));
}
