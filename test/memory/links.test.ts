/** Links wait for the end of a restore, and there may be any number of them: they wait in a file. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ChecksumLedger } from '../../src/engine/archive/index.js';
import { Extraction } from '../../src/engine/extraction.js';
import { openArchive } from '../../src/engine/opened-archive.js';
import { WorkerPool } from '../../src/engine/pool.js';
import { DeferredEntries } from '../../src/engine/workspace/index.js';
import { blocksOf, directory, type Forged, raw, streamed, symlink } from '../support/forge/archive.js';
import { pax, records } from '../support/forge/tar.js';

/** Knows how much was handed over at once. */
class Watched extends DeferredEntries {
  largest = 0;

  override add(batch: Parameters<DeferredEntries['add']>[0]): void {
    this.largest = Math.max(this.largest, JSON.stringify(batch).length);
    super.add(batch);
  }
}

const target = 'x'.repeat(4095);
test.each<[string, number, (name: string) => Forged]>([
  ['short ones', 20_000, (name) => symlink(name, 'x')],
  [
    'ones as long as a system takes them',
    1000,
    (name) => raw(pax({ linkpath: target }), records({ name, type: '2', linkname: 'x' })),
  ],
])('of a stream, %s do not pile up in memory', async (_, count, link) => {
  const links = Array.from({ length: count }, (_, n) => link(`workspace/${String(n).padStart(6, '0')}`));
  const scratch = mkdtempSync(join(tmpdir(), 'lflinks-'));
  const path = join(scratch, 'in.tar.gz');
  writeFileSync(path, streamed(blocksOf({ workspace: [[directory('workspace/'), ...links]] })));
  const { signal } = new AbortController();
  const archive = await openArchive(path, signal);
  const pool = await WorkerPool.start(1);
  const [ledger, deferred] = [new ChecksumLedger(scratch), new Watched(scratch)];
  try {
    const extraction = new Extraction({
      ...{ archive, pool, root: null, ledger, deferred, signal },
      onDump: async () => {},
      onProgress: () => {},
    });
    await extraction.run();
    expect(deferred.links).toBe(count);
    expect(deferred.largest).toBeLessThan(100_000);
  } finally {
    ledger.close();
    deferred.close();
    await pool.destroy();
    await archive.handle.close();
    rmSync(scratch, { recursive: true });
  }
});
