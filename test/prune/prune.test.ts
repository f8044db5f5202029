/** What `prune()` removes from a directory, and what it leaves alone whatever the rules are. */
import fs, {
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import promises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { temporaryName } from '../../src/engine/archive/index.js';
import { type KeepRules, type PruneOptions, prune } from '../../src/index.js';
import { withIndex } from '../index/support.js';
import { blocksOf, file, MANIFEST, manifest, membersOf } from '../support/forge/archive.js';
import { plainGzip } from '../support/forge/members.js';
import { type Backup, model } from './model.js';
import { archiveOf, Backups, indexedArchive, outcomes } from './support.js';

const REFERENCE = fileURLToPath(new URL('../fixtures/reference-v1.tar.gz', import.meta.url));
const SEED = Number(process.env.FUZZ_SEED ?? 20261126);

let backups: Backups;
beforeEach(() => {
  backups = new Backups();
});
afterEach(() => backups.remove());

function pruned(keep: KeepRules, more: Partial<PruneOptions> = {}) {
  return prune({ directory: backups.directory, keep, ...more });
}

/** How it is refused. */
function refused(keep: KeepRules, more: Partial<PruneOptions> = {}) {
  return pruned(keep, more).then(
    () => expect.fail('it was not refused'),
    (error: unknown) => error,
  );
}

/** The reasons why files are not touched. */
async function untouched(keep: KeepRules = { last: 1 }): Promise<Record<string, string>> {
  const { untouched } = await pruned(keep);
  return Object.fromEntries(untouched.map(({ name, why, message }) => [name, `${why}: ${message}`]));
}

test('400 archives: what is kept is what the model keeps; a dry run says so, and removes nothing', async () => {
  const times = fc.sample(fc.integer({ min: 0, max: 900 * 86_400 }), { seed: SEED, numRuns: 400 });
  const made: Backup[] = times.map((offset, index) => {
    const time = Date.UTC(2024, 0, 1) + offset * 1000;
    const name = `${index}.tar.gz`;
    backups.put(name, archiveOf(new Date(time).toISOString().replace('.000Z', 'Z')));
    return { name, time, incomplete: null };
  });
  const all = backups.names();
  const count = fc.oneof(fc.integer({ min: 0, max: 30 }), fc.constant(Number.POSITIVE_INFINITY));
  const rules = fc
    .record(
      { last: count, hourly: count, daily: count, weekly: count, monthly: count, yearly: count },
      { requiredKeys: [] },
    )
    .filter((keep) => Object.values(keep).some((n) => n > 0));
  const wantedBy = (keep: KeepRules) => [...model(made, keep)].filter(([, reasons]) => reasons.length > 0);
  for (const keep of fc.sample(rules, { seed: SEED, numRuns: 8 })) {
    const { archives, kept, removed } = await pruned(keep, { dryRun: true });
    const stay = archives.filter(({ outcome }) => outcome === 'kept');
    expect(stay.length).toBeGreaterThan(0);
    expect(new Map(stay.map(({ name, reasons }) => [name, reasons]))).toEqual(new Map(wantedBy(keep)));
    expect(kept.archives + removed.archives).toBe(400);
    expect(backups.names()).toEqual(all);
  }
  const keep = { last: 3, daily: 20, monthly: 12, within: { days: 10 } };
  const { removed } = await pruned(keep);
  expect(backups.names()).toEqual(
    wantedBy(keep)
      .map(([name]) => name)
      .sort(),
  );
  expect(removed.archives).toBe(400 - backups.names().length);
  // And once more: nothing is left to do.
  expect((await pruned(keep)).removed).toEqual({ archives: 0, bytes: 0 });
});

test('the result has everything, from the newest to the oldest; decisions are told from the oldest to the newest', async () => {
  backups.days('2026-05-26', '2026-05-27', '2026-05-28');
  const { size } = statSync(join(backups.directory, '2026-05-26.tar.gz'));
  const told: string[] = [];
  const result = await pruned(
    { last: 1, daily: 2 },
    {
      onEvent: (event) =>
        told.push(event.type === 'decision' ? event.decision.name : event.type === 'phase' ? event.phase : ''),
    },
  );
  expect(result).toEqual({
    directory: backups.directory,
    dryRun: false,
    archives: [
      {
        name: '2026-05-28.tar.gz',
        createdAt: '2026-05-28T03:00:00Z',
        size: expect.any(Number),
        incomplete: null,
        outcome: 'kept',
        reasons: [
          { rule: 'last', number: 1 },
          { rule: 'daily', number: 1, period: '2026-05-28', oldest: false },
        ],
        message: null,
      },
      expect.objectContaining({
        name: '2026-05-27.tar.gz',
        outcome: 'kept',
        reasons: [{ rule: 'daily', number: 2, period: '2026-05-27', oldest: false }],
      }),
      expect.objectContaining({ name: '2026-05-26.tar.gz', outcome: 'removed', reasons: [], message: null }),
    ],
    untouched: [],
    kept: { archives: 2, bytes: expect.any(Number) },
    removed: { archives: 1, bytes: size },
    sources: [{ hostname: 'here', home: '/home/alice/.leoflow' }],
    failed: 0,
    durationMs: expect.any(Number),
  });
  expect(told).toEqual(['look', 'remove', '2026-05-26.tar.gz', '2026-05-27.tar.gz', '2026-05-28.tar.gz']);
});

describe('what counts', () => {
  test('is told by content, not by name', async () => {
    backups.put('backup-of-tuesday', archiveOf('2026-05-26T03:00:00Z'));
    backups.put('-rf', archiveOf('2026-05-25T03:00:00Z'));
    backups.put('new.zip', archiveOf('2026-05-28T03:00:00Z'));
    backups.put('2020-01-01.tar.gz', 'not at all');
    const { archives } = await pruned({ last: 1 });
    expect(outcomes(archives)).toEqual({ 'new.zip': 'kept', 'backup-of-tuesday': 'removed', '-rf': 'removed' });
    expect(backups.names()).toEqual(['2020-01-01.tar.gz', 'new.zip']);
  });

  test('is dated by its manifest, whatever the file says', async () => {
    const now = new Date();
    backups.days('2026-05-27', '2026-05-28');
    utimesSync(backups.put('zzz.tar.gz', archiveOf('2001-01-01T00:00:00Z')), now, now);
    await pruned({ last: 2 });
    expect(backups.names()).toEqual(['2026-05-27.tar.gz', '2026-05-28.tar.gz']);
  });

  test('can be of the Leoflow binary, or repacked', async () => {
    fs.copyFileSync(REFERENCE, join(backups.directory, 'reference.tar.gz'));
    backups.put('repacked', archiveOf('2019-05-27T03:00:00Z', 'foreign'));
    backups.put('older', archiveOf('2019-05-26T03:00:00+02:00', 'foreign'));
    const { archives } = await pruned({ last: 2 });
    expect(outcomes(archives)).toEqual({ 'reference.tar.gz': 'kept', repacked: 'kept', older: 'removed' });
  });
});

describe('never touched', () => {
  test('files that are something else, links, directories, FIFOs and sockets', async () => {
    backups.days('2026-05-27', '2026-05-28');
    const outside = join(backups.base, 'outside.tar.gz');
    writeFileSync(outside, archiveOf('2020-01-01T00:00:00Z'));
    symlinkSync(outside, join(backups.directory, 'link.tar.gz'));
    symlinkSync('nowhere', join(backups.directory, 'dangling'));
    mkdirSync(join(backups.directory, 'below'));
    writeFileSync(join(backups.directory, 'below/deep.tar.gz'), archiveOf('2020-01-01T00:00:00Z'));
    backups.put('notes.txt', 'remember');
    backups.put('empty', '');
    backups.put(
      'other.tar.gz',
      plainGzip(
        Buffer.concat(
          blocksOf({ manifest: [] })
            .flat()
            .map((one) => one.records),
        ),
      ),
    );
    backups.put('cut.tar.gz', plainGzip(Buffer.alloc(0)).subarray(0, 12));
    const server = createServer().listen(join(backups.directory, 'socket'));
    try {
      expect(await untouched()).toEqual({
        below: 'not-a-file: a directory',
        'cut.tar.gz': expect.stringMatching(/^not-an-archive: .*cut off/),
        dangling: 'not-a-file: a symbolic link',
        empty: 'not-an-archive: this is not a backup archive: it is empty',
        'link.tar.gz': 'not-a-file: a symbolic link',
        'notes.txt': 'not-an-archive: this is not a backup archive: it is not gzip',
        'other.tar.gz': 'not-an-archive: there is no MANIFEST.json in it',
        socket: 'not-a-file: neither a file nor a directory',
      });
    } finally {
      server.close();
    }
    expect(backups.names()).toContain('2026-05-28.tar.gz');
    expect(backups.names()).not.toContain('2026-05-27.tar.gz');
    expect(fs.existsSync(outside)).toBe(true);
    expect(fs.existsSync(join(backups.directory, 'below/deep.tar.gz'))).toBe(true);
  });

  test('archives whose manifest cannot be understood, is of another version, or has no time that can be', async () => {
    backups.days('2026-05-27', '2026-05-28');
    const put = (name: string, fields: object) =>
      backups.put(name, archiveOf('', 'ours', { manifest: [manifest(fields)] }));
    put('newer', { ...MANIFEST, manifest_version: 2 });
    put('zero', { ...MANIFEST, manifest_version: 0 });
    put('unnamed', { ...MANIFEST, leoflow_version: 7 });
    put('undated', { ...MANIFEST, created_at: 'yesterday' });
    put('ancient', { ...MANIFEST, created_at: '1969-12-31T23:59:59Z' });
    put('future', { ...MANIFEST, created_at: '2199-01-01T00:00:00Z' });
    backups.put('text', archiveOf('', 'ours', { manifest: [file('MANIFEST.json', 'hello')] }));
    const found = await untouched();
    expect(Object.keys(found)).toEqual(['ancient', 'future', 'newer', 'text', 'undated', 'unnamed', 'zero']);
    expect(found).toMatchObject({
      ancient: 'time: its manifest has no usable time: 1969-12-31T23:59:59Z',
      future: 'time: its time is still to come: 2199-01-01T00:00:00Z',
      newer: expect.stringMatching(/^version: .*manifest_version 2/),
      text: 'manifest: the MANIFEST.json of the archive is not JSON',
      undated: 'time: its manifest has no usable time: yesterday',
      unnamed: 'manifest: the MANIFEST.json of the archive has no usable leoflow_version',
      zero: expect.stringMatching(/^version: /),
    });
    expect(backups.names().filter((name) => name.startsWith('2026'))).toEqual(['2026-05-28.tar.gz']);
  });

  test('what a backup that is running writes, and what one that was killed has left', async () => {
    backups.days('2026-05-27', '2026-05-28');
    backups.put(temporaryName('snap.tar.gz'), archiveOf('2020-01-01T00:00:00Z'));
    expect(Object.values(await untouched())).toEqual([expect.stringMatching(/^temporary: /)]);
    expect(backups.names()).toHaveLength(2);
  });

  test('a name that is not UTF-8', async () => {
    backups.days('2026-05-28');
    const name = Buffer.concat([Buffer.from(`${backups.directory}/a`), Buffer.from([0xff])]);
    writeFileSync(name, archiveOf('2020-01-01T00:00:00Z'));
    const { untouched, archives } = await pruned({ last: 1 });
    expect(untouched).toEqual([{ name: 'a\ufffd', why: 'not-an-archive', message: 'its name is not UTF-8' }]);
    expect(archives).toHaveLength(1);
    expect(fs.existsSync(name)).toBe(true);
  });
});

describe('the newest good archive stays, and no damaged one counts in its place', () => {
  const ours = archiveOf('2026-05-28T03:00:00Z');
  const members = membersOf(blocksOf({ manifest: [manifest({ ...MANIFEST, created_at: '2026-05-28T03:00:00Z' })] }));
  // So large that its manifest has been read when the end is not right.
  const content = Buffer.alloc(1 << 20, 'abc');
  const foreign = archiveOf('2026-05-28T03:00:00Z', 'foreign', { workspace: [[file('workspace/large', content)]] });
  const flipped = Buffer.from(foreign);
  flipped[flipped.length - 8] = (flipped[flipped.length - 8] ?? 0) ^ 1;
  const cases: [string, Buffer][] = [
    ['cut off by a byte', ours.subarray(0, -1)],
    ['cut off in the middle', ours.subarray(0, ours.length / 2)],
    ['cut off between two members', Buffer.concat(members.slice(0, -1))],
    ['without its checksums', Buffer.concat([...members.slice(0, -3), ...members.slice(-1)])],
    ['with half of its checksums', Buffer.concat([...members.slice(0, -2), ...members.slice(-1)])],
    ['with something behind it', Buffer.concat([ours, Buffer.from('more')])],
    ['of the binary, cut off', foreign.subarray(0, -100)],
    ['of the binary, with a flipped bit', flipped],
    ['of the binary, without a dump', archiveOf('2026-05-28T03:00:00Z', 'foreign', { dump: [] })],
  ];
  test.each(cases)('%s', async (_, damaged) => {
    backups.days('2026-05-26', '2026-05-27');
    backups.put('newest.tar.gz', damaged);
    expect(await untouched()).toEqual({ 'newest.tar.gz': expect.stringMatching(/^damaged: /) });
    expect(backups.names()).toEqual(['2026-05-27.tar.gz', 'newest.tar.gz']);
  });

  test('where all of them are damaged, nothing is removed', async () => {
    for (const day of [26, 27, 28]) backups.put(`${day}`, archiveOf(`2026-05-${day}T03:00:00Z`).subarray(0, -60));
    const { kept, removed } = await pruned({ last: 1 });
    expect([kept.archives, removed.archives]).toEqual([0, 0]);
    expect(backups.names()).toHaveLength(3);
  });

  test('whatever the rules: at least one is kept', async () => {
    const one: fc.Arbitrary<KeepRules> = fc.constantFrom(
      { last: 1 },
      { hourly: 1 },
      { yearly: 1 },
      { weekly: 1, last: 0 },
      { within: { hours: 1 } },
    );
    await fc.assert(
      fc.asyncProperty(one, async (keep) => {
        backups.days('2026-05-27', '2026-05-28');
        await pruned(keep);
        expect(backups.names()).toContain('2026-05-28.tar.gz');
      }),
      { seed: SEED, numRuns: 10 },
    );
  });
});

describe('an archive that is not complete', () => {
  const put = (name: string, time: string, lacks: number) => backups.put(name, indexedArchive(time, lacks));

  test('does not take the place of a complete one', async () => {
    put('whole', '2026-05-28T03:00:00Z', 0);
    put('lacking', '2026-05-28T04:00:00Z', 2);
    put('newest', '2026-05-28T05:00:00Z', 1);
    const { archives } = await pruned({ daily: 1 });
    expect(archives.map(({ name, outcome, incomplete, reasons }) => [name, outcome, incomplete, reasons])).toEqual([
      ['newest', 'kept', 1, [{ rule: 'newest' }]],
      ['lacking', 'removed', 2, []],
      ['whole', 'kept', 0, [{ rule: 'daily', number: 1, period: '2026-05-28', oldest: false }]],
    ]);
    expect(backups.names()).toEqual(['newest', 'whole']);
  });

  test('is kept for a day that has no other, and goes when there are enough', async () => {
    put('1', '2026-05-25T03:00:00Z', 0);
    for (const day of ['26', '27', '28']) put(day, `2026-05-${day}T03:00:00Z`, 1);
    await pruned({ daily: 2 });
    expect(backups.names()).toEqual(['1', '27', '28']);
  });

  test('says so in its last line, and only there: a rule that looks like it says nothing', async () => {
    const rule = `{"out":${JSON.stringify('{"incomplete":1}')},"d":0,"f":1}\n`;
    const archive = withIndex({ fields: { created_at: '2026-05-28T03:00:00Z' }, index: (right) => right + rule });
    backups.put('rule', Buffer.concat(archive));
    backups.days('2026-05-27');
    expect((await pruned({ last: 2 })).archives.map(({ name, incomplete }) => [name, incomplete])).toEqual([
      ['rule', 0],
      ['2026-05-27.tar.gz', null],
    ]);
  });

  test('whose index is cut in two by a member of its own is known as well', async () => {
    const step = 512;
    for (const before of [1, 10, 16, 17]) {
      // So many bytes of the last line stand in the member before.
      const index = (right: string) => {
        const length = right.length + '{"out":"","d":0,"f":1}\n'.length + before;
        return `${right}{"out":"${'x'.repeat(step - (length % step))}","d":0,"f":1}\n{"incomplete":3}\n`;
      };
      backups.put(
        `${before}`,
        Buffer.concat(withIndex({ fields: { created_at: '2026-05-28T03:00:00Z' }, index, step })),
      );
    }
    expect((await pruned({ last: 9 })).archives.map(({ incomplete }) => incomplete)).toEqual([3, 3, 3, 3]);
  });

  test('newer than one of the binary that is cut off: the complete one before that is what the others go for', async () => {
    backups.days('2026-05-25', '2026-05-26');
    // So large that its manifest has been read when the end is not right.
    const workspace = [[file('workspace/large', Buffer.alloc(1 << 20, 'abc'))]];
    backups.put('cut', archiveOf('2026-05-27T03:00:00Z', 'foreign', { workspace }).subarray(0, -9));
    put('lacking', '2026-05-28T03:00:00Z', 1);
    const { archives, untouched } = await pruned({ last: 1 });
    expect(untouched).toMatchObject([{ name: 'cut', why: 'damaged' }]);
    expect(outcomes(archives)).toEqual({
      lacking: 'kept',
      '2026-05-26.tar.gz': 'kept',
      '2026-05-25.tar.gz': 'removed',
    });
  });

  test('without an index where one is promised counts as damaged', async () => {
    backups.days('2026-05-27');
    const fields = { created_at: '2026-05-28T03:00:00Z' };
    backups.put('lacking', Buffer.concat(withIndex({ fields, tail: (files) => files.slice(1) })));
    const { untouched } = await pruned({ last: 1 });
    expect(untouched).toMatchObject([{ name: 'lacking', why: 'damaged', message: expect.stringContaining('INDEX') }]);
    expect(backups.names()).toHaveLength(2);
  });

  test('that goes away meanwhile stops nothing; the newest complete one does', async () => {
    const fill = () => {
      for (const day of ['24', '25', '26']) put(day, `2026-05-${day}T03:00:00Z`, 0);
      put('lacking', '2026-05-28T03:00:00Z', 1);
    };
    const without = (name: string) =>
      pruned(
        { last: 1 },
        {
          onEvent: (event) =>
            event.type === 'phase' && event.phase === 'remove' && unlinkSync(join(backups.directory, name)),
        },
      );
    fill();
    expect((await without('lacking')).removed.archives).toBe(2);
    expect(backups.names()).toEqual(['26']);
    fill();
    await expect(without('26')).rejects.toMatchObject({ code: 'PRUNE_STOPPED' });
    expect(backups.names()).toEqual(['24', '25', 'lacking']);
  });
});

describe('refused, with nothing removed', () => {
  test.each([
    [{}, 'no rule keeps anything'],
    [{ last: 0 }, 'no rule keeps anything'],
    [{ daily: 0, within: { hours: 0 } }, 'no rule keeps anything'],
    [{ last: -1 }, 'last must be a whole number, not -1'],
    [{ daily: 1.5 }, 'daily must be a whole number, not 1.5'],
    [{ last: 1, within: { days: Number.POSITIVE_INFINITY } }, 'days must be a whole number, not Infinity'],
  ] as const)('rules that keep nothing, or mean nothing: %j', async (keep, message) => {
    backups.days('2026-05-27', '2026-05-28');
    expect(await refused(keep)).toMatchObject({ code: 'USAGE', message: expect.stringContaining(message) });
    expect(backups.names()).toHaveLength(2);
  });

  test('a directory that is not there, or is none', async () => {
    for (const name of ['nowhere', 'file']) {
      writeFileSync(join(backups.base, 'file'), '');
      const directory = join(backups.base, name);
      const error = await refused({ last: 1 }, { directory });
      expect(error).toMatchObject({
        code: 'PRUNE_DIRECTORY',
        kind: 'failed',
        message: expect.stringContaining(directory),
      });
    }
  });

  test.each([1, 20])('a disk that does not give back what is on it, at the read number %d', async (at) => {
    backups.days('2026-05-26', '2026-05-27', '2026-05-28');
    const { readSync } = fs;
    let count = 0;
    fs.readSync = ((...args: Parameters<typeof readSync>) => {
      count += 1;
      if (count === at)
        throw Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO', errno: -5, syscall: 'read' });
      return readSync(...args);
    }) as typeof readSync;
    syncBuiltinESMExports();
    try {
      expect(await refused({ last: 1 })).toMatchObject({
        code: 'PRUNE_UNREADABLE',
        kind: 'failed',
        message: expect.stringMatching(/\d\.tar\.gz cannot be read: i\/o error; nothing was removed$/),
      });
    } finally {
      fs.readSync = readSync;
      syncBuiltinESMExports();
    }
    expect(backups.names()).toHaveLength(3);
  });

  test('an interruption', async () => {
    backups.days('2026-05-27', '2026-05-28');
    const stop = new AbortController();
    const onEvent: PruneOptions['onEvent'] = (event) => {
      if (event.type === 'phase' && event.phase === 'remove') stop.abort();
    };
    expect(await refused({ last: 1 }, { signal: stop.signal, onEvent })).toMatchObject({ code: 'INTERRUPTED' });
    expect(await refused({ last: 1 }, { signal: stop.signal })).toMatchObject({ code: 'INTERRUPTED' });
    expect(backups.names()).toHaveLength(2);
  });
});

describe('while others work in the directory', () => {
  const days = ['2026-05-24', '2026-05-25', '2026-05-26', '2026-05-27', '2026-05-28'];
  const path = (day: string) => join(backups.directory, `${day}.tar.gz`);

  /** Prunes all but the newest; something happens when everything has been judged. */
  const prunedWhile = (act: () => void) =>
    pruned({ last: 1 }, { onEvent: (event) => event.type === 'phase' && event.phase === 'remove' && act() });

  test('a file that vanishes is gone, and that is fine', async () => {
    backups.days(...days);
    const { archives, failed } = await prunedWhile(() => unlinkSync(path('2026-05-25')));
    expect(failed).toBe(0);
    expect(outcomes(archives)).toMatchObject({ '2026-05-25.tar.gz': 'gone', '2026-05-24.tar.gz': 'removed' });
    expect(backups.names()).toEqual(['2026-05-28.tar.gz']);
  });

  test('a file that is not the one any more that was judged stays', async () => {
    backups.days(...days);
    const later = new Date('2030-01-01');
    const { archives, removed } = await prunedWhile(() => {
      // As a backup to the same name does it.
      renameSync(backups.put('new', archiveOf('2026-05-29T03:00:00Z')), path('2026-05-24'));
      rmSync(path('2026-05-25'));
      symlinkSync('2026-05-28.tar.gz', path('2026-05-25'));
      fs.appendFileSync(path('2026-05-26'), 'x');
      utimesSync(path('2026-05-27'), later, later);
    });
    expect(Object.values(outcomes(archives))).toEqual(['kept', 'changed', 'changed', 'changed', 'changed']);
    expect(removed.archives).toBe(0);
    expect(backups.names()).toHaveLength(5);
  });

  test('when the newest is gone, for which the others were to go, no more of them goes', async () => {
    backups.days(...days);
    const stopping = prunedWhile(() => unlinkSync(path('2026-05-28')));
    await expect(stopping).rejects.toMatchObject({ code: 'PRUNE_STOPPED', kind: 'failed' });
    expect(backups.names()).toHaveLength(4);
  });

  test('several prunes at once, each with other rules: the newest is kept, and all of them end well', async () => {
    backups.days(...days, '2025-05-24', '2024-05-24', '2023-05-24');
    const results = await Promise.all(
      [{ last: 1 }, { yearly: 4 }, { daily: 3 }, { last: 1 }].map((keep) => pruned(keep)),
    );
    expect(results.map(({ failed }) => failed)).toEqual([0, 0, 0, 0]);
    expect(backups.names()).toEqual(['2026-05-28.tar.gz']);
  });

  test('an archive that cannot be removed is told of, and the others go', async () => {
    backups.days(...days);
    const { unlink } = promises;
    promises.unlink = (name) => {
      if (!String(name).includes('05-25')) return unlink(name);
      return Promise.reject(Object.assign(new Error('EPERM: operation not permitted'), { code: 'EPERM', errno: -1 }));
    };
    syncBuiltinESMExports();
    try {
      const { archives, failed, removed } = await pruned({ last: 1 });
      expect([failed, removed.archives]).toEqual([1, 3]);
      const { outcome, message } = archives.find(({ name }) => name.includes('05-25')) ?? {};
      expect([outcome, message]).toEqual(['failed', 'operation not permitted']);
    } finally {
      promises.unlink = unlink;
      syncBuiltinESMExports();
    }
    expect(backups.names()).toEqual(['2026-05-25.tar.gz', '2026-05-28.tar.gz']);
  });
});
