// Loaded into the program by --import: a file system whose directory $ODD_LISTING lists each of its names twice, as network file systems can while
// somebody writes to it; and, where $ODD_NAMES says how many, so many more names.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const { ODD_LISTING: directory, ODD_NAMES: more = '0' } = process.env;
const { readdirSync } = fs;

fs.readdirSync = (path, ...rest) => {
  const names = readdirSync(path, ...rest);
  if (path !== directory) return names;
  return [...names, ...names, ...Array.from({ length: Number(more) }, (_, n) => `${n}.parquet`)];
};
syncBuiltinESMExports();
