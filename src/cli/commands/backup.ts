/**
 * `leoflow lite backup`: turns flags into the library's options, runs it under a reporter, and ends with a status.
 */
import { Command, Option } from 'commander';
import type { BackupOptions, BackupResult } from '../../index.js';
import { EXIT, exitStatusHelp, UsageError } from '../exit.js';
import { GithubActions } from '../listeners/github-actions.js';
import type { Listener, ListenerWarning } from '../listeners/listener.js';
import { Ping, pingUrl } from '../listeners/ping.js';
import { createReporter } from '../reporters/reporter.js';
import { archiveStream, type CommandContext, environmentValue, type Surroundings } from '../streams.js';
import { backupMessage, backupView } from '../views/backup.js';
import { type ExcludeSource, excludePattern, readExcludes } from './excludes.js';
import {
  addInstallOptions,
  addOutputOptions,
  environmentHelp,
  type InstallFlags,
  installOptions,
  type OutputFlags,
  required,
  wholeNumber,
  workersOption,
} from './options.js';
import { underReporter } from './under-reporter.js';

interface BackupFlags extends InstallFlags, OutputFlags {
  output?: string;
  level?: number;
  workers?: number;
  startDatastore?: true;
  pingUrl?: URL;
}

const HELP = `
Examples:
  leoflow lite backup
      to leoflow-backup-<UTC>.tar.gz in the current directory
  leoflow lite backup --output ~/snapshots/before-upgrade.tar.gz
      to that file; an existing one is replaced once the new one is complete
  leoflow lite backup --exclude '*.parquet' --exclude-from patterns.txt
      without what these patterns match
  leoflow lite backup --output - | ssh host 'cat > snapshot.tar.gz'
      to standard output
  leoflow lite backup --quiet --start-datastore
      from cron: silent unless something is wrong, and whether Lite runs or not
${environmentHelp(`
  LEOFLOW_PING_URL          the address to ping, where --ping-url is not given
  GITHUB_STEP_SUMMARY       file that gets a summary (set by GitHub Actions)
  GITHUB_OUTPUT             file that gets archive=, size=, files=, incomplete=`)}
${exitStatusHelp()}`;

/** Builds the command. */
export function backupCommand({ around, finish }: CommandContext): Command {
  // Both options fill one list: the order between them matters.
  const excludes: ExcludeSource[] = [];
  const command = new Command('backup')
    .summary('put the install into one archive')
    .description(
      'Puts the whole install (configuration, workspace, a dump of the datastore) into one .tar.gz.\nLeoflow Lite must be running, or be started by --start-datastore, or the datastore be reachable by --dsn.',
    )
    .addOption(
      new Option(
        '-o, --output <path|->',
        'the archive, or - for standard output (default: leoflow-backup-<UTC>.tar.gz in the current directory)',
      ).argParser(required('--output')),
    )
    .addOption(
      new Option(
        '--exclude <pattern>',
        'leave out what matches, in .gitignore syntax, as .leoflowignore files do; repeatable',
      ).argParser((pattern: string) => void excludes.push(excludePattern(pattern))),
    )
    .addOption(
      new Option('--exclude-from <file|->', 'read such patterns from a file, one per line; repeatable').argParser(
        (file: string) => void excludes.push({ file: required('--exclude-from')(file) }),
      ),
    )
    .addOption(
      new Option('--level <1-9>', 'compression, from fast to small (default: 5)').argParser(
        wholeNumber('--level', 1, 9),
      ),
    )
    .addOption(workersOption())
    .addOption(
      new Option(
        '--start-datastore',
        'where the datastore of the install is not running, start it, and stop it again',
      ).conflicts('dsn'),
    )
    .addOption(
      new Option(
        '--ping-url <url>',
        "tell a dead man's switch: POST to <url>/start, then to <url> or <url>/fail (env: LEOFLOW_PING_URL)",
      ).argParser((value: string) => pingUrl('--ping-url', required('--ping-url')(value))),
    );
  addInstallOptions(command);
  addOutputOptions(command, 'every warning, every rule, and the time of each phase');
  return command
    .addHelpText('after', HELP)
    .action(async (flags: BackupFlags) => finish(await runBackup(flags, excludes, around)));
}

/** @returns the exit status; throws only a UsageError, before anything is begun */
async function runBackup(
  flags: BackupFlags,
  excludes: readonly ExcludeSource[],
  around: Surroundings,
): Promise<number> {
  const archiveOnStdout = flags.output === '-';
  if (archiveOnStdout && around.stdout.isTTY) {
    throw new UsageError(
      'the archive would go to the terminal',
      'redirect standard output to a file or into a program, or name a file with --output',
    );
  }
  const { startDatastore } = flags;
  const install = installOptions(flags, around.env);
  if (startDatastore && install.dsn !== undefined) {
    throw new UsageError(
      '--start-datastore is for the datastore of the install, but LEOFLOW_DATABASE_URL names another one',
      'leave out the option, or unset the variable',
    );
  }
  const ping = flags.pingUrl ?? pingUrlOf(around.env);
  const options: BackupOptions = {
    ...install,
    ...(startDatastore && { startDatastore }),
    ...(flags.output !== undefined && { output: archiveOnStdout ? archiveStream(around.stdout) : flags.output }),
    ...(flags.level !== undefined && { level: flags.level }),
    ...(flags.workers !== undefined && { workers: flags.workers }),
    exclude: await readExcludes(excludes, around.stdin),
  };

  const reporter = await createReporter(backupView, { ...flags, archiveOnStdout }, around);
  const warn = (warning: ListenerWarning) => reporter.event({ type: 'warning', warning });
  const listeners: Listener<BackupResult>[] = [new GithubActions(around.env, warn)];
  if (ping !== undefined) listeners.unshift(new Ping(ping, backupMessage, warn));
  return underReporter(
    reporter,
    async (hooks) => {
      // Loaded only here: help and usage errors need no engine.
      const { backup } = await import('../../index.js');
      return backup({ ...options, ...hooks, survey: reporter.wantsTotal });
    },
    ({ incomplete }) => (incomplete ? EXIT.incomplete : EXIT.done),
    listeners,
  );
}

function pingUrlOf(env: Surroundings['env']): URL | undefined {
  const value = environmentValue(env, 'LEOFLOW_PING_URL');
  return value === undefined ? undefined : pingUrl('LEOFLOW_PING_URL', value);
}
