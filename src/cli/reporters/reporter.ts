/**
 * What a reporter is, and which one a command gets: JSON lines, a live view on a terminal, or plain lines.
 */
import type {
  BackupProgress,
  ContentsEntry,
  Difference,
  LiteServing,
  PruneDecision,
  RestoreProgress,
  Verdict,
  Warning,
} from '../../index.js';
import type { OutputFlags } from '../commands/options.js';
import type { Failure } from '../exit.js';
import type { ListenerWarning } from '../listeners/listener.js';
import { canRepaint, type Surroundings } from '../streams.js';
import type { View } from '../views/view.js';
import { JsonReporter } from './json.js';
import { PlainReporter } from './plain.js';

/** What any command's engine may tell; `P` are the command's phases. */
export type ReportedEvent<P extends string> =
  | { type: 'phase'; phase: P }
  | { type: 'total'; files: number; bytes: number }
  | { type: 'progress'; progress: BackupProgress | RestoreProgress }
  | { type: 'warning'; warning: Warning | ListenerWarning }
  | { type: 'note'; message: string }
  | { type: 'serving'; serving: LiteServing }
  | { type: 'verdict'; verdict: Verdict }
  | { type: 'difference'; difference: Difference }
  | { type: 'entry'; entry: ContentsEntry }
  | { type: 'decision'; decision: PruneDecision };

/** Renders what the engine tells. Events come as they please, at last comes exactly one of `done` and `failed`. */
export interface Reporter<P extends string, R> {
  /** Whether it shows a share of the whole, so that counting the work ahead is worth its while. */
  readonly wantsTotal: boolean;
  event(event: ReportedEvent<P>): void;
  /** Resolves when what was written has been taken, so that more may come. A slow reader would else have all of it wait in memory. */
  ready(): Promise<void>;
  /** A signal came in; the engine has been asked to stop. */
  stopping(signal: NodeJS.Signals): void;
  /** @param status the exit status, 0 or 3 */
  done(result: R, status: number): void;
  failed(failure: Failure): void;
}

/** How the user wants to be told, and what must not be touched. */
export interface ReportRequest extends OutputFlags {
  /** Whether stdout carries the archive: then everything else goes to stderr. Default: false. */
  archiveOnStdout?: boolean;
}

/** The reporter that these flags and these streams ask for. */
export async function createReporter<P extends string, R>(
  view: View<P, R>,
  request: ReportRequest,
  around: Surroundings,
): Promise<Reporter<P, R>> {
  const { stderr, env } = around;
  const results = request.archiveOnStdout ? stderr : around.stdout;
  const quiet = request.quiet === true;
  const verbose = request.verbose === true;

  if (request.json) return new JsonReporter(view, results, { steps: !quiet, progress: !quiet && request.progress });

  const live = !quiet && request.progress && canRepaint(stderr, env);
  const plain = new PlainReporter(view, {
    messages: stderr,
    summary: quiet ? undefined : results,
    verbose,
    phases: !quiet && !live,
    progress: !quiet && !live && request.progress,
    env,
  });
  if (!live) return plain;
  // What paints takes some 65 ms to load, and nightly runs have no terminal.
  const { TerminalReporter } = await import('./terminal.js');
  return new TerminalReporter(view, plain, stderr, env);
}
