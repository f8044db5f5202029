/**
 * Every line that `--json` writes, as types. schema/output.schema.json is made of them (`npm run schema`), its descriptions are the comments here and at the
 * results; the tests hold every line of every command that they run against it. A new command adds its result to {@link ResultLine}, a new event is one more
 * line in {@link EventLine}.
 */
import type {
  BackupPhase,
  BackupProgress,
  BackupResult,
  CatPhase,
  CatResult,
  ContentsEntry,
  Difference,
  DiffPhase,
  DiffResult,
  ErrorCode,
  ExtractPhase,
  ExtractResult,
  InspectPhase,
  InspectResult,
  ListPhase,
  ListResult,
  LitePhase,
  LiteResult,
  LiteServing,
  PruneDecision,
  PrunePhase,
  PruneResult,
  RecoverResult,
  RestorePhase,
  RestoreProgress,
  RestoreResult,
  SetupResult,
  UninstallPhase,
  UninstallResult,
  Verdict,
  VerifyPhase,
  VerifyProgress,
  VerifyResult,
  Warning,
} from '../../index.js';
import type { ListenerWarning } from '../listeners/listener.js';

/**
 * The version of what is written, in every last line. Within one version things are added (types of lines, fields, codes, phases), but nothing is taken away
 * and nothing gets another type or another meaning.
 */
export const FORMAT = 1;

/** One line of the output of `--json`. The last one is a result or an error. */
export type JsonLine = EventLine | ResultLine | ErrorLine;

/** Something that happens while the command runs. */
export type EventLine =
  | PhaseLine
  | ProgressLine
  | NoteLine
  | WarningLine
  | ServingLine
  | VerdictLine
  | DifferenceLine
  | EntryLine
  | DecisionLine;

/** The last line of a command that came to its end. */
export type ResultLine =
  | BackupResultLine
  | RestoreResultLine
  | RecoverResultLine
  | VerifyResultLine
  | DiffResultLine
  | ListResultLine
  | InspectResultLine
  | CatResultLine
  | ExtractResultLine
  | PruneResultLine
  | SetupResultLine
  | LiteResultLine
  | UninstallResultLine;

/** A phase of any command. */
export type Phase =
  | BackupPhase
  | RestorePhase
  | VerifyPhase
  | DiffPhase
  | ListPhase
  | InspectPhase
  | CatPhase
  | ExtractPhase
  | PrunePhase
  | LitePhase
  | UninstallPhase;

/** A phase begins. Not with `--quiet`. */
export interface PhaseLine {
  type: 'phase';
  phase: Phase;
}

/** How far it is, at most once a second. Not with `--quiet`, nor with `--no-progress`. */
export interface ProgressLine {
  type: 'progress';
  /** Counts up to now. Every number only grows. */
  progress: BackupProgress | RestoreProgress | VerifyProgress;
}

/** Something worth knowing that is no error. Not with `--quiet`. */
export interface NoteLine {
  type: 'note';
  /** One sentence. */
  message: string;
}

/** Something about one path that should be known, or something that could not be told to somebody. */
export interface WarningLine {
  type: 'warning';
  /** What is the matter. */
  warning: Warning | ListenerWarning;
}

/** The datastore of `leoflow lite` is up. Not with `--quiet`. */
export interface ServingLine {
  type: 'serving';
  serving: LiteServing;
}

/** `leoflow lite verify` is done with an archive. */
export interface VerdictLine {
  type: 'verdict';
  verdict: Verdict;
}

/** `leoflow lite diff` found a difference. */
export interface DifferenceLine {
  type: 'difference';
  difference: Difference;
}

/** `leoflow lite list` found an entry. */
export interface EntryLine {
  type: 'entry';
  entry: ContentsEntry;
}

/** `leoflow lite prune` is done with an archive. */
export interface DecisionLine {
  type: 'decision';
  decision: PruneDecision;
}

/** What all results begin with. */
interface Result<Command extends string, Status extends number> {
  type: 'result';
  /** The version of what is written. */
  format: typeof FORMAT;
  /** The command, as `recover` that of `leoflow lite restore --recover`. */
  command: Command;
  /** The exit status. */
  status: Status;
}

/** What `leoflow lite backup` did. */
export type BackupResultLine = Result<'backup', 0 | 3> & BackupResult;

/** What `leoflow lite restore` did, or with `--dry-run` would have done. */
export type RestoreResultLine = Result<'restore', 0> & RestoreResult;

/** What `leoflow lite restore --recover` did. */
export type RecoverResultLine = Result<'recover', 0> & RecoverResult;

/** What `leoflow lite verify` found. */
export type VerifyResultLine = Result<'verify', 0 | 1> & VerifyResult;

/** What `leoflow lite diff` found. */
export type DiffResultLine = Result<'diff', 0 | 1> & DiffResult;

/** What `leoflow lite list` found. */
export type ListResultLine = Result<'list', 0 | 1> & ListResult;

/** What `leoflow lite inspect` found. */
export type InspectResultLine = Result<'inspect', 0> & InspectResult;

/** What `leoflow lite cat` printed. On standard error, as the content is on standard output. */
export type CatResultLine = Result<'cat', 0> & CatResult;

/** What `leoflow lite extract` extracted, or with `--dry-run` would have extracted. */
export type ExtractResultLine = Result<'extract', 0> & ExtractResult;

/** What `leoflow lite prune` removed, or with `--dry-run` would have removed. */
export type PruneResultLine = Result<'prune', 0 | 1> & PruneResult;

/** What `leoflow setup` made, or with `--dry-run` would have made. */
export type SetupResultLine = Result<'setup', 0> & SetupResult;

/** What `leoflow lite` ran, after it has been stopped. */
export type LiteResultLine = Result<'lite', 0> & LiteResult;

/** What `leoflow uninstall` removed. */
export type UninstallResultLine = Result<'uninstall', 0> & UninstallResult;

/** The last line of a command that failed, was refused, was interrupted, or could not be understood. */
export interface ErrorLine {
  type: 'error';
  /** The version of what is written. */
  format: typeof FORMAT;
  /** What went wrong. */
  error: {
    /** Stable identifier; `INTERNAL` where the program itself is at fault. */
    code: ErrorCode | 'INTERNAL';
    /** What happened to what: one sentence, without a full stop at the end. */
    message: string;
    /** What to do; null where there is nothing to say. */
    hint: string | null;
    /** Where it happened. Only with `INTERNAL`. */
    stack?: string;
  };
  /** The exit status: 1 failed, 2 wrong usage, 4 refused, 128 + the number of the signal that interrupted it. */
  status: number;
}
