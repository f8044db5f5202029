/**
 * What a reporter is, and which one a command gets: JSON lines, a live view on a terminal, or plain lines.
 */
import type { BackupEvent, BackupResult } from '../../index.js';
import type { Failure } from '../exit.js';
import type { OutputFlags } from '../options.js';
import { canRepaint, type Surroundings } from '../streams.js';
import { JsonReporter } from './json.js';
import { PlainReporter } from './plain.js';
import { TerminalReporter } from './terminal.js';

/** Renders what the engine tells. Events come as they please, at last comes exactly one of `done` and `failed`. */
export interface Reporter {
  /** Whether it shows a share of the whole, so that counting the workspace ahead is worth its while. */
  readonly wantsTotal: boolean;
  event(event: BackupEvent): void;
  /** A signal came in; the engine is cleaning up. */
  stopping(signal: NodeJS.Signals): void;
  /** @param status the exit status, 0 or 3 */
  done(result: BackupResult, status: number): void;
  failed(failure: Failure): void;
}

/** How the user wants to be told, and what must not be touched. */
export interface ReportRequest extends OutputFlags {
  /** Whether stdout carries the archive: then everything else goes to stderr. */
  archiveOnStdout: boolean;
}

/** The reporter that these flags and these streams ask for. */
export function createReporter(request: ReportRequest, around: Surroundings): Reporter {
  const { stderr, env } = around;
  const results = request.archiveOnStdout ? stderr : around.stdout;
  const quiet = request.quiet === true;
  const verbose = request.verbose === true;

  if (request.json) return new JsonReporter(results, { steps: !quiet, progress: !quiet && request.progress });

  const live = !quiet && request.progress && canRepaint(stderr, env);
  const plain = new PlainReporter({
    messages: stderr,
    summary: quiet ? undefined : results,
    verbose,
    phases: !quiet && !live,
    progress: !quiet && !live && request.progress,
    env,
  });
  return live ? new TerminalReporter(plain, stderr, env) : plain;
}
