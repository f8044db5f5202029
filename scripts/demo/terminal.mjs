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

/** Prints a command. @param {string} line @param {string} [as] the user it runs as, where not the one at hand */
export function prompt(line, as) {
  say(styled(36, `${as === undefined ? '' : `[${as}] `}$ ${line}`));
}

/** How a command is run. @typedef {{ as?: { name: string; uid: number; gid: number } | null; statuses?: number[] }} RunOptions */

/** Runs command lines until told to stop. */
export class Terminal {
  #env;
  #signal;

  /**
   * @param {NodeJS.ProcessEnv} env
   * @param {AbortSignal} signal ends the command at hand
   */
  constructor(env, signal) {
    this.#env = env;
    this.#signal = signal;
  }

  /** Runs a line; what it prints is seen. @param {string} line @param {RunOptions} [options] */
  async run(line, options = {}) {
    await this.#spawn(line, 'inherit', options);
  }

  /** Runs a line. @param {string} line @param {RunOptions} [options] @returns what it wrote to standard output */
  async read(line, options = {}) {
    return this.#spawn(line, 'pipe', options);
  }

  /**
   * @param {string} line
   * @param {'inherit' | 'pipe'} output
   * @param {RunOptions} options
   * @returns {Promise<string>}
   */
  async #spawn(line, output, { as = null, statuses = [0] }) {
    this.#signal.throwIfAborted();
    prompt(line, as?.name);
    const child = spawn('sh', ['-c', line], {
      env: this.#env,
      stdio: ['ignore', output, 'inherit'],
      detached: true,
      ...(as === null ? {} : { uid: as.uid, gid: as.gid, cwd: '/' }),
    });
    let text = '';
    child.stdout?.setEncoding('utf8').on('data', (chunk) => {
      text += chunk;
    });
    const end = () => {
      endGroup(child, 'SIGTERM');
      setTimeout(() => endGroup(child, 'SIGKILL'), 5000).unref();
    };
    const atExit = () => endGroup(child, 'SIGKILL');
    this.#signal.addEventListener('abort', end, { once: true });
    process.once('exit', atExit);
    try {
      const status = await new Promise((resolve, reject) => {
        child.once('error', reject);
        child.once('close', (code, signal) => resolve(code ?? signal));
      });
      this.#signal.throwIfAborted();
      if (!statuses.includes(status)) throw new Error(`the command above failed: ${status}`);
      return text;
    } finally {
      this.#signal.removeEventListener('abort', end);
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
