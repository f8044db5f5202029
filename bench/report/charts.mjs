/**
 * Charts as SVG, drawn by Observable Plot on a document that is not a browser's.
 */
import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';

/** @typedef {import('./document.mjs').Chart} Chart */

const WIDTH = 820;
const OURS = '#c2410c';
const OTHERS = '#94a3b8';
const LINES = ['#c2410c', '#1d4ed8'];
const STYLE = { fontFamily: 'system-ui, sans-serif', fontSize: '13px', background: 'white', color: '#1e293b' };

/** @param {Chart} chart @returns {string} an `<svg>` element */
export function drawChart(chart) {
  const { document } = parseHTML('<!doctype html><html><body></body></html>');
  const options = chart.kind === 'bars' ? bars(chart) : lines(chart);
  const svg = Plot.plot({ document, width: WIDTH, style: STYLE, ...options });
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', chart.title);
  svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  return svg.outerHTML;
}

/** @param {Extract<Chart, { kind: 'bars' }>} chart @returns {Plot.PlotOptions} */
function bars({ axis, bars: all, limit }) {
  const data = all.toSorted((a, b) => a.value - b.value);
  const widest = Math.max(...data.map(({ value, high }) => Math.max(value, high ?? 0)), limit?.value ?? 0);
  const ranges = data.filter(({ low, high }) => low !== undefined && high !== undefined && high > low);
  return {
    height: 70 + 28 * data.length,
    marginLeft: 230,
    marginRight: 60,
    marginBottom: 48,
    marginTop: limit === undefined ? 12 : 28,
    x: { label: axis, labelAnchor: 'center', labelArrow: 'none', grid: true, domain: [0, widest * 1.02], ticks: 6 },
    y: { label: null, domain: data.map(({ name }) => name), padding: 0.25 },
    marks: [
      Plot.barX(data, { x: 'value', y: 'name', fill: (bar) => (bar.ours ? OURS : OTHERS) }),
      Plot.ruleY(ranges, { x1: 'low', x2: 'high', y: 'name', stroke: '#1e293b', strokeWidth: 1.5 }),
      Plot.text(data, {
        x: (bar) => Math.max(bar.value, bar.high ?? 0),
        y: 'name',
        text: (bar) => readable(bar.value),
        textAnchor: 'start',
        dx: 6,
      }),
      ...(limit === undefined
        ? []
        : [
            Plot.ruleX([limit.value], { stroke: '#1e293b', strokeDasharray: '4 3' }),
            Plot.text([limit], { x: 'value', text: 'text', frameAnchor: 'top', dy: -12 }),
          ]),
      Plot.ruleX([0]),
    ],
  };
}

/** @param {Extract<Chart, { kind: 'lines' }>} chart @returns {Plot.PlotOptions} */
function lines({ x, y, lines: all, limit }) {
  const points = all.flatMap(({ name, points }) => points.map((point) => ({ ...point, name })));
  const [farthest, highest] = [
    Math.max(...points.map((point) => point.x)),
    Math.max(...points.map((point) => point.y)),
  ];
  const fits = all.flatMap(({ name, fit, points }) =>
    fit === null
      ? []
      : [Math.min(...points.map((point) => point.x)), farthest].map((at) => ({
          name,
          x: at,
          y: fit.offset + fit.slope * at,
        })),
  );
  const top = Math.max(highest, limit?.value ?? 0) * 1.1;
  // The name of each line stands behind its last point; where two would cover each other, the upper one makes room.
  const ends = all
    .flatMap(({ name, points }) => points.slice(-1).map((point) => ({ ...point, name })))
    .sort((a, b) => a.y - b.y);
  for (const [index, end] of ends.entries()) end.y = Math.max(end.y, (ends[index - 1]?.y ?? -top) + top * 0.06);
  const colour = (/** @type {{ name: string }} */ { name }) =>
    LINES[all.findIndex((line) => line.name === name)] ?? OTHERS;
  return {
    height: 340,
    marginLeft: 60,
    marginRight: 80,
    marginBottom: 48,
    marginTop: 36,
    x: { label: x, labelAnchor: 'center', labelArrow: 'none', grid: true, domain: [0, farthest * 1.02] },
    y: { label: y, labelArrow: 'none', grid: true, domain: [0, top] },
    marks: [
      Plot.ruleY([0]),
      Plot.ruleX([0]),
      ...(fits.length > 0
        ? [Plot.line(fits, { x: 'x', y: 'y', z: 'name', stroke: colour, strokeDasharray: '5 4' })]
        : [Plot.line(points, { x: 'x', y: 'y', z: 'name', stroke: colour })]),
      Plot.dot(points, { x: 'x', y: 'y', fill: colour, r: 4.5 }),
      Plot.text(ends, { x: 'x', y: 'y', text: 'name', fill: colour, textAnchor: 'start', dx: 9 }),
      ...(limit === undefined
        ? []
        : [
            Plot.ruleY([limit.value], { stroke: '#1e293b', strokeDasharray: '4 3' }),
            Plot.text([limit], { y: 'value', text: 'text', frameAnchor: 'left', textAnchor: 'start', dx: 6, dy: -9 }),
          ]),
    ],
  };
}

/** @param {number} value */
function readable(value) {
  return value.toLocaleString('en-US', { maximumSignificantDigits: 3 });
}
