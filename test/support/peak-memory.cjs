/** Loaded by `node --require`: as its last act the process writes into a file how much memory it ever had, in bytes, all threads included. */
const { readFileSync, writeFileSync } = require('node:fs');
const { isMainThread } = require('node:worker_threads');

const target = process.env.PEAK_MEMORY_FILE;
if (isMainThread && target !== undefined) {
  process.on('exit', () => {
    const peak = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'latin1'));
    writeFileSync(target, String(Number(peak?.[1]) * 1024));
  });
}
