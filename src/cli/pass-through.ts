/**
 * The other Leoflow. This program is called `leoflow`, as the Leoflow binary is, and stands in front of it: what is not a command of ours goes to the next
 * `leoflow` on `PATH` as if we were not there, with the same words, streams, directory and environment, and with its end as ours.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, realpathSync } from 'node:fs';
import { isatty } from 'node:tty';
// Not by the library's index: every command of the other Leoflow would wait for the whole engine to load.
import { nextLeoflow } from '../engine/install/leoflow-binary.js';
import { EXIT, signalStatus } from './exit.js';
import { printable } from './format.js';
import { isGone, ownTerminals } from './terminals.js';

/** The commands that are ours whatever else is installed. */
const OWN = ['backup', 'diff', 'prune', 'restore', 'verify'].flatMap((command) => [
  ['lite', command],
  ['lite', 'help', command],
]);
/** Command lines that ask what there is at all: both answer, through us. */
const HELP = new Set(['--help', '-h', 'help']);

/** Whether a command line is for a command of ours, also where there is another Leoflow. */
export function isOwn(argv: readonly string[]): boolean {
  return OWN.some((words) => words.every((word, index) => argv[index] === word));
}

/** Whether a command line asks for the help of `leoflow` itself. */
export function asksForHelp(argv: readonly string[]): boolean {
  return argv.length === 1 && HELP.has(argv[0] ?? '');
}

/** Tells a program that we start, and that may start us, which way a command line has come. */
const TRACE = 'LEOFLOW_SNAPSHOT_PASS_THROUGH';
/** Steps after which a way is no way any more: nobody passes a command line on so often. */
const MOST_STEPS = 16;

/** What a shell ends with where a program is found but cannot be run. */
const CANNOT_RUN = 126;

/** The way a command line has come: how often it was passed on, which one it was, and to whom (real paths). */
interface Trace {
  steps: number;
  digest: string;
  passed: readonly string[];
}

/** A program that is passed a command line. */
export interface Other {
  /** As `PATH` names it. */
  path: string;
  trace: Trace;
}

/**
 * The Leoflow that a command line goes to: the next one on `PATH` that is not ourselves, and that has not passed this very command line to us.
 *
 * A script called `leoflow` that in the end starts us is thus asked once, and then the next one.
 *
 * @returns null where there is none
 */
export async function findOther(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<Other | null> {
  const digest = createHash('sha256').update(JSON.stringify(argv)).digest('hex').slice(0, 16);
  const came = readTrace(env[TRACE]);
  const passed = came?.digest === digest ? came.passed : [];
  const path = await nextLeoflow({ env, except: passed });
  if (path === null) return null;
  return { path, trace: { steps: (came?.steps ?? 0) + 1, digest, passed: [...passed, realpathSync(path)] } };
}

function readTrace(text: string | undefined): Trace | undefined {
  const [, steps, digest, passed] = /^(\d{1,3}) ([0-9a-f]{16}) (.+)$/s.exec(text ?? '') ?? [];
  if (steps === undefined || digest === undefined || passed === undefined) return undefined;
  return { steps: Number(steps), digest, passed: passed.split(':') };
}

/** Those of the keyboard go to every process that runs in the foreground of the terminal, not to us alone. */
const KEYBOARD: ReadonlySet<NodeJS.Signals> = new Set(['SIGINT', 'SIGQUIT']);
const FORWARDED: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', ...KEYBOARD];

/** Passes a command line on, and ends as the other program does: with its status, or by the signal that ended it. */
export async function passThrough(other: Other, argv: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  const { path, trace } = other;
  if (trace.steps > MOST_STEPS) return fail(`leoflow and ${path} call each other without end`);
  const terminals = ownTerminals();
  const told = { ...env, [TRACE]: `${trace.steps} ${trace.digest} ${trace.passed.join(':')}` };
  try {
    const [status, by] = await runToItsEnd(path, argv, told);
    process.exitCode = status ?? signalStatus(by ?? 'SIGKILL');
    if (by !== null) endBy(by);
    else if (isGone(terminals)) endBy('SIGHUP');
  } catch (error) {
    fail(`${path} cannot be run: ${error instanceof Error ? error.message : error}`, CANNOT_RUN);
  }
}

async function runToItsEnd(
  path: string,
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<[number | null, NodeJS.Signals | null]> {
  const child = spawn(path, argv, { stdio: 'inherit', env });
  const forward = (signal: NodeJS.Signals) => {
    if (!(KEYBOARD.has(signal) && inForeground())) child.kill(signal);
  };
  for (const signal of FORWARDED) process.on(signal, forward);
  try {
    return await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (status, by) => resolve([status, by]));
    });
  } finally {
    for (const signal of FORWARDED) process.off(signal, forward);
  }
}

function fail(message: string, status: number = EXIT.failed): void {
  process.stderr.write(`error: ${printable(message)}\n`);
  process.exitCode = status;
}

/** Ends this process by a signal. */
function endBy(signal: NodeJS.Signals): void {
  try {
    // Node.js ignores some (SIGPIPE); what was listened for and is not any more does what it does by default.
    process.once(signal, () => {}).removeAllListeners(signal);
  } catch {
    // SIGKILL and SIGSTOP cannot be listened for, nor ignored.
  }
  process.kill(process.pid, signal);
}

/** Whether this process runs in the foreground of its terminal. */
function inForeground(): boolean {
  try {
    const status = readFileSync('/proc/self/stat', 'latin1');
    const [, , group, , terminal, foreground] = status.slice(status.lastIndexOf(')') + 2).split(' ');
    return terminal !== '0' && group === foreground;
  } catch {
    return isatty(0) || isatty(2);
  }
}
