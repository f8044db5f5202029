/**
 * Commands as a person would type them: printed, then run by `sh`, each in a process group of its own, so that all of it can be ended.
 */
import { spawn } from 'node:child_process';

const colours = process.stdout.hasColors?.() === true && process.env.NO_COLOR === undefined;
const styled = (/** @type {number} */ code, /** @type {string} */ text) =>
  colours ? `\x1b[${code}m${text}\x1b[0m` : text;

/** @param {string} text */
export function say(text) {
  process.stdout.write(`${text}\n`);
}

/** Says what the commands above have shown. @param {string} text */
export function conclude(text) {
  say(`${styled(32, '✓')} ${text}`);
}

/** @param {string} title */
export function heading(title) {
  say(`\n${styled(1, title)}`);
}

/** Prints a command. @param {string} line */
export function prompt(line) {
  say(styled(36, `$ ${line}`));
}

/**
 * Where and as whom commands are run.
 *
 * @typedef {object} Place
 * @property {NodeJS.ProcessEnv} env
 * @property {{ uid: number; gid: number } | null} account null: as ourselves
 * @property {string} cwd
 * @property {AbortSignal} signal ends the command at hand
 */

/** Runs command lines until told to stop. */
export class Terminal {
  #place;
  /** How long each command of `leoflow` took, in milliseconds. @type {{ line: string; ms: number }[]} */
  times = [];

  /** @param {Place} place */
  constructor(place) {
    this.#place = place;
  }

  /** Runs a line; what it prints is seen. @param {string} line */
  async run(line) {
    await this.#finish(line, 'inherit', [0]);
  }

  /** Runs a line. @param {string} line @param {{ statuses?: number[] }} [options] @returns what it wrote to standard output */
  async read(line, { statuses = [0] } = {}) {
    return this.#finish(line, 'pipe', statuses);
  }

  /** Starts a line in the background, as a child of the shell that it is typed in; its output is piped. @param {string} line */
  start(line) {
    prompt(`${line} &`);
    return this.#spawn(`exec ${line}`, ['ignore', 'pipe', 'pipe']);
  }

  /** @param {string} line @param {import('node:child_process').StdioOptions} stdio */
  #spawn(line, stdio) {
    const { env, account, cwd, signal } = this.#place;
    signal.throwIfAborted();
    const as = account === null ? {} : { uid: account.uid, gid: account.gid };
    return spawn('sh', ['-c', line], { env, cwd, stdio, detached: true, ...as });
  }

  /** @param {string} line @param {'inherit' | 'pipe'} output @param {number[]} statuses @returns {Promise<string>} */
  async #finish(line, output, statuses) {
    const { signal } = this.#place;
    signal.throwIfAborted();
    prompt(line);
    const began = performance.now();
    const child = this.#spawn(line, ['ignore', output, 'inherit']);
    let text = '';
    child.stdout?.setEncoding('utf8').on('data', (chunk) => {
      text += chunk;
    });
    const end = () => {
      endGroup(child, 'SIGTERM');
      setTimeout(() => endGroup(child, 'SIGKILL'), 5000).unref();
    };
    const atExit = () => endGroup(child, 'SIGKILL');
    signal.addEventListener('abort', end, { once: true });
    process.once('exit', atExit);
    try {
      const status = await new Promise((resolve, reject) => {
        child.once('error', reject);
        child.once('close', (code, by) => resolve(code ?? by));
      });
      signal.throwIfAborted();
      if (!statuses.includes(status)) throw new Error(`the command above failed: ${status}`);
      if (line.startsWith('leoflow ')) this.times.push({ line, ms: performance.now() - began });
      return text;
    } finally {
      signal.removeEventListener('abort', end);
      process.removeListener('exit', atExit);
    }
  }
}

/** @param {import('node:child_process').ChildProcess} child @param {NodeJS.Signals} signal */
function endGroup(child, signal) {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // it is gone already
  }
}
