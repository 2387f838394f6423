import { createI18n } from "vue-i18n";

import en from "./locales/en";
import zhCN, { type Messages } from "./locales/zh-CN";

export const LOCALES = ["zh-CN", "en"] as const;
export type Locale = (typeof LOCALES)[number];

export const i18n = createI18n<[Messages], Locale, false>({
  legacy: false,
  locale: "zh-CN",
  fallbackLocale: "en",
  messages: { "zh-CN": zhCN, en },
});

export function isLocale(text: unknown): text is Locale {
  return LOCALES.some((locale) => locale === text);
}
