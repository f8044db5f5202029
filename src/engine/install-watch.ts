/**
 * That an archive is of one install. A restore puts another one in the place of the one that is being read, in a moment: the config would be of the one,
 * the workspace or the dump of the other.
 *
 * So a backup does not begin while a restore is at work, and in the end, once everything is read, finds out whether one has come in between: then another
 * directory stands in the place of the workspace, or another config.yaml in that of the one that was read. What is merely gone was not replaced: the
 * walk has told of the files that are missing, and the archive may be all that is left.
 */
import { constants } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { SnapshotError, systemErrorCode, systemErrorText } from './errors.js';
import { type Install, readInstallFile } from './install/index.js';
import { refuseIfLocked } from './install-lock.js';
import { requireNothingUnfinished } from './recovery.js';

/** Refuses while a restore is at work on a home, or was broken off in its commit. Only looks. @throws INSTALL_BUSY, RECOVERY_NEEDED */
export async function refuseWhileRestored(home: string): Promise<void> {
  await refuseIfLocked(home, { works: ['restore'], hint: 'wait for it to end, and run the backup again' });
  await requireNothingUnfinished(home);
}

/** The install that a backup reads, known again by its workspace and its config. */
export class InstallWatch {
  readonly #install: Install;
  /** Open, so that the directory keeps its number, and no other one gets it. */
  readonly #workspace: FileHandle;

  private constructor(install: Install, workspace: FileHandle) {
    this.#install = install;
    this.#workspace = workspace;
  }

  /** Before anything of the workspace is read. @throws WORKSPACE_NOT_FOUND */
  static async begin(install: Install): Promise<InstallWatch> {
    const { workspace } = install;
    const handle = await open(workspace, constants.O_RDONLY | constants.O_DIRECTORY).catch((cause: unknown) => {
      throw new SnapshotError('WORKSPACE_NOT_FOUND', `the workspace ${workspace} vanished: ${systemErrorText(cause)}`, {
        hint: 'see what has become of it, and run this again',
        cause,
      });
    });
    return new InstallWatch(install, handle);
  }

  /** Once everything is read. @throws INSTALL_CHANGED, INSTALL_BUSY, RECOVERY_NEEDED */
  async check(): Promise<void> {
    const { namedHome, workspace, config } = this.#install;
    await refuseWhileRestored(namedHome);
    const now = await found(stat(workspace, { bigint: true }), workspace);
    if (now !== null) {
      const before = await found(this.#workspace.stat({ bigint: true }), workspace);
      if (now.dev !== before?.dev || now.ino !== before.ino) throw changed(workspace, 'it is another directory');
    }
    const file = await found(readInstallFile(config.path), config.path);
    if (file !== null && !file.content.equals(config.content)) throw changed(config.path, 'its content is another one');
  }

  async close(): Promise<void> {
    await this.#workspace.close();
  }
}

/** What is at a path; null where nothing is. */
async function found<T>(looked: Promise<T>, path: string): Promise<T | null> {
  try {
    return await looked;
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return null;
    throw changed(path, `it cannot be read any more: ${systemErrorText(error)}`, error);
  }
}

function changed(path: string, how: string, cause?: unknown): SnapshotError {
  return new SnapshotError('INSTALL_CHANGED', `${path} is not what it was when the backup began: ${how}`, {
    hint: 'run the backup again',
    cause,
  });
}
