/**
 * The live view: two lines at the bottom of the terminal, repainted by a clock and never by an event, so that a thousand events a
 * second cost a thousand assignments. Everything that stays is printed above them by the plain reporter.
 */
import { createLogUpdate } from 'log-update';
import type { BackupEvent, BackupPhase, BackupResult, Warning } from '../../index.js';
import type { Failure } from '../exit.js';
import { type Colours, coloursFor, type Surroundings, type TextStream } from '../streams.js';
import { Meter, type Reading } from './meter.js';
import { PHASE_LABELS } from './phases.js';
import type { PlainReporter } from './plain.js';
import type { Reporter } from './reporter.js';
import { statusLines } from './status-line.js';

/** Milliseconds between two repaints. */
const REPAINT_MS = 100;

/** Shows how far it is, on a terminal. */
export class TerminalReporter implements Reporter {
  readonly wantsTotal = true;
  readonly #plain: PlainReporter;
  readonly #stream: TextStream;
  readonly #colours: Colours;
  readonly #paint: ReturnType<typeof createLogUpdate>;
  readonly #now: () => number;
  readonly #begin: number;
  readonly #meter: Meter;
  readonly #timer: NodeJS.Timeout;
  /** Warnings since the last repaint. */
  #pending: Warning[] = [];
  #phase: BackupPhase = 'prepare';
  #dumping = false;
  #stopping: NodeJS.Signals | undefined;

  /**
   * @param plain prints warnings, errors and the summary; it shows neither phases nor progress of its own
   * @param stream the terminal
   * @param now a clock in milliseconds
   */
  constructor(plain: PlainReporter, stream: TextStream, env: Surroundings['env'], now = () => performance.now()) {
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

  event(event: BackupEvent): void {
    switch (event.type) {
      case 'phase':
        this.#phase = event.phase;
        this.#dumping ||= event.phase === 'dump';
        this.#plain.event(event);
        break;
      case 'total':
        this.#meter.expect(event.files, event.bytes);
        break;
      case 'progress':
        this.#meter.update(event.progress);
        break;
      case 'warning':
        this.#pending.push(event.warning);
        break;
    }
  }

  stopping(signal: NodeJS.Signals): void {
    this.#stopping = signal;
    this.#repaint();
  }

  done(result: BackupResult): void {
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
      label: this.#label(reading),
      reading,
      elapsed: now - this.#begin,
      warnings: this.#plain.warnings.total,
    };
    // One column stays free: a character in the last one makes some terminals wrap.
    this.#paint(statusLines(status, Math.max(1, (this.#stream.columns ?? 80) - 1), this.#colours).join('\n'));
  }

  #label(reading: Reading): string {
    if (this.#stopping !== undefined) return `${this.#stopping}: stopping and cleaning up; once more stops at once`;
    // Packing and dumping overlap: once all is packed, it is the dump that is waited for.
    if (this.#phase === 'pack' || this.#phase === 'dump') {
      return PHASE_LABELS[this.#dumping && reading.share === 1 ? 'dump' : 'pack'];
    }
    return PHASE_LABELS[this.#phase];
  }

  #printPending(): void {
    const warnings = this.#pending;
    this.#pending = [];
    for (const warning of warnings) this.#plain.event({ type: 'warning', warning });
  }

  #close(): void {
    clearInterval(this.#timer);
    this.#paint.clear();
    this.#paint.done();
    this.#printPending();
  }
}
