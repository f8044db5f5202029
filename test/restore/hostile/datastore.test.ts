/** Archives that turn out to be bad while their dump is on its way into a database, or is there already: no trace of it stays. */
import { chmodSync, existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../../support/cli.js';
import {
  blocksOf,
  DUMP,
  file,
  goodWorkspace,
  type Ingredients,
  indexed,
  largeFile,
  streamed,
  symlink,
} from '../../support/forge/archive.js';
import { createInstall, type TestInstall } from '../../support/install.js';
import { lendWorkers } from '../../support/lent-workers.js';
import { restore } from '../../support/library.js';
import { look, put } from '../../support/tree.js';
import { failure } from './arena.js';

lendWorkers();

let install: TestInstall;
beforeAll(async () => {
  install = await createInstall();
  put(join(install.workspace, 'canary'), 'here');
});
afterAll(() => install?.remove());

/** Everything that a restore could change or leave behind. */
async function state() {
  const { cluster, home, workspace, base } = install;
  return {
    datastore: await cluster.psql(
      `SELECT 'database', datname FROM pg_database ORDER BY 1, 2; SELECT 'role', rolname FROM pg_roles ORDER BY 1, 2;
       SELECT 'prepared', count(*) FROM pg_prepared_xacts; SELECT (SELECT count(*) FROM dag), (SELECT count(*) FROM run)`,
    ),
    home: readdirSync(home).sort(),
    workspace: JSON.stringify([...look(workspace)]),
    base: readdirSync(base).sort(),
  };
}

const rows = Array.from({ length: 20_000 }, (_, n) => `INSERT INTO public.forged VALUES (${n});\n`).join('');
const LONG_DUMP = Buffer.from(
  DUMP.replace('--\n-- PostgreSQL database dump complete', `${rows}--\n-- PostgreSQL database dump complete`),
);
const dump = [largeFile('datastore.sql', LONG_DUMP, 64 << 10)];

const hostile: Record<string, { ingredients: Ingredients; code: string }> = {
  'a name that climbs out': {
    ingredients: { workspace: [goodWorkspace(), [file('workspace/../../planted')]], dump },
    code: 'ARCHIVE_UNSAFE',
  },
  'a file beneath a link': {
    ingredients: { workspace: [[symlink('workspace/a', '/tmp'), symlink('workspace/a/b', 'x')]], dump },
    code: 'ARCHIVE_UNSAFE',
  },
  'a wrong checksum of the dump': {
    ingredients: { dump, sums: (right) => right.replace(/^.{64}(?= {2}datastore)/m, '0'.repeat(64)) },
    code: 'CHECKSUM_MISMATCH',
  },
  'no SHA256SUMS': { ingredients: { dump, sums: () => null }, code: 'ARCHIVE_TRUNCATED' },
  'a second dump': { ingredients: { dump: [...dump, ...dump] }, code: 'ARCHIVE_DAMAGED' },
};

describe('nothing is left of the dump of an archive with', () => {
  for (const [what, { ingredients, code }] of Object.entries(hostile)) {
    for (const [way, form] of Object.entries({ 'a stream': streamed, members: indexed })) {
      test(`${what}, as ${way}`, async () => {
        writeFileSync(install.archive, form(blocksOf(ingredients)));
        await refused(code);
      });
    }
  }

  test('an end in the middle of the dump, as a stream', async () => {
    // The workspace first: so the dump is what is cut off.
    const bytes = streamed(blocksOf({ dump }));
    writeFileSync(install.archive, bytes.subarray(0, bytes.length >> 1));
    await refused('ARCHIVE_TRUNCATED');
  });

  test('a member of the dump that has a wrong CRC', async () => {
    const bytes = indexed(blocksOf({ dump }));
    // Near the end, but before SHA256SUMS and the marker.
    const at = bytes.length - 3000;
    bytes[at] = (bytes[at] as number) ^ 1;
    writeFileSync(install.archive, bytes);
    await refused('ARCHIVE_DAMAGED');
  });
});

async function refused(code: string): Promise<void> {
  const { archive: input, home, workspace } = install;
  chmodSync(input, 0o644);
  const before = await state();
  for (const dryRun of [true, false]) {
    const error = await failure(restore({ input, home, workspace, force: true, dryRun, workers: 2 }));
    expect({ dryRun, code: error.code, message: error.message }).toMatchObject({ dryRun, code });
    expect(await state()).toEqual(before);
    expect(existsSync(`${home}.restore-journal.json`)).toBe(false);
    const ours = `SELECT count(*) FROM pg_stat_activity WHERE application_name = 'leoflow-snapshot'`;
    await until(async () => (await install.cluster.psql(ours, 'postgres')) === '0', 'the server to be left alone');
  }
}
