/**
 * Archives as chance makes them: good ones with bits flipped, cut, spliced, their members dropped, doubled, moved and exchanged, their tar changed and
 * packed again. Whatever comes of it is an exact restore, or an error that says what is wrong; nothing else.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type * as Archive from '../../../src/engine/archive/index.js';
import type * as ExtractionModule from '../../../src/engine/extraction.js';
import type * as Opened from '../../../src/engine/opened-archive.js';
import type * as Pool from '../../../src/engine/pool.js';
import type * as Workspace from '../../../src/engine/workspace/index.js';
import { membersOf as membersIn } from '../../support/archive.js';
import {
  blocksOf,
  directory,
  type Forged,
  file,
  indexed,
  largeFile,
  MANIFEST,
  manifest,
  membersOf,
  streamed,
  symlink,
} from '../../support/forge/archive.js';
import { createInstall } from '../../support/install.js';
import { backup } from '../../support/library.js';
import { look, put, type Seen } from '../../support/tree.js';
import { Arena } from './arena.js';
import { type Donor, type Mutation, mutate, mutation } from './mutations.js';

const SEED = Number(process.env.FUZZ_SEED ?? 20261122);
const RUNS = Number(process.env.FUZZ_RUNS ?? 2400);
/** Cases that go through all of `restore()`. */
const WHOLE_RUNS = Math.ceil(RUNS / 24);
/** For one case; a busy machine may take its time, something that waits for ever takes more. */
const HANGS_MS = 60_000;

const built = <T>(module: string) =>
  import(new URL(`../../../dist/engine/${module}.js`, import.meta.url).href) as Promise<T>;
const { ChecksumLedger } = await built<typeof Archive>('archive/index');
const { DeferredEntries, StagingTree } = await built<typeof Workspace>('workspace/index');
const { openArchive } = await built<typeof Opened>('opened-archive');
const { Extraction } = await built<typeof ExtractionModule>('extraction');
const { WorkerPool } = await built<typeof Pool>('pool');

let arena: Arena;
let pool: Pool.WorkerPool;
let donors: Donor[];
/** What each of them is restored to. */
let exact: Outcome[];

/** What came of an archive. */
interface Outcome {
  config: string | undefined;
  setup: string | undefined;
  dump: string;
  counts: string;
  /** Null where it was only checked. */
  tree: string | null;
}

beforeAll(async () => {
  const ours = await archiveOfOurs();
  arena = new Arena();
  pool = await WorkerPool.start(2);
  const small = forged('a');
  const other = forged('b');
  const reference = readFileSync(fileURLToPath(new URL('../../fixtures/reference-v1.tar.gz', import.meta.url)));
  const plain = blocksOf({ manifest: [manifest({ ...MANIFEST, checksums: undefined })], sums: () => null });
  donors = [
    { bytes: ours, members: membersIn(ours).map(({ raw }) => raw) },
    { bytes: indexed(small), members: membersOf(small) },
    { bytes: indexed(other), members: membersOf(other) },
    { bytes: streamed(small), members: null },
    { bytes: streamed(plain), members: null },
    { bytes: reference, members: null },
  ];
  exact = [];
  for (const { bytes } of donors) {
    const outcome = await extract(bytes, false);
    expect(outcome).not.toBeInstanceOf(Error);
    exact.push(outcome as Outcome);
  }
});

afterAll(async () => {
  await pool?.destroy();
  arena?.remove();
});

/** Written by the program itself, with a file that takes several members. */
async function archiveOfOurs(): Promise<Buffer> {
  const install = await createInstall();
  try {
    for (let i = 0; i < 20; i += 1) put(join(install.workspace, `dags/${i}.py`), `print(${i})\n`.repeat(i));
    put(join(install.workspace, 'large.csv'), Buffer.alloc(1_300_000, '1,2,3\n'));
    mkdirSync(join(install.workspace, 'empty'));
    await backup({ home: install.home, output: install.archive, workers: 2 });
    return readFileSync(install.archive);
  } finally {
    await install.remove();
  }
}

/** Small, with many members; every block has a file in it, so that none can be missed. */
function forged(what: string): Forged[][] {
  const some = (name: string) => [
    directory(`workspace/${name}/`),
    file(`workspace/${name}/file`, `${what} ${name}`),
    symlink(`workspace/${name}/link`, 'file'),
  ];
  return blocksOf({
    workspace: [
      [directory('workspace/'), ...some('a')],
      some('b'),
      [largeFile('workspace/c', Buffer.alloc(3000, what), 1024)],
      some('d'),
      [largeFile('workspace/e', Buffer.alloc(1500, `${what}${what}c`), 512)],
      some('f'),
    ],
  });
}

/** Reads an archive as a restore does, into a staging tree or only to check it. */
async function extract(bytes: Buffer, check: boolean): Promise<Outcome | Error> {
  const place = join(arena.base, 'staging');
  const root = check ? null : join(place, 'workspace');
  mkdirSync(join(place, 'workspace'), { recursive: true });
  writeFileSync(arena.archive, bytes);
  const { signal } = new AbortController();
  const ledger = new ChecksumLedger(place);
  const deferred = new DeferredEntries(place);
  const dump = createHash('sha256');
  // A restore ends its workers before it closes anything; ours go on.
  const tasks: Promise<unknown>[] = [];
  const tracked = {
    workers: pool.workers,
    run: (...task: Parameters<typeof pool.run>) => {
      const result = pool.run(...task);
      tasks.push(result);
      return result;
    },
  } as unknown as Pool.WorkerPool;
  try {
    const archive = await openArchive(arena.archive, signal);
    const extraction = new Extraction({
      archive,
      pool: tracked,
      root,
      ledger,
      deferred,
      onDump: async (content) => void dump.update(content),
      onProgress: () => {},
      signal,
    });
    try {
      await extraction.run();
      if (root !== null) deferred.apply(new StagingTree(root));
      const { files, bytes: content } = extraction.progress;
      return {
        config: extraction.config?.toString('latin1'),
        setup: extraction.setup?.toString('latin1'),
        dump: dump.digest('hex'),
        counts: `${files} files, ${content} bytes, ${deferred.directories} directories, ${deferred.links} links`,
        tree: root === null ? null : textOf(look(root)),
      };
    } finally {
      await Promise.allSettled(tasks);
      extraction.close();
      await archive.handle.close();
    }
  } catch (error) {
    return error instanceof Error ? error : new Error(`no error at all: ${String(error)}`);
  } finally {
    ledger.close();
    deferred.close();
    rmSync(place, { recursive: true, force: true });
  }
}

/** A tree as text. Directories without an entry of their own have the time at which they were made, which says nothing. */
function textOf(tree: ReturnType<typeof look>): string {
  const now = Date.now() / 1000 - 3600;
  const told = ([path, seen]: [string, Seen]) =>
    JSON.stringify([path, seen.kind === 'directory' && seen.mtime > now ? { ...seen, mtime: 0 } : seen]);
  return [...tree].map(told).sort().join('\n');
}

function inTime<T>(promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('it hangs')), HANGS_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/**
 * Whether a success is one. Where gzip's checksums are those of the archive that was good, all is as it was; what was packed again may have other modes,
 * times, links and directories, but no other files where there is a SHA256SUMS.
 */
function expectExact({ tree, ...rest }: Outcome, donor: number, change: Mutation): void {
  const kept = isKept(donor, change);
  if (!kept && donor >= UNLISTED) return;
  const facts = ({ config, setup, dump, counts }: Omit<Outcome, 'tree'>) =>
    JSON.stringify([config, setup, dump, kept ? counts : counts.replace(/ bytes.*/, '')]);
  const same = exact.filter((good) => facts(good) === facts(rest));
  expect(same.length, `restored as none of the good ones: ${facts(rest)}`).toBeGreaterThan(0);
  if (tree !== null && kept) expect(same.map((good) => good.tree)).toContain(tree);
}

/** The first of the donors that have no SHA256SUMS. */
const UNLISTED = 4;

/** Whether every member of the result is one of a good archive, or has the checksum of none. */
function isKept(donor: number, { level }: Mutation): boolean {
  return level === 'bytes' || (level === 'members' && donors[donor]?.members !== null);
}

const cases = fc.record({ donor: fc.nat(5), change: mutation });

describe(`with the seed ${SEED}`, () => {
  test(`${RUNS} archives are read exactly, or refused by name`, async () => {
    const before = arena.look();
    const outcomes = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(cases, fc.boolean(), async ({ donor, change }, check) => {
        const outcome = await inTime(extract(mutate(donors[donor] as Donor, change, donors), check));
        const kind = outcome instanceof Error ? ('code' in outcome ? String(outcome.code) : outcome.name) : 'restored';
        outcomes.set(kind, (outcomes.get(kind) ?? 0) + 1);
        if (!(outcome instanceof Error)) return expectExact(outcome, donor, change);
        if (outcome.name !== 'SnapshotError') throw outcome;
        expect(outcome.message).toMatch(
          /^(the archive|this is not a backup archive|the MANIFEST|the dump in the archive)/,
        );
      }),
      { seed: SEED, numRuns: RUNS },
    );
    // Everything around is as it was, and nothing is open.
    writeFileSync(arena.archive, '');
    const after = arena.look();
    expect(without(after.files)).toEqual(without(before.files));
    expect(after.open).toEqual(before.open);
    // The mutations reach every layer: what is only ever refused at the door proves nothing.
    expect([...outcomes.keys()].sort()).toEqual(
      expect.arrayContaining([
        'ARCHIVE_DAMAGED',
        'ARCHIVE_TRUNCATED',
        'ARCHIVE_UNSAFE',
        'CHECKSUM_MISMATCH',
        'restored',
      ]),
    );
    expect([...outcomes.values()].reduce((sum, count) => sum + count)).toBe(RUNS);
  }, 600_000);

  test(`${WHOLE_RUNS} archives are restored exactly, or leave everything as it was`, async () => {
    await fc.assert(
      fc.asyncProperty(cases, async ({ donor, change }) => {
        const bytes = mutate(donors[donor] as Donor, change, donors);
        writeFileSync(arena.archive, bytes);
        const before = arena.look();
        const failed = await inTime(arena.restore(arena.archive)).then(
          () => null,
          (error: unknown) => error,
        );
        if (failed === null) {
          const tree = textOf(arena.restored());
          if (isKept(donor, change)) expect(exact.map((good) => good.tree)).toContain(tree);
          arena.remove();
          arena = new Arena();
          return;
        }
        if (!(failed instanceof Error && failed.name === 'SnapshotError')) throw failed;
        expect(arena.look()).toEqual(before);
      }),
      { seed: SEED, numRuns: WHOLE_RUNS },
    );
    expect(readdirSync(join(arena.base, 'tmp'))).toEqual(['canary']);
  }, 600_000);
});

const without = (files: Record<string, string>) =>
  Object.fromEntries(Object.entries(files).filter(([path]) => path !== '/in.tar.gz' && path !== ''));
