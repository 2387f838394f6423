//! The routes: `POST /v1/clicks`, `GET /v1/p.gif`, `/healthz`, `/readyz`, `/metrics`.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use linli_connectors::clock::SharedClock;
use linli_connectors::random::SharedRandom;
use linli_connectors::{Error, ErrorKind};
use serde_json::{Map, Value, json};
use tokio::sync::{mpsc, oneshot};

use super::body::{self, Budget, Share, Unread};
use super::click::{Checked, ClickRules, EVENTS_MAX};
use super::commit::{Commit, Outcome};
use super::fields::{Kind, OWN};
use super::meters::Meters;
use super::problem::{LISTED_MAX, Problem};

/// The smallest picture: one transparent pixel.
const PIXEL: [u8; 43] = *b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;";

/// Bodies from this size on are read off the threads that answer.
const LARGE_BODY_BYTES: usize = 256 << 10;

/// What an event weighs in memory besides its text.
const EVENT_BYTES: usize = 512;

/// What the handlers share.
pub(super) struct Service {
    pub rules: ClickRules,
    pub origins: Origins,
    pub budget: Budget,
    pub commits: mpsc::Sender<Commit>,
    pub meters: Arc<Meters>,
    pub ready: Arc<AtomicBool>,
    pub body_bytes_max: usize,
    pub inflated_bytes_max: usize,
    pub body_within: Duration,
    pub answer_within: Duration,
    pub clock: SharedClock,
    pub random: SharedRandom,
}

/// Whose pages may send.
pub(super) enum Origins {
    Any,
    These(HashSet<String>),
}

impl Origins {
    pub fn parse(origins: &[String]) -> linli_connectors::Result<Origins> {
        if origins.iter().any(|origin| origin == "*") {
            return Ok(Origins::Any);
        }
        for origin in origins {
            let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
            if host.is_none_or(|host| host.is_empty() || host.contains(['/', ' ', '*'])) {
                return Err(Error::new(ErrorKind::Config, format!("origin {origin:?}"), "is not an origin").hint(
                    "write it as a browser does, https://shop.example or http://127.0.0.1:8080, or \"*\" for any",
                ));
            }
        }
        Ok(Origins::These(origins.iter().map(|origin| origin.to_ascii_lowercase()).collect()))
    }

    /// The value of `access-control-allow-origin`; `None` refuses.
    fn allow(&self, origin: &HeaderValue) -> Option<HeaderValue> {
        match self {
            Origins::Any => Some(HeaderValue::from_static("*")),
            Origins::These(known) => {
                let text = origin.to_str().ok()?;
                known.contains(&text.to_ascii_lowercase()).then(|| origin.clone())
            }
        }
    }
}

pub(super) fn router(service: Arc<Service>) -> Router {
    Router::new()
        .route("/v1/clicks", post(post_clicks))
        .route("/v1/p.gif", get(get_pixel))
        .route("/healthz", get(|| async { Json(json!({"status": "ok"})) }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .fallback(|| async { Problem::NotFound })
        .method_not_allowed_fallback(|| async { Problem::Method })
        .layer(middleware::from_fn_with_state(Arc::clone(&service), across_origins))
        .with_state(service)
}

/// Counts answers, refuses pages of unknown origins, and tells browsers what others may do.
async fn across_origins(State(service): State<Arc<Service>>, request: Request, next: Next) -> Response {
    let allowed = request.headers().get(header::ORIGIN).map(|origin| service.origins.allow(origin));
    let mut response = match (&allowed, request.method()) {
        (Some(None), _) => Problem::Origin.into_response(),
        (Some(Some(_)), &Method::OPTIONS) => preflight(),
        _ => next.run(request).await,
    };
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_name(header::ORIGIN));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // A picture of another site must be let through where pages isolate themselves.
    headers.insert(HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("cross-origin"));
    if let Some(Some(origin)) = allowed {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_name(header::RETRY_AFTER));
    }
    service.meters.requests.with_label_values(&[response.status().as_str()]).inc();
    response
}

fn preflight() -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("content-type, content-encoding"));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    response
}

async fn readyz(State(service): State<Arc<Service>>) -> Response {
    if service.ready.load(Ordering::Acquire) {
        Json(json!({"status": "ready"})).into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"status": "the log does not take events"}))).into_response()
    }
}

async fn metrics(State(service): State<Arc<Service>>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], service.meters.render()).into_response()
}

async fn post_clicks(State(service): State<Arc<Service>>, request: Request) -> Result<Response, Problem> {
    let gzip = is_gzip(request.headers())?;
    check_content_type(request.headers())?;
    let declared =
        request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > service.body_bytes_max as u64) {
        return Err(Problem::TooLarge { max: service.body_bytes_max });
    }
    let mut share = service.budget.share();
    let sent = service.read(request.into_body(), &mut share).await?;
    let (checked, share) = service.check(sent, gzip, share).await?;
    let counts = json!({
        "accepted": checked.accepted,
        "rejected_count": checked.rejected.len(),
        "rejected": &checked.rejected[..checked.rejected.len().min(LISTED_MAX)],
    });
    service.commit(checked, share).await?;
    Ok((StatusCode::ACCEPTED, [(header::CACHE_CONTROL, "no-store")], Json(counts)).into_response())
}

/// One event in the query, for places where only a picture can be asked for.
async fn get_pixel(
    State(service): State<Arc<Service>>,
    Query(parameters): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let referer = headers.get(header::REFERER).and_then(|page| page.to_str().ok());
    let event = event_of(parameters, referer).to_string().into_bytes();
    let mut share = service.budget.share();
    share.grow(event.len()).map_err(|_| service.busy())?;
    let (checked, share) = service.check(event, false, share).await?;
    service.commit(checked, share).await?;
    let headers = [(header::CONTENT_TYPE, "image/gif"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, PIXEL.as_slice()).into_response())
}

/// The event that a query spells: whole numbers where we know the field as one, an object as JSON, else text.
fn event_of(parameters: Vec<(String, String)>, referer: Option<&str>) -> Value {
    let mut event = Map::new();
    for (name, text) in parameters {
        let kind = OWN.iter().find(|(own, _, _)| *own == name).map(|(_, kind, _)| *kind);
        let value = match kind {
            Some(Kind::Integer) => text.parse::<i64>().map_or_else(|_| Value::String(text), Value::from),
            Some(Kind::Object) => serde_json::from_str(&text).unwrap_or(Value::String(text)),
            _ => Value::String(text),
        };
        event.insert(name, value);
    }
    if let (Some(page), false) = (referer, event.contains_key("page")) {
        event.insert("page".to_owned(), Value::from(page));
    }
    Value::Object(event)
}

impl Service {
    fn after_s(&self) -> u64 {
        1 + self.random.below(5) // spread, so that all do not come back at once
    }

    fn busy(&self) -> Problem {
        Problem::Busy { after_s: self.after_s() }
    }

    fn problem(&self, unread: Unread) -> Problem {
        match unread {
            Unread::Exhausted => self.busy(),
            Unread::Problem(problem) => problem,
        }
    }

    async fn read(&self, body: Body, share: &mut Share) -> Result<Vec<u8>, Problem> {
        tokio::select! {
            sent = body::read(body, self.body_bytes_max, share) => sent.map_err(|unread| self.problem(unread)),
            () = self.clock.sleep(self.body_within) => Err(Problem::SlowBody),
        }
    }

    /// Inflates and checks; large bodies elsewhere, so that small ones need not wait for them.
    async fn check(self: &Arc<Service>, sent: Vec<u8>, gzip: bool, share: Share) -> Result<(Checked, Share), Problem> {
        let result = if sent.len() < LARGE_BODY_BYTES && !gzip {
            self.check_now(&sent, gzip, share)
        } else {
            let service = Arc::clone(self);
            tokio::task::spawn_blocking(move || service.check_now(&sent, gzip, share))
                .await
                .unwrap_or(Err(Unread::Exhausted))
        };
        result.map_err(|unread| self.problem(unread))
    }

    fn check_now(&self, sent: &[u8], gzip: bool, mut share: Share) -> Result<(Checked, Share), Unread> {
        let received_at = self.clock.now_ms();
        let inflated = if gzip { Some(body::inflate(sent, self.inflated_bytes_max, &mut share)?) } else { None };
        let body = inflated.as_deref().unwrap_or(sent);
        // The memory of the records, before they are made: a comma or a newline stands between two events.
        let events = 1 + memchr::memchr2_iter(b',', b'\n', body).count();
        share.grow(body.len() + EVENT_BYTES * events.min(EVENTS_MAX))?;
        let checked = self.rules.check(body, received_at, self.random.as_ref());
        if checked.rejected.len() + checked.accepted > EVENTS_MAX {
            return Err(Problem::TooMany { max: EVENTS_MAX }.into());
        }
        Ok((checked, share))
    }

    /// Puts the records on the log and waits for it. Nothing valid is a problem, but its dead letters are kept too.
    async fn commit(&self, checked: Checked, share: Share) -> Result<(), Problem> {
        let bytes = checked.records.iter().map(|r| r.key.len() + r.value.as_ref().map_or(0, |v| v.len())).sum();
        let (done, outcome) = oneshot::channel();
        let commit = Commit { records: checked.records, bytes, share, done };
        self.commits.try_send(commit).map_err(|_| self.busy())?;
        let outcome = tokio::select! {
            outcome = outcome => outcome.unwrap_or(Outcome::Failed),
            () = self.clock.sleep(self.answer_within) => return Err(self.busy()),
        };
        if outcome == Outcome::Failed {
            return Err(Problem::LogFails { after_s: self.after_s() });
        }
        let events = &self.meters.events;
        events.with_label_values(&["accepted"]).inc_by(checked.accepted as u64);
        for rejected in &checked.rejected {
            events.with_label_values(&[rejected.code]).inc();
        }
        self.meters.ids_made.inc_by(checked.ids_made as u64);
        if checked.accepted == 0 {
            return Err(Problem::NothingValid { rejected: checked.rejected });
        }
        Ok(())
    }
}

fn is_gzip(headers: &HeaderMap) -> Result<bool, Problem> {
    match headers.get(header::CONTENT_ENCODING).map(|encoding| encoding.to_str().unwrap_or("?")) {
        None | Some("" | "identity") => Ok(false),
        Some("gzip" | "x-gzip") => Ok(true),
        Some(other) => Err(Problem::Encoding { given: other.chars().take(40).collect() }),
    }
}

/// `text/plain` is what a browser sends without asking first, as `sendBeacon` must.
fn check_content_type(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(given) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let given = given.to_str().unwrap_or("?");
    let essence = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "application/json" | "application/x-ndjson" | "application/ndjson" | "text/plain" => Ok(()),
        _ => Err(Problem::ContentType { given: given.chars().take(60).collect() }),
    }
}
