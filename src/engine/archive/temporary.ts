/**
 * Temporary files that tell whose they are.
 *
 * A process that is killed cannot clean up, so the next one does. To know a dead process's file from a living one's, the name carries the
 * machine, the process and the moment that process began: `.x.tar.gz.leoflow-<machine>-<pid>-<began>-<n>.partial`.
 */
import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { removeTree } from './remove-tree.js';

const NAME = /^\.(.*)\.leoflow-([0-9a-f]{8})-(\d+)-([0-9a-f]{8})-\d+\.partial$/s;
let sequence = 0;

/** A new name for a temporary of `name`, beside it. */
export function temporaryName(name: string): string {
  sequence += 1;
  return `.${stemOf(name)}.leoflow-${processMark()}-${sequence}.partial`;
}

/** What names this process, for the names of what is to go when it is gone: `<machine>-<pid>-<began>`. */
export function processMark(): string {
  return `${machine()}-${process.pid}-${processStart(process.pid) ?? UNKNOWN_START}`;
}

/** Whether the process of a mark lives; null where it cannot be asked: on another machine, in another container. */
export function processLives(mark: string): boolean | null {
  const [host, pid, start] = mark.split('-');
  return host === machine() ? isAlive(Number(pid), start) : null;
}

/** Whether a file name is that of a temporary of this program, dead or alive. */
export function isTemporaryName(name: string): boolean {
  return name.endsWith('.partial') && NAME.test(name);
}

/** Whether a file name is that of a temporary of `name`. */
export function isTemporaryOf(file: string, name: string): boolean {
  return NAME.exec(file)?.[1] === stemOf(name);
}

/** Removes the temporaries (files, staging directories) of dead processes of this machine from a directory. */
export async function clearStaleTemporaries(directory: string): Promise<void> {
  for (const { file, alive } of await temporaries(directory)) {
    if (!alive) await removeTree(join(directory, file)).catch(() => {});
  }
}

/** The temporaries of `name` that other living processes write. */
export async function liveTemporaries(directory: string, name: string): Promise<{ file: string; pid: number }[]> {
  const found = await temporaries(directory);
  return found.filter(
    (temporary) => temporary.alive && temporary.name === stemOf(name) && temporary.pid !== process.pid,
  );
}

/** As much of a name as leaves room for the suffix within the 255 bytes of a file name. */
function stemOf(name: string): string {
  return Buffer.from(name).subarray(0, 190).toString().replaceAll('\ufffd', '');
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
  return !isZombie(pid) && (start === UNKNOWN_START || start === (processStart(pid) ?? start));
}

/** Host name, machine ID and PID namespace, hashed: where a process number means something. */
function machine(): string {
  // Two machines can have the same name, and outside of containers all have the same namespace.
  const id = known(() => readFileSync('/etc/machine-id', 'latin1').trim());
  const namespace = known(() => readlinkSync('/proc/self/ns/pid'));
  return short(`${hostname()}\0${id}\0${namespace}`);
}

/** What the system says of itself; nothing where it does not. */
function known(read: () => string): string {
  try {
    return read();
  } catch {
    return '';
  }
}

/** Whether a process is dead, but still listed: where the first process of a container collects no orphans, for ever. */
function isZombie(pid: number): boolean {
  return processStatus(pid)?.[0] === 'Z';
}

/** When a process began, hashed with the boot it began in; undefined where the system does not say. */
function processStart(pid: number): string | undefined {
  const startTime = processStatus(pid)?.[19];
  if (startTime === undefined) return undefined;
  try {
    return short(`${readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()}\0${startTime}`);
  } catch {
    return undefined;
  }
}

/** The fields of `/proc/<pid>/stat` from the third on, the state; undefined where there are none. */
function processStatus(pid: number): string[] | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The second field is the command in parentheses, and may hold spaces.
    return status.slice(status.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}

function short(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8);
}
