/**
 * Child processes that never outlive the wait for them.
 *
 * Every program of PostgreSQL is run through here: an abort ends the child, kindly first, and is reported only when the child is gone.
 */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { interrupted, SnapshotError, systemErrorCode, systemErrorText, throwIfAborted } from '../errors.js';

/** Time between SIGTERM and SIGKILL, in milliseconds. */
const GRACE = 5000;

/** How a child ended. */
export interface Exit {
  /** Exit status, or null when a signal ended it. */
  status: number | null;
  /** The signal that ended it, or null. */
  by: NodeJS.Signals | null;
}

/** A child with its end. */
export interface Child<P extends ChildProcess = ChildProcess> {
  process: P;
  /** Resolves when the process is gone, however it ended; rejects only when it could not be started (`TOOL_NOT_FOUND`). */
  exit: Promise<Exit>;
  /** Ends it: SIGTERM, then SIGKILL. Resolves when it is gone. */
  end(): Promise<void>;
}

/**
 * Starts a program.
 *
 * @param signal ends the child when it fires; the caller turns the end into `INTERRUPTED`
 */
export function start(
  command: string,
  args: readonly string[],
  options: SpawnOptions,
  signal: AbortSignal | undefined,
): Child {
  throwIfAborted(signal);
  // A session of its own: what a terminal sends to this program (Ctrl-C) is this program's to answer, also while it is undoing something.
  const process = spawn(command, args, { ...options, detached: true });
  let killer: NodeJS.Timeout | undefined;

  const terminate = () => {
    if (process.exitCode !== null || process.signalCode !== null || killer !== undefined) return;
    process.kill('SIGTERM');
    killer = setTimeout(() => process.kill('SIGKILL'), GRACE);
  };
  signal?.addEventListener('abort', terminate, { once: true });

  const exit = new Promise<Exit>((resolve, reject) => {
    process.once('exit', (status, by) => resolve({ status, by }));
    process.once('error', (error) => {
      // A failing kill() is also reported here; then the process exists and will exit.
      if (process.pid === undefined) reject(notRunnable(command, error));
    });
  }).finally(() => {
    clearTimeout(killer);
    signal?.removeEventListener('abort', terminate);
  });
  exit.catch(() => {});

  const end = async () => {
    terminate();
    await exit.then(
      () => {},
      () => {},
    );
  };
  return { process, exit, end };
}

function notRunnable(command: string, cause: Error): SnapshotError {
  const why = systemErrorCode(cause) === 'ENOENT' ? 'it does not exist' : systemErrorText(cause);
  return new SnapshotError('TOOL_NOT_FOUND', `${command} cannot be run: ${why}`, {
    hint: 'install the client programs of PostgreSQL, or name their directory with --pg-bin',
    cause,
  });
}

/** The last bytes of a stream, however long it is. */
export class Tail {
  readonly #limit: number;
  #chunks: Buffer[] = [];
  #size = 0;

  /** @param limit bytes to keep */
  constructor(limit = 64 * 1024) {
    this.#limit = limit;
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    if (this.#size > 2 * this.#limit) {
      const kept = Buffer.concat(this.#chunks).subarray(-this.#limit);
      this.#chunks = [kept];
      this.#size = kept.length;
    }
  }

  toString(): string {
    return Buffer.concat(this.#chunks).subarray(-this.#limit).toString('utf8');
  }
}

/** What a finished program said. */
export interface Outcome extends Exit {
  /** The last MiB. */
  stdout: string;
  /** The last 64 KiB. */
  stderr: string;
}

/**
 * Runs a program to its end.
 *
 * @throws `INTERRUPTED` once the child is gone after the signal has fired; `TOOL_NOT_FOUND` when it cannot be started
 */
export async function run(
  command: string,
  args: readonly string[],
  options: SpawnOptions & { input?: string; signal?: AbortSignal | undefined } = {},
): Promise<Outcome> {
  const { input, signal, ...spawnOptions } = options;
  const child = start(command, args, { ...spawnOptions, stdio: 'pipe' }, signal);
  const [stdout, stderr] = [new Tail(1024 * 1024), new Tail()];
  const closed = new Promise<void>((resolve) => {
    child.process.once('close', resolve);
    child.process.once('error', () => resolve());
  });
  child.process.stdout?.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.process.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk));
  // A child that ends before it has read everything says why by its exit status.
  child.process.stdin?.on('error', () => {});
  child.process.stdin?.end(input ?? '');

  const exit = await child.exit;
  // After an abort nobody waits for what a grandchild may still hold open.
  if (signal?.aborted) {
    child.process.stdout?.destroy();
    child.process.stderr?.destroy();
    throw interrupted();
  }
  await closed;
  return { ...exit, stdout: stdout.toString(), stderr: stderr.toString() };
}
