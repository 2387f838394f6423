import { expect, it, vi } from "vitest";

vi.mock("../i18n", () => ({
  i18n: {},
  isLocale: (text: unknown) => text === "zh-CN" || text === "en",
}));

const { parseView, queryOf, scopeOf } = await import("./view");
const preferences = { lang: "zh-CN", theme: "light" } as const;

it("an address survives the way there and back", () => {
  const query = { community: "9007199254740993", range: "3h", top: "hour", panel: "table", lang: "en", theme: "dark" };
  expect(queryOf(parseView(query, preferences))).toEqual(query);
});

it("nonsense in an address is the default", () => {
  const view = parseView({ community: "1 or 1", range: "9h", lang: "xx", category: ["5", "6"] }, preferences);
  expect(view).toEqual({
    community: "",
    range: "day",
    top: "day",
    category: "5",
    panel: "chart",
    lang: "zh-CN",
    theme: "light",
  });
});

it("a community's list has no categories", () => {
  expect(scopeOf(parseView({ community: "3", category: "5" }, preferences))).toBe("community:3");
  expect(scopeOf(parseView({ category: "5" }, preferences))).toBe("category:5");
  expect(scopeOf(parseView({}, preferences))).toBe("all");
});
