/** The published schema: what it is made of, that it is whole, and that it is held against what is written. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect, test } from 'vitest';
import { FORMAT } from '../../src/cli/reporters/json-lines.js';
import { expectDocumented, SCHEMA } from '../support/json-lines.js';

const PACKAGE = new URL('../../', import.meta.url);

/** Every object that the schema describes, by its place. */
function* objectsOf(schema: unknown, place: string): Generator<[place: string, properties: Record<string, unknown>]> {
  if (typeof schema !== 'object' || schema === null) return;
  const { properties, type } = schema as { properties?: Record<string, unknown>; type?: unknown };
  if (type === 'object' && properties !== undefined) yield [place, properties];
  for (const [key, part] of Object.entries(schema)) yield* objectsOf(part, `${place}/${key}`);
}

test('is what the types say: `npm run schema` changes nothing', async () => {
  const { outputSchema } = await import('../../scripts/schema.mjs');
  expect(readFileSync(new URL('schema/output.schema.json', PACKAGE), 'utf8')).toBe(outputSchema());
});

test('is a valid schema of draft 2020-12', () => {
  expect(new Ajv2020().validateSchema(SCHEMA)).toBe(true);
});

test('is in the package, and is found under its name', () => {
  const script = `process.stdout.write(import.meta.resolve('leoflow-snapshot/schema'))`;
  const found = execFileSync(process.execPath, ['--input-type=module', '-e', script], { cwd: PACKAGE }).toString();
  expect(JSON.parse(readFileSync(fileURLToPath(found), 'utf8'))).toEqual(SCHEMA);
  const { files } = JSON.parse(readFileSync(new URL('package.json', PACKAGE), 'utf8')) as { files: string[] };
  expect(files).toContain('schema');
});

test('describes every field, by itself or by what it refers to', () => {
  const speaksForItself = (field: unknown) =>
    typeof field === 'object' && field !== null && ['description', '$ref', 'const'].some((word) => word in field);
  const silent = [...objectsOf(SCHEMA, '')].flatMap(([place, properties]) =>
    Object.entries(properties).flatMap(([name, field]) => (speaksForItself(field) ? [] : [`${place} ${name}`])),
  );
  expect(silent).toEqual([]);
});

test('takes what later versions may add: fields, and words of which there may be more', () => {
  const validate = new Ajv2020({ allowUnionTypes: true }).compile(SCHEMA);
  const error = { code: 'OF_TOMORROW', message: 'it is late', hint: null, since: 'noon' };
  expect(validate({ type: 'error', format: FORMAT, error, status: 1, more: true })).toBe(true);
  expect(validate({ type: 'phase', phase: 'rest' })).toBe(true);
  expect(validate({ type: 'error', format: FORMAT + 1, error, status: 1 })).toBe(false);
  expect(validate({ type: 'error', format: FORMAT, error: { ...error, hint: 7 }, status: 1 })).toBe(false);
  expect(validate({ type: 'phase' })).toBe(false);
});

test.each([
  ['a field that is not documented', { type: 'note', message: 'x', more: 1 }, /must NOT have additional properties/],
  ['a field that is missing', { type: 'note' }, /must have required property 'message'/],
  ['a field of another type', { type: 'note', message: 1 }, /message must be string/],
  ['a word that is not documented', { type: 'phase', phase: 'rest' }, /must be equal to one of the allowed values/],
  ['a line that is not documented', { type: 'rumour' }, /no such line is in the schema/],
  ['a command that is not documented', { type: 'result', command: 'x' }, /no such line is in the schema/],
  ['a size that is not whole', { type: 'progress', progress: { files: 0.5 } }, /files must be integer/],
] as const)('the tests catch %s', (_, line, complaint) => {
  expect(() => expectDocumented(`${JSON.stringify(line)}\n`, false)).toThrow(complaint);
});

test('the tests catch lines without an end, and behind the end', () => {
  const note = '{"type":"note","message":"x"}\n';
  const error = `${JSON.stringify({ type: 'error', format: FORMAT, error: { code: 'USAGE', message: 'x', hint: null }, status: 2 })}\n`;
  expect(() => expectDocumented(note + error)).not.toThrow();
  expect(() => expectDocumented(note)).toThrow('no last line');
  expect(() => expectDocumented(error + note)).toThrow('behind the last one');
  expect(() => expectDocumented(error + error)).toThrow('behind the last one');
});
