/**
 * What several runs say together.
 */

/** @param {number[]} values */
export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [low = Number.NaN, high = Number.NaN] =
    sorted.length % 2 === 1 ? [sorted[middle], sorted[middle]] : sorted.slice(middle - 1);
  return (low + high) / 2;
}

/** From the smallest to the largest, as a share of the median. @param {number[]} values */
export function spread(values) {
  return (Math.max(...values) - Math.min(...values)) / median(values);
}

/** @typedef {{ offset: number; slope: number; worst: number }} Line `worst`: largest distance of a point from the line, as a share of the line's value there */

/**
 * The line through points, by least squares of the relative distances: a point of 1 GB counts as much as one of 8.
 *
 * @param {{ x: number; y: number }[]} points
 * @returns {Line}
 */
export function fitLine(points) {
  const sum = (/** @type {(point: { x: number; y: number; w: number }) => number} */ of) =>
    points.reduce((total, { x, y }) => total + of({ x, y, w: 1 / y ** 2 }), 0);
  const [w, wx, wy] = [sum((p) => p.w), sum((p) => p.w * p.x), sum((p) => p.w * p.y)];
  const [wxx, wxy] = [sum((p) => p.w * p.x * p.x), sum((p) => p.w * p.x * p.y)];
  const slope = (w * wxy - wx * wy) / (w * wxx - wx * wx);
  const offset = (wy - slope * wx) / w;
  const worst = Math.max(...points.map(({ x, y }) => Math.abs(y / (offset + slope * x) - 1)));
  return { offset, slope, worst };
}
