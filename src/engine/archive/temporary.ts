/**
 * Temporary files that tell whose they are.
 *
 * A process that is killed cannot clean up, so the next one does. To know a dead process's file from a living one's, the name carries the
 * machine, the process and the moment that process began: `.x.tar.gz.leoflow-<machine>-<pid>-<began>-<n>.partial`.
 */
import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';

const NAME = /^\.(.+)\.leoflow-([0-9a-f]{8})-(\d+)-([0-9a-f]{8})-\d+\.partial$/s;
let sequence = 0;

/** A new name for a temporary of `name`, beside it. */
export function temporaryName(name: string): string {
  sequence += 1;
  // Room for the suffix within the 255 bytes of a file name.
  const stem = Buffer.from(name).subarray(0, 190).toString().replaceAll('\ufffd', '');
  return `.${stem}.leoflow-${machine()}-${process.pid}-${processStart(process.pid) ?? UNKNOWN_START}-${sequence}.partial`;
}

/** Whether a file name is that of a temporary of this program, dead or alive. */
export function isTemporaryName(name: string): boolean {
  return NAME.test(name);
}

/** Removes the temporaries (files, staging directories) of dead processes of this machine from a directory. */
export async function clearStaleTemporaries(directory: string): Promise<void> {
  for (const { file, alive } of await temporaries(directory)) {
    if (!alive) await rm(join(directory, file), { recursive: true, force: true }).catch(() => {});
  }
}

/** The temporaries of `name` that other living processes write. */
export async function liveTemporaries(directory: string, name: string): Promise<{ file: string; pid: number }[]> {
  const found = await temporaries(directory);
  return found.filter((temporary) => temporary.alive && temporary.name === name && temporary.pid !== process.pid);
}

async function temporaries(directory: string): Promise<{ file: string; name: string; pid: number; alive: boolean }[]> {
  const files = await readdir(directory).catch(() => []);
  return files.flatMap((file) => {
    const [, name, host, pid, start] = NAME.exec(file) ?? [];
    // Another machine's processes (a shared file system, another container) cannot be asked.
    if (name === undefined || host !== machine()) return [];
    return [{ file, name, pid: Number(pid), alive: isAlive(Number(pid), start) }];
  });
}

const UNKNOWN_START = '00000000';

function isAlive(pid: number, start: string | undefined): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it lives, but is not ours.
    if (!(error instanceof Error && 'code' in error && error.code === 'EPERM')) return false;
  }
  return start === UNKNOWN_START || start === (processStart(pid) ?? start);
}

/** Host name and PID namespace, hashed: where a process number means something. */
function machine(): string {
  let namespace = '';
  try {
    namespace = readlinkSync('/proc/self/ns/pid');
  } catch {
    // not Linux: one namespace
  }
  return short(`${hostname()}\0${namespace}`);
}

/** When a process began, hashed with the boot it began in; undefined where the system does not say. */
function processStart(pid: number): string | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The second field is the command in parentheses and may hold spaces; the start time is the 20th after it.
    const startTime = status.slice(status.lastIndexOf(')') + 2).split(' ')[19];
    return short(`${readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()}\0${startTime}`);
  } catch {
    return undefined;
  }
}

function short(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8);
}
