/**
 * `leoflow lite verify`: whether archives are good.
 */
import { Command, Option } from 'commander';
import { EXIT, exitStatusHelp, UsageError } from '../exit.js';
import { createReporter } from '../reporters/reporter.js';
import type { CommandContext, Surroundings } from '../streams.js';
import { verifyView } from '../views/verify.js';
import { archiveInput } from './archive-input.js';
import {
  addInstallOptions,
  addOutputOptions,
  environmentHelp,
  type InstallFlags,
  installOptions,
  type OutputFlags,
  workersOption,
} from './options.js';
import { underReporter } from './under-reporter.js';

interface VerifyFlags extends InstallFlags, OutputFlags {
  deep?: true;
  workers?: number;
}

const HELP = `
Examples:
  leoflow lite verify snap.tar.gz
      every CRC, every checksum, structure and manifest
  leoflow lite verify --quiet /backups/*.tar.gz
      silent unless one of them is not good
  leoflow lite verify --deep snap.tar.gz
      also replay the dump into a throwaway database
  ssh host 'cat snap.tar.gz' | leoflow lite verify -
      from standard input
${environmentHelp()}
${exitStatusHelp([EXIT.incomplete], 'an archive is not good, or it failed')}`;

/** Builds the command. */
export function verifyCommand({ around, finish }: CommandContext): Command {
  const command = new Command('verify')
    .summary('check that archives are good')
    .description('Checks every byte of archives, and says which entries are damaged.')
    .argument('<archive...>', 'the archives; - is standard input')
    .addOption(new Option('--deep', 'also replay each dump into a throwaway database'))
    .addOption(workersOption());
  addInstallOptions(command);
  addOutputOptions(command, 'all that is damaged (up to 100 entries), and the time of each phase, too');
  return command
    .addHelpText('after', HELP)
    .action(async (archives: string[], flags: VerifyFlags) => finish(await runVerify(archives, flags, around)));
}

/** @returns the exit status; throws only a UsageError, before anything is begun */
async function runVerify(archives: readonly string[], flags: VerifyFlags, around: Surroundings): Promise<number> {
  const fromStdin = archives.filter((archive) => archive === '-').length;
  if (fromStdin > 1) throw new UsageError('standard input can be read only once');
  const inputs = archives.map((archive) => archiveInput(archive, around.stdin));
  const { deep, workers } = flags;
  return underReporter(
    await createReporter(verifyView, flags, around),
    async (hooks) => {
      // Loaded only here: help and usage errors need no engine.
      const { verify } = await import('../../index.js');
      return verify({
        ...installOptions(flags, around.env),
        ...hooks,
        archives: inputs,
        ...(deep && { deep }),
        ...(workers !== undefined && { workers }),
      });
    },
    ({ good }) => (good ? EXIT.done : EXIT.failed),
  );
}
