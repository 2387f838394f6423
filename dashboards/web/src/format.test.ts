import { describe, expect, it } from "vitest";

import { axisMoney, compactCount, compactMoney, date, exactMoney, hourMinuteSecond, joined, lag, moment } from "./format";

const money = (fen: number | null, locale: "zh-CN" | "en") => joined(compactMoney(fen, locale));
const count = (n: number | null, locale: "zh-CN" | "en") => joined(compactCount(n, locale));

describe("numbers", () => {
  it.each([
    [0, "¥0.00", "¥0.00"],
    [5912, "¥59.12", "¥59.12"],
    [999_999, "¥9,999.99", "¥9,999.99"],
    [1_000_000, "¥1.00万", "¥10.00K"],
    [830_281_750, "¥830.3万", "¥8.30M"],
    [99_999_950, "¥100.0万", "¥1.00M"],
    [999_999_999_900, "¥100.0亿", "¥10.00B"],
    [-1_234_567, "-¥1.23万", "-¥12.35K"],
  ])("money %i", (fen, zh, en) => {
    expect(money(fen, "zh-CN")).toBe(zh);
    expect(money(fen, "en")).toBe(en);
  });

  it.each([
    [0, "0", "0"],
    [9_999, "9,999", "9,999"],
    [10_000, "1.00万", "10.00K"],
    [128_600, "12.86万", "128.6K"],
    [999_999, "100.0万", "1.00M"],
    [99_999_999, "1.00亿", "100.0M"],
    [123_456_789, "1.23亿", "123.5M"],
  ])("count %i", (n, zh, en) => {
    expect(count(n, "zh-CN")).toBe(zh);
    expect(count(n, "en")).toBe(en);
  });

  it("shows the unknown as a dash, not as zero", () => {
    expect(money(null, "en")).toBe("–");
    expect(count(null, "zh-CN")).toBe("–");
    expect(exactMoney(null)).toBe("–");
  });

  it("is exact to the fen", () => {
    expect(exactMoney(830_281_750)).toBe("¥8,302,817.50");
    expect(exactMoney(-5)).toBe("-¥0.05");
    expect(exactMoney(Number.MAX_SAFE_INTEGER)).toBe("¥90,071,992,547,409.91");
  });

  it("labels axes shortly", () => {
    expect(axisMoney(0, "en")).toBe("¥0");
    expect(axisMoney(6_000_000, "zh-CN")).toBe("¥6万");
    expect(axisMoney(6_000_000, "en")).toBe("¥60K");
    expect(axisMoney(150_000, "zh-CN")).toBe("¥1,500");
  });
});

describe("times", () => {
  const noon = Date.UTC(2026, 10, 23, 4, 3, 5);

  it("are the business's, whatever the browser's zone", () => {
    expect(hourMinuteSecond(noon, "Asia/Shanghai")).toBe("12:03:05");
    expect(hourMinuteSecond(noon, "UTC")).toBe("04:03:05");
    expect(hourMinuteSecond(Date.UTC(2026, 10, 22, 16), "Asia/Shanghai")).toBe("00:00:00");
  });

  it("carry their date on another day", () => {
    expect(moment(noon, noon + 1000, "Asia/Shanghai")).toBe("12:03:05");
    expect(moment(noon, noon + 86_400_000, "Asia/Shanghai")).toBe("2026-11-23 12:03:05");
    expect(date(Date.UTC(2026, 10, 22, 16), "Asia/Shanghai")).toBe("2026-11-23");
  });

  it("say how long ago in the unit a person would", () => {
    expect(lag(4_400)).toEqual({ key: "seconds", n: 4 });
    expect(lag(-500)).toEqual({ key: "seconds", n: 0 });
    expect(lag(301_000)).toEqual({ key: "minutes", n: 5 });
    expect(lag(3 * 3_600_000)).toEqual({ key: "hours", n: 3 });
    expect(lag(3 * 86_400_000)).toEqual({ key: "days", n: 3 });
  });
});
