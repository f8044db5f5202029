/**
 * The document as text: for the terminal, and as Markdown.
 */

/** @typedef {import('./document.mjs').Block} Block */

/** @param {Block[]} blocks */
export function terminalText(blocks) {
  return blocks
    .flatMap((block) => {
      if (block.type === 'heading') return [`\n${block.text}\n${'='.repeat([...block.text].length)}`];
      if (block.type === 'paragraph') return [block.text];
      return block.type === 'table' ? [alignedTable(block)] : [];
    })
    .join('\n\n')
    .concat('\n');
}

/** @param {Block[]} blocks */
export function markdown(blocks) {
  return blocks
    .flatMap((block) => {
      if (block.type === 'heading') return [`${'#'.repeat(block.level)} ${escaped(block.text)}`];
      if (block.type === 'paragraph') return [escaped(block.text)];
      return block.type === 'table' ? [markdownTable(block)] : [];
    })
    .join('\n\n')
    .concat('\n');
}

/** @param {Extract<Block, { type: 'table' }>} table */
function alignedTable({ columns, rows }) {
  const lines = [{ cells: columns, ours: false }, ...rows];
  const widths = columns.map((_, column) => Math.max(...lines.map(({ cells }) => (cells[column] ?? '').length)));
  return lines
    .map(({ cells, ours }) => {
      const padded = cells.map((cell, column) =>
        isText(columns, rows, column) ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      );
      return `${ours ? '▸ ' : '  '}${padded.join('  ')}`.trimEnd();
    })
    .join('\n');
}

/** @param {Extract<Block, { type: 'table' }>} table */
function markdownTable({ columns, rows }) {
  const line = (/** @type {string[]} */ cells) => `| ${cells.join(' | ')} |`;
  return [
    line(columns.map(escaped)),
    line(columns.map((_, column) => (isText(columns, rows, column) ? '---' : '---:'))),
    ...rows.map(({ cells, ours }) =>
      line(cells.map((cell) => (ours && cell !== '' ? `**${escaped(cell)}**` : escaped(cell)))),
    ),
  ].join('\n');
}

/**
 * Whether a column is read as text and not as numbers.
 *
 * @param {string[]} columns
 * @param {{ cells: string[] }[]} rows
 * @param {number} column
 */
export function isText(columns, rows, column) {
  return (
    column === 0 ||
    (columns[column] !== 'measured' && rows.some(({ cells }) => !/^[-\d.,]* ?[%×]?$/.test(cells[column] ?? '')))
  );
}

/** @param {string} text */
function escaped(text) {
  return text.replace(/[|<>*_`]/g, '\\$&').replace(/\s*\n\s*/g, ' ');
}
