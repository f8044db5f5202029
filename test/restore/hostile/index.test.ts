/** INDEX.jsonl that says something else than the archive. docs/format.md, "INDEX.jsonl". */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Wrong, withIndex } from '../../index/support.js';
import { goodWorkspace } from '../../support/forge/archive.js';
import { Arena, type Refusal } from './arena.js';

let arena: Arena;
beforeAll(() => {
  arena = new Arena();
});
afterAll(() => arena?.remove());

const archive = (index?: Wrong['index']) =>
  Buffer.concat(withIndex({ workspace: [goodWorkspace()], ...(index && { index }) }));
const refusal: Refusal = {
  code: 'ARCHIVE_DAMAGED',
  kind: 'failed',
  says: 'its INDEX.jsonl does not say what is in it',
};
const hidden = (right: string) => right.replace(/.*hello.py.*\n/, '');

describe('INDEX.jsonl is refused', () => {
  test('without a file that is there', () => arena.refuses(archive(hidden), refusal));
  test('with another name', () =>
    arena.refuses(
      archive((right) => right.replace('hello.py', 'hello.md')),
      refusal,
    ));
  test('with another mode', () =>
    arena.refuses(
      archive((right) => right.replace(/(hello.py".*"m":)\d+/, '$1420')),
      refusal,
    ));
  test('also where only a part is restored', async () => {
    await arena.refuses(archive(hidden), refusal, { only: ['config'] });
    await arena.refuses(archive(hidden), refusal, { only: ['workspace'] });
  });
});

test('one that tells the truth is taken, also in other words', async () => {
  for (const index of [undefined, (right: string) => right.replaceAll('"m":', '"later":{"a":[1]},"m":')]) {
    await arena.restore(archive(index));
    expect([...arena.restored().keys()].sort()).toContain('dags/hello.py');
  }
});
