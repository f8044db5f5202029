/**
 * Lines that stay: for log files, pipes, and everybody who does not want things repainted. The live view prints through it too.
 */
import type { BackupEvent, BackupResult } from '../../index.js';
import type { Failure } from '../exit.js';
import { type Colours, coloursFor, type Surroundings, type TextStream } from '../streams.js';
import { failureText, incompleteLine, WARNINGS_SHOWN, WarningList, warningLine } from './messages.js';
import { Meter } from './meter.js';
import { PHASE_LABELS, PhaseClock } from './phases.js';
import type { Reporter } from './reporter.js';
import { progressLine } from './status-line.js';
import { summaryLines } from './summary.js';

/** At least this long between two progress lines, in milliseconds. */
const PROGRESS_MS = 10_000;

/** What is printed, and where. */
export interface PlainStyle {
  /** Takes phases, progress, warnings and errors. */
  messages: TextStream;
  /** Takes the summary; without it there is none. */
  summary: TextStream | undefined;
  verbose: boolean;
  /** Whether phases are printed as they begin. */
  phases: boolean;
  /** Whether a long run says now and then how far it is. */
  progress: boolean;
  env: Surroundings['env'];
  /** A clock in milliseconds. */
  now?: () => number;
}

/** Prints line by line. */
export class PlainReporter implements Reporter {
  readonly wantsTotal = false;
  readonly warnings: WarningList;
  readonly #style: PlainStyle;
  readonly #colours: Colours;
  readonly #now: () => number;
  readonly #phases = new PhaseClock();
  readonly #meter: Meter;
  #lastProgress: number;

  constructor(style: PlainStyle) {
    this.#style = style;
    this.#colours = coloursFor(style.messages, style.env);
    this.#now = style.now ?? (() => performance.now());
    this.#lastProgress = this.#now();
    this.#meter = new Meter(this.#lastProgress);
    this.warnings = new WarningList(style.verbose ? Number.POSITIVE_INFINITY : WARNINGS_SHOWN);
  }

  event(event: BackupEvent): void {
    switch (event.type) {
      case 'phase':
        this.#phases.begin(event.phase, this.#now());
        if (this.#style.phases) this.#print(PHASE_LABELS[event.phase]);
        break;
      case 'progress':
        this.#meter.update(event.progress);
        this.#maybeSayHowFar();
        break;
      case 'warning':
        if (this.warnings.add(event.warning)) this.#print(warningLine(event.warning, this.#colours));
        break;
      case 'total':
        break;
    }
  }

  stopping(signal: NodeJS.Signals): void {
    if (this.#style.summary !== undefined) this.#print(`${signal}: stopping and cleaning up; once more stops at once`);
  }

  done(result: BackupResult): void {
    this.#sayRest();
    const stream = this.#style.summary;
    if (stream === undefined) {
      if (result.incomplete) this.#print(incompleteLine(this.warnings.incomplete, this.#colours));
      return;
    }
    const colours = coloursFor(stream, this.#style.env);
    const phases = this.#phases.summary(this.#now());
    const lines = summaryLines(result, { colours, verbose: this.#style.verbose, phases });
    if (result.incomplete) lines.push(incompleteLine(this.warnings.incomplete, colours));
    stream.write(`${lines.join('\n')}\n`);
  }

  failed(failure: Failure): void {
    this.#sayRest();
    this.#style.messages.write(failureText(failure, this.#colours));
  }

  #maybeSayHowFar(): void {
    if (!this.#style.progress) return;
    const now = this.#now();
    if (now - this.#lastProgress < PROGRESS_MS) return;
    this.#lastProgress = now;
    this.#print(`  ${progressLine(this.#meter.read(now))}`);
  }

  #sayRest(): void {
    const { rest } = this.warnings;
    if (rest !== undefined) this.#print(rest);
  }

  #print(line: string): void {
    this.#style.messages.write(`${line}\n`);
  }
}
