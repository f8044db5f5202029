/**
 * From cumulative counts to what people ask: how fast, how far, how long still.
 */
import type { BackupProgress } from '../../index.js';

/** The speed shown is that of the last so many milliseconds: steady enough to read, quick enough to show a change. */
const WINDOW_MS = 10_000;

/** Opening, reading and packing a file costs about as much as so many bytes of its content. */
const FILE_COST_BYTES = 8192;

/** What can be said at one moment. */
export interface Reading extends BackupProgress {
  /** What there is to pack, once it is counted. */
  total: { files: number; bytes: number } | undefined;
  /** Bytes of workspace and dump per second, lately; undefined before there is anything to go by. */
  rate: number | undefined;
  /** Share of the workspace that is packed, 0 to 1, once the total is known. */
  share: number | undefined;
  /** Milliseconds until the workspace is packed, at the speed of late. */
  left: number | undefined;
}

interface Sample {
  at: number;
  bytes: number;
  cost: number;
}

/** Takes every count, and reads the clock only when asked. */
export class Meter {
  #progress: BackupProgress = { files: 0, bytes: 0, dumpBytes: 0, written: 0 };
  #total: { files: number; bytes: number } | undefined;
  /** The beginning of the window first. */
  readonly #samples: Sample[];

  /** @param now the moment it begins, in milliseconds of any clock */
  constructor(now: number) {
    this.#samples = [{ at: now, bytes: 0, cost: 0 }];
  }

  /** The newest counts. Costs an assignment. */
  update(progress: BackupProgress): void {
    this.#progress = progress;
  }

  /** What there is to pack. */
  expect(files: number, bytes: number): void {
    this.#total = { files, bytes };
  }

  /** What can be said now. */
  read(now: number): Reading {
    const progress = this.#progress;
    const newest: Sample = { at: now, bytes: progress.bytes + progress.dumpBytes, cost: costOf(progress) };
    this.#samples.push(newest);
    while ((this.#samples[1]?.at ?? now) < now - WINDOW_MS) this.#samples.shift();

    const oldest = this.#samples[0] ?? newest;
    const elapsed = now - oldest.at;
    const share = this.#share();
    return {
      ...progress,
      total: this.#total,
      rate: elapsed > 0 ? ((newest.bytes - oldest.bytes) * 1000) / elapsed : undefined,
      share,
      left: this.#left(share, newest.cost - oldest.cost, elapsed),
    };
  }

  #share(): number | undefined {
    if (this.#total === undefined) return undefined;
    const whole = costOf(this.#total);
    // A tree that grows meanwhile has more than was counted.
    return whole === 0 ? 1 : Math.min(1, costOf(this.#progress) / whole);
  }

  #left(share: number | undefined, cost: number, elapsed: number): number | undefined {
    if (this.#total === undefined || share === undefined || cost <= 0) return undefined;
    return ((1 - share) * costOf(this.#total) * elapsed) / cost;
  }
}

function costOf(counts: { files: number; bytes: number }): number {
  return counts.bytes + counts.files * FILE_COST_BYTES;
}
