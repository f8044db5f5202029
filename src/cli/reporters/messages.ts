/**
 * How warnings, notes and errors read, and how many warnings are read at all: a tree with ten thousand unreadable files should not push
 * everything else off the screen.
 */
import type { Warning } from '../../index.js';
import type { Failure } from '../exit.js';
import { formatCount, printable, printableLines } from '../format.js';
import type { ListenerWarning } from '../listeners/listener.js';
import type { Colours } from '../streams.js';

/** As many warnings are printed without `--verbose`. */
export const WARNINGS_SHOWN = 20;

/** Counts warnings, and says which are printed. */
export class WarningList {
  readonly #limit: number;
  /** All warnings so far. */
  total = 0;
  /** Those that stand for a file that is missing from the archive, or in it in a state it never had. */
  incomplete = 0;

  /** @param limit how many are printed */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Counts a warning; true if it is one to print. One that is not about the backup comes by itself: it is not counted, and printed. */
  add(warning: Warning | ListenerWarning): boolean {
    if (warning.code === 'ping' || warning.code === 'report') return true;
    this.total++;
    if (warning.incomplete) this.incomplete++;
    return this.total <= this.#limit;
  }

  /** What to say of those that were not printed; undefined when all were. */
  get rest(): string | undefined {
    const hidden = this.total - this.#limit;
    return hidden > 0 ? `and ${formatCount(hidden, 'more warning')}; --verbose lists all` : undefined;
  }
}

/** One warning on one line. */
export function warningLine(warning: Warning | ListenerWarning, colours: Colours): string {
  return `${colours.yellow('warning:')} ${printable(warning.path)}: ${printableLines(warning.message)}`;
}

/** Something worth knowing, on one line unless it has several itself. */
export function noteLine(message: string, colours: Colours): string {
  return `${colours.cyan('note:')} ${printableLines(message)}`;
}

/** An error, its hint, and for a defect of this program where it happened; ends with a line break. */
export function failureText(failure: Failure, colours: Colours): string {
  const lines = [`${colours.red('error:')} ${printableLines(failure.message)}`];
  if (failure.hint !== null) lines.push(`${colours.bold('hint:')} ${printableLines(failure.hint)}`);
  if (failure.stack !== undefined) lines.push(printableLines(failure.stack));
  return `${lines.join('\n')}\n`;
}
