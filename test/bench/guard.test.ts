/** The regression guard compares ratios, and lets them be worse by no more than it says. */
import { describe, expect, test } from 'vitest';
import { compareRatios, type Ratio, ratiosOf, TOLERANCE } from '../../bench/guard.mjs';
import { fitLine, median } from '../../bench/statistics.mjs';

const run = (wallMs: number) => ({
  wallMs,
  userMs: wallMs,
  systemMs: 0,
  peakBytes: 128 * 2 ** 20,
  highWaterBytes: 0,
  threadMs: [],
  phases: [],
});
const result = (name: string, size: number, ...walls: number[]) => ({
  name,
  ours: name === 'ours',
  missing: null,
  failed: null,
  size,
  runs: walls.map(run),
});

/**
 * One tree, three rounds on a machine whose speed changes: where ours takes `ours` milliseconds, a peer takes 1,000, and one core to deflate it 1,000. In the
 * second round all take five times as long. In the third, something else delays ours alone.
 */
const section = (ours: number) => ({
  tree: { name: 'mixed', files: 10, bytes: 1e6, dumpBytes: 0 },
  level: 5,
  peerLevel: 6,
  cores: 2,
  workers: [2],
  limits: [1, 5, 1].map((times) => ({ sampleBytes: 1e6, oneCore: 1e6 / times, allCores: 2e6 / times })),
  backup: [result('peer', 200, 1000, 5000, 1000), result('ours', 100, ours, 5 * ours, 1.4 * ours), result('absent', 0)],
  restore: [],
});

const baseline = (ratios: Ratio[]) => ({
  created: '2026-01-01',
  commit: '1234567',
  cpu: 'a processor',
  cores: 2,
  ratios,
});

describe('ratios', () => {
  test('are those of the same round, of ours to each peer that ran, and to the deflate limit', () => {
    expect(ratiosOf([section(500)])).toEqual([
      { kind: 'time', name: 'mixed, backup: time of ours / peer', value: 0.5 },
      { kind: 'size', name: 'mixed: size of ours / peer', value: 0.5 },
      { kind: 'time', name: 'mixed, backup: time of ours / deflate limit', value: 1 },
      { kind: 'memory', name: 'mixed, backup: peak memory of ours / 256 MiB', value: 0.5 },
    ]);
  });

  test('hold as long as none is worse than its tolerance', () => {
    const before = baseline(ratiosOf([section(500)]));
    const within = 500 * (1 + TOLERANCE.time) - 1;
    expect(compareRatios(before, ratiosOf([section(within)])).filter(({ worse }) => worse)).toEqual([]);
    expect(compareRatios(before, ratiosOf([section(100)])).filter(({ worse }) => worse)).toEqual([]);
  });

  test('fail by name beyond it', () => {
    const before = baseline(ratiosOf([section(500)]));
    const beyond = 500 * (1 + TOLERANCE.time) + 1;
    const worse = compareRatios(before, ratiosOf([section(beyond)])).filter((one) => one.worse);
    expect(worse.map(({ name }) => name)).toEqual([
      'mixed, backup: time of ours / peer',
      'mixed, backup: time of ours / deflate limit',
    ]);
  });

  test('fail where what the baseline holds was not measured', () => {
    const before = baseline([{ kind: 'time', name: 'gone', value: 1 }]);
    expect(compareRatios(before, [])).toEqual([{ name: 'gone', was: 1, is: null, allowed: 1.15, worse: true }]);
  });
});

test('the median of an even number of values lies between the middle ones', () => {
  expect(median([4, 1, 3, 100])).toBe(3.5);
  expect(median([5, 1, 3])).toBe(3);
});

test('a line through points is exact where they lie on one, and says how far the farthest is from it', () => {
  const exact = fitLine([1, 2, 4, 8].map((x) => ({ x, y: 3 + 2 * x })));
  expect(exact.offset).toBeCloseTo(3);
  expect(exact.slope).toBeCloseTo(2);
  expect(exact.worst).toBeCloseTo(0);
  expect(fitLine([1, 2, 4, 8].map((x) => ({ x, y: x ** 2 }))).worst).toBeGreaterThan(0.15);
});
