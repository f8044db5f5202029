/**
 * Loaded into the process under test by `node --require`: as its last act it says what it has cost, all threads and ended children included.
 *
 * Read from the kernel, because `process.resourceUsage().maxRSS` begins with the size of the process that forked this one.
 */
const { readFileSync, writeFileSync } = require('node:fs');
const { isMainThread } = require('node:worker_threads');

const target = process.env.BENCH_USAGE_FILE;
if (isMainThread && target !== undefined) {
  process.on('exit', () => {
    const peak = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'latin1'));
    const stat = readFileSync('/proc/self/stat', 'latin1');
    // utime, stime, cutime, cstime: fields 14 to 17, in ticks of 1/100 s; the second field may hold spaces.
    const ticks = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .slice(11, 15)
      .map(Number);
    const usage = {
      peakBytes: Number(peak?.[1]) * 1024,
      userMs: (ticks[0] + ticks[2]) * 10,
      systemMs: (ticks[1] + ticks[3]) * 10,
    };
    writeFileSync(target, JSON.stringify(usage));
  });
}
