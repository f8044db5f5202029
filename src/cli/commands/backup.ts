/**
 * `leoflow lite backup`: turns flags into the library's options, runs it under a reporter, and ends with a status.
 */
import { Command, Option } from 'commander';
import type { BackupOptions } from '../../index.js';
import { EXIT, exitStatusHelp, UsageError } from '../exit.js';
import { createReporter } from '../reporters/reporter.js';
import { archiveStream, type CommandContext, type Surroundings } from '../streams.js';
import { backupView } from '../views/backup.js';
import { type ExcludeSource, readExcludes } from './excludes.js';
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
  leoflow lite backup --quiet
      from cron: silent unless something is wrong
${environmentHelp()}
${exitStatusHelp(EXIT.refused)}`;

/** Builds the command. */
export function backupCommand({ around, finish }: CommandContext): Command {
  // Both options fill one list: the order between them matters.
  const excludes: ExcludeSource[] = [];
  const command = new Command('backup')
    .summary('put the install into one archive')
    .description(
      'Puts the whole install (configuration, workspace, a dump of the datastore) into one .tar.gz.\nLeoflow Lite must be running, or the datastore be reachable by --dsn.',
    )
    .addOption(
      new Option(
        '-o, --output <path|->',
        'the archive, or - for standard output (default: leoflow-backup-<UTC>.tar.gz in the current directory)',
      ).argParser(required('--output')),
    )
    .addOption(
      new Option('--exclude <pattern>', 'leave out what matches, in .gitignore syntax; repeatable').argParser(
        (pattern: string) => void excludes.push({ pattern }),
      ),
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
    .addOption(workersOption());
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
  const options: BackupOptions = {
    ...installOptions(flags, around.env),
    ...(flags.output !== undefined && { output: archiveOnStdout ? archiveStream(around.stdout) : flags.output }),
    ...(flags.level !== undefined && { level: flags.level }),
    ...(flags.workers !== undefined && { workers: flags.workers }),
    exclude: await readExcludes(excludes, around.stdin),
  };

  const reporter = createReporter(backupView, { ...flags, archiveOnStdout }, around);
  return underReporter(
    reporter,
    async (hooks) => {
      // Loaded only here: help and usage errors need no engine.
      const { backup } = await import('../../index.js');
      return backup({ ...options, ...hooks, survey: reporter.wantsTotal });
    },
    ({ incomplete }) => (incomplete ? EXIT.incomplete : EXIT.done),
  );
}
