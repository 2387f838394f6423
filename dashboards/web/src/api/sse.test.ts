import { describe, expect, it } from "vitest";

import { backoff, EventParser } from "./sse";

describe("the parser", () => {
  const text = ": hello\n\nevent: live\nid: 7\ndata: {\"a\":1}\n\nevent: top\ndata: x\ndata: y\n\n";

  it("reads the same events however they are cut", () => {
    const whole = new EventParser().push(text);
    expect(whole).toEqual([
      { name: "live", id: "7", data: '{"a":1}' },
      { name: "top", id: "7", data: "x\ny" },
    ]);
    for (let size = 1; size < 12; size += 1) {
      const parser = new EventParser();
      const pieces = [];
      for (let at = 0; at < text.length; at += size) pieces.push(...parser.push(text.slice(at, at + size)));
      expect(pieces).toEqual(whole);
    }
  });

  it("takes every kind of line end", () => {
    expect(new EventParser().push("data: 1\r\n\r\ndata: 2\n\n").map((event) => event.data)).toEqual(["1", "2"]);
  });

  it("keeps the id and drops what has no data", () => {
    const parser = new EventParser();
    expect(parser.push("id: 9\n\n")).toEqual([]);
    expect(parser.lastId).toBe("9");
  });
});

it("waits longer each time, up to half a minute", () => {
  expect(backoff(1, 1)).toBe(1_000);
  expect(backoff(3, 1)).toBe(4_000);
  expect(backoff(50, 1)).toBe(30_000);
  expect(backoff(1, 0)).toBe(500);
});
