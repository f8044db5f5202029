/** The rules against a model of them that was written by itself, and the examples that the documentation gives. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { applyRules, isComplete, keepsAnything } from '../../src/engine/prune/policy.js';
import type { KeepReason, KeepRules } from '../../src/index.js';
import { type Backup, model } from './model.js';

const SEED = Number(process.env.FUZZ_SEED ?? 20261126);
const RUNS = Number(process.env.FUZZ_RUNS ?? 400);
const [SECOND, HOUR, DAY] = [1000, 3_600_000, 86_400_000];

/** Up to 400 backups, in any order: many at the same time, many in the same hour, some years apart, around every turn of a year; some not complete. */
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
    // What each of them lacks, again and again.
    lacks: fc.oneof(
      fc.constant([null]),
      fc.constant([7]),
      fc.array(fc.constantFrom(null, 0, 1), { minLength: 1, maxLength: 9 }),
    ),
  })
  .map(({ begin, gaps, salt, lacks }) => {
    let time = Math.floor(begin / SECOND) * SECOND;
    const made = gaps.map((gap, index) => {
      time += Math.floor(gap / SECOND) * SECOND;
      const incomplete = lacks[index % lacks.length] ?? null;
      return { name: `${(index * salt) % 1009}-${index}.tar.gz`, time, incomplete };
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

test('one that is not complete never makes a complete one go, nor has the place of one, nor are there ever more than the rules allow', () => {
  let kept = 0;
  fc.assert(
    fc.property(backups, rules, (given, keep) => {
      const judged = applyRules(given, keep);
      const complete = judged.filter(({ snapshot }) => isComplete(snapshot));
      expect(complete).toEqual(applyRules(given.filter(isComplete), keep));
      const others = judged.filter(({ snapshot, reasons }) => !isComplete(snapshot) && reasons.length > 0);
      const periods = new Set(complete.map(({ snapshot }) => new Date(snapshot.time).toISOString().slice(0, 10)));
      for (const { reasons } of others) {
        for (const reason of reasons) if (reason.rule === 'daily') expect(periods).not.toContain(reason.period);
      }
      const { within, ...counts } = keep;
      if (within === undefined)
        expect(others.length).toBeLessThanOrEqual(Object.values(counts).reduce((sum, n) => sum + n, 1));
      kept += others.length;
    }),
    { seed: SEED, numRuns: RUNS },
  );
  expect(kept).toBeGreaterThan(1000);
});

test('the order in which they are given makes no difference', () => {
  fc.assert(
    fc.property(backups, rules, (given, keep) => {
      expect(applyRules(given.toReversed(), keep)).toEqual(applyRules(given, keep));
    }),
    { seed: SEED, numRuns: 50 },
  );
});

/** What is kept of backups made at these times, which are their names; one with a question mark behind it is not complete. */
function kept(keep: KeepRules, ...times: string[]): Record<string, string> {
  const given = times.map((name) => ({
    name,
    time: Date.parse(name.replace('?', '')),
    incomplete: name.endsWith('?') ? 1 : 0,
  }));
  const judged = applyRules(given, keep).filter(({ reasons }) => reasons.length > 0);
  return Object.fromEntries(judged.map(({ snapshot, reasons }) => [snapshot.name, reasons.map(text).join(', ')]));
}

function text(reason: KeepReason): string {
  if (reason.rule === 'within') return `within ${reason.span}`;
  if (reason.rule === 'newest') return 'newest';
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
    const given = ['b', 'c', 'a'].map((name) => ({ name, time, incomplete: null }));
    expect(applyRules(given, { last: 1 }).map(({ snapshot }) => snapshot.name)).toEqual(['c', 'b', 'a']);
  });

  test('of a day with complete and incomplete ones the newest complete one is kept, and the newest of all', () => {
    const day = ['2026-05-28T03:00Z', '2026-05-28T04:00Z', '2026-05-28T05:00Z?', '2026-05-28T06:00Z?'];
    expect(kept({ daily: 1 }, ...day)).toEqual({
      '2026-05-28T04:00Z': 'daily 2026-05-28',
      '2026-05-28T06:00Z?': 'newest',
    });
    expect(kept({ daily: 1 }, ...day, '2026-05-29T03:00Z')).toEqual({ '2026-05-29T03:00Z': 'daily 2026-05-29' });
  });

  test('days with incomplete ones alone keep the newest of these, and push no complete one out', () => {
    expect(kept({ daily: 2 }, ...['20', '21'].map((day) => `2026-05-${day}T03:00Z`), '2026-05-26T03:00Z?')).toEqual({
      '2026-05-26T03:00Z?': 'daily 2026-05-26',
      '2026-05-21T03:00Z': 'daily 2026-05-21',
      '2026-05-20T03:00Z': 'daily 2026-05-20',
    });
  });

  test('where every one is incomplete from some day on, as many of these are kept as the rule says, and the last complete ones', () => {
    const incomplete = ['22', '23', '24', '25', '26'].map((day) => `2026-05-${day}T03:00Z?`);
    const times = ['2026-05-20T03:00Z', '2026-05-21T03:00Z', ...incomplete];
    const expected = ['2026-05-26T03:00Z?', '2026-05-25T03:00Z?', '2026-05-21T03:00Z', '2026-05-20T03:00Z'];
    expect(Object.keys(kept({ daily: 2 }, ...times))).toEqual(expected);
    expect(Object.keys(kept({ last: 2 }, ...times))).toEqual(expected);
    // As seen from the newest, and from the newest complete one.
    expect(Object.keys(kept({ within: { days: 2 } }, ...times))).toEqual(expected);
  });

  test('the oldest that a rule keeps is complete where there is a complete one in its period', () => {
    expect(
      kept({ monthly: 4 }, '2024-01-01T13:00Z?', '2024-01-02T13:00Z', '2024-01-03T01:00Z', '2024-01-04T20:09Z'),
    ).toEqual({
      '2024-01-04T20:09Z': 'monthly 2024-01',
      '2024-01-02T13:00Z': 'monthly 2024-01 oldest',
    });
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
