/**
 * Made-up files of the kinds that a Leoflow workspace holds. They compress like real ones (gzip -6: three to six to one), because speed and size of
 * an archive depend on that; all of it follows from the seed of the numbers.
 */

/** @typedef {import('./random.mjs').Random} Random */

const SYLLABLES = 'ba co de fi ga ho in ju ka lo me na or pe qui ra sa to un ve wa xi ye zo'.split(' ');

const ENGLISH =
  `the of and to a in is for that with on as by this from at are be or an it not which has have was one all when each other
table row column value key order account customer invoice payment product price amount date time month year day hour source target batch window
daily hourly report metric event stream queue worker task run state retry error warning log file path bucket object schema version index partition
load extract transform merge filter join group sort count sum average first last next previous start end begin finish open close read write copy move
check verify compare validate update insert delete create drop alter select where limit offset name type size length width height level stage step
region country city street number code status reason message user owner team role group policy rule default custom local remote public private
after before between during until while since once only also never always sometimes should must may can will would could every any some none both
fails passes waits returns takes gives keeps holds needs uses makes finds sends stores drops skips marks counts`.split(
    /\s+/,
  );

/** Common words, then a long tail of rare ones, as in any text. */
const WORDS = [...ENGLISH, ...SYLLABLES.flatMap((a) => SYLLABLES.map((b) => `${a}${b}`))];

const NAMES = [...ENGLISH.slice(30, 150), ...SYLLABLES.flatMap((a) => ENGLISH.slice(30, 60).map((b) => `${b}_${a}`))];

const OPERATORS = [
  'PythonOperator',
  'BashOperator',
  'SqlOperator',
  'BranchOperator',
  'SensorOperator',
  'EmailOperator',
];

/**
 * Lines until there are enough bytes.
 *
 * @param {number} bytes
 * @param {() => string} line without its line break
 */
function lines(bytes, line) {
  const parts = [];
  for (let size = 0; size < bytes; ) {
    const part = line();
    parts.push(part);
    size += part.length + 1;
  }
  return `${parts.join('\n')}\n`;
}

/** @param {Random} random @param {number} words */
export function sentence(random, words) {
  const text = Array.from({ length: words }, () => random.favour(WORDS)).join(' ');
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

/** @param {Random} random @param {number} bytes */
export function pythonSource(random, bytes) {
  // A module speaks of few things, again and again.
  const own = Array.from({ length: 12 + bytes / 1000 }, () => random.favour(NAMES));
  const name = () => random.favour(own);
  const text = (/** @type {number} */ words) => sentence(random, 2 + random.int(words));
  const forms = [
    () => `    ${name()} = ${name()}.${name()}(${name()}, ${name()}=${random.int(1000)})`,
    () => `    ${name()}["${name()}"] = ${name()}[${random.int(100)}:${random.int(1000)}]`,
    () => `    if ${name()} is not None and ${name()} > ${random.int(10000)}:\n        raise ValueError("${text(5)}")`,
    () => `    for ${name()} in ${name()}.${name()}():\n        ${name()}.append(${name()})`,
    () => `    # ${text(10)}`,
    () => `    log.info("${text(6)}", ${name()})`,
    () => `    return {"${name()}": ${name()}, "${name()}": ${name()}(${random.int(100)})}\n`,
    () => `\ndef ${name()}_${name()}(${name()}, ${name()}=None):\n    """${text(12)}"""`,
    () =>
      `    ${name()} = ${random.pick(OPERATORS)}(task_id="${name()}_${random.int(100)}", retries=${random.int(5)}, dag=dag)`,
    () => `    ${name()} >> ${name()}`,
  ];
  return `from leoflow import DAG\nimport logging\n\nlog = logging.getLogger(__name__)\n${lines(bytes - 80, () => random.favour(forms)())}`;
}

/** @param {Random} random @param {number} bytes */
export function csvTable(random, bytes) {
  const digits = (/** @type {number} */ below) => String(random.int(below));
  const places = Array.from(
    { length: 40 },
    () => `${random.favour(NAMES)},${random.favour(['DE', 'BR', 'US', 'FR', 'IN', 'JP', 'KE'])}`,
  );
  let id = random.int(1_000_000);
  let minute = random.int(400_000);
  const row = () => {
    id += 1 + random.int(3);
    minute += random.int(4);
    const when = new Date(Date.UTC(2025, 0, 1) + minute * 60_000).toISOString().slice(0, 16);
    const place = random.favour(places);
    return `${id},${when},${place},${digits(90)}.${digits(100).padStart(2, '0')},${digits(5)},${random.favour(['open', 'paid', 'late', 'void'])},${random.favour(WORDS)} ${random.favour(WORDS)}`;
  };
  return `id,at,place,country,amount,items,state,note\n${lines(bytes - 44, row)}`;
}

/** @param {Random} random @param {number} bytes */
export function yamlFile(random, bytes) {
  return lines(
    bytes,
    () =>
      `${random.favour(NAMES)}_${random.favour(WORDS)}:\n  schedule: "${random.int(60)} ${random.int(24)} * * *"\n  owner: ${random.favour(NAMES)}\n  retries: ${random.int(5)}\n  description: ${sentence(random, 3 + random.int(8))}`,
  );
}

/** @param {Random} random @param {number} bytes */
export function notebook(random, bytes) {
  const cells = [];
  for (let size = 0; size < bytes; size += 900) {
    cells.push({ cell_type: 'markdown', metadata: {}, source: [`${sentence(random, 12)}\n`, sentence(random, 9)] });
    cells.push({
      cell_type: 'code',
      execution_count: cells.length,
      metadata: {},
      outputs: [{ name: 'stdout', output_type: 'stream', text: [csvTable(random, 200)] }],
      source: pythonSource(random, 300).split('\n'),
    });
  }
  return `${JSON.stringify({ cells, metadata: { language_info: { name: 'python' } }, nbformat: 4, nbformat_minor: 5 }, null, 1)}\n`;
}

/** @param {Random} random @param {number} bytes */
export function sqlFile(random, bytes) {
  const column = () => `${random.favour(['a', 'b', 'c'])}.${random.favour(NAMES)}`;
  const table = () => `${random.favour(['raw', 'core', 'mart'])}.${random.favour(NAMES)}`;
  const statement = () => {
    const columns = Array.from({ length: 2 + random.int(8) }, () => `    ${column()} AS ${random.favour(NAMES)}`);
    return `-- ${sentence(random, 4 + random.int(10))}\nCREATE OR REPLACE VIEW ${table()} AS\nSELECT\n${columns.join(',\n')}\nFROM ${table()} AS a\nLEFT JOIN ${table()} AS b ON a.${random.favour(NAMES)}_id = b.${random.favour(NAMES)}_id\nWHERE ${column()} >= ${random.int(1000)} AND ${column()} IN ('${random.favour(WORDS)}', '${random.favour(WORDS)}')\nGROUP BY ${1 + random.int(3)};\n`;
  };
  return lines(bytes, statement);
}

/** @param {Random} random @param {number} bytes */
export function logLines(random, bytes) {
  let at = Date.UTC(2026, 0, 1) + random.int(1_000_000_000);
  const line = () => {
    at += random.int(4000);
    const level = random.favour(['INFO', 'INFO ', 'DEBUG', 'WARN', 'ERROR']);
    const hash = random.int(0x1_0000_0000).toString(16).padStart(8, '0');
    return `${new Date(at).toISOString()} ${level} [${random.favour(NAMES)}.${random.favour(WORDS)}] run=${hash} task=${random.favour(NAMES)} took ${random.int(100_000)} ms: ${sentence(random, 3 + random.int(9))}`;
  };
  return lines(bytes, line);
}

/** @param {Random} random @param {number} bytes */
export function jsonLines(random, bytes) {
  let id = random.int(1_000_000);
  const line = () => {
    id += 1 + random.int(9);
    return JSON.stringify({
      id,
      event: `${random.favour(NAMES)}.${random.favour(WORDS)}`,
      user: { name: random.favour(WORDS), country: random.favour(['DE', 'BR', 'US', 'FR', 'IN', 'JP', 'KE']) },
      amount: random.int(1_000_000) / 100,
      at: 1_750_000_000 + random.int(10_000_000),
      tags: Array.from({ length: random.int(4) }, () => random.favour(WORDS)),
      note: sentence(random, 2 + random.int(8)),
    });
  };
  return lines(bytes, line);
}
