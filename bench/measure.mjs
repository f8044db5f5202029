/**
 * Running something once and knowing what it took.
 */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { plainEnvironment } from '../scripts/sample/postgres.mjs';

/**
 * @typedef {object} Cost
 * @property {number} wallMs
 * @property {number} userMs ended children included
 * @property {number} systemMs
 * @property {number | null} peakBytes resident memory of the process, all threads; null for a pipeline
 */

/**
 * Runs this Node.js with a script, to its end.
 *
 * @param {string[]} args
 * @returns {Promise<Cost>}
 */
export async function measureNode(args) {
  const file = join(tmpdir(), `bench-usage-${process.pid}.json`);
  const hook = fileURLToPath(new URL('at-exit.cjs', import.meta.url));
  const began = performance.now();
  await run(process.execPath, ['--require', hook, ...args], { BENCH_USAGE_FILE: file });
  const wallMs = performance.now() - began;
  try {
    return { wallMs, ...JSON.parse(readFileSync(file, 'utf8')) };
  } finally {
    rmSync(file, { force: true });
  }
}

/**
 * Runs a line of bash, with pipelines that fail when a part fails.
 *
 * @param {string} line
 * @param {Record<string, string>} [env]
 * @returns {Promise<Cost>}
 */
export async function measureShell(line, env = {}) {
  const began = performance.now();
  const said = await run('bash', ['-c', `set -eo pipefail\n${line}\nLC_ALL=C times`], env);
  const wallMs = performance.now() - began;
  // The second line: user and system time of the children, `0m1.234s 0m0.567s`.
  const times = [...(said.trimEnd().split('\n').at(-1) ?? '').matchAll(/(\d+)m([\d.]+)s/g)];
  const [userMs = Number.NaN, systemMs = Number.NaN] = times.map(
    ([, min, sec]) => Number(min) * 60e3 + Number(sec) * 1e3,
  );
  return { wallMs, userMs, systemMs, peakBytes: null };
}

/**
 * Runs a program to its end. @throws Error with its last words when it fails
 *
 * @param {string} command
 * @param {string[]} args
 * @param {Record<string, string>} [env]
 * @param {string} [input] file for its standard input
 * @returns {Promise<string>} its standard output
 */
export async function run(command, args, env = {}, input = '/dev/null') {
  const stdin = openSync(input, 'r');
  const child = spawn(command, args, { stdio: [stdin, 'pipe', 'pipe'], env: { ...plainEnvironment(), ...env } });
  closeSync(stdin);
  let [out, err] = ['', ''];
  child.stdout?.setEncoding('utf8').on('data', (chunk) => {
    out += chunk;
  });
  child.stderr?.setEncoding('utf8').on('data', (chunk) => {
    err = (err + chunk).slice(-4000);
  });
  const status = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(code ?? signal));
  });
  if (status !== 0) throw new Error(`${command} ${args.at(-1)}: ${status}\n${err}`);
  return out;
}

/** @param {number[]} values */
export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
