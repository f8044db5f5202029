/** A directory of backups, forged. */
import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PruneDecision } from '../../src/index.js';
import { withIndex } from '../index/support.js';
import { blocksOf, type Ingredients, indexed, MANIFEST, manifest, streamed } from '../support/forge/archive.js';

/** An archive made at that time: of ours, or as the Leoflow binary writes it. */
export function archiveOf(time: string, as: 'ours' | 'foreign' = 'ours', more: Ingredients = {}): Buffer {
  const fields = { ...MANIFEST, created_at: time };
  if (as === 'ours') return indexed(blocksOf({ manifest: [manifest(fields)], ...more }));
  return streamed(blocksOf({ manifest: [manifest({ ...fields, checksums: undefined })], sums: () => null, ...more }));
}

/** An archive of ours with an index. @param lacks how many paths it says that it lacks */
export function indexedArchive(time: string, lacks = 0, fields: object = {}): Buffer {
  const line = lacks > 0 ? `{"incomplete":${lacks}}\n` : '';
  return Buffer.concat(withIndex({ fields: { created_at: time, ...fields }, index: (right) => right + line }));
}

/** Where backups lie. */
export class Backups {
  readonly base = realpathSync(mkdtempSync(join(tmpdir(), 'lfprune-')));
  readonly directory = join(this.base, 'backups');

  constructor() {
    mkdirSync(this.directory);
  }

  /** @returns its path */
  put(name: string, content: Buffer | string): string {
    const path = join(this.directory, name);
    writeFileSync(path, content);
    return path;
  }

  /** An archive for each of these times, named after its day. */
  days(...days: string[]): void {
    for (const day of days) this.put(`${day}.tar.gz`, archiveOf(`${day}T03:00:00Z`));
  }

  names(): string[] {
    return readdirSync(this.directory).sort();
  }

  remove(): void {
    rmSync(this.base, { recursive: true, force: true });
  }
}

/** Names by what has become of them. */
export function outcomes(archives: readonly PruneDecision[]): Record<string, string> {
  return Object.fromEntries(archives.map(({ name, outcome }) => [name, outcome]));
}
