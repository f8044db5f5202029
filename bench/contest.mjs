/**
 * A contest: all contenders of one direction on one tree, in turn, as often as asked for. What fails or is missing is named, and the others go on.
 */
import { run } from './measure/run.mjs';

/** @typedef {import('./contenders/contender.mjs').Contender} Contender */
/** When the engine said that a phase begins, since the start of the process. @typedef {{ phase: string; ms: number }[]} Phases */
/** @typedef {import('./measure/run.mjs').Cost & { phases: Phases }} Run */

/**
 * @typedef {object} Result
 * @property {string} name
 * @property {boolean} ours
 * @property {string | null} missing what would have to be installed
 * @property {string | null} failed what went wrong
 * @property {number} size bytes of what it made
 * @property {Run[]} runs
 */

/**
 * @param {Contender[]} contenders
 * @param {object} options
 * @param {number} options.runs
 * @param {boolean} options.cold whether the page cache is emptied before each run
 * @param {string} options.scratch
 * @param {import('./discard.mjs').Discard} options.discard
 * @param {AbortSignal} options.signal
 * @param {(text: string) => void} options.say
 * @param {() => Promise<void>} [options.betweenRounds] after each round
 * @returns {Promise<Result[]>}
 */
export async function contest(contenders, { runs, cold, scratch, discard, signal, say, betweenRounds }) {
  const results = contenders.map((contender) => {
    const { name, ours = false, missing } = contender;
    if (missing !== null) say(`${name} is skipped: ${missing}`);
    /** @type {Result} */
    const result = { name, ours, missing, failed: null, size: 0, runs: [] };
    return { contender, result };
  });
  for (let round = 1; round <= runs; round += 1) {
    for (const { contender, result } of results) {
      if (result.missing !== null || result.failed !== null) continue;
      try {
        const { cost, size } = await oneRun(contender, { cold, scratch, discard, signal, thorough: round === 1 });
        result.runs.push(cost);
        result.size = size;
        say(`${round}/${runs}  ${(cost.wallMs / 1000).toFixed(2).padStart(8)} s  ${contender.name}`);
      } catch (error) {
        signal.throwIfAborted();
        result.failed = error instanceof Error ? error.message : String(error);
        say(`${contender.name} failed: ${result.failed}`);
        await discard.take(contender.output, signal);
      }
    }
    await betweenRounds?.();
  }
  return results.map(({ result }) => result);
}

/**
 * @param {Contender} contender
 * @param {{ cold: boolean; scratch: string; discard: import('./discard.mjs').Discard; signal: AbortSignal; thorough: boolean }} options
 * @returns {Promise<{ cost: Run; size: number }>}
 */
async function oneRun(contender, { cold, scratch, discard, signal, thorough }) {
  const { direction, line, env, output, keeps, prepare, check } = contender;
  if (!keeps) await discard.take(output, signal);
  await prepare?.();
  // What the one before has written is none of this one's business.
  await run({ line: 'sync -f "$SCRATCH"', env: { SCRATCH: scratch }, signal });
  if (cold) await run({ line: 'sync; echo 3 > /proc/sys/vm/drop_caches', signal });
  /** @type {Phases} */
  const phases = [];
  const { cost } = await run({
    line,
    env,
    signal,
    onLine: (text, ms) => {
      const phase = /^\{"type":"phase","phase":"(\w+)"\}$/.exec(text)?.[1];
      if (phase !== undefined) phases.push({ phase, ms });
    },
  });
  await check(thorough);
  const size = direction === 'backup' ? await sizeOf(output, signal) : 0;
  if (!keeps) await discard.take(output, signal);
  return { cost: { ...cost, phases }, size };
}

/** @param {string} path a file, or a directory with all below it @param {AbortSignal} signal */
async function sizeOf(path, signal) {
  const line = `find "$OUTPUT" -type f -printf '%s\n' | awk '{ bytes += $1 } END { printf "%.0f", bytes }'`;
  const { said } = await run({ line, env: { OUTPUT: path }, signal });
  return Number(said);
}
