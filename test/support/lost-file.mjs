// Loaded into the program by --import: a network file system that has lost the file $LOST_FILE by the time it has been read. It says so when it
// is asked for the state of the open file once more ($LOST_CALL is `fstat`), or when the file is closed (`close`).
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { isMainThread } from 'node:worker_threads';

const { LOST_FILE: file, LOST_CALL: call } = process.env;
const { openSync, fstatSync, closeSync } = fs;
let lost;
let looks = 0;

function fail(syscall) {
  throw Object.assign(new Error(`EIO: i/o error, ${syscall}`), { errno: -5, code: 'EIO', syscall });
}

if (isMainThread) {
  fs.openSync = (path, ...rest) => {
    const fd = openSync(path, ...rest);
    if (path === file) lost = fd;
    return fd;
  };
  fs.fstatSync = (fd, ...rest) => {
    if (fd === lost && call === 'fstat' && ++looks > 1) fail('fstat');
    return fstatSync(fd, ...rest);
  };
  fs.closeSync = (fd) => {
    closeSync(fd);
    if (fd !== lost) return;
    lost = undefined;
    if (call === 'close') fail('close');
  };
  syncBuiltinESMExports();
}
