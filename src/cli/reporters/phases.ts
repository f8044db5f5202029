/**
 * The phases in words, and how long they took. Packing and dumping overlap, so the time they take is one time.
 */
import type { BackupPhase } from '../../index.js';
import { formatDuration } from '../format.js';

/** What a phase does, as a line of its own. */
export const PHASE_LABELS: Readonly<Record<BackupPhase, string>> = {
  prepare: 'Preparing',
  pack: 'Packing the workspace',
  dump: 'Dumping the datastore',
  checksums: 'Writing the checksums',
  finish: 'Finishing the archive',
};

const STAGES: Readonly<Record<BackupPhase, string>> = {
  prepare: 'prepare',
  pack: 'pack and dump',
  dump: 'pack and dump',
  checksums: 'checksums',
  finish: 'finish',
};

/** Measures the phases. Times are in milliseconds, of any clock. */
export class PhaseClock {
  readonly #stages: { name: string; since: number }[] = [];

  /** A phase begins. */
  begin(phase: BackupPhase, now: number): void {
    const name = STAGES[phase];
    if (this.#stages.at(-1)?.name !== name) this.#stages.push({ name, since: now });
  }

  /** All of it so far: `prepare 0.3 s, pack and dump 7.5 s, checksums 0.0 s`. */
  summary(now: number): string {
    return this.#stages
      .map(({ name, since }, index) => `${name} ${formatDuration((this.#stages[index + 1]?.since ?? now) - since)}`)
      .join(', ');
  }
}
