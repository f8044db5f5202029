/**
 * The JSON Schema of what `--json` writes, made of the types in src/cli/reporters/json-lines.ts: their shape is the schema's, their comments are its
 * descriptions. `npm run schema` writes it to schema/output.schema.json.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createGenerator } from 'ts-json-schema-generator';

/** @typedef {{ [keyword: string]: any }} Schema */

const SCHEMA_FILE = fileURLToPath(new URL('../schema/output.schema.json', import.meta.url));

/** Words of which there may be more one day: the schema names those that there are, and takes others. */
const OPEN_WORDS = ['ErrorCode', 'Phase', 'WarningCode'];

/** Numbers that need not be whole. All others are counts, sizes and statuses. */
const FRACTIONS = new Set(['durationMs']);

/** Numbers that may be negative: times before 1970. */
const SIGNED = new Set(['mtime']);

/** @returns the schema, as the text of a file */
export function outputSchema() {
  const definitions = generate();
  for (const name of OPEN_WORDS) {
    const { description } = definitions[name];
    definitions[name] = { type: 'string', examples: wordsOf(definitions[name], definitions), description };
  }
  const { JsonLine, ...parts } = definitions;
  const schema = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: 'urn:leoflow-snapshot:output:1',
    title: 'A line of the output of leoflow-snapshot with --json',
    ...polished(JsonLine),
    // The phases of each command are among the words of all.
    $defs: polished(Object.fromEntries(Object.entries(parts).filter(([name]) => !/.Phase$/.test(name)))),
  };
  return `${JSON.stringify(schema, null, 2)}\n`;
}

/** @returns {Record<string, Schema>} the schema of each type, by its name */
function generate() {
  const { definitions } = createGenerator({
    path: fileURLToPath(new URL('../src/cli/reporters/json-lines.ts', import.meta.url)),
    tsconfig: fileURLToPath(new URL('../tsconfig.json', import.meta.url)),
    type: 'JsonLine',
    additionalProperties: true,
    // TypeScript does that, in the version that the project has.
    skipTypeCheck: true,
  }).createSchema('JsonLine');
  return { ...definitions };
}

/**
 * @param {Schema} schema of a union of words
 * @param {Record<string, Schema>} definitions
 * @returns {string[]}
 */
function wordsOf({ anyOf = [], enum: words = [], const: word, $ref }, definitions) {
  if (word !== undefined) return [word];
  if ($ref !== undefined) return wordsOf(definitions[$ref.replace('#/definitions/', '')] ?? {}, definitions);
  return [...new Set([...words, ...anyOf.flatMap((/** @type {Schema} */ one) => wordsOf(one, definitions))])];
}

/**
 * What the generator cannot know: the place of the definitions in this draft, that numbers are whole and not negative, that lines exclude each other.
 *
 * @param {any} schema
 * @returns {any}
 */
function polished(schema, name = '') {
  if (Array.isArray(schema)) return schema.map((part) => polished(part));
  if (typeof schema === 'string') return schema.replace('#/definitions/', '#/$defs/');
  if (typeof schema !== 'object' || schema === null) return schema;
  const types = [schema.type].flat();
  if (types.includes('number')) {
    const whole = FRACTIONS.has(name) ? 'number' : 'integer';
    const bounds = schema.enum || 'const' in schema || SIGNED.has(name) ? {} : { minimum: 0 };
    return { ...schema, type: types.length > 1 ? [whole, 'null'] : whole, ...bounds };
  }
  return Object.fromEntries(
    Object.entries(schema).map(([key, part]) => [
      key === 'anyOf' && isOfLines(part) ? 'oneOf' : key,
      polished(part, key),
    ]),
  );
}

/** @param {Schema[]} parts */
function isOfLines(parts) {
  return parts.every(({ $ref }) => $ref?.endsWith('Line'));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  mkdirSync(new URL('../schema/', import.meta.url), { recursive: true });
  writeFileSync(SCHEMA_FILE, outputSchema());
}
