/** A place where an archive is let loose, and where whatever it touches is noticed. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { ErrorCode, RestoreOptions, RestoreResult, SnapshotError } from '../../../src/index.js';
import { blocksOf, directory, type Forged, type Ingredients, indexed, streamed } from '../../support/forge/archive.js';
import { restore } from '../../support/library.js';
import { isRoot, look } from '../../support/tree.js';

/** An arena has a directory for temporary files of its own; arenas lie beside each other. */
const TMP = tmpdir();

/** How an archive should fail. */
export interface Refusal {
  code: ErrorCode;
  /** Exit status 4 for `refused`, 1 for `failed`. */
  kind: 'refused' | 'failed';
  /** What the message has to name. */
  says: string | RegExp;
}

export class Arena {
  /** Everything is in here. */
  readonly base = realpathSync(mkdtempSync(join(TMP, 'lfarena-')));
  readonly user = join(this.base, 'user');
  readonly home = join(this.user, '.leoflow');
  /** Where the archives of the forge lead to, moved along with the home. */
  readonly workspace = join(this.user, 'leoflow');
  /** Belongs to somebody else. */
  readonly outside = join(this.base, 'outside');
  readonly archive = join(this.base, 'in.tar.gz');
  readonly #tmp = join(this.base, 'tmp');
  readonly #noPrograms = join(this.base, 'bin');
  readonly #tmpdir = process.env.TMPDIR;

  /** An install with a workspace, and canaries all around it. */
  constructor() {
    for (const path of [this.user, this.home, this.workspace, this.outside, this.#tmp, this.#noPrograms])
      mkdirSync(path);
    process.env.TMPDIR = this.#tmp;
    writeFileSync(join(this.home, 'config.yaml'), `workspace: ${this.workspace}\njwt_secret: "mine"\n`, {
      mode: 0o600,
    });
    writeFileSync(join(this.home, 'setup.json'), '{}\n');
    mkdirSync(join(this.workspace, '.git'));
    mkdirSync(join(this.outside, 'directory'));
    for (const canary of [
      join(this.user, 'canary'),
      join(this.home, 'canary'),
      join(this.workspace, 'canary'),
      join(this.workspace, '.git', 'HEAD'),
      join(this.outside, 'canary'),
      join(this.outside, 'directory', 'canary'),
      join(this.#tmp, 'canary'),
    ])
      writeFileSync(canary, `here stands ${canary}\n`);
    symlinkSync('canary', join(this.outside, 'link'));
  }

  /** Restores workspace and config over what is there; the datastore is no part of it. */
  restore(archive: Buffer | RestoreOptions['input'], options: Partial<RestoreOptions> = {}): Promise<RestoreResult> {
    let input: RestoreOptions['input'];
    if (Buffer.isBuffer(archive)) {
      writeFileSync(this.archive, archive);
      input = this.archive;
    } else input = archive;
    const { home } = this;
    const pgBin = this.#noPrograms;
    return restore({ input, home, pgBin, only: ['workspace', 'config'], force: true, workers: 1, ...options });
  }

  /** Restores, and expects that to be refused, dry or not, before anything was touched and without anything left. */
  async refuses(
    archive: Buffer | (() => RestoreOptions['input']),
    refusal: Refusal,
    options: Partial<RestoreOptions> = {},
  ): Promise<void> {
    if (Buffer.isBuffer(archive)) writeFileSync(this.archive, archive);
    for (const dryRun of [true, false]) {
      const before = this.look();
      const input = Buffer.isBuffer(archive) ? this.archive : archive();
      const error = await failure(this.restore(input, { ...options, dryRun }));
      const { code, kind } = error;
      expect({ dryRun, code, kind, message: error.message }).toEqual({
        dryRun,
        code: refusal.code,
        kind: refusal.kind,
        message:
          typeof refusal.says === 'string'
            ? expect.stringContaining(refusal.says)
            : expect.stringMatching(refusal.says),
      });
      expect(error.hint).toMatch(/\w{3}/);
      // For one line of a terminal, whatever names the archive holds.
      expect(error.message.length).toBeLessThan(1000);
      expect(error.message).not.toMatch(/[\p{Cc}\u2028\u2029]/u);
      expect({ dryRun, ...this.look() }).toEqual({ dryRun, ...before });
    }
  }

  /** Everything there is, and every file that is open. */
  look(): { files: Record<string, string>; open: string[] } {
    const files: Record<string, string> = {};
    const visit = (path: string) => {
      const stats = lstatSync(path, { bigint: true });
      // What is made and removed in a directory shows in its times.
      const isBusy = stats.isDirectory() && [this.base, this.user, this.home, this.#tmp].includes(path);
      files[path.slice(this.base.length)] = [
        (stats.mode & 0o177777n).toString(8),
        stats.uid,
        stats.gid,
        stats.ino,
        ...(stats.isDirectory() ? [] : [stats.nlink, stats.size]),
        ...(isBusy ? [] : [stats.mtimeNs, stats.ctimeNs]),
        ...(stats.isFile() && (stats.mode & 0o400n) !== 0n ? [sha256Of(path)] : []),
        ...(stats.isSymbolicLink() ? [readlinkSync(path)] : []),
      ].join(' ');
      if (stats.isDirectory()) for (const name of readdirSync(path).sort()) visit(join(path, name));
    };
    visit(this.base);
    const open = readdirSync('/proc/self/fd').flatMap((fd) => {
      try {
        const target = readlinkSync(join('/proc/self/fd', fd));
        return target.startsWith(this.base) ? [target] : [];
      } catch {
        return [];
      }
    });
    return { files, open };
  }

  /** The workspace, without what is carried over. */
  restored() {
    return look(this.workspace, (path) => path === '.git');
  }

  remove(): void {
    if (this.#tmpdir === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = this.#tmpdir;
    // Root removes what it cannot enter; nobody else does.
    if (!isRoot) execFileSync('chmod', ['-R', 'u+rwX', this.base]);
    rmSync(this.base, { recursive: true, force: true });
  }
}

/** Tests that these entries are refused in every way they can stand in an archive. */
export function refusesEveryWay(arena: () => Arena, ingredients: Ingredients = {}) {
  return (name: string, entries: () => Forged[], refusal: Omit<Refusal, 'kind'>): void => {
    const kind = refusal.code === 'ARCHIVE_UNSAFE' ? 'refused' : 'failed';
    test(name, async () => {
      for (const archive of Object.values(everyWay(entries(), ingredients)))
        await arena().refuses(archive, { ...refusal, kind });
    });
  };
}

/** The error that something ends with; anything but a SnapshotError fails the test. */
export async function failure(promise: Promise<unknown>): Promise<SnapshotError> {
  const outcome = await promise.then(
    () => new Error('it went well'),
    (error: unknown) => error,
  );
  if (outcome instanceof Error && outcome.name === 'SnapshotError') return outcome as SnapshotError;
  throw outcome;
}

function sha256Of(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

/** A restore takes one way through an archive without subfields, another through one with members of ours; a block may end anywhere. */
export function everyWay(entries: Forged[], ingredients: Ingredients = {}): Record<string, Buffer> {
  const root = directory('workspace/');
  const together = blocksOf({ workspace: [[root, ...entries]], ...ingredients });
  const ways: Record<string, Buffer> = { 'as a stream': streamed(together), 'as members': indexed(together) };
  if (entries.length > 1) {
    const apart = blocksOf({ workspace: [[root], ...entries.map((entry) => [entry])], ...ingredients });
    // Members in reverse are refused for that alone.
    const reversed = blocksOf({ workspace: [[root], entries.toReversed()], ...ingredients });
    ways['as members, a block each'] = indexed(apart);
    ways['as a stream, in reverse'] = streamed(reversed);
  }
  return ways;
}
