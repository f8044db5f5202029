/** A place to extract to, with something around it that must stay as it is. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { ErrorCode, ExtractOptions, ExtractResult, SnapshotError } from '../../src/index.js';
import { failure } from '../restore/hostile/arena.js';
import {
  blocksOf,
  directory,
  type Forged,
  file,
  indexed,
  largeFile,
  streamed,
  symlink,
} from '../support/forge/archive.js';
import { extract } from '../support/library.js';
import { isRoot, look } from '../support/tree.js';

export { failure };

export const LARGE = Buffer.alloc((3 << 20) + 100, 'all work and no play makes jack a dull boy\n');

/** An archive of some directories: one of them in several blocks, with a large file in the midst. Path order, as every archive of ours. */
export function goodBlocks(): Forged[][] {
  return blocksOf({
    workspace: [
      [
        directory('workspace/'),
        file('workspace/a', 'the file a'),
        directory('workspace/dags/', { mode: 0o750 }),
        file('workspace/dags/etl.py', 'print("etl")\n', { mode: 0o4755 }),
        file('workspace/dags/hello.py', 'print("hello")\n'),
      ],
      [largeFile('workspace/dags/large.bin', LARGE, 1 << 20, { mode: 0o640 })],
      [
        directory('workspace/dags/sub/', { mode: 0o500 }),
        directory('workspace/dags/sub/empty/'),
        symlink('workspace/dags/sub/link', '../etl.py'),
        file('workspace/dags/sub/x.py', 'print("x")\n', { mode: 0o400 }),
      ],
      [file('workspace/dags.txt', 'beside'), file('workspace/z1', 'none'), file('workspace/z[1]', 'brackets')],
    ],
  });
}

/** The archives that can be made of entries in path order. */
export function bothWays(blocks: Forged[][]): Record<'members' | 'stream', Buffer> {
  return { members: indexed(blocks), stream: streamed(blocks) };
}

export class Place {
  /** Everything is in here. */
  readonly base = realpathSync(mkdtempSync(join(tmpdir(), 'lfextract-')));
  /** The target; it is there, with a file in it. */
  readonly to = join(this.base, 'target');
  /** Belongs to somebody else. */
  readonly outside = join(this.base, 'outside');
  #archives = 0;

  constructor() {
    for (const path of [this.to, this.outside]) {
      mkdirSync(path);
      writeFileSync(join(path, 'canary'), path);
    }
  }

  put(archive: Buffer): string {
    this.#archives += 1;
    const path = join(this.base, `${this.#archives}.tar.gz`);
    writeFileSync(path, archive);
    return path;
  }

  /** @param archive a path or bytes */
  extract(
    archive: Buffer | string,
    patterns: readonly string[],
    options: Partial<ExtractOptions> = {},
  ): Promise<ExtractResult> {
    const path = typeof archive === 'string' ? archive : this.put(archive);
    return extract({ archive: path, patterns, to: this.to, workers: 2, ...options });
  }

  /** Extracts, and expects that to be refused, dry or not, with nothing changed and nothing left. */
  async refuses(
    archive: Buffer | string,
    patterns: readonly string[],
    refusal: { code: ErrorCode; says: string | RegExp; kind?: string },
    options: Partial<ExtractOptions> = {},
  ): Promise<SnapshotError> {
    const path = typeof archive === 'string' ? archive : this.put(archive);
    let last: SnapshotError | null = null;
    for (const dryRun of [true, false]) {
      const before = this.look();
      const error = await failure(this.extract(path, patterns, { ...options, dryRun }));
      const says =
        typeof refusal.says === 'string' ? expect.stringContaining(refusal.says) : expect.stringMatching(refusal.says);
      expect({ dryRun, code: error.code, message: error.message }).toEqual({
        dryRun,
        code: refusal.code,
        message: says,
      });
      if (refusal.kind !== undefined) expect(error.kind).toBe(refusal.kind);
      expect(error.hint).not.toContain('--workspace');
      expect(this.look()).toEqual(before);
      last = error;
    }
    return last as SnapshotError;
  }

  /** Everything there is. Directories that something is made and removed in have other times. */
  look() {
    return new Map(
      [...look(this.base)].map(([path, seen]) => [path, seen.kind === 'directory' ? { ...seen, mtime: 0 } : seen]),
    );
  }

  /** The names in the base that were not there from the beginning. */
  left(): string[] {
    return readdirSync(this.base).filter((name) => !['target', 'outside'].includes(name) && !name.endsWith('.tar.gz'));
  }

  remove(): void {
    // Root removes what it cannot enter; nobody else does.
    if (!isRoot) execFileSync('chmod', ['-R', 'u+rwX', this.base]);
    rmSync(this.base, { recursive: true, force: true });
  }
}
