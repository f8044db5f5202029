/**
 * Where what was staged goes, found out before any of it is moved: one move for each thing that is new, a directory with all in it; and what is in the way.
 *
 * Directories that are there stay as they are, and take in what is new. A file or link that is there is in the way of another one, and makes way if so asked;
 * a directory never does, nor does anything that stands where a directory is needed: to go through a link would be to write somewhere else.
 */
import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { quoted } from '../archive/index.js';
import { SnapshotError, systemErrorCode } from '../errors.js';
import type { Move } from '../journal.js';

/** Something of a staging tree. */
export interface Staged {
  /** The staging tree, and the directory that its content goes to: `to` or one in it. */
  tree: string;
  base: string;
  /** Relative to both; empty for the tree itself. */
  path: string;
  isDirectory: boolean;
}

/** What is moved where; `replaces` where something stands there that makes way. */
export type Placement = Move & { replaces: boolean };

/** Paths that an error lists. */
const LISTED = 5;

type Standing = 'nothing' | 'directory' | 'other';

/** Collects what is to be moved. */
export class Placing {
  readonly placements: Placement[] = [];
  readonly #to: string;
  readonly #force: boolean;
  readonly #standing = new Map<string, Standing>();
  /** What is moved, and from where. */
  readonly #moved = new Map<string, string>();
  readonly #inTheWay: string[] = [];
  readonly #blocked = new Set<string>();
  /** Whether any of it would not make way. */
  #stays = false;

  /** @param to the directory that everything goes below, a real one */
  constructor(to: string, force: boolean) {
    this.#to = to;
    this.#force = force;
  }

  async add({ tree, base, path, isDirectory }: Staged): Promise<void> {
    const steps = this.#steps(tree, base, path);
    for (const [index, step] of steps.entries()) {
      const isLast = index === steps.length - 1;
      const moved = this.#moved.get(step.to);
      if (moved !== undefined) {
        if (moved !== step.from) throw twoForOne(step.to);
        return;
      }
      const standing = await this.#standingAt(step.to, !isLast || isDirectory);
      if (standing === 'nothing') return this.#place(step, false);
      if (!isLast || isDirectory) {
        if (standing === 'directory') continue;
        return this.#obstacle(step.to, ' (no directory, and one is needed there)');
      }
      if (standing === 'directory') return this.#obstacle(step.to, ' (a directory)');
      if (this.#force) return this.#place(step, true);
      return this.#obstacle(step.to, null);
    }
  }

  /** All have been added. @throws TARGET_EXISTS where something is in the way */
  end(): void {
    const count = this.#blocked.size;
    if (count === 0) return;
    const more = count > LISTED ? ` and ${count - LISTED} more` : '';
    throw new SnapshotError('TARGET_EXISTS', `something is in the way: ${this.#inTheWay.join(', ')}${more}`, {
      hint: this.#stays
        ? 'move it away, or extract to another directory; --force replaces files by files only. Nothing was changed'
        : 'to replace files, add --force: they are kept under another name. Or extract to another directory; nothing was changed',
    });
  }

  /** The way from the directory down to something: each step is a place, and where what goes there is staged. */
  #steps(tree: string, base: string, path: string): Move[] {
    const parts = path === '' ? [] : path.split('/');
    const steps = base === this.#to ? [] : [{ from: tree, to: base }];
    for (const index of parts.keys()) {
      const way = parts.slice(0, index + 1).join('/');
      steps.push({ from: join(tree, way), to: join(base, way) });
    }
    return steps;
  }

  #place(step: Move, replaces: boolean): void {
    this.#moved.set(step.to, step.from);
    this.placements.push({ ...step, replaces });
  }

  /** @param why it would not make way; null where it would */
  #obstacle(path: string, why: string | null): void {
    if (this.#blocked.has(path)) return;
    this.#blocked.add(path);
    this.#stays ||= why !== null;
    if (this.#inTheWay.length < LISTED) this.#inTheWay.push(`${quoted(path)}${why ?? ''}`);
  }

  /** @param keep whether it will be asked again: what lies below directories is asked of once for each of them */
  async #standingAt(path: string, keep: boolean): Promise<Standing> {
    const known = this.#standing.get(path);
    if (known !== undefined) return known;
    const standing = await lstat(path).then(
      (stats): Standing => (stats.isDirectory() ? 'directory' : 'other'),
      (error: unknown): Standing => {
        if (systemErrorCode(error) === 'ENOENT') return 'nothing';
        throw error;
      },
    );
    if (keep) this.#standing.set(path, standing);
    return standing;
  }
}

function twoForOne(path: string): SnapshotError {
  return new SnapshotError(
    'TARGET_EXISTS',
    `two files would be ${quoted(path)}: one of the workspace, and one beside it`,
    {
      hint: 'extract them one after the other, to different directories; nothing was changed',
    },
  );
}
