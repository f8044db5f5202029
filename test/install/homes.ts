/** Throwaway homes for the tests of the install folder. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type ErrorCode, SnapshotError } from '../../src/engine/errors.js';

/** A directory of its own (real path), removed when the test ends. */
export function scratch(): string {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'leoflow-install-')));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Writes a tree: a string is a file, null a directory. Paths are relative to `root`. */
export function tree(root: string, entries: Record<string, string | Buffer | null>): void {
  for (const [name, content] of Object.entries(entries)) {
    const path = join(root, name);
    mkdirSync(content === null ? path : dirname(path), { recursive: true });
    if (content !== null) writeFileSync(path, content);
  }
}

/** Runs an action as somebody whom file modes bind: as we are, or as `nobody` where we are root. */
export async function asOrdinaryUser<T>(action: () => T | Promise<T>): Promise<T> {
  const { geteuid, seteuid } = process;
  if (geteuid?.() !== 0 || seteuid === undefined) return action();
  seteuid('nobody');
  try {
    return await action();
  } finally {
    seteuid(0);
  }
}

/** The error an action ends with; the test fails where it ends well or with another code. */
export async function failure(code: ErrorCode, action: () => unknown): Promise<SnapshotError> {
  try {
    await action();
  } catch (error) {
    if (error instanceof SnapshotError && error.code === code) return error;
    throw error;
  }
  throw new Error(`expected ${code}, but nothing was thrown`);
}
