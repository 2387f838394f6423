import type { Minutes } from "../api/client";

/** Replaces the end of what is known from the piece's `from` on; another day or community starts anew. */
export function mergeMinutes(known: Minutes | null, piece: Minutes): Minutes {
  if (!known || known.day_start !== piece.day_start || known.community !== piece.community) return piece;
  const kept = known.start.findIndex((start) => start >= piece.from);
  const end = kept < 0 ? known.start.length : kept;
  return {
    ...piece,
    from: Math.min(known.from, piece.from),
    start: [...known.start.slice(0, end), ...piece.start],
    gmv: [...known.gmv.slice(0, end), ...piece.gmv],
    orders: [...known.orders.slice(0, end), ...piece.orders],
  };
}
