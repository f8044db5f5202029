/** `--ping-url`: a dead man's switch hears of the start and of the end, and neither its answer nor its silence makes any difference to the backup. */
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { programs } from '../datastore/fixtures.js';
import { lastJson, leoflow, startLeoflow } from '../support/cli.js';
import { createInstall, type TestInstall } from '../support/install.js';
import { freePort } from '../support/postgres.js';
import { put } from '../support/tree.js';
import { command, jsonLines } from './support.js';

/** What makes an address a credential. */
const SECRET = 'b0a4-secret-uuid';

interface Heard {
  what: string;
  body: string;
}

/** A monitoring service on this machine. */
class Service {
  readonly heard: Heard[] = [];
  /** How it answers; the default is as it should. */
  answer: (request: IncomingMessage, response: ServerResponse) => void = (_request, response) => response.end('OK');
  readonly #server: Server;

  constructor() {
    this.#server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      this.heard.push({ what: `${request.method} ${request.url}`, body: Buffer.concat(chunks).toString() });
      this.answer(request, response);
    });
  }

  async listen(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return this;
  }

  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get url(): string {
    return `http://${this.host}/${SECRET}`;
  }

  /** The requests, without the credential. */
  get pings(): string[] {
    return this.heard.map(({ what }) => what.replace(SECRET, '…'));
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

let install: TestInstall;
let service: Service;
beforeAll(async () => {
  install = await createInstall();
  put(join(install.workspace, 'dag.py'), 'print("hello")\n');
});
afterAll(() => install?.remove());
beforeEach(async () => {
  service = await new Service().listen();
});
afterEach(() => {
  service.close();
  rmSync(install.archive, { force: true });
});

const argv = (...more: string[]) => ['lite', 'backup', '--home', install.home, '-o', install.archive, ...more];

async function run(more: readonly string[], env: Record<string, string> = { LEOFLOW_PING_URL: service.url }) {
  const { status, stdout, stderr } = await leoflow(argv(...more), { env });
  for (const text of [stdout.toString(), stderr]) expect(text).not.toContain(SECRET);
  return { status, stdout: stdout.toString(), stderr };
}

const warnings = (stderr: string) => stderr.split('\n').filter((line) => line.startsWith('warning: '));
const failed = (what: string, why: string) =>
  `warning: ${service.host}: the ping that tells of the ${what} has failed: ${why}`;

describe('a backup', () => {
  test('that succeeds: the start, then the success with the summary; a query stays where it is', async () => {
    const { status, stdout, stderr } = await run(['--ping-url', `${service.url}?create=1&x=%2F`], {});
    expect({ status, warnings: warnings(stderr) }).toEqual({ status: 0, warnings: [] });
    expect(service.pings).toEqual(['POST /…/start?create=1&x=%2F', 'POST /…?create=1&x=%2F']);
    expect(service.heard.map(({ body }) => body)).toEqual(['', `${stdout}exit status 0\n`]);
    expect(stdout).toContain(`Backup written: ${install.archive}\n`);
  });

  test('the option wins over the variable, and an empty variable is none', async () => {
    const other = await new Service().listen();
    expect(await run(['--ping-url', service.url], { LEOFLOW_PING_URL: other.url })).toMatchObject({ status: 0 });
    expect(await run([], { LEOFLOW_PING_URL: '' })).toMatchObject({ status: 0 });
    expect([service.heard.length, other.heard.length]).toEqual([2, 0]);
    other.close();
  });

  test('an address without a path, and one that ends with a slash', async () => {
    for (const path of ['', '/', '/a/']) await run([], { LEOFLOW_PING_URL: `http://${service.host}${path}` });
    expect(service.pings).toEqual(['POST /start', 'POST /', 'POST /start', 'POST /', 'POST /a/start', 'POST /a/']);
  });

  test('that fails: the error and the hint', async () => {
    const { status, stderr } = await run(['--home', join(install.base, 'nowhere')]);
    expect(status).toBe(1);
    expect(service.pings).toEqual(['POST /…/start', 'POST /…/fail']);
    expect(service.heard[1]?.body).toBe(`${stderr.replace('Preparing\n', '')}exit status 1\n`);
    expect(service.heard[1]?.body).toMatch(/^error: there is no Leoflow install at .*\nhint: /);
  });

  test('that is incomplete is a failure, and says which files', async () => {
    const odd = Buffer.concat([Buffer.from(join(install.workspace, 'caf')), Buffer.from([0xe9])]);
    writeFileSync(odd, 'x');
    const { status } = await run([]);
    rmSync(odd);
    expect(status).toBe(3);
    expect(service.pings).toEqual(['POST /…/start', 'POST /…/fail']);
    expect(service.heard[1]?.body).toMatch(/^Backup written, but incomplete: /);
    expect(service.heard[1]?.body).toMatch(/\nwarning: .*caf\\xe9: .*\nexit status 3\n$/);
  });

  test('with many warnings sends no more than 10,000 bytes, and whole characters', async () => {
    const deep = join(install.workspace, ...['a', 'b', 'c'].map((letter) => letter + 'é'.repeat(120)));
    for (let n = 0; n < 25; n += 1) {
      put(join(deep, 'x'));
      writeFileSync(Buffer.concat([Buffer.from(`${deep}/${n}`), Buffer.from([0xe9])]), 'x');
    }
    await run([]);
    rmSync(join(install.workspace, 'a'.concat('é'.repeat(120))), { recursive: true });
    const body = Buffer.from(service.heard[1]?.body ?? '');
    expect(body.length).toBeGreaterThan(9990);
    expect(body.length).toBeLessThanOrEqual(10_000);
    expect(body.toString()).not.toContain('\ufffd');
  });

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('that %s interrupts', async (signal, status) => {
    const dumps = join(install.base, `dumps-${signal}`);
    const bin = await programs(install.base, {
      pg_dump: `if [ "$1" = --version ]; then exec "$REAL/pg_dump" --version; fi\n: > '${dumps}'\nexec sleep 600`,
    });
    const doing = startLeoflow(argv('--pg-bin', bin), { env: { LEOFLOW_PING_URL: service.url } });
    await doing.reached(() => existsSync(dumps), 'the dump');
    doing.child.kill(signal);
    expect(await doing.ended).toMatchObject({ status });
    expect(service.pings).toEqual(['POST /…/start', 'POST /…/fail']);
    expect(service.heard[1]?.body).toBe(`error: interrupted by ${signal}\nexit status ${status}\n`);
  });

  test('in JSON says nothing of pings that went well, and warns of others before the result', async () => {
    const well = await run(['--json', '--quiet']);
    expect(jsonLines(well.stdout).map(({ type }) => type)).toEqual(['result']);
    service.answer = (_request, response) => response.writeHead(404).end();
    const badly = await run(['--json', '--quiet']);
    expect(jsonLines(badly.stdout).map(({ type }) => type)).toEqual(['warning', 'warning', 'result']);
    expect(jsonLines(badly.stdout)[1]).toEqual({
      type: 'warning',
      warning: {
        code: 'ping',
        path: service.host,
        message: 'the ping that tells of the success has failed: the answer has status 404',
        incomplete: false,
      },
    });
    expect(lastJson(badly.stdout)).toMatchObject({ warningCount: 0, status: 0 });
  });
});

describe('a service', () => {
  test('that answers 500 is a warning, also with --quiet', async () => {
    service.answer = (_request, response) => response.writeHead(500).end('no');
    const { status, stdout, stderr } = await run(['--quiet']);
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
    expect(stderr.trimEnd().split('\n')).toEqual([
      failed('start', 'the answer has status 500'),
      failed('success', 'the answer has status 500'),
    ]);
    expect(existsSync(install.archive)).toBe(true);
  });

  test('where nobody listens', async () => {
    const url = `http://127.0.0.1:${await freePort()}/${SECRET}`;
    const { status, stderr } = await run(['--quiet'], { LEOFLOW_PING_URL: url });
    expect(status).toBe(0);
    expect(warnings(stderr)).toEqual(
      ['start', 'success'].map((what) => failed(what, 'nobody listens there').replace(service.host, new URL(url).host)),
    );
  });

  test('that hangs up', async () => {
    service.answer = (request) => request.socket.destroy();
    const { status, stderr } = await run(['--quiet']);
    // How a broken connection looks depends on who notices first.
    expect({ status, warnings: warnings(stderr).map((line) => line.replace(/ \(\w+\)$/, '')) }).toEqual({
      status: 0,
      warnings: ['start', 'success'].map((what) => failed(what, 'it cannot be reached')),
    });
  });

  test('that never answers: the backup goes on meanwhile, and waits a few seconds in the end', async () => {
    service.answer = () => {};
    const begun = performance.now();
    const doing = startLeoflow(argv('--json'), { env: { LEOFLOW_PING_URL: service.url } });
    await doing.reached(() => existsSync(install.archive), 'the archive');
    const done = performance.now();
    const { status, stdout } = await doing.ended;
    expect(status).toBe(0);
    // The start has a second left, the end has five.
    expect(performance.now() - done).toBeLessThan(8000);
    expect(jsonLines(stdout.toString()).flatMap(({ warning }) => warning ?? [])).toMatchObject(
      ['start', 'success'].map((what) => ({
        message: `the ping that tells of the ${what} has failed: there is no answer in time`,
      })),
    );
    expect(lastJson(stdout.toString()).durationMs).toBeLessThan(done - begun);
  });

  test('that never answers keeps an interrupted backup for 4 seconds at most', async () => {
    service.answer = () => {};
    const dumps = join(install.base, 'dumps');
    const bin = await programs(install.base, {
      pg_dump: `if [ "$1" = --version ]; then exec "$REAL/pg_dump" --version; fi\n: > '${dumps}'\nexec sleep 600`,
    });
    const doing = startLeoflow(argv('--pg-bin', bin), { env: { LEOFLOW_PING_URL: service.url } });
    await doing.reached(() => existsSync(dumps), 'the dump');
    const stopped = performance.now();
    doing.child.kill('SIGINT');
    expect(await doing.ended).toMatchObject({ status: 130 });
    expect(performance.now() - stopped).toBeLessThan(5500);
    expect(service.pings).toEqual(['POST /…/start', 'POST /…/fail']);
  });

  test('that answers slowly hears things in order', async () => {
    service.answer = (_request, response) => void setTimeout(() => response.end('OK'), 800);
    expect(await run([])).toMatchObject({ status: 0 });
    expect(service.pings).toEqual(['POST /…/start', 'POST /…']);
  });

  test('that redirects is followed', async () => {
    service.answer = (request, response) => {
      if (request.url?.startsWith('/moved')) response.end('OK');
      else response.writeHead(307, { location: `/moved${request.url}` }).end();
    };
    const { status, stderr } = await run([]);
    expect({ status, warnings: warnings(stderr) }).toEqual({ status: 0, warnings: [] });
    expect(service.pings).toEqual(['POST /…/start', 'POST /moved/…/start', 'POST /…', 'POST /moved/…']);
    expect(service.heard.at(-1)?.body).toBe(service.heard.at(-2)?.body);
  });

  test('that redirects to itself for ever', async () => {
    service.answer = (request, response) => response.writeHead(307, { location: request.url }).end();
    const { status, stderr } = await run(['--quiet']);
    expect({ status, warnings: warnings(stderr) }).toEqual({
      status: 0,
      warnings: ['start', 'success'].map((what) => failed(what, 'it cannot be reached')),
    });
  });
});

describe('an address that is none', () => {
  const message = (name: string) => `error: ${name} must be an http or https address\n`;

  test.each([['nonsense-secret'], ['ftp://secret/x'], ['file:///secret'], ['//secret/x'], ['http://']])(
    '%s is wrong usage, and is not repeated',
    async (value) => {
      for (const [words, env, name] of [
        [['--ping-url', value], {}, '--ping-url'],
        [[], { LEOFLOW_PING_URL: value }, 'LEOFLOW_PING_URL'],
      ] as const) {
        const { status, stdout, stderr } = await command(['lite', 'backup', ...words], { env });
        expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
        expect(stderr).toContain(message(name));
        expect(stderr).not.toContain('secret');
      }
    },
  );

  test('with a password in it, or empty', async () => {
    const { status, stderr } = await command(['lite', 'backup', '--ping-url', 'https://user:secret@host/x']);
    expect({ status, stderr }).toEqual({
      status: 2,
      stderr: 'error: --ping-url must not hold a user or a password\nhint: a ping URL is a secret by itself\n',
    });
    expect(await command(['lite', 'backup', '--ping-url', ''])).toMatchObject({
      status: 2,
      stderr: 'error: --ping-url must not be empty\nhint: leave it out to use the default\n',
    });
  });
});
