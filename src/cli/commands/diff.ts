/**
 * `leoflow lite diff`: what is different between two archives, or an archive and the install as it is now.
 */
import { Command, Option } from 'commander';
import type { DiffOptions, RestorePart } from '../../index.js';
import { EXIT, exitStatusHelp, UsageError } from '../exit.js';
import { createReporter } from '../reporters/reporter.js';
import type { CommandContext, Surroundings } from '../streams.js';
import { diffView } from '../views/diff.js';
import { type ExcludeSource, excludePattern, readExcludes } from './excludes.js';
import { forReader } from './for-reader.js';
import {
  addInstallOptions,
  addOutputOptions,
  environmentHelp,
  type InstallFlags,
  installOptions,
  type OutputFlags,
  required,
  workersOption,
} from './options.js';
import { onlyOption } from './restore.js';
import { underReporter } from './under-reporter.js';

interface DiffFlags extends InstallFlags, OutputFlags {
  live?: true;
  only?: RestorePart[];
  exclude?: ExcludeSource[];
  exitCode?: true;
  workers?: number;
}

const HELP = `
Examples:
  leoflow lite diff monday.tar.gz tuesday.tar.gz
      what was added (+), removed (-) and changed (M) since Monday
  leoflow lite diff snap.tar.gz --live
      what has changed since the backup; Leoflow Lite must be running
  leoflow lite diff snap.tar.gz --live --only workspace
      only the workspace: Leoflow Lite need not run
  leoflow lite diff --quiet --exit-code a.tar.gz b.tar.gz
      only the exit status: 0 if all is the same
${environmentHelp()}
${exitStatusHelp([EXIT.incomplete], 'with --exit-code: there is a difference, or not all could be compared; or it failed')}`;

/** Builds the command. */
export function diffCommand({ around, finish }: CommandContext): Command {
  const command = new Command('diff')
    .summary('compare archives, or an archive with the install')
    .description(
      'Compares an archive with another one, or with the install as it is now:\nthe workspace by checksums, the keys of the config, the rows of each table.',
    )
    .argument('<archive>', 'the archive to compare')
    .argument('[other]', 'the archive to compare it with')
    .addOption(new Option('--live', 'compare it with the install as it is now, instead of another archive'))
    .addOption(onlyOption('compare only this part; repeatable'))
    .addOption(
      new Option('--exclude <pattern>', 'with --live: what the backup was told to leave out; repeatable').argParser(
        (pattern: string, earlier: readonly ExcludeSource[] = []) => [...earlier, excludePattern(pattern)],
      ),
    )
    .addOption(new Option('--exit-code', 'end with status 1 if there is a difference, or not all could be compared'))
    .addOption(workersOption());
  addInstallOptions(command);
  addOutputOptions(command, 'the time of each phase, too');
  return command
    .addHelpText('after', HELP)
    .action(async (from: string, other: string | undefined, flags: DiffFlags) =>
      finish(await runDiff(from, other, flags, around)),
    );
}

/** @returns the exit status; throws only a UsageError, before anything is begun */
async function runDiff(
  from: string,
  other: string | undefined,
  flags: DiffFlags,
  around: Surroundings,
): Promise<number> {
  const { live, only, exitCode, workers } = flags;
  if ((other === undefined) === (live === undefined)) {
    throw new UsageError(
      other === undefined
        ? 'there is nothing to compare the archive with'
        : 'either another archive or --live, not both',
      'leoflow lite diff <archive> <other>, or leoflow lite diff <archive> --live',
    );
  }
  if (flags.exclude !== undefined && !live)
    throw new UsageError('--exclude goes with --live: it is what the backup was told to leave out');
  const exclude = await readExcludes(flags.exclude ?? [], around.stdin);
  const named = required('the name of an archive', null);
  const options: Omit<DiffOptions, 'signal' | 'onEvent'> = {
    from: named(from),
    to: other === undefined ? null : named(other),
    ...installOptions(flags, around.env),
    ...(exclude.length > 0 && { exclude }),
    ...(only !== undefined && { only }),
    ...(workers !== undefined && { workers }),
  };
  const reporter = await createReporter(diffView, flags, around);
  return forReader(around, () =>
    underReporter(
      reporter,
      async (hooks) => {
        // Loaded only here: help and usage errors need no engine.
        const { diff } = await import('../../index.js');
        return diff({ ...options, ...hooks });
      },
      ({ differs, uncompared }) => (exitCode && (differs || uncompared > 0) ? EXIT.failed : EXIT.done),
    ),
  );
}
