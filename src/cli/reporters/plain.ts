/**
 * Lines that stay: for log files, pipes, and everybody who does not want things repainted. The live view prints through it too.
 */
import type { Failure } from '../exit.js';
import { type Colours, coloursFor, drained, type Surroundings, type TextStream } from '../streams.js';
import type { View } from '../views/view.js';
import { failureText, noteLine, WARNINGS_SHOWN, WarningList, warningLine } from './messages.js';
import { Meter } from './meter.js';
import { PhaseClock } from './phase-clock.js';
import type { ReportedEvent, Reporter } from './reporter.js';
import { progressLine } from './status-line.js';

/** At least this long between two progress lines, in milliseconds. */
const PROGRESS_MS = 10_000;

/** What is printed, and where. */
export interface PlainStyle {
  /** Takes phases, progress, warnings and errors. */
  messages: TextStream;
  /** Takes the summary; without it there is none, and no notes either. */
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
export class PlainReporter<P extends string, R> implements Reporter<P, R> {
  readonly wantsTotal = false;
  readonly warnings: WarningList;
  readonly #view: View<P, R>;
  readonly #style: PlainStyle;
  readonly #colours: Colours;
  readonly #now: () => number;
  readonly #phases = new PhaseClock();
  readonly #meter: Meter;
  #phase: P;
  #lastProgress: number;

  constructor(view: View<P, R>, style: PlainStyle) {
    this.#view = view;
    this.#phase = view.firstPhase;
    this.#style = style;
    this.#colours = coloursFor(style.messages, style.env);
    this.#now = style.now ?? (() => performance.now());
    this.#lastProgress = this.#now();
    this.#meter = new Meter(this.#lastProgress);
    this.warnings = new WarningList(style.verbose ? Number.POSITIVE_INFINITY : WARNINGS_SHOWN);
  }

  event(event: ReportedEvent<P>): void {
    switch (event.type) {
      case 'phase':
        this.#begin(event.phase);
        break;
      case 'progress':
        this.#meter.update(event.progress);
        this.#maybeSayHowFar();
        break;
      case 'warning':
        if (this.warnings.add(event.warning)) this.#print(warningLine(event.warning, this.#colours));
        break;
      case 'note':
        if (this.#style.summary !== undefined) this.#print(noteLine(event.message, this.#colours));
        break;
      case 'total':
        break;
      default:
        this.#printPart(event);
    }
  }

  async ready(): Promise<void> {
    const { messages, summary } = this.#style;
    await drained(messages);
    if (summary !== undefined) await drained(summary);
  }

  stopping(signal: NodeJS.Signals): void {
    if (this.#style.summary !== undefined) this.#print(`${signal}: ${this.#view.stopping(this.#phase)}`);
  }

  done(result: R): void {
    this.#sayRest();
    const { summary, messages, env, verbose } = this.#style;
    const colours = coloursFor(summary ?? messages, env);
    const phases = this.#phases.summary(this.#now());
    const lines = summary === undefined ? [] : this.#view.summary(result, { colours, verbose, phases });
    const lastWord = this.#view.lastWord(result, this.warnings.incomplete, colours);
    if (lastWord !== undefined) lines.push(lastWord);
    if (lines.length > 0) (summary ?? messages).write(`${lines.join('\n')}\n`);
  }

  failed(failure: Failure): void {
    this.#sayRest();
    this.#style.messages.write(failureText(failure, this.#colours));
  }

  #begin(phase: P): void {
    const { line, name } = this.#view.phases[phase];
    this.#phase = phase;
    this.#phases.begin(name, this.#now());
    if (this.#style.phases) this.#print(line);
  }

  #maybeSayHowFar(): void {
    if (!this.#style.progress) return;
    const now = this.#now();
    if (now - this.#lastProgress < PROGRESS_MS) return;
    this.#lastProgress = now;
    this.#print(`  ${progressLine(this.#meter.read(now))}`);
  }

  /** A part of the result goes where the summary goes; where there is none, only what is bad is said. */
  #printPart(event: ReportedEvent<P>): void {
    const { summary, messages, env, verbose } = this.#style;
    const stream = summary ?? messages;
    const part = this.#view.part?.(event, { colours: coloursFor(stream, env), verbose, phases: '' });
    if (part === undefined || part.lines.length === 0 || (summary === undefined && !part.isBad)) return;
    stream.write(`${part.lines.join('\n')}\n`);
  }

  #sayRest(): void {
    const { rest } = this.warnings;
    if (rest !== undefined) this.#print(rest);
  }

  #print(line: string): void {
    this.#style.messages.write(`${line}\n`);
  }
}
