// The one way to the server: typed answers, typed errors.

import type { components } from "./types.gen";

type Schemas = components["schemas"];
export type Live = Schemas["Live"];
export type Minutes = Schemas["Minutes"];
export type TopList = Schemas["TopList"];
export type TopEntry = Schemas["TopEntry"];
export type Catalog = Schemas["Catalog"];
export type Alerts = Schemas["Alerts"];
export type FiringAlert = Schemas["FiringAlert"];
export type MetricDefinition = Schemas["MetricDefinition"];

export class ApiError extends Error {
  constructor(
    /** HTTP status; 0 when the server was not reached. */
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }

  get isForbidden(): boolean {
    return this.status === 401 || this.status === 403;
  }
}

/** Sends a request; an answer other than 2xx is an {@link ApiError}. */
export async function request(path: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, { ...init, credentials: "same-origin" });
  } catch (cause) {
    if (init.signal?.aborted) throw cause;
    throw new ApiError(0, "unreachable", String(cause));
  }
  if (!response.ok) throw await problem(response);
  return response;
}

async function problem(response: Response): Promise<ApiError> {
  const body: unknown = await response.json().catch(() => null);
  const of = (key: string): string => {
    const value = body !== null && typeof body === "object" ? Reflect.get(body, key) : undefined;
    return typeof value === "string" ? value : "";
  };
  return new ApiError(response.status, of("code") || "unknown", of("title") || response.statusText);
}

export async function getCatalog(signal: AbortSignal): Promise<Catalog> {
  const response = await request("/api/v1/catalog", { signal });
  return (await response.json()) as Catalog;
}
