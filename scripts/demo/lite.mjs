/**
 * `leoflow lite` in the background, as in another terminal.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Last words of a start. */
const UP = 'Ctrl-C stops it';

/** A `leoflow lite` that is up. */
export class Lite {
  #child;
  #home;
  #ended;

  /** @param {import('node:child_process').ChildProcess} child @param {string} home `…/.leoflow` */
  constructor(child, home) {
    this.#child = child;
    this.#home = home;
    this.#ended = new Promise((resolve) => {
      child.once('exit', resolve);
      child.once('error', resolve);
    });
  }

  /** Waits until it is up; what it says is seen. */
  async up() {
    let said = '';
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text) => {
        if (!said.includes(UP)) process.stdout.write(text);
        said += text;
      });
    }
    while (this.running && !said.includes(UP)) await sleep(50);
    if (!this.running) throw new Error('the command above failed');
  }

  get running() {
    return this.#child.pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Ctrl-C. Resolves when it is gone. @returns {Promise<number | null>} its status */
  async stop() {
    if (this.running) this.#child.kill('SIGINT');
    return this.end();
  }

  /** Resolves when it is gone by itself, or has taken too long. @returns {Promise<number | null>} its status */
  async end() {
    const timer = new AbortController();
    await Promise.race([this.#ended, sleep(30_000, null, { signal: timer.signal }).catch(() => {})]);
    timer.abort();
    this.kill();
    return this.#child.exitCode;
  }

  /** Ends it, and its server, at once; for the last moment of the process. */
  kill() {
    if (this.running) this.#child.kill('SIGKILL');
    try {
      process.kill(Number.parseInt(readFileSync(join(this.#home, 'pgdata', 'postmaster.pid'), 'utf8'), 10), 'SIGQUIT');
    } catch {
      // no server, or none any more
    }
  }
}
