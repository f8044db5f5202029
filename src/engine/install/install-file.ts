/**
 * Reading `config.yaml` and `setup.json`: once, whole, and from one open file, so that what is judged is what is archived.
 */
import { constants, type Stats } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

/** A small file of the home: its exact bytes, and what the archive records of it. */
export interface InstallFile {
  /** Absolute. */
  path: string;
  content: Buffer;
  /** Permission bits, `0o7777`. */
  mode: number;
  /** Milliseconds since the epoch. */
  mtimeMs: number;
}

/**
 * The largest `config.yaml` or `setup.json` in bytes. Real ones have a few hundred; a YAML tree can take a thousand times the memory
 * of its text, so more than this is not parsed.
 */
export const MAX_INSTALL_FILE_BYTES = 256 * 1024;

/**
 * Reads a small regular file (symlinks are followed; a FIFO does not block).
 *
 * @throws the system's error, or an `Error` whose message completes "cannot read <path>: …"
 */
export async function readInstallFile(path: string): Promise<InstallFile> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = await file.stat();
    if (!stats.isFile()) throw new Error(`it is ${kindOf(stats)}, not a file`);
    const content = await readBounded(file, stats.size);
    return { path, content, mode: stats.mode & 0o7777, mtimeMs: stats.mtimeMs };
  } finally {
    await file.close();
  }
}

/** Reads to the end, however much the size of a moment ago says, but never more than the bound. */
async function readBounded(file: FileHandle, expected: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let total = 0;
  for (;;) {
    if (total > MAX_INSTALL_FILE_BYTES || expected > MAX_INSTALL_FILE_BYTES) throw new Error('it is over 256 KiB long');
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(64 * 1024), 0, 64 * 1024, total);
    if (bytesRead === 0) return Buffer.concat(chunks, total);
    chunks.push(buffer.subarray(0, bytesRead));
    total += bytesRead;
  }
}

/** What stands at a path, with its article: `a directory`. */
export function kindOf(stats: Stats): string {
  if (stats.isFile()) return 'a file';
  if (stats.isDirectory()) return 'a directory';
  if (stats.isSymbolicLink()) return 'a symbolic link';
  if (stats.isFIFO()) return 'a FIFO';
  if (stats.isSocket()) return 'a socket';
  return 'a device';
}
