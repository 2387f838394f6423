// The phone's drawing of the same series: SVG paths, pure.

import { MINUTE_MS, type Series } from "../series";

export type Area = { line: string; area: string; max: number; x(ms: number): number; y(fen: number): number };

/** A round number not below `value`, so that the axis' label is one people read at once. */
export function roundUp(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10].find((factor) => factor * power >= value) ?? 10;
  return step * power;
}

/** Points closer than a pixel are drawn as their mean, so that a day stays light; gaps stay gaps. */
export function areaOf(series: Series, width: number, height: number): Area {
  const span = Math.max(MINUTE_MS, series.to - series.from);
  const perDot = Math.max(1, Math.ceil(series.points.length / Math.max(1, width)));
  const dots: ({ at: number; fen: number } | null)[] = [];
  for (let i = 0; i < series.points.length; i += perDot) {
    const group = series.points.slice(i, i + perDot);
    const known = group.filter((point) => point.gmv !== null);
    const sum = known.reduce((total, point) => total + (point.gmv ?? 0), 0);
    dots.push(known.length === 0 ? null : { at: group[0]?.start ?? 0, fen: sum / known.length });
  }
  const max = roundUp(Math.max(0, ...dots.map((dot) => dot?.fen ?? 0), series.running?.gmv ?? 0));
  const x = (ms: number) => round(((ms - series.from) / span) * width);
  const y = (fen: number) => round(height - (fen / max) * height);
  let line = "";
  let area = "";
  let run: { at: number; fen: number }[] = [];
  const close = () => {
    const first = run[0];
    const last = run.at(-1);
    if (first && last) {
      const path = run.map((dot, i) => `${i === 0 ? "M" : "L"}${x(dot.at)} ${y(dot.fen)}`).join("");
      // A dot of its own has no length to be seen by.
      line += run.length === 1 ? `${path}h0.01` : path;
      area += `${path}L${x(last.at)} ${height}L${x(first.at)} ${height}Z`;
    }
    run = [];
  };
  for (const dot of dots) {
    if (dot) run.push(dot);
    else close();
  }
  close();
  return { line, area, max, x, y };
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
