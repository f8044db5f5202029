/**
 * The `--keep-…` options: restic's names and values.
 */
import { type Command, Option } from 'commander';
import type { KeepRules, Span } from '../../index.js';
import { UsageError } from '../exit.js';

/** The rules as they come from the command line. */
export interface KeepFlags {
  keepLast?: number;
  keepHourly?: number;
  keepDaily?: number;
  keepWeekly?: number;
  keepMonthly?: number;
  keepYearly?: number;
  keepWithin?: Span;
}

const NAME_A_RULE = "say what to keep, for example '--keep-daily 7 --keep-weekly 4'";

/** Adds them to a command. */
export function addKeepOptions(command: Command): Command {
  return command
    .addOption(counted('--keep-last <n>', 'keep the newest n archives'))
    .addOption(counted('--keep-hourly <n>', 'keep the newest archive of each of the last n hours'))
    .addOption(counted('--keep-daily <n>', '… days; hours, days, weeks, months, years without an archive do not count'))
    .addOption(counted('--keep-weekly <n>', '… weeks, from Monday to Sunday'))
    .addOption(counted('--keep-monthly <n>', '… months'))
    .addOption(counted('--keep-yearly <n>', '… years'))
    .addOption(
      new Option(
        '--keep-within <duration>',
        'keep all that are younger than that, for example 1y5m7d2h, as seen from the newest archive',
      ).argParser(span),
    );
}

/** The rules as the library takes them. @throws UsageError where there is none, or none that keeps anything */
export function keepRules(flags: KeepFlags): KeepRules {
  const { keepLast, keepHourly, keepDaily, keepWeekly, keepMonthly, keepYearly, keepWithin } = flags;
  const rules: KeepRules = {
    ...(keepLast !== undefined && { last: keepLast }),
    ...(keepHourly !== undefined && { hourly: keepHourly }),
    ...(keepDaily !== undefined && { daily: keepDaily }),
    ...(keepWeekly !== undefined && { weekly: keepWeekly }),
    ...(keepMonthly !== undefined && { monthly: keepMonthly }),
    ...(keepYearly !== undefined && { yearly: keepYearly }),
    ...(keepWithin !== undefined && { within: keepWithin }),
  };
  const { within = {}, ...counts } = rules;
  if (Object.keys(rules).length === 0) throw new UsageError('no rule says which archives to keep', NAME_A_RULE);
  if (![...Object.values(counts), ...Object.values(within)].some((count) => count > 0)) {
    throw new UsageError('these rules would keep no archive at all', NAME_A_RULE);
  }
  return rules;
}

function counted(flags: string, words: string): Option {
  const name = flags.split(' ')[0];
  return new Option(flags, words).argParser((value: string) => {
    if (value === 'unlimited' || value === '-1') return Number.POSITIVE_INFINITY;
    if (/^\d{1,9}$/.test(value)) return Number(value);
    throw new UsageError(`${name} must be a whole number or 'unlimited', not '${value}'`);
  });
}

const UNITS = { y: 'years', m: 'months', d: 'days', h: 'hours' } as const;

function span(value: string): Span {
  const parts = [...value.matchAll(/(\d{1,6})([ymdh])/g)];
  const units = new Set(parts.map(([, , unit]) => unit));
  if (value === '' || parts.map(([part]) => part).join('') !== value || units.size !== parts.length) {
    throw new UsageError(
      `--keep-within must be a duration, not '${value}'`,
      'years, months, days and hours, each at most once: 1y5m7d2h, 30d',
    );
  }
  return Object.fromEntries(parts.map(([, count, unit]) => [UNITS[unit as keyof typeof UNITS], Number(count)]));
}
