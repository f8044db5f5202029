/**
 * JSON lines for programs: the engine's events as they are, and as the last line one object with the result or the error.
 */
import type { BackupEvent, BackupResult } from '../../index.js';
import type { Failure } from '../exit.js';
import type { TextStream } from '../streams.js';
import type { Reporter } from './reporter.js';

/** At least this long between two progress lines, in milliseconds. */
const PROGRESS_MS = 1000;

/** Writes one JSON object per line. */
export class JsonReporter implements Reporter {
  readonly wantsTotal = false;
  readonly #stream: TextStream;
  readonly #shown: { steps: boolean; progress: boolean };
  readonly #now: () => number;
  #lastProgress: number;

  /**
   * @param shown whether phases and progress are written; warnings and the last line always are
   * @param now a clock in milliseconds
   */
  constructor(stream: TextStream, shown: { steps: boolean; progress: boolean }, now = () => performance.now()) {
    this.#stream = stream;
    this.#shown = shown;
    this.#now = now;
    this.#lastProgress = now();
  }

  event(event: BackupEvent): void {
    if (event.type === 'warning' || this.#isDue(event)) writeJson(this.#stream, event);
  }

  stopping(): void {
    // The error object that follows says it.
  }

  done(result: BackupResult, status: number): void {
    writeJson(this.#stream, { type: 'result', ...result, status });
  }

  failed(failure: Failure): void {
    writeFailure(this.#stream, failure);
  }

  #isDue(event: BackupEvent): boolean {
    if (event.type !== 'progress') return this.#shown.steps;
    if (!this.#shown.progress) return false;
    const now = this.#now();
    if (now - this.#lastProgress < PROGRESS_MS) return false;
    this.#lastProgress = now;
    return true;
  }
}

/** Writes the error object that ends the JSON lines of a command that failed. */
export function writeFailure(stream: TextStream, { status, ...error }: Failure): void {
  writeJson(stream, { type: 'error', error, status });
}

function writeJson(stream: TextStream, line: unknown): void {
  stream.write(`${JSON.stringify(line)}\n`);
}
