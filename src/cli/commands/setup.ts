/**
 * `leoflow setup`: asks where somebody is there to answer, sets up, and shows the password once. Only where no other Leoflow is installed.
 */
import { dirname } from 'node:path';
import { Command, Option } from 'commander';
import type { SetupOptions, SetupResult } from '../../index.js';
import { ask, canAsk } from '../ask.js';
import { EXIT, exitStatusHelp } from '../exit.js';
import { createReporter } from '../reporters/reporter.js';
import type { CommandContext, Surroundings } from '../streams.js';
import { setupView } from '../views/setup.js';
import {
  homeOption,
  jsonOption,
  type PlaceFlags,
  pgBinOption,
  placeEnvironmentHelp,
  placeOptions,
  required,
} from './options.js';
import { underReporter } from './under-reporter.js';

interface SetupFlags extends PlaceFlags {
  workspace?: string;
  dryRun?: true;
  json?: true;
}

const HELP = `
Examples:
  leoflow setup
      to ~/.leoflow, with the workspace ~/leoflow; on a terminal it asks
  leoflow setup --workspace ~/flows
      with that workspace
  leoflow setup --dry-run
      say what would be made

Environment:${placeEnvironmentHelp()}
${exitStatusHelp([EXIT.incomplete])}`;

/** Builds the command. */
export function setupCommand({ around, finish }: CommandContext): Command {
  return new Command('setup')
    .summary('make an install')
    .description(
      "Makes a Leoflow Lite install: settings, secrets, links to this machine's PostgreSQL, an empty workspace.\nWhat is there is kept, so it may be run again.",
    )
    .addOption(
      new Option('--workspace <dir>', 'the workspace of a new install (default: leoflow, beside the home)').argParser(
        required('--workspace'),
      ),
    )
    .addOption(new Option('--dry-run', 'say what would be made, but make nothing'))
    .addOption(homeOption())
    .addOption(pgBinOption())
    .addOption(jsonOption())
    .addHelpText('after', HELP)
    .action(async (flags: SetupFlags) => finish(await runSetup(flags, around)));
}

/** @returns the exit status */
async function runSetup(flags: SetupFlags, around: Surroundings): Promise<number> {
  const { workspace, dryRun, json } = flags;
  const reporter = await createReporter(setupView(flags.home), { ...(json && { json }), progress: false }, around);
  return underReporter(reporter, async ({ signal, onEvent }) => {
    // Loaded only here: help and usage errors need no engine.
    const { defaultHome, setup } = await import('../../index.js');
    const options: SetupOptions = {
      ...placeOptions(flags, around.env),
      ...(workspace !== undefined && { workspace }),
      signal,
    };
    if (dryRun) return setup({ ...options, dryRun, onEvent });
    if (json || !canAsk(around)) return setup({ ...options, onEvent });
    const { workspace: answer, ...answers } = await askFor(
      await setup({ ...options, dryRun: true }),
      flags,
      around,
      signal,
    );
    // No shell has seen it.
    const place = answer?.replace(/^~(?=\/|$)/, () => dirname(defaultHome()));
    return setup({ ...options, ...answers, ...(place !== undefined && { workspace: place }), onEvent });
  });
}

/** What a person wants of a new install; nothing is asked of one that is there. */
async function askFor(
  plan: SetupResult,
  flags: SetupFlags,
  around: Surroundings,
  signal: AbortSignal,
): Promise<Pick<SetupOptions, 'workspace' | 'adminEmail'>> {
  if (!plan.isNew) return {};
  const questions = {
    ...(flags.workspace === undefined && { workspace: `Workspace [${plan.workspace}]: ` }),
    adminEmail: `Administrator's e-mail address [${plan.adminEmail}]: `,
  };
  const answers = await ask(Object.values(questions), around, signal);
  const given = Object.fromEntries(Object.keys(questions).map((key, index) => [key, answers[index] ?? '']));
  return {
    ...(given.workspace && { workspace: given.workspace }),
    ...(given.adminEmail && { adminEmail: given.adminEmail }),
  };
}
