/**
 * The regression guard: ratios of what was measured, against those of a baseline. Never times: they are the machine's.
 */
import { limitOf, oursOf, summaries } from './summary.mjs';

/** What the guard measures: small enough for a few minutes, large enough that starting up does not decide; peers that take their time, too. */
export const GUARD = {
  trees: /** @type {import('./options.mjs').Wanted[]} */ ([
    { profile: 'mixed', bytes: 200e6, peers: ['tar | pigz', 'tar | bgzip', 'tar xzf'] },
    { profile: 'dags', bytes: 80e6, peers: ['tar | pigz', 'tar | bgzip', 'tar xzf'] },
    { profile: 'blobs', bytes: 400e6, peers: ['tar cf', 'tar xzf'] },
  ]),
  runs: 5,
};

/** By how much a ratio may be worse than the baseline's. Sizes follow from the tree alone; times do not. */
export const TOLERANCE = { time: 0.15, size: 0.01, memory: 0.2 };

const MEMORY_BYTES = 256 * 2 ** 20;

/** In all of them less is better. @typedef {{ kind: keyof typeof TOLERANCE; name: string; value: number }} Ratio */
/** @typedef {{ created: string; commit: string; cpu: string; cores: number; ratios: Ratio[] }} Baseline */
/** @typedef {{ name: string; was: number; is: number | null; allowed: number; worse: boolean }} Comparison `null`: not measured */

/**
 * @param {import('./match.mjs').Section[]} sections
 * @returns {Ratio[]}
 */
export function ratiosOf(sections) {
  return sections.flatMap((section) => {
    const tree = section.tree.name;
    /** @type {Ratio[]} */
    const ratios = [];
    for (const direction of /** @type {const} */ (['backup', 'restore'])) {
      const ours = oursOf(section, direction);
      if (ours === undefined) continue;
      const peers = summaries(section, direction).filter((one) => !one.ours);
      for (const peer of peers) {
        ratios.push({
          kind: 'time',
          name: `${tree}, ${direction}: time of ours / ${peer.name}`,
          value: 1 / peer.factor,
        });
        if (direction === 'backup') {
          ratios.push({ kind: 'size', name: `${tree}: size of ours / ${peer.name}`, value: ours.size / peer.size });
        }
      }
      const share = direction === 'backup' ? (limitOf(section)?.share ?? null) : null;
      if (share !== null)
        ratios.push({ kind: 'time', name: `${tree}, backup: time of ours / deflate limit`, value: 1 / share });
      if (ours.peakBytes !== null) {
        ratios.push({
          kind: 'memory',
          name: `${tree}, ${direction}: peak memory of ours / 256 MiB`,
          value: ours.peakBytes / MEMORY_BYTES,
        });
      }
    }
    return ratios;
  });
}

/**
 * @param {Baseline} baseline
 * @param {Ratio[]} now
 * @returns {Comparison[]} what the baseline holds; one that was not measured now counts as worse
 */
export function compareRatios(baseline, now) {
  const measured = new Map(now.map(({ name, value }) => [name, value]));
  return baseline.ratios.map(({ kind, name, value: was }) => {
    const is = measured.get(name) ?? null;
    const allowed = was * (1 + TOLERANCE[kind]);
    return { name, was, is, allowed, worse: is === null || is > allowed };
  });
}

/** @param {Comparison[]} comparisons @returns {import('./report/document.mjs').Block[]} */
export function guardDocument(comparisons) {
  const number = (/** @type {number | null} */ value) => (value === null ? 'not measured' : value.toFixed(3));
  const worse = comparisons.filter((one) => one.worse).length;
  return [
    {
      type: 'table',
      columns: ['ratio, less is better', 'baseline', 'allowed', 'now', 'verdict'],
      rows: comparisons.map((one) => ({
        cells: [one.name, number(one.was), number(one.allowed), number(one.is), one.worse ? 'WORSE' : 'holds'],
        ours: one.worse,
      })),
    },
    {
      type: 'paragraph',
      text:
        worse === 0
          ? 'Nothing is worse than the baseline allows.'
          : `${worse} of ${comparisons.length} are worse than the baseline allows.`,
    },
  ];
}
