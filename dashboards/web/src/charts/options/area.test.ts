import { expect, it } from "vitest";

import { MINUTE_MS, type Series } from "../series";
import { areaOf, roundUp } from "./area";

function series(values: (number | null)[]): Series {
  const points = values.map((gmv, i) => ({ start: i * MINUTE_MS, gmv, orders: gmv }));
  return { from: 0, to: values.length * MINUTE_MS, points, running: null, gaps: [] };
}

it("draws each stretch apart", () => {
  const { line, area } = areaOf(series([1, 2, null, null, 4, 4]), 600, 100);
  expect(line.match(/M/g)).toHaveLength(2);
  expect(area.match(/Z/g)).toHaveLength(2);
  expect(line.startsWith("M0 75")).toBe(true);
});

it("shows a minute that stands alone", () => {
  expect(areaOf(series([null, 5, null]), 300, 100).line).toContain("h0.01");
});

it("draws nothing of nothing", () => {
  expect(areaOf(series([null]), 300, 100).line).toBe("");
  expect(areaOf(series([]), 0, 100).line).toBe("");
});

it("is never denser than the pixels", () => {
  const { line } = areaOf(series(Array.from({ length: 1440 }, (_, i) => i)), 358, 100);
  expect(line.match(/[ML]/g)!.length).toBeLessThanOrEqual(358);
});

it.each([
  [0, 1],
  [7, 8],
  [101, 150],
  [999, 1000],
  [350_000, 400_000],
])("rounds %i up to %i", (value, round) => {
  expect(roundUp(value)).toBe(round);
});
