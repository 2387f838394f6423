import { describe, expect, it } from "vitest";

import type { Minutes } from "../api/client";
import { freshness } from "./freshness";
import { mergeMinutes } from "./minutes";

function piece(from: number, rows: [number, number][], day = 0): Minutes {
  return {
    version: 1,
    community: null,
    day_start: day,
    day_end: day + 86_400_000,
    from,
    start: rows.map(([start]) => start),
    gmv: rows.map(([, gmv]) => gmv),
    orders: rows.map(() => 1),
  };
}

describe("minutes", () => {
  const known = piece(0, [[60, 1], [120, 2], [240, 4]]);

  it("a piece replaces the end", () => {
    const merged = mergeMinutes(known, piece(120, [[120, 9], [180, 3], [300, 5]]));
    expect(merged.start).toEqual([60, 120, 180, 300]);
    expect(merged.gmv).toEqual([1, 9, 3, 5]);
    expect(merged.orders).toHaveLength(4);
  });

  it("a piece beyond the end is appended", () => {
    expect(mergeMinutes(known, piece(300, [[300, 5]])).start).toEqual([60, 120, 240, 300]);
  });

  it("a minute can be taken back", () => {
    expect(mergeMinutes(known, piece(240, [])).start).toEqual([60, 120]);
  });

  it("a new day starts anew", () => {
    expect(mergeMinutes(known, piece(1000, [[1000, 1]], 1000)).start).toEqual([1000]);
  });
});

it.each([
  [null, "unknown"],
  [100_000, "fresh"],
  [40_000, "fresh"],
  [39_999, "late"],
  [-200_000, "late"],
  [-200_001, "stale"],
])("data as of %s is %s at 100 s", (asOf, level) => {
  expect(freshness(asOf, 100_000).level).toBe(level);
});
