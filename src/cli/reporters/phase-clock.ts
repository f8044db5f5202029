/**
 * How long the phases of a command took. Phases that overlap share a name, so the time they take is one time.
 */
import { formatDuration } from '../format.js';

/** Measures phases. Times are in milliseconds, of any clock. */
export class PhaseClock {
  readonly #stages: { name: string; since: number }[] = [];

  /** A phase begins; or goes on, under the name of the one before. */
  begin(name: string, now: number): void {
    if (this.#stages.at(-1)?.name !== name) this.#stages.push({ name, since: now });
  }

  /** All of it so far: `prepare 0.3 s, pack and dump 7.5 s, checksums 0.0 s`. */
  summary(now: number): string {
    return this.#stages
      .map(({ name, since }, index) => `${name} ${formatDuration((this.#stages[index + 1]?.since ?? now) - since)}`)
      .join(', ');
  }
}
