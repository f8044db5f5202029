/** An archive is of one install: a restore that is at work, or comes in between, fails the backup. */
import { execFileSync } from 'node:child_process';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { holdLite, lockInstall } from '../../src/engine/install-lock.js';
import type { BackupEvent } from '../../src/index.js';
import { backup, LEOFLOW } from '../support/cli.js';
import { expectNothingLeft, failingBackup, startBackup, told, untilDumpsWait } from '../support/failures.js';
import { configOf, createInstall, SAMPLE_SQL, type TestInstall } from '../support/install.js';
import { lockTable } from '../support/lock.js';
import { put } from '../support/tree.js';

let install: TestInstall;

beforeAll(async () => {
  install = await createInstall({ sql: `${SAMPLE_SQL} CREATE TABLE locked (n int);` });
  put(join(install.workspace, 'dag.py'), 'print("hello")\n');
});
afterAll(() => install?.remove());
afterEach(() => {
  for (const file of install.left()) rmSync(join(install.out, file));
});

describe('a restore that is at work', () => {
  const hint = 'wait for it to end, and run the backup again';

  test.each([[[]], [['--start-datastore']]])('keeps a backup from beginning: %j', async (argv) => {
    const unlock = await lockInstall(install.home);
    try {
      const { status, error, hint: told } = await failingBackup(install, argv);
      expect({ status, error, told }).toEqual({
        status: 1,
        error: `a restore (process ${process.pid}) is working on ${install.home}`,
        told: hint,
      });
    } finally {
      await unlock();
    }
  });

  test('when everything is read has begun meanwhile: there is no archive', async () => {
    const release = await lockTable(install.cluster, 'locked');
    let unlock = async () => {};
    try {
      const run = startBackup(install);
      await untilDumpsWait(install, run.ended);
      unlock = await lockInstall(install.home);
      await release();
      expect(told(await run.ended)).toMatchObject({
        status: 1,
        error: `a restore (process ${process.pid}) is working on ${install.home}`,
        hint,
      });
      await expectNothingLeft(install);
    } finally {
      await release();
      await unlock();
    }
  });

  test('Leoflow Lite that runs is in nobody’s way, nor is another backup', async () => {
    const leave = await holdLite(install.home);
    try {
      const other = startBackup(install, ['--start-datastore', '-o', join(install.out, 'other.tar.gz')]);
      expect(await startBackup(install).ended).toMatchObject({ status: 0 });
      expect(await other.ended).toMatchObject({ status: 0 });
    } finally {
      await leave();
    }
  });
});

describe('between the first and the last byte that is read', () => {
  /** Backs up another home, of which something is done as soon as its workspace is being packed. */
  async function whilePacking(change: (home: string, workspace: string, archive: string) => void) {
    const { home, workspace, dsn } = install.another();
    put(join(workspace, 'dag.py'), 'print("hello")\n');
    const earlier = join(install.base, `${home.slice(install.base.length + 1)}-earlier.tar.gz`);
    await backup({ home, dsn, output: earlier });
    let changed = false;
    const onEvent = (event: BackupEvent) => {
      if (changed || event.type !== 'progress') return;
      changed = true;
      change(home, workspace, earlier);
    };
    const run = backup({ home, dsn, output: install.archive, onEvent });
    return { home, workspace, run };
  }

  const restoring = (part: string) => (home: string, _workspace: string, archive: string) => {
    const argv = ['lite', 'restore', '-q', '-i', archive, '--home', home, '--force', '--only', part];
    execFileSync(process.execPath, [LEOFLOW, ...argv]);
  };

  test('a restore has put another workspace in place', async () => {
    const { workspace, run } = await whilePacking(restoring('workspace'));
    await expect(run).rejects.toMatchObject({
      code: 'INSTALL_CHANGED',
      kind: 'failed',
      message: `${workspace} is not what it was when the backup began: it is another directory`,
      hint: 'run the backup again',
    });
    await expectNothingLeft(install);
  });

  test('a restore has put another config.yaml in place', async () => {
    const { home, run } = await whilePacking((home, workspace, archive) => {
      restoring('config')(home, workspace, archive);
      writeFileSync(join(home, 'config.yaml'), `${configOf(workspace)}# another one\n`);
    });
    await expect(run).rejects.toMatchObject({
      code: 'INSTALL_CHANGED',
      message: `${join(home, 'config.yaml')} is not what it was when the backup began: its content is another one`,
    });
    await expectNothingLeft(install);
  });

  test('a config.yaml that was saved anew, and says the same, is the same', async () => {
    const { run } = await whilePacking((home, workspace) => {
      writeFileSync(join(home, 'new'), configOf(workspace));
      renameSync(join(home, 'new'), join(home, 'config.yaml'));
    });
    expect(await run).toMatchObject({ incomplete: false });
  });

  test('what was removed was not replaced: the archive may be all that is left', async () => {
    const { run } = await whilePacking((home, workspace) => {
      rmSync(workspace, { recursive: true });
      rmSync(home, { recursive: true });
    });
    expect(await run).toMatchObject({ path: install.archive });
  });
});
