/**
 * `leoflow uninstall`: says what would go, asks, removes. Only where no other Leoflow is installed.
 */
import { Command, Option } from 'commander';
import type { UninstallOptions, UninstallResult } from '../../index.js';
import { ask, canAsk, isYes } from '../ask.js';
import { EXIT, exitStatusHelp, UsageError } from '../exit.js';
import { createReporter } from '../reporters/reporter.js';
import { type CommandContext, coloursFor, type Surroundings } from '../streams.js';
import { planLines, uninstallView } from '../views/uninstall.js';
import {
  homeOption,
  jsonOption,
  type PlaceFlags,
  pgBinOption,
  placeEnvironmentHelp,
  placeOptions,
  verboseOption,
} from './options.js';
import { underReporter } from './under-reporter.js';

interface UninstallFlags extends PlaceFlags {
  purge?: true;
  yes?: true;
  verbose?: true;
  json?: true;
}

const HELP = `
Examples:
  leoflow uninstall
      remove the tools; settings, datastore and workspace stay
  leoflow uninstall --purge
      remove everything
  leoflow uninstall --purge --yes
      without asking

Environment:${placeEnvironmentHelp()}
${exitStatusHelp([EXIT.incomplete], 'failed, or was not wanted')}`;

/** Builds the command. */
export function uninstallCommand({ around, finish }: CommandContext): Command {
  return new Command('uninstall')
    .summary('remove an install')
    .description(
      'Removes the tools of a Leoflow Lite install, or with --purge all of it: settings, datastore and workspace, too.\nIt asks first, and stops the datastore.',
    )
    .addOption(new Option('--purge', 'remove settings, datastore and workspace, too'))
    .addOption(new Option('-y, --yes', 'do not ask'))
    .addOption(homeOption())
    .addOption(pgBinOption())
    .addOption(verboseOption('the time of each phase, too'))
    .addOption(jsonOption())
    .addHelpText('after', HELP)
    .action(async (flags: UninstallFlags) => finish(await runUninstall(flags, around)));
}

/** @returns the exit status; throws only a UsageError, before anything is begun */
async function runUninstall(flags: UninstallFlags, around: Surroundings): Promise<number> {
  const { purge, yes, json, verbose } = flags;
  if (!yes && (json || !canAsk(around))) {
    throw new UsageError(
      'uninstall asks before it removes anything, and here is nobody to ask',
      'run it in a terminal, or add --yes if you are sure',
    );
  }
  const request = { ...(json && { json }), ...(verbose && { verbose }), progress: false };
  const reporter = await createReporter(uninstallView, request, around);
  return underReporter(
    reporter,
    async ({ signal, onEvent }) => {
      // Loaded only here: help and usage errors need no engine.
      const { uninstall } = await import('../../index.js');
      const options: UninstallOptions = { ...placeOptions(flags, around.env), ...(purge && { purge }), signal };
      if (!yes && !(await isWanted(await uninstall({ ...options, dryRun: true }), around, signal))) return null;
      return uninstall({ ...options, onEvent });
    },
    (result) => (result === null ? EXIT.failed : EXIT.done),
  );
}

/** Whether a person wants it, knowing what goes. Where nothing would, nobody is asked. */
async function isWanted(plan: UninstallResult, around: Surroundings, signal: AbortSignal): Promise<boolean> {
  if (plan.removed.length === 0) return true;
  const lines = planLines(plan, coloursFor(around.stderr, around.env));
  around.stderr.write(`${lines.join('\n')}\n`);
  const [answer] = await ask(['Remove it? [y/N] '], around, signal);
  return isYes(answer);
}
