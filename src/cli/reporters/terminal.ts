/**
 * The live view: two lines at the bottom of the terminal, repainted by a clock and never by an event, so that a thousand events a
 * second cost a thousand assignments. Everything that stays is printed above them by the plain reporter.
 */
import { createLogUpdate } from 'log-update';
import type { Failure } from '../exit.js';
import { type Colours, coloursFor, type Surroundings, type TextStream } from '../streams.js';
import type { View } from '../views/view.js';
import { Meter } from './meter.js';
import type { PlainReporter } from './plain.js';
import type { ReportedEvent, Reporter } from './reporter.js';
import { statusLines } from './status-line.js';

/** Milliseconds between two repaints. */
const REPAINT_MS = 100;

/** Shows how far it is, on a terminal. */
export class TerminalReporter<P extends string, R> implements Reporter<P, R> {
  readonly wantsTotal = true;
  readonly #view: View<P, R>;
  readonly #plain: PlainReporter<P, R>;
  readonly #stream: TextStream;
  readonly #colours: Colours;
  readonly #paint: ReturnType<typeof createLogUpdate>;
  readonly #now: () => number;
  readonly #begin: number;
  readonly #meter: Meter;
  readonly #timer: NodeJS.Timeout;
  /** What stays on the screen, since the last repaint. */
  #pending: ReportedEvent<P>[] = [];
  #phase: P;
  /** The answer to a signal. */
  #stopping: string | undefined;

  /**
   * @param plain prints warnings, notes, errors and the summary; it shows neither phases nor progress of its own
   * @param stream the terminal
   * @param now a clock in milliseconds
   */
  constructor(
    view: View<P, R>,
    plain: PlainReporter<P, R>,
    stream: TextStream,
    env: Surroundings['env'],
    now = () => performance.now(),
  ) {
    this.#view = view;
    this.#phase = view.firstPhase;
    this.#plain = plain;
    this.#stream = stream;
    this.#colours = coloursFor(stream, env);
    // A hidden cursor would stay hidden after a kill -9.
    this.#paint = createLogUpdate(stream, { showCursor: true });
    this.#now = now;
    this.#begin = now();
    this.#meter = new Meter(this.#begin);
    this.#timer = setInterval(() => this.#repaint(), REPAINT_MS);
    this.#timer.unref();
  }

  event(event: ReportedEvent<P>): void {
    switch (event.type) {
      case 'phase':
        this.#phase = event.phase;
        this.#plain.event(event);
        break;
      case 'total':
        this.#meter.expect(event.files, event.bytes);
        break;
      case 'progress':
        this.#meter.update(event.progress);
        break;
      default:
        this.#pending.push(event);
        break;
    }
  }

  ready(): Promise<void> {
    return this.#plain.ready();
  }

  stopping(signal: NodeJS.Signals): void {
    this.#stopping = `${signal}: ${this.#view.stopping(this.#phase)}`;
    this.#repaint();
  }

  done(result: R): void {
    this.#close();
    this.#plain.done(result);
  }

  failed(failure: Failure): void {
    this.#close();
    this.#plain.failed(failure);
  }

  #repaint(): void {
    if (this.#pending.length > 0) {
      this.#paint.clear();
      this.#printPending();
    }
    const now = this.#now();
    const reading = this.#meter.read(now);
    const status = {
      label: this.#stopping ?? this.#view.liveLine(this.#phase, reading),
      reading,
      elapsed: now - this.#begin,
      warnings: this.#plain.warnings.total,
    };
    // One column stays free: a character in the last one makes some terminals wrap.
    this.#paint(statusLines(status, Math.max(1, (this.#stream.columns ?? 80) - 1), this.#colours).join('\n'));
  }

  #printPending(): void {
    const events = this.#pending;
    this.#pending = [];
    for (const event of events) this.#plain.event(event);
  }

  #close(): void {
    clearInterval(this.#timer);
    this.#paint.clear();
    this.#paint.done();
    this.#printPending();
  }
}
