/**
 * What a reporter must know of a command to tell of it: everything in which backup, restore and recovery differ.
 */
import type { ResultLine } from '../reporters/json-lines.js';
import type { Reading } from '../reporters/meter.js';
import type { ReportedEvent } from '../reporters/reporter.js';
import type { Colours } from '../streams.js';

/** A phase in words. */
export interface PhaseWords {
  /** What it does, as a line of its own: `Packing the workspace`. */
  line: string;
  /** Its name in the list of times; phases that overlap have one. */
  name: string;
}

/** What a summary depends on besides the result. */
export interface SummaryStyle {
  colours: Colours;
  verbose: boolean;
  /** The time of each phase, in words; only with `--verbose`. */
  phases: string;
}

/** A command with the phases `P` and the result `R`. */
export interface View<P extends string, R> {
  /** `command` of the JSON result, which json-lines.ts describes. */
  readonly command: ResultLine['command'];
  readonly phases: Readonly<Record<P, PhaseWords>>;
  /** What is going on before the engine has said a word. */
  readonly firstPhase: P;
  /** The line of the live view at this moment. */
  liveLine(phase: P, reading: Reading): string;
  /** What answers a signal that comes in this phase. */
  stopping(phase: P): string;
  /**
   * What is said of an event that is a part of the result already, as lines.
   *
   * @param style its phases are empty
   */
  part?(event: ReportedEvent<P>, style: SummaryStyle): { lines: string[]; isBad: boolean };
  /** What was done, as lines. */
  summary(result: R, style: SummaryStyle): string[];
  /**
   * What must be said at the end, even with `--quiet`.
   *
   * @param incomplete how many warnings stand for a file that is not as it should be
   */
  lastWord(result: R, incomplete: number, colours: Colours): string | undefined;
}

/** The answer to a signal that the engine obeys. */
export const STOPPING = 'stopping and cleaning up; once more stops at once';
