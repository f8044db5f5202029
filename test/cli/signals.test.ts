/** The first signal asks, the second one insists; an echo of the first does neither. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';

const SIGNALS = new URL('../../dist/cli/signals.js', import.meta.url).href;

const PROGRAM = `
  import { watchSignals } from ${JSON.stringify(SIGNALS)};
  const watch = watchSignals((signal) => process.stdout.write('first ' + signal + '\\n'));
  watch.aborted.addEventListener('abort', () => process.stdout.write('aborted ' + watch.received + '\\n'));
  if (process.argv[1] === 'stop') watch.stop();
  setInterval(() => {}, 1000);
  process.stdout.write('ready\\n');
`;

/** Starts a program that only watches for signals. */
async function watcher(...argv: string[]) {
  const child = spawn(process.execPath, ['--input-type=module', '-e', PROGRAM, ...argv], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const said = { text: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said.text += text;
  });
  const ended = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
  while (!said.text.includes('ready')) await once(child.stdout, 'data');
  return { child, said, ended };
}

test.each([
  ['SIGHUP', 129],
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('after a first signal, %s ends the process at once with %d', async (signal, status) => {
  const { child, said, ended } = await watcher();
  child.kill('SIGTERM');
  await sleep(800);
  expect(said.text).toBe('ready\nfirst SIGTERM\naborted SIGTERM\n');
  child.kill(signal);
  expect(await ended).toEqual([status, null]);
});

test('the same wish told twice, by a terminal and by npm, is one wish', async () => {
  const { child, said } = await watcher();
  child.kill('SIGINT');
  await sleep(50);
  child.kill('SIGINT');
  child.kill('SIGTERM');
  await sleep(800);
  expect(child.exitCode).toBeNull();
  expect(said.text).toBe('ready\nfirst SIGINT\naborted SIGINT\n');
});

test('signals that are given back do what they always do', async () => {
  const { child, ended } = await watcher('stop');
  child.kill('SIGINT');
  expect(await ended).toEqual([null, 'SIGINT']);
});
