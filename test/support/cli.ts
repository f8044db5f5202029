/** The built program as people run it: a process with streams, signals and an end. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { closeSync, constants, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type * as Library from '../../src/index.js';
import { checkJson } from './json-lines.js';
import { isRoot } from './tree.js';
import { expectOneVoiceOf } from './voice.js';

/** The built executable. */
export const LEOFLOW = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

/** The built library: its workers are files of their own, which only a build has. */
export const { backup } = (await import(new URL('../../dist/index.js', import.meta.url).href)) as typeof Library;

export interface RunOptions {
  env?: Record<string, string>;
  cwd?: string;
  /** Words in front of the program's own: `['setpriv', …]`. */
  under?: readonly string[];
  /** What it reads: nothing, or a file descriptor. */
  stdin?: 'ignore' | number;
  /** Where its stdout goes: kept, or a file descriptor. */
  stdout?: 'pipe' | number;
  /** A process group of its own. */
  detached?: boolean;
}

export interface Ended {
  status: number | null;
  stdout: Buffer;
  stderr: string;
}

export interface Running {
  child: ChildProcess;
  /** Everything on stderr so far. */
  stderr(): string;
  /** Resolves when stderr holds the text; rejects when the process ends without. */
  said(text: string): Promise<void>;
  /** Resolves when the condition holds; rejects when the process ends before. */
  reached(condition: () => boolean, what: string): Promise<void>;
  ended: Promise<Ended>;
}

/** Starts the program. What it prints as JSON must be as the schema says, and what it says must be in one voice; else its end rejects. */
export function startLeoflow(argv: readonly string[], options: RunOptions = {}): Running {
  const [command = process.execPath, ...args] = [...(options.under ?? []), process.execPath, LEOFLOW, ...argv];
  const child = spawn(command, args, {
    env: { PATH: process.env.PATH ?? '', HOME: '/nonexistent', ...options.env },
    cwd: options.cwd,
    detached: options.detached ?? false,
    stdio: [options.stdin ?? 'ignore', options.stdout ?? 'pipe', 'pipe'],
  });
  const stdout: Buffer[] = [];
  let stderr = '';
  child.stdout?.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status) => {
      const printed = Buffer.concat(stdout);
      try {
        // Whoever has stopped reading has not read the last line.
        if (child.stdout?.readableEnded) checkJson(argv, status, printed.toString(), stderr);
        expectOneVoiceOf(stderr);
        resolve({ status, stdout: printed, stderr });
      } catch (error) {
        reject(error);
      }
    });
  });
  const reached = async (condition: () => boolean, what: string) => {
    await untilEither(condition, [ended], what);
    if (!condition()) throw new Error(`it ended before ${what}, and said: ${stderr}`);
  };
  return {
    child,
    stderr: () => stderr,
    said: (text) => reached(() => stderr.includes(text), `'${text}' was on stderr`),
    reached,
    ended,
  };
}

/** As {@link until}, but also over when one of the promises is settled. */
export async function untilEither(
  condition: () => boolean | Promise<boolean>,
  ends: readonly Promise<unknown>[],
  what: string,
): Promise<void> {
  let over = false;
  const end = () => {
    over = true;
  };
  for (const promise of ends) promise.then(end, end);
  await until(async () => over || condition(), what);
}

/** Runs the program to its end. */
export function leoflow(argv: readonly string[], options: RunOptions = {}): Promise<Ended> {
  return startLeoflow(argv, options).ended;
}

/** The words to run something under so that file modes count: root reads everything, unless it gives that up. */
export const underModes: readonly string[] = isRoot ? ['setpriv', '--bounding-set=-dac_override,-dac_read_search'] : [];

/** The last JSON line of a text. */
export function lastJson(text: string): Record<string, unknown> {
  return JSON.parse(text.trimEnd().split('\n').at(-1) ?? '') as Record<string, unknown>;
}

/** Waits for a condition, however long a busy machine takes. One that costs time itself, such as a question to a server, is asked less often. */
export async function until(condition: () => boolean | Promise<boolean>, what: string, ms = 90_000): Promise<void> {
  const end = Date.now() + ms;
  for (;;) {
    const asked = performance.now();
    if (await condition()) return;
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
    const pause = Math.min(Math.max(10, 3 * (performance.now() - asked)), 200);
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

/** Command lines of living processes that mention a text; database servers and this process aside. */
export function processesOf(text: string): string[] {
  return readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return [];
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      const line = words.join(' ').trim();
      return line.includes(text) && !/(^|\/)postgres:?$/.test(words[0]?.split(' ')[0] ?? '') ? [`${pid} ${line}`] : [];
    } catch {
      return [];
    }
  });
}

/** A reader that reads when told, and not before: what is written waits in a pipe of 64 KiB, and then the writer waits. */
export class SlowReader {
  /** Give this to a child as its stdout; then `started()`. */
  readonly writeEnd: number;
  readonly #readEnd: number;
  readonly #chunks: Buffer[] = [];
  size = 0;

  /** @param directory where a FIFO may be made */
  constructor(directory: string) {
    const path = join(directory, 'slow-reader');
    execFileSync('rm', ['-f', path]);
    execFileSync('mkfifo', [path]);
    this.#readEnd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    this.writeEnd = openSync(path, constants.O_WRONLY);
    execFileSync('rm', [path]);
  }

  /** The child has its end. */
  started(): void {
    closeSync(this.writeEnd);
  }

  /** Reads this many bytes in all, counted from the beginning; fewer when the writer has gone. */
  async readTo(size: number): Promise<void> {
    const buffer = Buffer.allocUnsafe(1 << 16);
    while (this.size < size) {
      const read = this.#read(buffer, Math.min(buffer.length, size - this.size));
      if (read === 0) return;
      if (read === null) await new Promise((resolve) => setTimeout(resolve, 5));
      else {
        this.#chunks.push(Buffer.from(buffer.subarray(0, read)));
        this.size += read;
      }
    }
  }

  /** Reads until the writer has gone. @returns all that came */
  async readAll(): Promise<Buffer> {
    await this.readTo(Number.POSITIVE_INFINITY);
    return Buffer.concat(this.#chunks);
  }

  /** Goes away. */
  close(): void {
    closeSync(this.#readEnd);
  }

  /** Null when there is nothing yet. */
  #read(buffer: Buffer, length: number): number | null {
    try {
      return readSync(this.#readEnd, buffer, 0, length, null);
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'EAGAIN') return null;
      throw error;
    }
  }
}
