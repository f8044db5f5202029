/**
 * Faults for a process that knows nothing of them. Loaded before anything else, it counts the calls that change something outside of the process; at the
 * one that `FAULT` names, the process dies, or the call fails. `FAULT` is JSON: `Fault` in faults.ts.
 */
import childProcess from 'node:child_process';
import fs from 'node:fs';
import promises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { getSystemErrorMap } from 'node:util';

const ASYNC = ['rename', 'rm', 'rmdir', 'unlink', 'mkdir', 'chmod', 'utimes'];
const SYNC = ['mkdirSync', 'unlinkSync', 'symlinkSync', 'linkSync', 'chmodSync'];
const CREATES = fs.constants.O_CREAT | fs.constants.O_TRUNC;

/** @param {import('./faults.js').Fault} fault */
function inject(fault) {
  const { openSync, writeSync } = fs;
  const log = fault.log === undefined ? null : openSync(fault.log, 'w');
  let count = 0;
  let armed = fault.from === undefined;

  const isIt = (words) => {
    if (!armed || (fault.like !== undefined && !words.includes(fault.like))) return false;
    count += 1;
    if (log !== null) writeSync(log, `${words}\n`);
    return count === fault.at || (fault.onward === true && count > fault.at);
  };
  const strike = () => {
    if (fault.signal !== undefined) process.kill(process.pid, fault.signal);
  };
  const before = (name, path) => {
    if (!isIt(`${name} ${path}`)) return;
    strike();
    if (fault.code !== undefined) throw systemError(fault.code, name, path);
  };
  const watch = (module, name, wrap) => {
    const call = module[name];
    module[name] = wrap((...args) => call(...args));
  };

  if (fault.calls !== 'spawn') {
    for (const name of ASYNC) {
      watch(promises, name, (call) => async (path, ...rest) => {
        before(name, path);
        return call(path, ...rest);
      });
    }
    for (const name of SYNC) {
      watch(fs, name, (call) => (path, ...rest) => {
        before(name, path);
        return call(path, ...rest);
      });
    }
    watch(promises, 'open', (call) => async (path, flags, ...rest) => {
      if (typeof flags === 'string' ? flags !== 'r' : (flags & CREATES) !== 0) before('open', path);
      return call(path, flags, ...rest);
    });
  }
  if (fault.calls !== 'files') {
    watch(childProcess, 'spawn', (call) => (command, ...rest) => {
      const child = call(command, ...rest);
      // A moment later it has what it needs, and goes on by itself.
      if (isIt(`spawn ${child.spawnargs.join(' ')}`)) setImmediate(strike);
      return child;
    });
  }
  globalThis.armFaults = (phase) => {
    armed ||= phase === fault.from;
  };
  syncBuiltinESMExports();
}

function systemError(code, syscall, path) {
  const [errno, [, text]] = [...getSystemErrorMap()].find(([, [name]]) => name === code);
  return Object.assign(new Error(`${code}: ${text}, ${syscall} '${path}'`), { code, errno, syscall, path });
}

// Workers do not load this: which of them writes what is a matter of chance, and counts for nothing.
if (process.env.FAULT !== undefined) inject(JSON.parse(process.env.FAULT));
