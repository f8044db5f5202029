/**
 * The policy: which archives the rules keep, and why. A pure function of names, times and rules.
 *
 * It follows restic's `forget` to the letter, so that whoever knows one knows the other: newest first, every rule with a count of its own; a period in which
 * there is nothing costs nothing; a rule that has some of its count left when only the oldest one is left keeps that, so that a history grows to its full
 * length. What differs lies outside: what counts as an archive at all, and that periods are those of UTC.
 */
import type { KeepReason, KeepRules, PeriodRule, Span } from '../prune-options.js';

/** What the rules look at. */
export interface Snapshot {
  name: string;
  /** Milliseconds since 1970. */
  time: number;
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
  const oldest = ordered.at(-1);
  const counters = PERIOD_RULES.map((rule) => ({ rule, most: rules[rule] ?? 0, number: 0, period: '' }));
  const { last = 0, within = {} } = rules;
  const span = spanText(within);
  const since = span === '' ? Number.POSITIVE_INFINITY : before(ordered[0]?.time ?? 0, within);
  return ordered.map((snapshot, index) => {
    const reasons: KeepReason[] = [];
    if (index < last) reasons.push({ rule: 'last', number: index + 1 });
    for (const counter of counters) {
      const { rule } = counter;
      const period = PERIOD_OF[rule](snapshot.time);
      const isNew = period !== counter.period;
      if (counter.number >= counter.most || !(isNew || snapshot === oldest)) continue;
      counter.period = period;
      counter.number += 1;
      reasons.push({ rule, number: counter.number, period, oldest: !isNew });
    }
    if (snapshot.time > since) reasons.push({ rule: 'within', span });
    return { snapshot, reasons };
  });
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
