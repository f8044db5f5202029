/** docs/worked-examples.md, run as printed: by an ordinary user, on machines with nothing but Node.js and PostgreSQL. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SAMPLE_SQL } from './support/install.js';
import { type Doing, type Machine, Machines } from './support/machine.js';
import { look } from './support/tree.js';

const PAGE = readFileSync(new URL('../docs/worked-examples.md', import.meta.url), 'utf8');

/** The commands of the page's examples, by heading: without comments, in order. */
const STORIES = new Map(
  PAGE.split(/^## /m)
    .slice(1)
    .map((chapter) => [chapter.slice(0, chapter.indexOf('\n')), commandsOf(chapter)]),
);

function commandsOf(chapter: string): string[] {
  const blocks = [...chapter.matchAll(/^```sh\n(.*?)^```$/gms)].map((match) => match[1] ?? '');
  const lines = blocks.flatMap((block) => block.split('\n'));
  return lines.map((line) => line.replace(/(?:^|\s)#.*$/, '').trim()).filter((line) => line !== '');
}

let machines: Machines;
beforeAll(() => {
  machines = new Machines();
});
afterAll(() => machines.remove());

/** A person with a terminal, on one machine or, after `scp`, on the other. */
class Person {
  machine: Machine;
  lite: Doing | undefined;
  readonly #newHost: Machine | undefined;

  constructor(machine: Machine, newHost?: Machine) {
    this.machine = machine;
    this.#newHost = newHost;
  }

  /** Does what a line of the page says. @throws Error for a line that is not understood */
  async type(line: string): Promise<void> {
    const scp = /^scp (\/tmp\/[\w.-]+) user@new-host:~\/$/.exec(line)?.[1];
    if (scp !== undefined && this.#newHost !== undefined) {
      await this.#succeed(`cp ${this.#here(scp)} ${this.#newHost.user}/`);
      this.machine = this.#newHost;
    } else if (line === 'leoflow lite') this.lite = await this.machine.lite();
    else if (line === 'leoflow uninstall --purge') await this.#succeed(line, [['Remove it? [y/N] ', 'y\n']]);
    else if (/^leoflow (?:setup|lite (?:backup|restore) --(?:out|in)put [~/][\w./-]+)$/.test(line)) {
      await this.#succeed(this.#here(line));
    } else throw new Error(`a command on the page that this test does not understand: ${line}`);
  }

  /** Ctrl-C. */
  async stop(): Promise<void> {
    this.lite?.child.kill('SIGINT');
    expect(await this.lite?.ended).toMatchObject({ status: 0 });
    this.lite = undefined;
  }

  async #succeed(line: string, types?: [string, string][]): Promise<void> {
    const said = await this.machine.sh(line, types && { types });
    expect(said.status, `${line}\n${said.stdout}${said.stderr}`).toBe(0);
  }

  /** This machine's `/tmp` is a directory of its own. */
  #here(text: string): string {
    return text.replace(/(?<=^| )\/tmp\//, `${machines.base}/`);
  }
}

/** A machine with an install that somebody has worked with, which runs. */
async function workedWith(name: string): Promise<Person> {
  const person = new Person(machines.make(name));
  await person.type('leoflow setup');
  await person.type('leoflow lite');
  await person.machine.psql(SAMPLE_SQL);
  const made = await person.machine.sh(`cd leoflow && mkdir -p dags/empty .venv/bin &&
    printf 'print(1)\\n' > dags/etl.py && printf '#!/bin/sh\\n' > run.sh && chmod 750 run.sh && ln -s dags/etl.py latest &&
    head -c 300000 /dev/urandom > 'data [1] ä.bin' && touch .venv/bin/python && touch -d 2025-05-05 dags/etl.py dags`);
  expect(made).toMatchObject({ status: 0, stderr: '' });
  return person;
}

/** All that must be the same afterwards. */
async function contentOf({ machine }: Person) {
  const config = readFileSync(join(machine.home, 'config.yaml'), 'utf8');
  return {
    tree: look(machine.workspace, (path) => path.endsWith('.venv')),
    rows: await machine.psql('SELECT md5(string_agg(r::text, $$$$ ORDER BY id)), count(*) FROM run r'),
    tables: await machine.psql(`SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relname !~ '^pg_'
      AND relkind = 'r' AND relnamespace = 'public'::regnamespace`),
    secrets: config.match(/^(?:admin_password_hash|jwt_secret): .*/gm),
  };
}

test('the page has the two examples of the product, and no other command', () => {
  expect([...STORIES.values()]).toEqual([
    [
      'leoflow lite backup --output /tmp/snap.tar.gz',
      'scp /tmp/snap.tar.gz user@new-host:~/',
      'leoflow setup',
      'leoflow lite restore --input ~/snap.tar.gz',
      'leoflow lite',
    ],
    [
      'leoflow lite backup --output ~/snap-before-upgrade.tar.gz',
      'leoflow uninstall --purge',
      'leoflow lite restore --input ~/snap-before-upgrade.tar.gz',
      'leoflow lite',
    ],
  ]);
});

test('a command that is not understood is not passed over', async () => {
  await expect(new Person(machines.make('x')).type('leoflow frobnicate')).rejects.toThrow(
    'not understand: leoflow frobnicate',
  );
});

describe('as printed', () => {
  const [toAnotherMachine = [], backFromAnUpgrade = []] = STORIES.values();

  test('to another machine', async () => {
    const source = await workedWith('old');
    const before = await contentOf(source);
    const person = new Person(source.machine, machines.make('new'));
    for (const line of toAnotherMachine) await person.type(line);

    expect(person.machine.user).toBe(join(machines.base, 'new'));
    expect(await contentOf(person)).toEqual(before);
    const config = readFileSync(join(person.machine.home, 'config.yaml'), 'utf8');
    expect(config).toContain(`workspace: "${person.machine.workspace}"`);
    expect(config).not.toContain(source.machine.user);
    await person.stop();
    await source.stop();
  });

  test('back from an upgrade that went wrong', async () => {
    const person = await workedWith('upgraded');
    const before = await contentOf(person);
    const [backup = '', ...rest] = backFromAnUpgrade;
    await person.type(backup);
    // The upgrade: Leoflow is restarted, migrates, and breaks something.
    await person.stop();
    await person.type('leoflow lite');
    await person.machine.psql(`CREATE TABLE added_by_upgrade (run bigint REFERENCES run); DELETE FROM run WHERE id > 7;
      UPDATE schema_migrations SET version = 19`);
    expect(await person.machine.sh('rm -r leoflow/dags && echo broken > leoflow/run.sh')).toMatchObject({ status: 0 });
    const upgraded = person.lite;

    for (const line of rest) {
      await person.type(line);
      if (line !== 'leoflow uninstall --purge') continue;
      expect(existsSync(person.machine.home)).toBe(false);
      expect(existsSync(person.machine.workspace)).toBe(false);
      expect(await upgraded?.ended).toMatchObject({ status: 1 });
    }
    expect(await contentOf(person)).toEqual(before);
    await person.stop();
  });
});
