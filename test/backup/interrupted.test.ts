/** Stopped in any phase, by a signal or by the caller: status 128 + signal, and nothing is left behind. */
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { BackupPhase } from '../../src/index.js';
import { programs } from '../datastore/fixtures.js';
import { membersOf } from '../support/archive.js';
import { backup, leoflow, type Running, SlowReader, startLeoflow } from '../support/cli.js';
import { expectNothingLeft, spoolsOf, startBackup, told, untilDumpsWait } from '../support/failures.js';
import { bulkSql, createInstall, SAMPLE_SQL, type TestInstall } from '../support/install.js';
import { lockTable } from '../support/lock.js';
import { MIB, put } from '../support/tree.js';

let install: TestInstall;

beforeAll(async () => {
  install = await createInstall({ sql: `${SAMPLE_SQL}${bulkSql(2e6)} CREATE TABLE locked (n int);` });
  put(join(install.workspace, 'dag.py'), 'print("hello")\n');
});
afterAll(() => install?.remove());
afterEach(() => {
  for (const file of install.left()) rmSync(join(install.out, file));
});

const SIGNALS = [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const;

let many: Promise<{ home: string; dsn: string; checksumsAt: number }> | undefined;

/** An install whose checksums are larger than a pipe, and where they stand in its archive: what is random in a dump hardly moves that. */
function manyFiles() {
  many ??= (async () => {
    const { home, workspace, dsn } = install.another();
    for (let i = 0; i < 6000; i += 1) put(join(workspace, 'flat', String(i)), String(i));
    const { stdout } = await leoflow(['lite', 'backup', '--home', home, '--dsn', dsn, '-o', '-']);
    const header = membersOf(stdout).find(
      ({ block, kind }) => kind === 'F' && block.toString('latin1', 0, 11) === 'SHA256SUMS\0',
    );
    const checksumsAt = header?.offset ?? 0;
    expect(stdout.length - checksumsAt).toBeGreaterThan(3 * 65_536);
    return { home, dsn, checksumsAt };
  })();
  return many;
}

/** Sends the signal, and expects the end that it should bring. */
async function stop(run: Running, signal: NodeJS.Signals, status: number, files: readonly string[] = []) {
  const pid = run.child.pid as number;
  run.child.kill(signal);
  const ended = await run.ended;
  expect(told(ended)).toMatchObject({ status, error: `interrupted by ${signal}`, hint: '' });
  expect(ended.stderr).toContain(`${signal}: stopping and cleaning up`);
  expect(ended.stdout.toString()).toBe('');
  expect(spoolsOf(pid)).toEqual([]);
  await expectNothingLeft(install, files);
}

describe.each(SIGNALS)('%s ends with %d', (signal, status) => {
  test('while the install is prepared: the server does not answer', async () => {
    const asked = join(install.base, 'asked');
    rmSync(asked, { force: true });
    const bin = await programs(install.base, {
      psql: `if [ "$1" = --version ]; then exec "$REAL/psql" --version; fi\n: > '${asked}'\nexec sleep 600`,
    });
    const run = startBackup(install, ['--pg-bin', bin]);
    await run.reached(() => existsSync(asked), 'the question');
    expect(run.stderr()).toBe('Preparing\n');
    await stop(run, signal, status);
  });

  test('while pg_dump works, and the workspace is packed already', async () => {
    const release = await lockTable(install.cluster, 'locked');
    try {
      writeFileSync(install.archive, 'the archive of yesterday');
      const run = startBackup(install);
      await untilDumpsWait(install, run.ended);
      await run.said('Packing the workspace');
      expect(install.left()).toHaveLength(2);
      await stop(run, signal, status, ['snap.tar.gz']);
      rmSync(install.archive);
    } finally {
      await release();
    }
  });

  test('sent to the whole process group, as by a terminal', async () => {
    const release = await lockTable(install.cluster, 'locked');
    try {
      const run = startBackup(install, [], { detached: true });
      await untilDumpsWait(install, run.ended);
      process.kill(-(run.child.pid as number), signal);
      expect(told(await run.ended)).toMatchObject({ status, error: `interrupted by ${signal}` });
      await expectNothingLeft(install);
    } finally {
      await release();
    }
  });

  // From here on the reader of stdout decides how far it comes.
  const toReader = (home: string, dsn: string) => {
    const reader = new SlowReader(install.base);
    const run = startLeoflow(['lite', 'backup', '--home', home, '--dsn', dsn, '--workers', '1', '-o', '-'], {
      stdout: reader.writeEnd,
    });
    reader.started();
    return { reader, run };
  };

  test('while the workspace is packed', async () => {
    const { home, workspace, dsn } = install.another();
    put(join(workspace, 'noise'), randomBytes(16 * MIB));
    const { reader, run } = toReader(home, dsn);
    await reader.readTo(3 * MIB);
    expect(run.stderr()).not.toContain('Dumping');
    await stop(run, signal, status);
    reader.close();
  });

  test('while the dump is put behind the workspace', async () => {
    const { home, dsn } = install.another();
    const { reader, run } = toReader(home, dsn);
    await run.said('Dumping the datastore');
    expect(run.stderr()).not.toContain('checksums');
    await stop(run, signal, status);
    reader.close();
  });

  test('while the checksums are written', async () => {
    const { home, dsn, checksumsAt } = await manyFiles();
    const { reader, run } = toReader(home, dsn);
    await reader.readTo(checksumsAt + 2000);
    await run.said('Writing the checksums');
    expect(run.stderr()).not.toContain('Finishing');
    await stop(run, signal, status);
    reader.close();
  });

  test('while the archive is flushed to a slow disk', async () => {
    const held = join(install.base, 'flushing');
    const hook = new URL('../support/hold-flush.mjs', import.meta.url).href;
    const run = startBackup(install, [], { env: { NODE_OPTIONS: `--import=${hook}`, HOLD_FLUSH: held } });
    await run.reached(() => existsSync(held), 'the flush');
    expect(run.stderr()).toContain('Finishing the archive');
    expect(install.left()).toHaveLength(1);
    run.child.kill(signal);
    await run.said('stopping and cleaning up');
    rmSync(held);
    expect(told(await run.ended)).toMatchObject({ status, error: `interrupted by ${signal}` });
    await expectNothingLeft(install);
  });
});

describe('the caller of the library', () => {
  let aborted: AbortController;
  beforeEach(() => {
    aborted = new AbortController();
  });
  const interrupted = { code: 'INTERRUPTED', message: 'interrupted', kind: 'interrupted' };

  test('who has stopped before it began', async () => {
    aborted.abort();
    const events: unknown[] = [];
    const run = backup({
      home: install.home,
      output: install.archive,
      signal: aborted.signal,
      onEvent: (event) => events.push(event),
    });
    await expect(run).rejects.toMatchObject(interrupted);
    expect(events).toEqual([]);
    await expectNothingLeft(install);
  });

  test.each<BackupPhase>(['prepare', 'pack', 'dump', 'checksums', 'finish'])(
    'who stops as %s begins',
    async (phase) => {
      const run = backup({
        home: install.home,
        output: install.archive,
        signal: aborted.signal,
        onEvent: (event) => {
          if (event.type === 'phase' && event.phase === phase) aborted.abort();
        },
      });
      await expect(run).rejects.toMatchObject(interrupted);
      await expectNothingLeft(install);
    },
  );

  test('who stops at every event in turn', async () => {
    const { home, workspace, dsn } = install.another();
    put(join(workspace, 'noise'), randomBytes(3 * MIB));
    for (let i = 0; i < 50; i += 1) put(join(workspace, 'small', String(i)), randomBytes(40_000));
    let total = 0;
    await backup({ home, dsn, output: install.archive, survey: true, onEvent: () => total++ });
    rmSync(install.archive);
    const open = readdirSync('/proc/self/fd').length;
    for (let at = 1; at <= total; at += Math.ceil(total / 12)) {
      const controller = new AbortController();
      let events = 0;
      const run = backup({
        home,
        dsn,
        output: install.archive,
        survey: true,
        signal: controller.signal,
        onEvent: () => {
          events += 1;
          if (events === at) controller.abort();
        },
      });
      // How many there are depends on who is faster; the last one may never come.
      const end = await run.then(
        () => 'done',
        (error: unknown) => (error as { code: string }).code,
      );
      expect({ at, end }).toEqual({ at, end: events >= at ? 'INTERRUPTED' : 'done' });
      rmSync(install.archive, { force: true });
      await expectNothingLeft(install);
    }
    // No file of the workspace, no spool.
    expect(readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(open + 3);
  });

  test('whose stream takes nothing', async () => {
    const stream = new Writable({ highWaterMark: 1, write: () => {} });
    const run = backup({
      home: install.home,
      output: stream,
      signal: aborted.signal,
      onEvent: (event) => {
        if (event.type === 'phase' && event.phase === 'pack') setTimeout(() => aborted.abort(), 200);
      },
    });
    await expect(run).rejects.toMatchObject(interrupted);
    // It is the caller's: not ended, not destroyed.
    expect(stream).toMatchObject({ destroyed: false, writableEnded: false });
    expect(stream.listenerCount('drain')).toBe(0);
    await expectNothingLeft(install);
  });

  test('whose stream takes everything and never finishes', async () => {
    const stream = new Writable({ write: (_chunk, _encoding, done) => done(), final: () => {} });
    const run = backup({
      home: install.home,
      output: stream,
      signal: aborted.signal,
      onEvent: (event) => {
        if (event.type === 'phase' && event.phase === 'finish') setTimeout(() => aborted.abort(), 200);
      },
    });
    await expect(run).rejects.toMatchObject(interrupted);
    await expectNothingLeft(install);
  });
});
