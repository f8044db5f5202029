/**
 * The document as one HTML page: charts as SVG inside it, no script, nothing from the network.
 */
import { drawChart } from './charts.mjs';
import { isText } from './text.mjs';

/** @typedef {import('./document.mjs').Block} Block */

const STYLE = `
body { font: 16px/1.5 system-ui, sans-serif; color: #1e293b; background: white; max-width: 64rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2, h3 { line-height: 1.2; margin-top: 2em; }
h2 { border-bottom: 1px solid #cbd5e1; padding-bottom: .2em; }
table { font-size: .9em; border-collapse: collapse; font-variant-numeric: tabular-nums; display: block; overflow-x: auto; }
th, td { padding: .25em .6em; border-bottom: 1px solid #e2e8f0; text-align: right; white-space: nowrap; }
.text { text-align: left; }
.ours { font-weight: 600; color: #c2410c; }
figure { margin: 2em 0; }
figcaption { font-weight: 600; }
svg { max-width: 100%; height: auto; }
`;

/** @param {Block[]} blocks */
export function htmlPage(blocks) {
  const title = blocks.find((block) => block.type === 'heading');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escaped(title?.type === 'heading' ? title.text : '')}: leoflow-snapshot</title>
<style>${STYLE}</style>
</head>
<body>
${blocks.map(element).join('\n')}
</body>
</html>
`;
}

/** @param {Block} block @returns {string} */
function element(block) {
  switch (block.type) {
    case 'heading':
      return `<h${block.level}>${escaped(block.text)}</h${block.level}>`;
    case 'paragraph':
      return `<p>${escaped(block.text)}</p>`;
    case 'chart':
      return `<figure>\n<figcaption>${escaped(block.chart.title)}</figcaption>\n${drawChart(block.chart)}\n</figure>`;
    case 'table':
      return table(block);
  }
}

/** @param {Extract<Block, { type: 'table' }>} table */
function table({ columns, rows }) {
  const cell = (/** @type {'th' | 'td'} */ tag) => (/** @type {string} */ content, /** @type {number} */ column) =>
    `<${tag}${isText(columns, rows, column) ? ' class="text"' : ''}>${escaped(content)}</${tag}>`;
  const lines = rows.map(
    ({ cells, ours }) => `<tr${ours ? ' class="ours"' : ''}>${cells.map(cell('td')).join('')}</tr>`,
  );
  return `<table>\n<thead><tr>${columns.map(cell('th')).join('')}</tr></thead>\n<tbody>\n${lines.join('\n')}\n</tbody>\n</table>`;
}

/** @param {string} text */
function escaped(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
