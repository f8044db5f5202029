// Loaded into the program by --import: a file system that counts the characters of names, and not their bytes. What is called `long` there has the name
// $LONG_NAME, of more bytes than the systems take that tests run on.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const { LONG_NAME: name = '' } = process.env;
const { readdirSync, lstatSync, openSync } = fs;

const real = (path) => (typeof path === 'string' ? path.replace(name, 'long') : path);
fs.readdirSync = (path, ...rest) => readdirSync(path, ...rest).map((one) => (one === 'long' ? name : one));
fs.lstatSync = (path, ...rest) => lstatSync(real(path), ...rest);
fs.openSync = (path, ...rest) => openSync(real(path), ...rest);
syncBuiltinESMExports();
