/**
 * Running a line of bash once, to its end, and knowing what it took.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { plainEnvironment } from '../../scripts/sample/postgres.mjs';
import { ProcessTree } from './process-tree.mjs';

/**
 * @typedef {object} Line
 * @property {string} line bash, with `set -eo pipefail`: a pipeline fails when any part of it fails
 * @property {Record<string, string>} [env] more variables: paths with odd characters are safest there
 * @property {string} [cwd]
 * @property {AbortSignal} [signal] ends it, and all that it has started
 * @property {(text: string, ms: number) => void} [onLine] each line that it says, and when, in milliseconds since the start
 */

/**
 * @typedef {object} TimesTaken
 * @property {number} wallMs
 * @property {number} userMs all processes of the line
 * @property {number} systemMs
 */

/** @typedef {TimesTaken & import('./process-tree.mjs').Observed} Cost */

/** What was said last is kept; an archive's listing would be too much. */
const KEPT_CHARACTERS = 10_000;
const LAST_WORDS = 500;
/** How long it may take to stop in good order. */
const PATIENCE_MS = 10_000;

/**
 * @param {Line} line
 * @returns {Promise<{ cost: Cost; said: string }>} `said`: the end of its standard output
 * @throws Error with its last words when it fails; the signal's reason when it was stopped
 */
export async function run({ line, env = {}, cwd, signal, onLine }) {
  signal?.throwIfAborted();
  const began = performance.now();
  // A group of its own, so that all of it can be ended. What bash's children took is said on a channel of its own.
  const child = spawn('bash', ['-c', `set -eo pipefail\n${line}\n{ times; } >&3`], {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    env: { ...plainEnvironment(), LC_ALL: 'C', ...env },
    detached: true,
    ...(cwd === undefined ? {} : { cwd }),
  });
  const closed = once(child, 'close');
  const group = child.pid;
  if (group === undefined) throw (await closed.catch((error) => [error]))[0];
  const tree = new ProcessTree(group);
  /** @type {NodeJS.Timeout | undefined} */
  let patience;
  const end = () => {
    endGroup(group, 'SIGTERM');
    patience = setTimeout(() => endGroup(group, 'SIGKILL'), PATIENCE_MS);
  };
  signal?.addEventListener('abort', end, { once: true });
  // The last moment of this process, whatever ends it.
  const last = () => endGroup(group, 'SIGKILL');
  process.once('exit', last);
  const [, stdout, stderr, times] = child.stdio;
  const said = keepEnd(stdout);
  const errors = keepEnd(stderr);
  const taken = keepEnd(times);
  if (onLine !== undefined && stdout !== null) {
    const lines = createInterface({ input: /** @type {import('node:stream').Readable} */ (stdout) });
    lines.on('line', (text) => onLine(text, performance.now() - began));
  }
  let wallMs = 0;
  child.once('exit', () => {
    wallMs = performance.now() - began;
  });
  try {
    const [code, killed] = await closed;
    signal?.throwIfAborted();
    if (code !== 0)
      throw new Error(`${(errors() || said()).trim().slice(-LAST_WORDS)} (ended with ${code ?? killed})`.trim());
    return { cost: { wallMs, ...parseTimes(taken()), ...tree.stop() }, said: said() };
  } finally {
    tree.stop();
    clearTimeout(patience);
    signal?.removeEventListener('abort', end);
    process.removeListener('exit', last);
  }
}

/** @param {number} group @param {NodeJS.Signals} signal */
function endGroup(group, signal) {
  try {
    process.kill(-group, signal);
  } catch {
    // It has ended.
  }
}

/** @param {unknown} stream @returns {() => string} */
function keepEnd(stream) {
  let text = '';
  /** @type {import('node:stream').Readable} */ (stream)
    .setEncoding('utf8')
    .on('data', (/** @type {string} */ chunk) => {
      text = (text + chunk).slice(-KEPT_CHARACTERS);
    });
  return () => text;
}

/** The second line that `times` says is the children's: `0m1.234s 0m0.567s`. @param {string} times */
function parseTimes(times) {
  const [userMs = Number.NaN, systemMs = Number.NaN] = [
    ...(times.trimEnd().split('\n').at(-1) ?? '').matchAll(/(\d+)m([\d.]+)s/g),
  ].map(([, minutes, seconds]) => Number(minutes) * 60e3 + Number(seconds) * 1e3);
  return { userMs, systemMs };
}
