import { describe, expect, it } from "vitest";

import type { Minutes } from "../api/client";
import { HOUR_MS, lastWhole, MINUTE_MS, seriesOf, ticks } from "./series";

const DAY = 16 * HOUR_MS; // a midnight in Shanghai

function minutesAt(offsets: number[]): Minutes {
  return {
    version: 1,
    community: null,
    day_start: DAY,
    day_end: DAY + 24 * HOUR_MS,
    from: DAY,
    start: offsets.map((minute) => DAY + minute * MINUTE_MS),
    gmv: offsets.map((minute) => minute * 100),
    orders: offsets.map(() => 2),
  };
}

const upTo = (minute: number) => Array.from({ length: minute + 1 }, (_, i) => i);
const asOf = (minute: number) => DAY + minute * MINUTE_MS + 20_000;

describe("the series", () => {
  it("keeps the running minute apart from the whole ones", () => {
    const series = seriesOf(minutesAt(upTo(90)), "1h", asOf(90), asOf(90));
    expect(series.points).toHaveLength(59);
    expect(series.running).toEqual({ start: DAY + 90 * MINUTE_MS, gmv: 9000, orders: 2 });
    expect(lastWhole(series)?.gmv).toBe(8900);
    expect(series.to - series.from).toBe(HOUR_MS);
  });

  it("has a gap where a minute is missing, and a zero where it is zero", () => {
    const series = seriesOf(minutesAt([0, 1, 2, 20, 21]), "day", asOf(30), asOf(30));
    const gmv = (minute: number) => series.points.find((p) => p.start === DAY + minute * MINUTE_MS)?.gmv;
    expect(gmv(0)).toBe(0);
    expect(gmv(3)).toBeNull();
    expect(series.gaps).toEqual([
      { from: DAY + 3 * MINUTE_MS, to: DAY + 20 * MINUTE_MS },
      { from: DAY + 22 * MINUTE_MS, to: DAY + 30 * MINUTE_MS },
    ]);
    expect(series.running).toBeNull();
  });

  it("begins a young day at the hour of its first minute, with an hour at least", () => {
    const late = seriesOf(minutesAt([615, 616, 700]), "day", asOf(700), asOf(700));
    expect(late.from).toBe(DAY + 10 * HOUR_MS);
    const young = seriesOf(minutesAt([615, 616]), "day", asOf(617), asOf(617));
    expect(young.to - young.from).toBe(HOUR_MS);
    expect(seriesOf(minutesAt([5]), "day", asOf(6), asOf(6)).from).toBe(DAY);
  });

  it("does not run over the end of the day", () => {
    const series = seriesOf(minutesAt([1439]), "1h", DAY + 25 * HOUR_MS, DAY + 25 * HOUR_MS);
    expect(series.to).toBe(DAY + 24 * HOUR_MS);
  });

  it("is empty without data", () => {
    const series = seriesOf(null, "day", null, asOf(10));
    expect(lastWhole(series)).toBeNull();
    expect(series.gaps).toEqual([]);
  });
});

it("ticks stand on round times of the business day", () => {
  expect(ticks(DAY, DAY + 24 * HOUR_MS, DAY, 12)).toHaveLength(13);
  const marks = ticks(DAY + 7 * MINUTE_MS, DAY + 67 * MINUTE_MS, DAY, 8);
  expect(marks[0]).toBe(DAY + 10 * MINUTE_MS);
  expect(new Set(marks.map((mark) => (mark - DAY) % (10 * MINUTE_MS)))).toEqual(new Set([0]));
});
