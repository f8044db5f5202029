/**
 * `leoflow lite restore`: turns flags into the library's options, runs a restore or a recovery under a reporter, and ends with a status.
 */
import { Command, Option } from 'commander';
import type { RestorePart } from '../../index.js';
import { EXIT, exitStatusHelp, UsageError } from '../exit.js';
import { createReporter } from '../reporters/reporter.js';
import type { CommandContext, Surroundings } from '../streams.js';
import { recoverView } from '../views/recover.js';
import { restoreView } from '../views/restore.js';
import {
  addInstallOptions,
  addOutputOptions,
  environmentHelp,
  type InstallFlags,
  installOptions,
  type OutputFlags,
  required,
  SUPPORTED_SCHEMA_HELP,
  workersOption,
} from './options.js';
import { underReporter } from './under-reporter.js';

interface RestoreFlags extends InstallFlags, OutputFlags {
  input?: string;
  force?: true;
  workspace?: string;
  only?: RestorePart[];
  discardPrevious?: true;
  dryRun?: true;
  recover?: true;
  workers?: number;
}

const NAME_THE_ARCHIVE = 'name the archive: leoflow lite restore --input <path>';

/** What `--only` takes; the type keeps it complete. */
const PARTS = Object.keys({ config: 0, workspace: 0, datastore: 0 } satisfies Record<RestorePart, 0>) as RestorePart[];

const HELP = `
Examples:
  leoflow lite restore --input snap.tar.gz
      to ~/.leoflow; refused where an install is in the way
  leoflow lite restore --input snap.tar.gz --dry-run
      check the archive, say what would happen, change nothing
  leoflow lite restore --input snap.tar.gz --force
      in place of the install that is there, which is kept under another name
  leoflow lite restore --input snap.tar.gz --force --only workspace
      only the workspace
  ssh host 'cat snap.tar.gz' | leoflow lite restore --input -
      from standard input
  leoflow lite restore --recover
      after a power cut in the middle of a restore
${environmentHelp(SUPPORTED_SCHEMA_HELP)}
${exitStatusHelp([EXIT.incomplete], 'failed; nothing was changed, unless it says what has to be recovered')}`;

/** Builds the command. */
export function restoreCommand({ around, finish }: CommandContext): Command {
  const command = new Command('restore')
    .summary('bring an install back from its archive')
    .description(
      'Brings an install back from an archive of leoflow lite backup.\nNothing is changed before the whole archive is read, checked and staged.',
    )
    .addOption(
      new Option('-i, --input <path|->', 'the archive, or - for standard input').argParser(
        required('--input', NAME_THE_ARCHIVE),
      ),
    )
    .addOption(new Option('--force', 'replace the install that is there, and end sessions on its database'))
    .addOption(
      new Option(
        '--workspace <dir>',
        'where the workspace goes (default: where it was, moved with the home)',
      ).argParser(required('--workspace')),
    )
    .addOption(onlyOption('restore only this part; repeatable'))
    .addOption(new Option('--discard-previous', 'remove what is replaced, once everything is in place'))
    .addOption(new Option('--dry-run', 'check the whole archive and say what would happen, but change nothing'))
    .addOption(
      new Option('--recover', 'finish or undo a restore that was broken off; needs no --input').conflicts([
        'input',
        'force',
        'workspace',
        'only',
        'discardPrevious',
        'dryRun',
        'workers',
      ]),
    )
    .addOption(workersOption());
  addInstallOptions(command);
  addOutputOptions(command, 'the time of each phase, too');
  return command
    .addHelpText('after', HELP)
    .action(async (flags: RestoreFlags) => finish(await (flags.recover ? runRecover : runRestore)(flags, around)));
}

/** `--only`. */
export function onlyOption(words: string): Option {
  const parse = (value: string, earlier: readonly RestorePart[] = []) => {
    const part = PARTS.find((known) => known === value);
    if (part === undefined) throw new UsageError(`--only must be config, workspace or datastore, not '${value}'`);
    return [...new Set([...earlier, part])];
  };
  return new Option('--only <part>', words).choices(PARTS).argParser(parse);
}

/** @returns the exit status; throws only a UsageError, before anything is begun */
async function runRestore(flags: RestoreFlags, around: Surroundings): Promise<number> {
  const { input, force, workspace, only, discardPrevious, workers } = flags;
  if (input === undefined) throw new UsageError('--input is missing', NAME_THE_ARCHIVE);
  if (input === '-' && around.stdin.isTTY) {
    throw new UsageError(
      'the archive would be read from the terminal',
      'redirect standard input from a file or a program, or name a file with --input',
    );
  }
  const dryRun = flags.dryRun === true;
  return underReporter(
    await createReporter(restoreView({ dryRun, ...(flags.home !== undefined && { home: flags.home }) }), flags, around),
    async (hooks) => {
      // Loaded only here: help and usage errors need no engine.
      const { restore } = await import('../../index.js');
      return restore({
        ...installOptions(flags, around.env),
        ...hooks,
        input: input === '-' ? around.stdin : input,
        dryRun,
        ...(force && { force }),
        ...(workspace !== undefined && { workspace }),
        ...(only !== undefined && { only }),
        ...(discardPrevious && { discardPrevious }),
        ...(workers !== undefined && { workers }),
      });
    },
  );
}

/** @returns the exit status */
async function runRecover(flags: RestoreFlags, around: Surroundings): Promise<number> {
  return underReporter(await createReporter(recoverView, flags, around), async (hooks) => {
    const { recover } = await import('../../index.js');
    return recover({ ...installOptions(flags, around.env), ...hooks });
  });
}
