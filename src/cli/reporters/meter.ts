/**
 * From cumulative counts to what people ask: how fast, how far, how long still.
 */
import type { BackupProgress, RestoreProgress } from '../../index.js';

/** The counts of either command. */
type Progress = BackupProgress | RestoreProgress;

/** The speed shown is that of the last so many milliseconds: steady enough to read, quick enough to show a change. */
const WINDOW_MS = 10_000;

/** A time left is told after so many milliseconds of work, and such a share of it: the first files say little of the rest. */
const FORESEE_MS = 1000;
const FORESEE_SHARE = 0.01;

/** Opening, reading and packing a file costs about as much as so many bytes of its content. */
const FILE_COST_BYTES = 8192;

/** What can be said at one moment. */
export interface Reading {
  /** Regular files packed or unpacked, and their bytes. */
  files: number;
  bytes: number;
  dumpBytes: number;
  /** Bytes of the archive written or read; of how many, where that is known. */
  archive: { verb: 'written' | 'read'; bytes: number; size: number | undefined };
  /** What there is to pack, once it is counted. */
  total: { files: number; bytes: number } | undefined;
  /** Bytes of workspace and dump per second, lately; undefined before there is anything to go by. */
  rate: number | undefined;
  /** Share that is done, 0 to 1, once the whole is known: of the workspace to pack, or of the archive to read. */
  share: number | undefined;
  /** Milliseconds until all of that is done, at the speed of late. */
  left: number | undefined;
}

interface Sample {
  at: number;
  bytes: number;
  work: number;
}

/** Takes every count, and reads the clock only when asked. */
export class Meter {
  #progress: Progress = { files: 0, bytes: 0, dumpBytes: 0, written: 0 };
  #total: { files: number; bytes: number } | undefined;
  /** The beginning of the window first. */
  readonly #samples: Sample[];

  /** @param now the moment it begins, in milliseconds of any clock */
  constructor(now: number) {
    this.#samples = [{ at: now, bytes: 0, work: 0 }];
  }

  /** The newest counts. Costs an assignment. */
  update(progress: Progress): void {
    this.#progress = progress;
  }

  /** What there is to pack. */
  expect(files: number, bytes: number): void {
    this.#total = { files, bytes };
  }

  /** What can be said now. */
  read(now: number): Reading {
    const { files, bytes, dumpBytes } = this.#progress;
    const { done, whole } = this.#work();
    const newest: Sample = { at: now, bytes: bytes + dumpBytes, work: done };
    // What goes before the work must not count as slow work.
    if (newest.bytes === 0 && done === 0) this.#samples.length = 0;
    this.#samples.push(newest);
    while ((this.#samples[1]?.at ?? now) < now - WINDOW_MS) this.#samples.shift();

    const oldest = this.#samples[0] ?? newest;
    const elapsed = now - oldest.at;
    // A tree that grows meanwhile has more than was counted.
    const share = whole === undefined ? undefined : whole === 0 ? 1 : Math.min(1, done / whole);
    return {
      files,
      bytes,
      dumpBytes,
      archive: archiveOf(this.#progress),
      total: this.#total,
      rate: elapsed > 0 ? ((newest.bytes - oldest.bytes) * 1000) / elapsed : undefined,
      share,
      left:
        share === undefined || share < FORESEE_SHARE || elapsed < FORESEE_MS
          ? undefined
          : timeLeft(done, share, (newest.work - oldest.work) / elapsed),
    };
  }

  /** What is done and what there is to do. A restore knows the size of its archive, a backup what was counted ahead. */
  #work(): { done: number; whole: number | undefined } {
    const progress = this.#progress;
    if ('size' in progress) return { done: progress.read, whole: progress.size || undefined };
    return { done: costOf(progress), whole: this.#total && costOf(this.#total) };
  }
}

/** @param speed work per millisecond, lately */
function timeLeft(done: number, share: number, speed: number): number | undefined {
  return speed > 0 ? (done / share - done) / speed : undefined;
}

function archiveOf(progress: Progress): Reading['archive'] {
  return 'size' in progress
    ? { verb: 'read', bytes: progress.read, size: progress.size || undefined }
    : { verb: 'written', bytes: progress.written, size: undefined };
}

function costOf(counts: { files: number; bytes: number }): number {
  return counts.bytes + counts.files * FILE_COST_BYTES;
}
