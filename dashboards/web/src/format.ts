// The only formatter: money, counts, times. Amounts are fen, instants epoch milliseconds; times are the business's.

import type { Locale } from "./i18n";

type Unit = { size: number; sign: string };

const UNITS: Record<Locale, Unit[]> = {
  "zh-CN": [
    { size: 1e8, sign: "亿" },
    { size: 1e4, sign: "万" },
  ],
  en: [
    { size: 1e9, sign: "B" },
    { size: 1e6, sign: "M" },
    { size: 1e3, sign: "K" },
  ],
};

/** From here on numbers are shortened; both languages show four digits in full. */
const SHORTENED_FROM = 10_000;

/** A dash: unknown, which is not zero. */
export const UNKNOWN = "–";

export type Parts = { number: string; unit: string };

function grouped(value: number, digits: number): string {
  return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** A number to four significant digits, its unit apart. */
export function compactParts(value: number, locale: Locale, digits = 0): Parts {
  if (Math.abs(value) < SHORTENED_FROM) return { number: grouped(value, digits), unit: "" };
  const units = UNITS[locale];
  for (const [index, { size, sign }] of units.entries()) {
    // 999,999 is 1.000M and not 1000.0K: the larger unit is taken as soon as rounding reaches it.
    const scaled = Math.abs(value) / size;
    if (scaled < 0.99995 && index < units.length - 1) continue;
    const places = scaled >= 999.95 ? 0 : scaled >= 99.995 ? 1 : 2;
    return { number: grouped(value / size, places), unit: sign };
  }
  return { number: grouped(value, digits), unit: "" };
}

export function compactCount(value: number | null, locale: Locale): Parts {
  return value === null ? { number: UNKNOWN, unit: "" } : compactParts(value, locale);
}

export function compactMoney(fen: number | null, locale: Locale): Parts {
  if (fen === null) return { number: UNKNOWN, unit: "" };
  const { number, unit } = compactParts(fen / 100, locale, 2);
  return number.startsWith("-") ? { number: `-¥${number.slice(1)}`, unit } : { number: `¥${number}`, unit };
}

export function joined({ number, unit }: Parts): string {
  return number + unit;
}

/** To the fen, without a detour over fractions. */
export function exactMoney(fen: number | null): string {
  if (fen === null) return UNKNOWN;
  const whole = Math.trunc(Math.abs(fen) / 100);
  const rest = String(Math.abs(fen) % 100).padStart(2, "0");
  return `${fen < 0 ? "-" : ""}¥${grouped(whole, 0)}.${rest}`;
}

export function exactCount(value: number | null): string {
  return value === null ? UNKNOWN : grouped(value, 0);
}

/** The label of a value axis: as short as the value allows. */
export function axisMoney(fen: number, locale: Locale): string {
  const yuan = fen / 100;
  const unit = UNITS[locale].find(({ size }) => Math.abs(yuan) >= size);
  const scaled = unit ? yuan / unit.size : yuan;
  return `¥${scaled.toLocaleString("en-US", { maximumFractionDigits: 2 })}` + (unit?.sign ?? "");
}

const clocks = new Map<string, Intl.DateTimeFormat>();

function clockOf(zone: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${zone} ${Object.keys(options).join()}`;
  let clock = clocks.get(key);
  if (!clock) {
    clock = new Intl.DateTimeFormat("en-GB", { timeZone: zone, hourCycle: "h23", ...options });
    clocks.set(key, clock);
  }
  return clock;
}

/** 12:03 */
export function hourMinute(ms: number, zone: string): string {
  return clockOf(zone, { hour: "2-digit", minute: "2-digit" }).format(ms);
}

/** 12:03:05 */
export function hourMinuteSecond(ms: number, zone: string): string {
  return clockOf(zone, { hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(ms);
}

/** 2026-11-23 */
export function date(ms: number, zone: string): string {
  const parts = clockOf(zone, { year: "numeric", month: "2-digit", day: "2-digit" }).formatToParts(ms);
  const of = (type: string) => parts.find((part) => part.type === type)?.value ?? "";
  return `${of("year")}-${of("month")}-${of("day")}`;
}

/** The time alone on the day of `now`, with its date on another. */
export function moment(ms: number, now: number, zone: string): string {
  const time = hourMinuteSecond(ms, zone);
  return date(ms, zone) === date(now, zone) ? time : `${date(ms, zone)} ${time}`;
}

export type Lag = { key: "seconds" | "minutes" | "hours" | "days"; n: number };

/** How long ago, in the unit a person would say. */
export function lag(ms: number): Lag {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 120) return { key: "seconds", n: seconds };
  if (seconds < 7200) return { key: "minutes", n: Math.floor(seconds / 60) };
  if (seconds < 172_800) return { key: "hours", n: Math.floor(seconds / 3600) };
  return { key: "days", n: Math.floor(seconds / 86_400) };
}
