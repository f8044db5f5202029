/**
 * Holds what `--json` writes against the published schema, and against more: what the schema does not name must not be there. The schema itself takes
 * additions, so that it fits later versions; here an addition is something that was not documented.
 *
 * Whoever gives a command `--json` describes its lines in src/cli/reporters/json-lines.ts, runs `npm run schema`, and writes each of them at least once in
 * test/json/commands.test.ts.
 */
import { readFileSync } from 'node:fs';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import type { JsonLine } from '../../src/cli/reporters/json-lines.js';
import { expectOneVoice } from './voice.js';

interface Schema {
  [keyword: string]: unknown;
  $defs: Record<string, unknown>;
}

/** The published schema. */
export const SCHEMA = JSON.parse(
  readFileSync(new URL('../../schema/output.schema.json', import.meta.url), 'utf8'),
) as Schema;

/** A manifest is what its writer has made of it. */
const NEVER_CLOSED = new Set(['Manifest']);

const ajv = new Ajv2020({ allErrors: true, allowUnionTypes: true });
ajv.addSchema({ ...SCHEMA, $defs: closedDefinitions(), $id: 'closed' });
const compiled = new Map<string, ValidateFunction>();

/**
 * @param text whole lines
 * @param mustEnd whether the last line must be there
 * @throws Error with everything in which they are not as documented
 */
export function expectDocumented(text: string, mustEnd = true): void {
  const lines = text.split('\n').slice(0, -1);
  const parsed = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  const wrong = parsed.flatMap((line, index) => faultsOf(line).map((fault) => `${fault}: ${lines[index]}`));
  const ends = parsed.flatMap(({ type }, index) => (type === 'result' || type === 'error' ? [index] : []));
  const [end, ...more] = ends;
  if (more.length > 0 || (end !== undefined && end !== lines.length - 1))
    wrong.push('there is a line behind the last one');
  if (mustEnd && end === undefined) wrong.push('there is no last line with the result or the error');
  if (wrong.length > 0) throw new Error(`JSON lines that are not as the schema says:\n${wrong.join('\n')}`);
}

/** Whether these words ask for JSON lines. */
export function asksForJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  return (end === -1 ? argv : argv.slice(0, end)).includes('--json');
}

/** Holds the output of a command that has ended against the schema. A command that was killed, or ended by a second signal, may have no last line. */
export function checkJson(argv: readonly string[], status: number | null, stdout: string, stderr: string): void {
  if (!asksForJson(argv)) return;
  // With the archive on standard output the lines are on standard error.
  const text = stderr.startsWith('{"type":') ? stderr : stdout;
  expectDocumented(text, status !== null && status < 128);
}

function faultsOf(line: Record<string, unknown>): string[] {
  const name = definitionOf(line);
  if (name === null) return ['no such line is in the schema'];
  let validate = compiled.get(name);
  if (validate === undefined) {
    validate = ajv.compile({ $ref: `closed#/$defs/${name}` });
    compiled.set(name, validate);
  }
  if (validate(line)) {
    heedVoice(line as unknown as JsonLine);
    return [];
  }
  return (validate.errors ?? []).map(
    ({ instancePath, message, params }) => `${name} ${instancePath} ${message} ${JSON.stringify(params)}`,
  );
}

/** What a person would read must be in one voice, here as well. */
function heedVoice(line: JsonLine): void {
  if (line.type === 'note') expectOneVoice(line.message, 'note');
  if (line.type !== 'error') return;
  expectOneVoice(line.error.message, 'message');
  if (line.error.hint !== null) expectOneVoice(line.error.hint, 'hint');
}

/** The definition that a line must be valid by: its messages say more than those of `oneOf`. */
function definitionOf({ type, command }: Record<string, unknown>): string | null {
  const isOf = (property: unknown, value: unknown) =>
    typeof property !== 'object' || property === null || ('const' in property && property.const === value);
  for (const [name, definition] of Object.entries(SCHEMA.$defs)) {
    const { properties } = definition as { properties?: Record<string, unknown> };
    if (properties?.type === undefined || !name.endsWith('Line')) continue;
    if (isOf(properties.type, type) && isOf(properties.command, command)) return name;
  }
  return null;
}

function closedDefinitions(): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(SCHEMA.$defs).map(([name, definition]) => [
      name,
      NEVER_CLOSED.has(name) ? definition : closed(definition),
    ]),
  );
}

/** Nothing but what is named: no other fields, no other words. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== 'object' || schema === null) return schema;
  const parts = Object.fromEntries(Object.entries(schema).map(([key, part]) => [key, closed(part)]));
  if (schema && 'examples' in schema) return { ...parts, enum: schema.examples };
  return 'properties' in schema && 'type' in schema && schema.type === 'object'
    ? { ...parts, additionalProperties: false }
    : parts;
}
