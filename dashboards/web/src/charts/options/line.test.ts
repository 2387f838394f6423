import { describe, expect, it } from "vitest";

import { HOUR_MS, MINUTE_MS, type Series } from "../series";
import { type LineInput, lineOption } from "./line";

const palette = { accent: "#a", area: "#b", ink: "#c", muted: "#d", line: "#e", surface: "#f", hole: "#0", font: "x" };
const texts = { gmv: "GMV", orders: "Orders", running: "so far", missing: "no data" };
const FROM = 16 * HOUR_MS;

function input(values: (number | null)[], running: number | null = null): LineInput {
  const point = (gmv: number | null, i: number) => ({ start: FROM + i * MINUTE_MS, gmv, orders: gmv === null ? null : 1 });
  const series: Series = {
    from: FROM,
    to: FROM + (values.length + 1) * MINUTE_MS,
    points: values.map(point),
    running: running === null ? null : point(running, values.length),
    gaps: [],
  };
  return { series, dayStart: FROM, locale: "en", zone: "Asia/Shanghai", palette, texts, labels: 6 };
}

type Read = {
  series: { data: { value: [number, number | null]; symbol: string }[]; connectNulls?: boolean }[];
  xAxis: { axisLabel: { formatter(value: number): string } };
  tooltip: { formatter(hovered: unknown): string };
};
const read = (values: (number | null)[], running: number | null = null) =>
  lineOption(input(values, running)) as unknown as Read;

describe("the line", () => {
  it("breaks at what is missing and dots what stands alone", () => {
    const data = read([100, 0, null, 300, null]).series[0]!.data;
    expect(data.map((d) => d.value[1])).toEqual([100, 0, null, 300, null]);
    expect(data.map((d) => d.symbol)).toEqual(["none", "none", "none", "circle", "none"]);
    expect(read([1]).series[0]!.connectNulls).toBe(false);
  });

  it("draws the running minute as a point of its own", () => {
    expect(read([1, 2], 1).series[1]!.data[0]!.value).toEqual([FROM + 2 * MINUTE_MS, 1]);
    expect(read([1, 2]).series[1]!.data).toEqual([]);
  });

  it("labels in the business's zone", () => {
    expect(read([1]).xAxis.axisLabel.formatter(FROM)).toBe("00:00");
  });

  it("tells exact values, and says when there are none", () => {
    const { tooltip } = read([123_456, null], 5);
    expect(tooltip.formatter([{ axisValue: FROM }])).toContain("¥1,234.56");
    expect(tooltip.formatter([{ axisValue: FROM + MINUTE_MS }])).toContain("no data");
    expect(tooltip.formatter([{ axisValue: FROM + 2 * MINUTE_MS }])).toContain("so far");
    expect(tooltip.formatter([])).toBe("");
  });
});
