/**
 * The numbers to hold, and whether a report holds them.
 */
import { AXES, lineOf, mergeSeries } from './scaling.mjs';
import { limitOf, oursOf, summaries } from './summary.mjs';

/** @typedef {import('./match.mjs').Section} Section */
/** `value` is said with its unit. @typedef {{ goal: string; where: string; value: string; holds: boolean }} Verdict */

const MEMORY_MIB = 256;

/**
 * @param {import('./report/report.mjs').Report[]} reports
 * @returns {Verdict[]} for every goal that these reports say something about
 */
export function judge(reports) {
  const sections = reports.flatMap((report) => report.sections);
  const series = mergeSeries(reports);
  return [
    ...sections.flatMap(sectionVerdicts),
    ...sections.flatMap((section) => memoryVerdicts([section], placeOf(section))),
    ...series.flatMap(({ name, points }) =>
      memoryVerdicts(
        points.map(({ section }) => section),
        `${AXES[name].title}, ${name === 'workers' ? 'up to 2' : 'all that ended well'}`,
      ),
    ),
    ...series.flatMap(linearVerdicts),
  ];
}

/** A tree, told from another one of the same kind. @param {Section} section */
function placeOf({ tree: { name, bytes } }) {
  return `${name}, ${bytes < 1e9 ? `${(bytes / 1e6).toFixed(0)} MB` : `${(bytes / 1e9).toFixed(1)} GB`}`;
}

/** @param {Section} section @returns {Verdict[]} */
function sectionVerdicts(section) {
  const {
    peerLevel,
    tree: { name: kind },
  } = section;
  const where = placeOf(section);
  const [backup, restore] = [oursOf(section, 'backup'), oursOf(section, 'restore')];
  /** @type {Verdict[]} */
  const verdicts = [];
  const add = (/** @type {string} */ goal, /** @type {string} */ value, /** @type {boolean} */ holds) =>
    verdicts.push({ goal, where, value, holds });
  const faster = (/** @type {string} */ peer, /** @type {number} */ times) => {
    const found = summaries(section, 'backup').find(({ name }) => name === peer);
    if (found === undefined || backup === undefined) return;
    const { factor } = found;
    add(
      `backup ${times === 1 ? 'faster than' : `at least ${times} × as fast as`} ${peer}`,
      `${factor.toFixed(2)} ×`,
      factor >= times,
    );
  };
  const pigz = `tar | pigz -${peerLevel}`;
  if (kind === 'mixed') {
    faster(pigz, 2);
    const peer = summaries(section, 'backup').find(({ name }) => name === pigz);
    if (peer !== undefined && backup !== undefined) {
      const factor = backup.size / peer.size;
      add(`archive at most 1.01 × the size of ${pigz}`, `${factor.toFixed(3)} ×`, factor <= 1.01);
    }
    faster(`tar | bgzip -l${peerLevel}`, 1);
    faster('restic, first run', 1);
    const [workers] = section.workers;
    const alone = summaries(section, 'backup').find(({ name }) => name === 'leoflow lite backup, 1 worker');
    if (workers === 2 && alone !== undefined)
      add('backup: two workers at least 1.8 × as fast as one', `${alone.factor.toFixed(2)} ×`, alone.factor >= 1.8);
  }
  if (kind === 'dags' || kind === 'flat') faster(pigz, 1.7);
  if (kind === 'blobs') {
    const peer = summaries(section, 'backup').find(({ name }) => name === 'tar cf');
    if (peer !== undefined && backup !== undefined) {
      const factor = 1 / peer.factor;
      add('backup at most 1.3 × the time of tar cf', `${factor.toFixed(2)} ×`, factor <= 1.3);
    }
  } else {
    const share = limitOf(section)?.share ?? null;
    if (share !== null) add('share of the deflate limit at least 0.9', share.toFixed(2), share >= 0.9);
  }
  const untar = summaries(section, 'restore').find(({ name }) => name === 'tar xzf');
  if (untar !== undefined && restore !== undefined) {
    const { factor } = untar;
    add('restore at least 1.8 × as fast as tar xzf, checksums compared', `${factor.toFixed(2)} ×`, factor >= 1.8);
  }
  return verdicts;
}

/**
 * The goal is one for two workers; with more, each takes its share.
 *
 * @param {Section[]} sections of which the worst counts
 * @param {string} where
 * @returns {Verdict[]}
 */
function memoryVerdicts(sections, where) {
  return /** @type {const} */ (['backup', 'restore']).flatMap((direction) => {
    const peaks = sections
      .filter(({ workers: [first = 1] }) => first <= 2)
      .flatMap((section) => oursOf(section, direction)?.peakBytes ?? []);
    if (peaks.length === 0) return [];
    const mib = Math.max(...peaks) / 2 ** 20;
    const goal = `${direction}: peak memory at most ${MEMORY_MIB} MiB`;
    return [{ goal, where, value: `${mib.toFixed(0)} MiB`, holds: mib <= MEMORY_MIB }];
  });
}

/** A point that failed is on no line. @param {import('./scaling.mjs').Series} series @returns {Verdict[]} */
function linearVerdicts(series) {
  if (series.name === 'workers') return [];
  return /** @type {const} */ (['backup', 'restore']).flatMap((direction) => {
    const { values, line } = lineOf(series, direction);
    if (line === null || values.length < 3) return [];
    const failed = series.points.length - values.length;
    const goal = `${direction}: time linear within 15 %`;
    const value = `${(100 * line.worst).toFixed(1)} %${failed === 0 ? '' : `, ${failed} failed`}`;
    return [{ goal, where: AXES[series.name].title, value, holds: failed === 0 && line.worst <= 0.15 }];
  });
}
