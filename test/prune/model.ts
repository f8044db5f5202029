/**
 * What the rules say, written down once more, in the words of the documentation and as naively as can be: nothing is counted while walking, every question
 * is asked of the whole list.
 */
import type { KeepReason, KeepRules, PeriodRule, Span } from '../../src/index.js';

export interface Backup {
  name: string;
  time: number;
  incomplete: number | null;
}

const DAY = 86_400_000;
const RULES: readonly PeriodRule[] = ['hourly', 'daily', 'weekly', 'monthly', 'yearly'];

/** Why each backup is kept, by its name; an empty list where it is not. */
export function model(backups: readonly Backup[], rules: KeepRules): Map<string, KeepReason[]> {
  const complete = backups.filter(({ incomplete }) => !incomplete);
  const alone = kept(complete, complete, rules);
  const among = kept(backups, complete, rules);
  const reasons = new Map(backups.map(({ name }) => [name, (alone.get(name) ?? among.get(name)) as KeepReason[]]));
  const newest = backups.find((one) => backups.every((other) => other === one || isNewer(one, other)));
  const isNone = [...Object.values({ ...rules, within: 0 }), ...Object.values(rules.within ?? {})].every(
    (n) => n === 0,
  );
  if (newest !== undefined && reasons.get(newest.name)?.length === 0 && !isNone)
    reasons.set(newest.name, [{ rule: 'newest' }]);
  return reasons;
}

/** What the rules keep of these; those that are not complete count only where they share a period with none that is. */
function kept(backups: readonly Backup[], complete: readonly Backup[], rules: KeepRules): Map<string, KeepReason[]> {
  const reasons = new Map<string, KeepReason[]>(backups.map(({ name }) => [name, []]));
  const keep = (backup: Backup, reason: KeepReason) => reasons.get(backup.name)?.push(reason);
  const byAge = [...backups].sort((a, b) => (isNewer(a, b) ? -1 : 1));

  for (const [index, backup] of byAge.entries()) {
    if (index + 1 <= (rules.last ?? 0)) keep(backup, { rule: 'last', number: index + 1 });
  }
  for (const rule of RULES) {
    const most = rules[rule] ?? 0;
    if (most === 0) continue;
    const periods = new Map(byAge.map((backup) => [backup, periodOf(rule, new Date(backup.time))]));
    const counted = byAge.filter(
      (one) => !one.incomplete || complete.every((other) => periods.get(other) !== periods.get(one)),
    );
    // The newest of their period: no newer one is in it.
    const heads = counted.filter(
      (one, at) => !counted.slice(0, at).some((newer) => periods.get(newer) === periods.get(one)),
    );
    for (const [index, backup] of heads.slice(0, most).entries()) {
      keep(backup, { rule, number: index + 1, period: periods.get(backup) ?? '', oldest: false });
    }
    const oldest = counted.at(-1);
    if (heads.length < most && oldest !== undefined && !heads.includes(oldest)) {
      keep(oldest, { rule, number: heads.length + 1, period: periods.get(oldest) ?? '', oldest: true });
    }
  }
  const { within } = rules;
  const [newest] = byAge;
  if (within !== undefined && newest !== undefined && textOf(within) !== '') {
    const { years = 0, months = 0, days = 0, hours = 0 } = within;
    const at = new Date(newest.time);
    const since = Date.UTC(
      at.getUTCFullYear() - years,
      at.getUTCMonth() - months,
      at.getUTCDate() - days,
      at.getUTCHours() - hours,
      at.getUTCMinutes(),
      at.getUTCSeconds(),
      at.getUTCMilliseconds(),
    );
    for (const backup of byAge) if (backup.time > since) keep(backup, { rule: 'within', span: textOf(within) });
  }
  return reasons;
}

function isNewer(a: Backup, b: Backup): boolean {
  return a.time === b.time ? a.name > b.name : a.time > b.time;
}

function periodOf(rule: PeriodRule, at: Date): string {
  const two = (value: number) => String(value).padStart(2, '0');
  const year = String(at.getUTCFullYear());
  const month = `${year}-${two(at.getUTCMonth() + 1)}`;
  const day = `${month}-${two(at.getUTCDate())}`;
  return { hourly: `${day}T${two(at.getUTCHours())}`, daily: day, weekly: weekOf(at), monthly: month, yearly: year }[
    rule
  ];
}

/** By counting Mondays: the first week of a year is that of January 4th. */
function weekOf(at: Date): string {
  const monday = (time: number) => {
    let day = Math.floor(time / DAY) * DAY;
    while (new Date(day).getUTCDay() !== 1) day -= DAY;
    return day;
  };
  const own = monday(at.getTime());
  let year = at.getUTCFullYear() + 1;
  while (monday(Date.UTC(year, 0, 4)) > own) year -= 1;
  let week = 1;
  for (let day = monday(Date.UTC(year, 0, 4)); day < own; day += 7 * DAY) week += 1;
  return `${year}-W${week < 10 ? '0' : ''}${week}`;
}

function textOf({ years, months, days, hours }: Span): string {
  const part = (count: number | undefined, unit: string) => (count ? `${count}${unit}` : '');
  return part(years, 'y') + part(months, 'm') + part(days, 'd') + part(hours, 'h');
}
