/** Restores and extractions that are broken off: in a process of their own, at a step that a test names. */
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type * as Library from '../../src/index.js';
import { processesOf, until } from '../support/cli.js';

/** The built library: its workers are files of their own, which only a build has. */
export const { backup, recover, restore, SnapshotError } = (await import(
  new URL('../../dist/index.js', import.meta.url).href
)) as typeof Library;

/** What is to happen, and at which call that changes something outside of the process. */
export interface Fault {
  /** Which calls count: those to the file system, or to other programs. Default: both. */
  calls?: 'files' | 'spawn';
  /** Only calls that mention this count. */
  like?: string;
  /** The phase from whose beginning on they count. Default: all of them. */
  from?: 'stage' | 'commit' | 'finish' | 'place';
  /** The number of the call, from 1 on; 0 for none. */
  at: number;
  /** And all behind it. */
  onward?: boolean;
  /** The process sends itself this signal. */
  signal?: NodeJS.Signals;
  /** The call fails with this error (`EIO`). */
  code?: string;
  /** File to which the calls are written. */
  log?: string;
}

/** Moments of the commit. */
export const COMMIT = {
  /** Nothing is moved yet, but the journal is there. */
  journalWritten: { calls: 'files', from: 'commit', at: 3 },
  /** The old workspace is aside, and there is no new one. */
  between: { calls: 'files', from: 'commit', at: 4 },
  /** The new workspace is there with the old config. */
  halfMoved: { calls: 'files', from: 'commit', at: 6 },
  /** Everything is moved, and some program asks about the databases. */
  beforeSwap: { calls: 'spawn', from: 'commit', at: 1 },
  /** The journal is to say that all is done. */
  afterSwap: { calls: 'files', from: 'commit', at: 3, like: 'restore-journal' },
  /** Some of what was replaced is removed. */
  tidying: { calls: 'spawn', from: 'commit', at: 3, like: 'spawn rm ' },
} as const satisfies Record<string, Fault>;

/** What became of a process. */
export interface Outcome<R> {
  /** Null where a signal ended it. */
  status: number | null;
  result?: R;
  error?: { name: string; code: string; message: string; hint?: string; stack: string };
  notes: string[];
}

/** A process that can be looked at before it ends. */
export interface Process<R> {
  pid: number;
  /** Resolves when it has stopped itself by SIGSTOP. */
  stopped(): Promise<void>;
  /** Goes on. */
  resume(): void;
  /** When it, and every program that it has started, has come to its end. */
  ended: Promise<Outcome<R>>;
}

type Calls = { restore: Library.RestoreResult; recover: Library.RecoverResult; extract: Library.ExtractResult };
type Options = {
  restore: Library.RestoreOptions & { input: string };
  recover: Library.RecoverOptions;
  extract: Library.ExtractOptions & { archive: string };
};

const PROGRAM = fileURLToPath(new URL('restore-process.mjs', import.meta.url));

export interface ProcessSettings {
  /** Holds the install, and the temporary files of the process. */
  base: string;
  fault?: Fault;
  /** Words in front of the program's own: `['prlimit', …]`. */
  under?: readonly string[];
  env?: Record<string, string>;
  /** Do not wait for the programs that it leaves behind. */
  leaving?: boolean;
}

/** Starts a restore, a recovery or an extraction. */
export function start<C extends keyof Calls>(
  call: C,
  options: Options[C],
  { base, fault, under = [], env = {}, leaving = false }: ProcessSettings,
): Process<Calls[C]> {
  const scratch = join(base, 'tmp');
  mkdirSync(scratch, { recursive: true });
  const args = [PROGRAM, JSON.stringify({ call, options })];
  const [command = process.execPath, ...rest] = [...under, process.execPath, ...args];
  const child = spawn(command, rest, {
    env: {
      PATH: process.env.PATH ?? '',
      HOME: '/nonexistent',
      TMPDIR: scratch,
      ...env,
      ...(fault && { FAULT: JSON.stringify(fault) }),
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const closed = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const pid = child.pid ?? 0;
  return {
    pid,
    stopped: () => until(() => isStopped(pid), 'a process that stops itself'),
    resume: () => void process.kill(pid, 'SIGCONT'),
    ended: (async () => {
      const status = await closed;
      if (!leaving) await until(() => processesOf(base).length === 0, 'the end of the programs that were started');
      rmSync(scratch, { recursive: true, force: true });
      return { status, notes: [], ...(said === '' ? {} : JSON.parse(said)) };
    })(),
  };
}

/** Runs a restore to its end, whatever that is. */
export function runRestore(options: Options['restore'], settings: ProcessSettings): Promise<Outcome<Calls['restore']>> {
  return start('restore', options, settings).ended;
}

/** Runs a recovery to its end, whatever that is. */
export function runRecovery(
  options: Options['recover'],
  settings: ProcessSettings,
): Promise<Outcome<Calls['recover']>> {
  return start('recover', options, settings).ended;
}

function isStopped(pid: number): boolean {
  const status = readFileSync(`/proc/${pid}/stat`, 'latin1');
  return status.slice(status.lastIndexOf(')') + 2).startsWith('T');
}
