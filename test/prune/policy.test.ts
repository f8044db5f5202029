/** The rules against a model of them that was written by itself, and the examples that the documentation gives. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { applyRules, keepsAnything } from '../../src/engine/prune/policy.js';
import type { KeepReason, KeepRules } from '../../src/index.js';
import { type Backup, model } from './model.js';

const SEED = Number(process.env.FUZZ_SEED ?? 20261126);
const RUNS = Number(process.env.FUZZ_RUNS ?? 400);
const [SECOND, HOUR, DAY] = [1000, 3_600_000, 86_400_000];

/** Up to 400 backups, in any order: many at the same time, many in the same hour, some years apart, around every turn of a year. */
const backups: fc.Arbitrary<Backup[]> = fc
  .record({
    begin: fc.integer({ min: Date.UTC(2004, 11, 20), max: Date.UTC(2026, 11, 31) }),
    gaps: fc.array(
      fc.oneof(
        fc.constant(0),
        fc.integer({ min: 0, max: 90 }).map((n) => n * 60 * SECOND),
        fc.integer({ min: 0, max: 40 }).map((n) => n * HOUR),
        fc.integer({ min: 1, max: 9 }).map((n) => n * DAY),
        fc.integer({ min: 1, max: 800 * DAY }),
      ),
      { maxLength: 400, size: 'max' },
    ),
    salt: fc.integer({ min: 1, max: 1_000_003 }),
  })
  .map(({ begin, gaps, salt }) => {
    let time = Math.floor(begin / SECOND) * SECOND;
    const made = gaps.map((gap, index) => {
      time += Math.floor(gap / SECOND) * SECOND;
      return { name: `${(index * salt) % 1009}-${index}.tar.gz`, time };
    });
    return made.sort((a, b) => (a.name < b.name ? -1 : 1));
  });

const count = fc.oneof(fc.integer({ min: 0, max: 14 }), fc.constant(400), fc.constant(Number.POSITIVE_INFINITY));
const few = fc.integer({ min: 0, max: 20 });
const rules: fc.Arbitrary<KeepRules> = fc.record(
  {
    last: count,
    hourly: count,
    daily: count,
    weekly: count,
    monthly: count,
    yearly: count,
    within: fc.record({ years: few, months: few, days: few, hours: few }, { requiredKeys: [] }),
  },
  { requiredKeys: [] },
);

test('the rules keep what the model keeps, for the same reasons; never none', () => {
  let [largest, removed] = [0, 0];
  fc.assert(
    fc.property(backups, rules, (given, keep) => {
      const judged = applyRules(given, keep);
      const wanted = model(given, keep);
      expect(new Map(judged.map(({ snapshot, reasons }) => [snapshot.name, reasons]))).toEqual(wanted);
      expect(judged.length).toBe(given.length);
      const kept = judged.filter(({ reasons }) => reasons.length > 0);
      if (given.length > 0) expect(kept.length > 0).toBe(keepsAnything(keep));
      if (kept.length > 0) expect(judged[0]?.reasons.length).toBeGreaterThan(0);
      largest = Math.max(largest, given.length);
      removed += judged.length - kept.length;
    }),
    { seed: SEED, numRuns: RUNS },
  );
  // It was worth it.
  expect(largest).toBeGreaterThan(300);
  expect(removed).toBeGreaterThan(1000);
});

test('the order in which they are given makes no difference', () => {
  fc.assert(
    fc.property(backups, rules, (given, keep) => {
      expect(applyRules(given.toReversed(), keep)).toEqual(applyRules(given, keep));
    }),
    { seed: SEED, numRuns: 50 },
  );
});

/** What is kept of backups made at these times, which are their names. */
function kept(keep: KeepRules, ...times: string[]): Record<string, string> {
  const given = times.map((name) => ({ name, time: Date.parse(name) }));
  const judged = applyRules(given, keep).filter(({ reasons }) => reasons.length > 0);
  return Object.fromEntries(judged.map(({ snapshot, reasons }) => [snapshot.name, reasons.map(text).join(', ')]));
}

function text(reason: KeepReason): string {
  if (reason.rule === 'within') return `within ${reason.span}`;
  return reason.rule === 'last'
    ? `last ${reason.number}`
    : `${reason.rule} ${reason.period}${reason.oldest ? ' oldest' : ''}`;
}

describe('by example', () => {
  test('days without a backup do not count, and of each day the newest is kept', () => {
    expect(
      kept({ daily: 2 }, '2026-05-01T08:00Z', '2026-05-02T08:00Z', '2026-05-02T11:00Z', '2026-05-09T10:00Z'),
    ).toEqual({
      '2026-05-09T10:00Z': 'daily 2026-05-09',
      '2026-05-02T11:00Z': 'daily 2026-05-02',
    });
  });

  test('a rule that has some of its count left keeps the oldest, too', () => {
    expect(kept({ monthly: 4 }, '2024-01-02T13:00Z', '2024-01-03T01:00Z', '2024-01-04T20:09Z')).toEqual({
      '2024-01-04T20:09Z': 'monthly 2024-01',
      '2024-01-02T13:00Z': 'monthly 2024-01 oldest',
    });
  });

  test('weeks are those of ISO 8601: the last days of a year can be in the first week of the next', () => {
    expect(kept({ weekly: 9 }, '2024-12-29T23:59:59Z', '2024-12-30T00:00Z', '2027-01-03T12:00Z')).toEqual({
      '2027-01-03T12:00Z': 'weekly 2026-W53',
      '2024-12-30T00:00Z': 'weekly 2025-W01',
      '2024-12-29T23:59:59Z': 'weekly 2024-W52',
    });
  });

  test('of two made in the same second the one with the greater name is the newer', () => {
    const time = Date.UTC(2026, 4, 28);
    const given = ['b', 'c', 'a'].map((name) => ({ name, time }));
    expect(applyRules(given, { last: 1 }).map(({ snapshot }) => snapshot.name)).toEqual(['c', 'b', 'a']);
  });

  test('within is as seen from the newest one, whatever the time is now, and leaves out what is just that old', () => {
    const times = ['2001-03-31T12:00Z', '2001-03-03T12:00:01Z', '2001-03-03T12:00Z', '2001-02-28T12:00Z'];
    // A month before March 31st is February 31st, which is March 3rd.
    expect(Object.keys(kept({ within: { months: 1 } }, ...times))).toEqual(times.slice(0, 2));
    expect(Object.keys(kept({ within: { years: 999_999 } }, ...times))).toEqual(times);
    expect(
      Object.keys(kept({ within: { years: 1950 } }, ...times, '0052-01-01T00:00Z'.padStart(17, '0'))),
    ).toHaveLength(5);
  });
});
