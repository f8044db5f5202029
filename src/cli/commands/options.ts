/**
 * The options that several commands share, and the parsers of their values. A wrong value is told here, in words, before any work.
 */
import { type Command, Option } from 'commander';
import { UsageError } from '../exit.js';
import { environmentValue, type Surroundings } from '../streams.js';

/** How a command talks. */
export interface OutputFlags {
  quiet?: true;
  verbose?: true;
  json?: true;
  /** False with `--no-progress`. */
  progress: boolean;
}

/** Where the install and its programs are. */
export interface PlaceFlags {
  home?: string;
  pgBin?: string;
}

/** Where the install is and how its datastore is reached. */
export interface InstallFlags extends PlaceFlags {
  dsn?: string;
}

/**
 * The environment, for `--help`.
 *
 * @param more lines of a command's own
 */
export function environmentHelp(more = ''): string {
  return `
Environment:
  LEOFLOW_DATABASE_URL      the datastore, where --dsn is not given${placeEnvironmentHelp(more)}`;
}

/** A line of it, of the commands that judge whether an archive could be restored. */
export const SUPPORTED_SCHEMA_HELP = `
  LEOFLOW_SUPPORTED_SCHEMA  the newest schema to accept (default: that of the installed Leoflow)`;

/** Those lines of it that a command without `--dsn` has, too. */
export function placeEnvironmentHelp(more = ''): string {
  return `
  LEOFLOW_PG_BIN            directory of PostgreSQL's programs, where --pg-bin is not given${more}
  NO_COLOR                  no colours
  FORCE_COLOR               colours, also where the output is not a terminal`;
}

/** The most worker threads that may be asked for; more is a slip of the finger. */
const MOST_WORKERS = 1024;

/**
 * Adds `--quiet`, `--verbose`, `--json` and `--no-progress`.
 *
 * @param verbose what `--verbose` prints
 */
export function addOutputOptions(command: Command, verbose: string): Command {
  return command
    .addOption(new Option('-q, --quiet', 'print only warnings and errors').conflicts('verbose'))
    .addOption(verboseOption(verbose))
    .addOption(jsonOption())
    .addOption(new Option('--no-progress', 'do not show how far it is'));
}

/**
 * `--verbose`, by itself for a command that is over before there is any progress.
 *
 * @param prints what it prints
 */
export function verboseOption(prints: string): Option {
  return new Option('-v, --verbose', `print ${prints}`);
}

/** `--json`. */
export function jsonOption(): Option {
  return new Option('--json', 'print JSON lines instead of text; the last one is the result');
}

/** Adds `--home`, `--dsn` and `--pg-bin`. */
export function addInstallOptions(command: Command): Command {
  return command
    .addOption(homeOption())
    .addOption(
      new Option(
        '--dsn <url>',
        'the datastore, as a PostgreSQL URL (default: that of the install; env: LEOFLOW_DATABASE_URL)',
      ).argParser(required('--dsn')),
    )
    .addOption(pgBinOption());
}

/** `--home`. */
export function homeOption(): Option {
  return new Option('--home <dir>', 'the Leoflow home (default: ~/.leoflow)').argParser(required('--home'));
}

/** `--pg-bin`. */
export function pgBinOption(): Option {
  return new Option(
    '--pg-bin <dir>',
    "directory of PostgreSQL's programs (default: that of the install, then PATH; env: LEOFLOW_PG_BIN)",
  ).argParser(required('--pg-bin'));
}

/** `--workers`, shared by the commands that work in parallel. */
export function workersOption(): Option {
  return new Option('--workers <n>', 'worker threads (default: one per processor)').argParser(
    wholeNumber('--workers', 1, MOST_WORKERS),
  );
}

/** The install options as the library takes them, with the environment where the command line is silent. */
export function installOptions(
  flags: InstallFlags,
  env: Surroundings['env'],
): { home?: string; dsn?: string; pgBin?: string } {
  const dsn = flags.dsn ?? environmentValue(env, 'LEOFLOW_DATABASE_URL');
  return { ...placeOptions(flags, env), ...(dsn !== undefined && { dsn }) };
}

/** Those of a command without `--dsn`. */
export function placeOptions(flags: PlaceFlags, env: Surroundings['env']): { home?: string; pgBin?: string } {
  const pgBin = flags.pgBin ?? environmentValue(env, 'LEOFLOW_PG_BIN');
  return { ...(flags.home !== undefined && { home: flags.home }), ...(pgBin !== undefined && { pgBin }) };
}

/** A parser of whole numbers from `least` to `most`. It throws a {@link UsageError}. */
export function wholeNumber(option: string, least: number, most: number): (value: string) => number {
  return (value) => {
    const number = /^\d+$/.test(value) ? Number(value) : Number.NaN;
    if (number >= least && number <= most) return number;
    throw new UsageError(`${option} must be a whole number from ${least} to ${most}, not '${value}'`);
  };
}

/**
 * A parser of values that must be there. An empty one comes from an unset shell variable, and so does a value that looks like the
 * next option (`--output $UNSET --json`): neither may quietly mean something else. It throws a {@link UsageError}.
 *
 * @param whenEmpty what to do instead of giving an empty value
 */
export function required(
  option: string,
  whenEmpty: string | null = 'leave it out to use the default',
): (value: string) => string {
  return (value) => {
    if (value === '') throw new UsageError(`${option} must not be empty`, whenEmpty);
    if (value.startsWith('--')) {
      throw new UsageError(
        `${option} needs a value, but '${value}' follows it`,
        `if a file has that name, write ./${value}`,
      );
    }
    return value;
  };
}
