/**
 * JSON lines for programs: the engine's events as they are, and as the last line one object with the result or the error.
 */
import type { Failure } from '../exit.js';
import { drained, type TextStream } from '../streams.js';
import type { View } from '../views/view.js';
import { FORMAT, type JsonLine, type ResultLine } from './json-lines.js';
import type { ReportedEvent, Reporter } from './reporter.js';

/** At least this long between two progress lines, in milliseconds. */
const PROGRESS_MS = 1000;

/** Events that are written whatever was asked for. */
const ALWAYS: ReadonlySet<ReportedEvent<string>['type']> = new Set([
  'warning',
  'verdict',
  'difference',
  'entry',
  'decision',
]);

/** Writes one JSON object per line. */
export class JsonReporter<P extends string, R> implements Reporter<P, R> {
  readonly wantsTotal = false;
  readonly #command: ResultLine['command'];
  readonly #stream: TextStream;
  readonly #shown: { steps: boolean; progress: boolean };
  readonly #now: () => number;
  #lastProgress: number;

  /**
   * @param shown whether phases and notes are written, and progress; warnings, parts of the result and the last line always are
   * @param now a clock in milliseconds
   */
  constructor(
    view: Pick<View<P, R>, 'command'>,
    stream: TextStream,
    shown: { steps: boolean; progress: boolean },
    now = () => performance.now(),
  ) {
    this.#command = view.command;
    this.#stream = stream;
    this.#shown = shown;
    this.#now = now;
    this.#lastProgress = now();
  }

  event(event: ReportedEvent<P>): void {
    // What there is in all is counted for who shows a share of it.
    if (event.type === 'total') return;
    if (ALWAYS.has(event.type) || this.#isDue(event)) writeJson(this.#stream, event);
  }

  ready(): Promise<void> {
    return drained(this.#stream);
  }

  stopping(): void {
    // The error object that follows says it.
  }

  done(result: R, status: number): void {
    writeJson(this.#stream, { type: 'result', format: FORMAT, command: this.#command, ...result, status });
  }

  failed(failure: Failure): void {
    writeFailure(this.#stream, failure);
  }

  #isDue(event: ReportedEvent<P>): boolean {
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
  writeJson(stream, { type: 'error', format: FORMAT, error, status });
}

/** The type of the line is one that json-lines.ts describes; that the rest of it is as described there, the tests see to. */
function writeJson(stream: TextStream, line: { type: JsonLine['type']; [field: string]: unknown }): void {
  stream.write(`${JSON.stringify(line)}\n`);
}
