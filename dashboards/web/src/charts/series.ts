// The minutes of a range as a line with its gaps: pure, for both the chart and the phone's drawing.

import type { Minutes } from "../api/client";
import type { Range } from "../stores/view";

export const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;

/** One minute on the time axis; `null` is a gap. Amounts are fen. */
export type Point = { start: number; gmv: number | null; orders: number | null };

export type Series = {
  /** The axis, half-open. */
  from: number;
  to: number;
  /** Whole minutes only, without holes in time. */
  points: Point[];
  /** The minute still running, which would look like a fall. */
  running: Point | null;
  /** Stretches without data, longer than a few minutes. */
  gaps: { from: number; to: number }[];
};

const LENGTH_MS: Record<Exclude<Range, "day">, number> = { "1h": HOUR_MS, "3h": 3 * HOUR_MS };
/** Shorter holes show as a broken line alone. */
const GAP_SHOWN_MS = 5 * MINUTE_MS;

/** @param asOf the watermark: minutes that end after it are still running */
export function seriesOf(minutes: Minutes | null, range: Range, asOf: number | null, now: number): Series {
  const end = Math.min(Math.floor((asOf ?? now) / MINUTE_MS) * MINUTE_MS, (minutes?.day_end ?? Infinity) - MINUTE_MS);
  const to = end + MINUTE_MS;
  const dayStart = minutes?.day_start ?? to - HOUR_MS;
  const from = startOf(minutes, range, dayStart, to);
  const known = new Map<number, number>();
  minutes?.start.forEach((start, index) => known.set(start, index));
  const at = (start: number): Point => {
    const index = known.get(start);
    if (!minutes || index === undefined) return { start, gmv: null, orders: null };
    return { start, gmv: minutes.gmv[index] ?? null, orders: minutes.orders[index] ?? null };
  };
  const points: Point[] = [];
  for (let start = from; start < end; start += MINUTE_MS) points.push(at(start));
  const last = at(end);
  return { from, to, points, running: last.gmv === null ? null : last, gaps: gapsOf(points) };
}

/** A young day is shown from the hour of its first minute, not as an empty page with a line at its edge. */
function startOf(minutes: Minutes | null, range: Range, dayStart: number, to: number): number {
  if (range !== "day") return to - LENGTH_MS[range];
  const first = minutes?.start[0] ?? dayStart;
  const hour = dayStart + Math.floor((first - dayStart) / HOUR_MS) * HOUR_MS;
  return Math.max(dayStart, Math.min(hour, to - HOUR_MS));
}

function gapsOf(points: Point[]): { from: number; to: number }[] {
  const gaps: { from: number; to: number }[] = [];
  let open: number | null = null;
  // What lies before the first minute is not a gap: the day began there.
  const begin = points.findIndex((point) => point.gmv !== null);
  for (const point of begin < 0 ? [] : points.slice(begin)) {
    if (point.gmv === null) {
      open ??= point.start;
    } else if (open !== null) {
      gaps.push({ from: open, to: point.start });
      open = null;
    }
  }
  const last = points.at(-1);
  if (open !== null && last) gaps.push({ from: open, to: last.start + MINUTE_MS });
  return gaps.filter((gap) => gap.to - gap.from >= GAP_SHOWN_MS);
}

const STEPS_MS = [5, 10, 15, 30, 60, 120, 180, 240, 360].map((minutes) => minutes * MINUTE_MS);

/** Round times of the business day for an axis of about `count` labels. */
export function ticks(from: number, to: number, dayStart: number, count: number): number[] {
  const step = STEPS_MS.find((size) => (to - from) / size <= count) ?? 360 * MINUTE_MS;
  const first = dayStart + Math.ceil((from - dayStart) / step) * step;
  const out: number[] = [];
  for (let at = first; at <= to; at += step) out.push(at);
  return out;
}

export function lastWhole(series: Series): Point | null {
  return series.points.findLast((point) => point.gmv !== null) ?? null;
}
