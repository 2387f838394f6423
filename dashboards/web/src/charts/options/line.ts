// GMV by minute as an ECharts option: pure, so that a test can read it.

import type { EChartsCoreOption } from "echarts/core";

import { axisMoney, exactCount, exactMoney, hourMinute } from "../../format";
import type { Locale } from "../../i18n";
import { MINUTE_MS, type Series, ticks } from "../series";

export type Palette = { accent: string; area: string; ink: string; muted: string; line: string; surface: string; hole: string; font: string };
export type LineTexts = { gmv: string; orders: string; running: string; missing: string };

export type LineInput = {
  series: Series;
  dayStart: number;
  locale: Locale;
  zone: string;
  palette: Palette;
  texts: LineTexts;
  /** How many labels the width holds. */
  labels: number;
};

export function lineOption(input: LineInput): EChartsCoreOption {
  const { series, locale, zone, palette } = input;
  const marks = ticks(series.from, series.to, input.dayStart, input.labels);
  const at = new Map([...series.points, ...(series.running ? [series.running] : [])].map((p) => [p.start, p]));
  return {
    animation: false,
    textStyle: { fontFamily: palette.font },
    grid: { left: 8, right: 20, top: 18, bottom: 6, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
    xAxis: {
      type: "value",
      min: series.from,
      max: series.to,
      axisLine: { lineStyle: { color: palette.line } },
      axisTick: { show: true, customValues: marks, lineStyle: { color: palette.line } },
      splitLine: { show: false },
      axisLabel: { color: palette.muted, fontSize: 12, customValues: marks, formatter: (value: number) => hourMinute(value, zone) },
    },
    yAxis: {
      type: "value",
      min: 0,
      splitNumber: 4,
      axisLine: { show: false },
      axisTick: { show: false },
      axisLabel: { color: palette.muted, fontSize: 12, formatter: (value: number) => axisMoney(value, locale) },
      splitLine: { lineStyle: { color: palette.line } },
    },
    tooltip: {
      trigger: "axis",
      confine: true,
      backgroundColor: palette.surface,
      borderColor: palette.line,
      borderWidth: 1,
      padding: [10, 12],
      extraCssText: "box-shadow: 0 6px 24px rgb(0 0 0 / 12%); border-radius: 10px;",
      textStyle: { color: palette.ink, fontSize: 13 },
      axisPointer: { type: "line", snap: true, lineStyle: { color: palette.muted, type: [3, 3] }, label: { show: false } },
      formatter: (hovered: unknown) => tooltip(minuteOf(hovered), at, input),
    },
    series: [
      {
        id: "gmv",
        name: input.texts.gmv,
        type: "line",
        data: lineData(series),
        connectNulls: false,
        showSymbol: true,
        lineStyle: { width: 1.75, color: palette.accent, join: "round" },
        itemStyle: { color: palette.accent },
        areaStyle: { color: palette.area },
        emphasis: { disabled: true },
        markArea: {
          silent: true,
          itemStyle: { color: palette.hole },
          label: { color: palette.muted, fontSize: 11, position: "insideTop" },
          data: series.gaps.map((gap) => [
            { name: gap.to - gap.from >= (series.to - series.from) / 18 ? input.texts.missing : "", xAxis: gap.from - MINUTE_MS },
            { xAxis: gap.to },
          ]),
        },
      },
      {
        id: "running",
        name: input.texts.running,
        type: "line",
        data: series.running ? [{ value: [series.running.start, series.running.gmv], symbol: "circle", symbolSize: 7 }] : [],
        showSymbol: true,
        itemStyle: { color: palette.surface, borderColor: palette.accent, borderWidth: 2 },
        emphasis: { disabled: true },
      },
    ],
  };
}

type Datum = { value: [number, number | null]; symbol: "none" | "circle"; symbolSize: number };

/** A minute between two gaps has no line to be seen by: it gets a dot. */
function lineData(series: Series): Datum[] {
  return series.points.map((point, index) => {
    const before = series.points[index - 1]?.gmv ?? null;
    const after = series.points[index + 1]?.gmv ?? null;
    const alone = point.gmv !== null && before === null && after === null;
    return { value: [point.start, point.gmv], symbol: alone ? "circle" : "none", symbolSize: 4 };
  });
}

function minuteOf(hovered: unknown): number | null {
  const first: unknown = Array.isArray(hovered) ? hovered[0] : hovered;
  const value: unknown = first !== null && typeof first === "object" ? Reflect.get(first, "axisValue") : null;
  return typeof value === "number" ? Math.floor(value / MINUTE_MS) * MINUTE_MS : null;
}

function tooltip(minute: number | null, at: Map<number, { gmv: number | null; orders: number | null }>, input: LineInput): string {
  if (minute === null) return "";
  const point = at.get(minute);
  const running = input.series.running?.start === minute ? ` · ${input.texts.running}` : "";
  const time = `<div class="tip-time">${hourMinute(minute, input.zone)}${running}</div>`;
  if (!point || point.gmv === null) return `${time}<div>${input.texts.missing}</div>`;
  const row = (name: string, value: string) => `<div class="tip-row"><span>${name}</span><b>${value}</b></div>`;
  return time + row(input.texts.gmv, exactMoney(point.gmv)) + row(input.texts.orders, exactCount(point.orders));
}
