/** Archives to be verified, and what comes of it. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Verdict, VerifyOptions } from '../../src/index.js';
import { verify } from '../support/library.js';
import { isRoot } from '../support/tree.js';

/** A directory for archives. */
export class Shelf {
  readonly directory = realpathSync(mkdtempSync(join(tmpdir(), 'lfshelf-')));

  put(archive: Buffer, name = 'snap.tar.gz'): string {
    const path = join(this.directory, name);
    writeFileSync(path, archive);
    return path;
  }

  /** Verifies one archive. */
  async verdict(archive: Buffer | string, options: Partial<VerifyOptions> = {}): Promise<Verdict> {
    const path = typeof archive === 'string' ? archive : this.put(archive);
    const { verdicts } = await verify({ archives: [path], workers: 2, ...options });
    return verdicts[0] as Verdict;
  }

  /** Verifies several archives in one go. */
  async verdicts(archives: readonly Buffer[], options: Partial<VerifyOptions> = {}): Promise<Verdict[]> {
    const paths = archives.map((archive, index) => this.put(archive, `snap-${index}.tar.gz`));
    const { verdicts } = await verify({ archives: paths, workers: 2, ...options });
    for (const path of paths) rmSync(path);
    return verdicts;
  }

  remove(): void {
    // What was unpacked here may be closed to its owner; root minds no modes.
    if (!isRoot) execFileSync('chmod', ['-R', 'u+rwX', this.directory]);
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** What is said of a verdict: the verdict, the codes, the messages, the entries. */
export function said({ verdict, problems, entries }: Verdict) {
  return {
    verdict,
    codes: problems.map(({ code }) => code),
    messages: problems.map(({ message }) => message),
    entries: entries.map(({ name, what }) => `${name} ${what}`),
  };
}
