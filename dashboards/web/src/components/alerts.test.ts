import { createI18n } from "vue-i18n";
import { describe, expect, it } from "vitest";

import type { Alerts, FiringAlert } from "../api/client";
import en from "../locales/en";
import zhCN from "../locales/zh-CN";
import { alertsNote } from "./alerts";

function held(number: number): FiringAlert {
  const table = `shop_0.orders_${number}`;
  return { rule: "cdc.quarantine", subject: `h:1/${table}`, since: number, reason: null, held: { server: "h:1", table, cures: [] } };
}

const drift: FiringAlert = { rule: "forecast.drift", subject: "category/3", since: 9, reason: "why", held: null };

function firing(list: FiringAlert[], more: Partial<Alerts> = {}): Alerts {
  return { source: "ok", total: list.length, tables: list.filter((one) => one.held).length, firing: list, ...more };
}

describe("alerts", () => {
  it("nothing is said while nothing fires, or before it is known", () => {
    expect(alertsNote(null, 3)).toMatchObject({ kind: "calm", shown: [], more: 0, isFolded: false });
    expect(alertsNote(firing([]), 3)).toMatchObject({ kind: "calm", shown: [] });
  });

  it("alerts that cannot be read are no calm", () => {
    expect(alertsNote(firing([], { source: "failing" }), 3).kind).toBe("unknown");
    expect(alertsNote(firing([held(1)], { source: "failing" }), 3)).toMatchObject({ kind: "tables", isOld: true });
  });

  it("tables come before what else fires", () => {
    expect(alertsNote(firing([held(1), drift]), 3)).toMatchObject({ kind: "tables", tables: 1, others: 1 });
    expect(alertsNote(firing([drift]), 3)).toMatchObject({ kind: "others", tables: 0, others: 1, shown: [drift] });
  });

  it("they are folded beyond what is asked for", () => {
    const list = [1, 2, 3].map(held);
    expect(alertsNote(firing(list), 3)).toMatchObject({ shown: list, more: 0, isFolded: false });
    const many = [1, 2, 3, 4, 5, 6, 7].map(held);
    expect(alertsNote(firing(many), 3)).toMatchObject({ shown: many.slice(0, 3), more: 4, isFolded: true });
    expect(alertsNote(firing(many), Infinity)).toMatchObject({ shown: many, more: 0, isFolded: false });
  });

  it("what the server did not send is counted", () => {
    const note = alertsNote(firing([held(1), held(2)], { total: 130, tables: 129 }), Infinity);
    expect(note).toMatchObject({ more: 128, isFolded: false, tables: 129, others: 1 });
  });
});

it.each<[string, string, number, string]>([
  ["en", "heldTables", 1, "1 table is held by change capture"],
  ["en", "heldTables", 3, "3 tables are held by change capture"],
  ["en", "alertsFiring", 1, "1 alert is firing"],
  ["en", "otherAlerts", 2, "2 other alerts"],
  ["zh-CN", "heldTables", 1, "1 张表已暂停同步"],
  ["zh-CN", "heldTables", 3, "3 张表已暂停同步"],
])("%s %s %d", (locale, key, n, text) => {
  const i18n = createI18n({ legacy: false, locale, messages: { en, "zh-CN": zhCN } });
  expect((i18n.global.t as (key: string, n: number) => string)(key, n)).toBe(text);
});
