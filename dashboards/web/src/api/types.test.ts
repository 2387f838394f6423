import { readFileSync } from "node:fs";

import openapiTS, { astToString, COMMENT_HEADER } from "openapi-typescript";
import { expect, it } from "vitest";

it("the generated types are those of the committed description (npm run api)", async () => {
  const description = new URL("../../../openapi.json", import.meta.url);
  const current = COMMENT_HEADER + astToString(await openapiTS(description));
  expect(readFileSync(new URL("types.gen.ts", import.meta.url), "utf8")).toBe(current);
}, 60_000);
