#!/usr/bin/env node
/**
 * The `leoflow` executable. The status is set, not forced, so that everything printed reaches its reader before the process ends.
 */
import { isatty } from 'node:tty';
import { signalStatus } from './exit.js';
import { run } from './program.js';
import { surviveWriteErrors } from './streams.js';

const onTerminal = [0, 1, 2].some((descriptor) => isatty(descriptor));
surviveWriteErrors(process.stdout);
surviveWriteErrors(process.stderr);

process.exitCode = await run(process.argv.slice(2), process);

// On its way out Node puts the terminal's settings back, and aborts with a core dump where that terminal is gone. Ending by the
// signal itself, as a shell expects, avoids that; its status is the same 129.
if (onTerminal && process.exitCode === signalStatus('SIGHUP')) process.kill(process.pid, 'SIGHUP');
