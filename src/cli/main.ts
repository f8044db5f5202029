#!/usr/bin/env node
/**
 * The `leoflow` executable: a command of ours is run, anything else is passed on to the other Leoflow, where there is one. The status is set, not forced, so
 * that everything printed reaches its reader before the process ends.
 */
import { signalStatus } from './exit.js';
import { asksForHelp, findOther, isOwn, passThrough } from './pass-through.js';
import { type Surroundings, surviveWriteErrors, wholeWrites } from './streams.js';
import { isGone, ownTerminals } from './terminals.js';

/** How long a reader has for the last words of an interrupted program, in milliseconds. */
const LAST_WORDS_MS = 500;

const terminals = ownTerminals();
const argv = process.argv.slice(2);
const other = isOwn(argv) ? null : await findOther(argv, process.env);
if (other === null || asksForHelp(argv)) await runOwn();
else await passThrough(other, argv, process.env);

async function runOwn(): Promise<void> {
  const around: Surroundings = {
    // Begins to read when it is first asked for.
    get stdin() {
      return process.stdin;
    },
    stdout: wholeWrites(process.stdout),
    stderr: process.stderr,
    env: process.env,
  };
  surviveWriteErrors(around.stdout);
  surviveWriteErrors(around.stderr);
  const { run } = await import('./program.js');
  process.exitCode = await run(argv, around, other?.path ?? null);

  // What was written for a reader that has stopped reading would keep the process alive. Whoever interrupts it does not wait for that one.
  if (process.exitCode > 128) setTimeout(() => process.exit(), LAST_WORDS_MS).unref();

  const hungUp = terminals.length > 0 && process.exitCode === signalStatus('SIGHUP');
  if (hungUp || isGone(terminals)) process.kill(process.pid, 'SIGHUP');
}
