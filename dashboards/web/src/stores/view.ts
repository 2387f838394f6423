// What is being looked at. The address says it all: a link shows the same view to whoever may see it.

import { computed } from "vue";
import { type LocationQueryValue, useRoute, useRouter } from "vue-router";

import { i18n, isLocale, type Locale } from "../i18n";

export const RANGES = ["1h", "3h", "day"] as const;
export type Range = (typeof RANGES)[number];
export const WINDOWS = ["day", "hour"] as const;
export type TopWindow = (typeof WINDOWS)[number];
export type Panel = "chart" | "table";
export type Theme = "light" | "dark";

export type ViewState = {
  community: string;
  range: Range;
  top: TopWindow;
  category: string;
  panel: Panel;
  lang: Locale;
  theme: Theme;
};

type Query = Record<string, LocationQueryValue | LocationQueryValue[] | undefined>;
type Preferences = { lang: Locale; theme: Theme };

const ID = /^-?\d{1,19}$/;

/** Reads an address; whatever it cannot understand is the default. */
export function parseView(query: Query, preferences: Preferences): ViewState {
  const text = (key: string): string => {
    const value = query[key];
    return (Array.isArray(value) ? value[0] : value) ?? "";
  };
  const id = (key: string) => (ID.test(text(key)) ? text(key) : "");
  const lang = text("lang");
  const theme = text("theme");
  return {
    community: id("community"),
    range: RANGES.find((range) => range === text("range")) ?? "day",
    top: WINDOWS.find((window) => window === text("top")) ?? "day",
    category: id("category"),
    panel: text("panel") === "table" ? "table" : "chart",
    lang: isLocale(lang) ? lang : preferences.lang,
    theme: theme === "dark" || theme === "light" ? theme : preferences.theme,
  };
}

/** The address of a view: defaults are left out, the language and the theme never, so that a link keeps them. */
export function queryOf(view: ViewState): Record<string, string> {
  const query: Record<string, string> = {};
  if (view.community) query.community = view.community;
  if (view.range !== "day") query.range = view.range;
  if (view.top !== "day") query.top = view.top;
  if (view.category) query.category = view.category;
  if (view.panel !== "chart") query.panel = view.panel;
  query.lang = view.lang;
  if (view.theme === "dark") query.theme = view.theme;
  return query;
}

/** The list's scope: a community's list has no categories. */
export function scopeOf(view: ViewState): string {
  if (view.community) return `community:${view.community}`;
  return view.category ? `category:${view.category}` : "all";
}

function remembered(key: string): string | null {
  try {
    return window.localStorage.getItem(key);
  } catch {
    return null; // storage is off: nothing is remembered
  }
}

function remember(key: string, value: string): void {
  try {
    window.localStorage.setItem(key, value);
  } catch {
    // storage is off
  }
}

export function preferences(): Preferences {
  const lang = remembered("linli.lang");
  const theme = remembered("linli.theme");
  const chinese = navigator.language.toLowerCase().startsWith("zh");
  const dark = window.matchMedia("(prefers-color-scheme: dark)").matches;
  return {
    lang: isLocale(lang) ? lang : chinese ? "zh-CN" : "en",
    theme: theme === "dark" || theme === "light" ? theme : dark ? "dark" : "light",
  };
}

/** Language and theme on the document, before anything is drawn. */
export function applyAppearance(view: Pick<ViewState, "lang" | "theme">): void {
  i18n.global.locale.value = view.lang;
  document.documentElement.lang = view.lang;
  document.documentElement.dataset.theme = view.theme;
  document.documentElement.classList.toggle("dark", view.theme === "dark");
  document.title = i18n.global.t("title");
}

export function useView() {
  const route = useRoute();
  const router = useRouter();
  const view = computed(() => parseView(route.query, preferences()));

  function change(part: Partial<ViewState>): void {
    const next = { ...view.value, ...part };
    if (part.lang) remember("linli.lang", part.lang);
    if (part.theme) remember("linli.theme", part.theme);
    void router.replace({ query: queryOf(next) });
  }

  return { view, change };
}
