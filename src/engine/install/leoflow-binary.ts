/**
 * The Leoflow that this program stands in front of.
 *
 * Both are called `leoflow`, so looking for the other one must recognise ourselves: by real path, through symlinks, as another
 * installed copy of this package, and behind the shell shims that some package managers write. Taking any of these for the other
 * Leoflow would start a loop.
 */
import { execFile } from 'node:child_process';
import { constants, readFileSync, realpathSync } from 'node:fs';
import { access, open, realpath, stat } from 'node:fs/promises';
import { delimiter, dirname, isAbsolute, join } from 'node:path';
import { promisify } from 'node:util';

/** The name of this program's package; a file of ours lies in a directory whose `package.json` says it. */
const PACKAGE = 'leoflow-snapshot';
/** A shim names the program it starts within its first lines. */
const SHIM_BYTES = 16 * 1024;
const VERSION_TIMEOUT_MS = 5_000;

/** Where to look. */
export interface SearchOptions {
  /** Environment whose `PATH` is searched. Default: the process's own. */
  env?: NodeJS.ProcessEnv;
  /** Real paths that are passed over, too. Default: none. */
  except?: readonly string[];
}

/**
 * The next `leoflow` on `PATH` that is not ourselves, of any kind: where command lines that are not ours go. After the last entry comes the first.
 *
 * @returns an absolute path as `PATH` names it; null where there is none
 */
export async function nextLeoflow(options: SearchOptions = {}): Promise<string | null> {
  for await (const path of othersOnPath(options.env ?? process.env, options.except)) return path;
  return null;
}

/**
 * The next `leoflow` on `PATH` that is not ourselves and is a native program (ELF or Mach-O), so that its content and version are
 * Leoflow's own and not those of a wrapper script.
 *
 * @returns an absolute path as `PATH` names it; null where there is none
 */
export async function leoflowBinary(options: SearchOptions = {}): Promise<string | null> {
  for await (const path of othersOnPath(options.env ?? process.env)) {
    if (isNative(await firstBytes(path, 4))) return path;
  }
  return null;
}

/**
 * The version of the installed Leoflow binary, as it says itself: `v0.0.1-prealpha.20`.
 *
 * @returns `unknown` where no binary is installed, or it does not answer within 5 s
 */
export async function leoflowVersion(options: SearchOptions & { signal?: AbortSignal } = {}): Promise<string> {
  const env = options.env ?? process.env;
  const binary = await leoflowBinary({ env });
  if (binary === null) return 'unknown';
  try {
    const asking = promisify(execFile)(binary, ['--version'], {
      env,
      timeout: VERSION_TIMEOUT_MS,
      killSignal: 'SIGKILL',
      ...(options.signal && { signal: options.signal }),
    });
    asking.child.stdin?.end();
    const { stdout, stderr } = await asking;
    return /\bv?\d+\.\d+\.\d+[-\w.]*/.exec(`${stdout}\n${stderr}`)?.[0] ?? 'unknown';
  } catch {
    return 'unknown';
  }
}

/**
 * Executable regular files called `leoflow`, without ourselves: those that come after us on `PATH`, then those before. (One that comes before us has been asked
 * already, where it is a wrapper that starts us.) Relative entries are not trusted.
 */
async function* othersOnPath(env: NodeJS.ProcessEnv, except: readonly string[] = []): AsyncGenerator<string> {
  const seen = new Set(except);
  const before: string[] = [];
  let reachedUs = false;
  for (const directory of (env.PATH ?? '').split(delimiter)) {
    if (!isAbsolute(directory)) continue;
    const path = join(directory, 'leoflow');
    const real = await executable(path);
    if (real === null || seen.has(real)) continue;
    seen.add(real);
    if (await isOurs(real)) reachedUs = true;
    else if (reachedUs) yield path;
    else before.push(path);
  }
  yield* before;
}

/** The real path of an executable regular file; null for anything else. */
async function executable(path: string): Promise<string | null> {
  try {
    if (!(await stat(path)).isFile()) return null;
    await access(path, constants.X_OK);
    return await realpath(path);
  } catch {
    return null;
  }
}

async function isOurs(real: string): Promise<boolean> {
  if (real === ownProgram()) return true;
  const start = await firstBytes(real, SHIM_BYTES);
  // No native program is ours, however it is packaged.
  if (isNative(start)) return false;
  return packageOf(real) === PACKAGE || start.toString('latin1').includes(`${PACKAGE}/`);
}

function ownProgram(): string | null {
  try {
    return process.argv[1] === undefined ? null : realpathSync(process.argv[1]);
  } catch {
    return null;
  }
}

/** The name of the package a file lies in: that of the nearest `package.json` above it which has one. */
function packageOf(real: string): string | null {
  for (let directory = dirname(real); ; directory = dirname(directory)) {
    try {
      const content: unknown = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'));
      if (typeof content === 'object' && content !== null && 'name' in content) return String(content.name);
    } catch {
      // None here, or not readable: look further up.
    }
    if (directory === dirname(directory)) return null;
  }
}

/** Up to that many bytes from the start of a file; fewer where it is shorter, none where it cannot be read. */
async function firstBytes(path: string, length: number): Promise<Buffer> {
  try {
    const file = await open(path);
    try {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, 0);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  } catch {
    return Buffer.alloc(0);
  }
}

/** ELF, and Mach-O of either byte order and width, or with several architectures. */
const NATIVE_MAGIC = new Set(['7f454c46', 'feedface', 'feedfacf', 'cefaedfe', 'cffaedfe', 'cafebabe']);

function isNative(start: Buffer): boolean {
  return NATIVE_MAGIC.has(start.subarray(0, 4).toString('hex'));
}
