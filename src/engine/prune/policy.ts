/**
 * The policy: which archives the rules keep, and why. A pure function of names, times and rules.
 *
 * It follows restic's `forget` to the letter, so that whoever knows one knows the other: newest first, every rule with a count of its own; a period in which
 * there is nothing costs nothing; a rule that has some of its count left when only the oldest one is left keeps that, so that a history grows to its full
 * length. What differs: what counts as an archive at all, that periods are those of UTC, and that an archive that is not complete never takes the place of
 * one that is:
 *
 *     complete ones:  the rules, as if there were no others
 *     the others:     the rules, of all of them; but in a period in which there is a complete one, the others do not count
 *                     and the newest of all stays: nothing else has what was done last
 */
import type { KeepReason, KeepRules, PeriodRule, Span } from '../prune-options.js';

/** What the rules look at. */
export interface Snapshot {
  name: string;
  /** Milliseconds since 1970. */
  time: number;
  /** How many paths it lacks, or has as they never were; null where it has nothing to say that with. */
  incomplete: number | null;
}

/** A snapshot, and why it is kept; it is not, where there is no reason. */
export interface Judged<S extends Snapshot> {
  snapshot: S;
  reasons: KeepReason[];
}

const HOUR_MS = 3_600_000;
const WEEK_MS = 7 * 24 * HOUR_MS;

/** The period that a time lies in, by rule. */
const PERIOD_OF: Record<PeriodRule, (time: number) => string> = {
  hourly: (time) => iso(time).slice(0, 13),
  daily: (time) => iso(time).slice(0, 10),
  weekly: isoWeek,
  monthly: (time) => iso(time).slice(0, 7),
  yearly: (time) => iso(time).slice(0, 4),
};
const PERIOD_RULES = Object.keys(PERIOD_OF) as PeriodRule[];

/** From the newest to the oldest; of two of the same time, the one with the greater name counts as the newer. */
export function newestFirst(a: Snapshot, b: Snapshot): number {
  return b.time - a.time || (a.name < b.name ? 1 : a.name > b.name ? -1 : 0);
}

/** Whether an archive lacks nothing, for all that it says. */
export function isComplete({ incomplete }: Snapshot): boolean {
  return incomplete === null || incomplete === 0;
}

/** Whether there is a rule that keeps anything; if so, it keeps the newest one at least. */
export function keepsAnything({ within = {}, ...counts }: KeepRules): boolean {
  return [...Object.values(counts), ...Object.values(within)].some((count) => count > 0);
}

/**
 * Applies the rules.
 *
 * @param snapshots in any order; no two have the same name
 * @returns all of them, from the newest to the oldest
 */
export function applyRules<S extends Snapshot>(snapshots: readonly S[], rules: KeepRules): Judged<S>[] {
  const ordered = [...snapshots].sort(newestFirst);
  const judged = new Map(ordered.map((snapshot): [S, KeepReason[]] => [snapshot, []]));
  const complete = ordered.filter(isComplete);
  for (const [snapshot, reason] of keptOf(complete, complete, rules)) judged.get(snapshot)?.push(reason);
  for (const [snapshot, reason] of keptOf(ordered, complete, rules)) {
    if (!isComplete(snapshot)) judged.get(snapshot)?.push(reason);
  }
  const [newest] = ordered;
  const reasons = newest === undefined ? undefined : judged.get(newest);
  if (reasons?.length === 0 && keepsAnything(rules)) reasons.push({ rule: 'newest' });
  return Array.from(judged, ([snapshot, reasons]) => ({ snapshot, reasons }));
}

/**
 * What the rules keep, and why.
 *
 * @param ordered newest first
 * @param complete those of them that are complete
 */
function* keptOf<S extends Snapshot>(
  ordered: readonly S[],
  complete: readonly S[],
  rules: KeepRules,
): Generator<[S, KeepReason]> {
  const { last = 0, within = {} } = rules;
  for (const [index, snapshot] of ordered.slice(0, last).entries())
    yield [snapshot, { rule: 'last', number: index + 1 }];
  for (const rule of PERIOD_RULES) {
    const taken = new Set(complete.map(({ time }) => PERIOD_OF[rule](time)));
    const counted = ordered.filter((one) => isComplete(one) || !taken.has(PERIOD_OF[rule](one.time)));
    yield* keptByPeriod(counted, rule, rules[rule] ?? 0);
  }
  const span = spanText(within);
  if (span === '') return;
  const since = before(ordered[0]?.time ?? 0, within);
  for (const snapshot of ordered) if (snapshot.time > since) yield [snapshot, { rule: 'within', span }];
}

/** What a rule keeps, one per period. @param ordered those that count, newest first */
function* keptByPeriod<S extends Snapshot>(
  ordered: readonly S[],
  rule: PeriodRule,
  most: number,
): Generator<[S, KeepReason]> {
  let number = 0;
  let current = '';
  for (const [index, snapshot] of ordered.entries()) {
    if (number >= most) return;
    const period = PERIOD_OF[rule](snapshot.time);
    const isNew = period !== current;
    if (!isNew && index !== ordered.length - 1) continue;
    current = period;
    number += 1;
    yield [snapshot, { rule, number, period, oldest: !isNew }];
  }
}

/** So long before a time, by the calendar: a day that a month does not have is one of the next month. */
function before(time: number, { years = 0, months = 0, days = 0, hours = 0 }: Span): number {
  const date = new Date(time);
  date.setUTCFullYear(date.getUTCFullYear() - years, date.getUTCMonth() - months, date.getUTCDate() - days);
  const since = date.getTime() - hours * HOUR_MS;
  // Further back than there are dates.
  return Number.isNaN(since) ? Number.NEGATIVE_INFINITY : since;
}

/** `1y5m7d2h`; empty for no span at all. */
function spanText({ years = 0, months = 0, days = 0, hours = 0 }: Span): string {
  const parts = [`${years}y`, `${months}m`, `${days}d`, `${hours}h`];
  return parts.filter((part) => !part.startsWith('0')).join('');
}

function iso(time: number): string {
  return new Date(time).toISOString();
}

/** The week by ISO 8601: it belongs to the year that its Thursday lies in. */
function isoWeek(time: number): string {
  const thursday = new Date(time);
  thursday.setUTCDate(thursday.getUTCDate() + 4 - (thursday.getUTCDay() || 7));
  const year = thursday.getUTCFullYear();
  const week = Math.floor((thursday.getTime() - Date.UTC(year, 0, 1)) / WEEK_MS) + 1;
  return `${year}-W${String(week).padStart(2, '0')}`;
}
