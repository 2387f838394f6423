//! The page's addresses.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use linli_connectors::blobs::SharedBlobs;
use linli_connectors::clock::SharedClock;
use linli_connectors::log::SharedLog;
use linli_connectors::{Error, ErrorKind};
use linli_schemas::zone::Zone;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::form::{self, Form};
use super::link::{Keys, Refusal};
use super::page::{LINES_PAGE, Page, STYLE, notice, pages};
use super::store::{Sheet, Store, Submitted};
use crate::mail::outbox::Outbox;
use crate::mail::texts::Text;
use crate::mail::{Language, SupplierOrder};

/// The longest form: a page of lines with notes in the longest encoding.
const BODY_BYTES_MAX: usize = 512 * 1024;
/// How often what is stored and not on the log yet is looked for.
const APPEND_EVERY: Duration = Duration::from_secs(30);

/// Nothing but our own style, and forms to ourselves.
const CONTENT_SECURITY_POLICY: &str =
    "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const HEADERS: [(HeaderName, &str); 7] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    // The address is the key: it is neither handed on nor kept.
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
];

/// What the page works with.
pub struct Answers {
    store: Store,
    outbox: Outbox,
    keys: Keys,
    clock: SharedClock,
    zone: Zone,
}

impl Answers {
    /// `partitions`: those of topic `forecast.answers`.
    pub fn new(
        blobs: SharedBlobs,
        log: SharedLog,
        partitions: u32,
        keys: Keys,
        clock: SharedClock,
        zone: Zone,
    ) -> Answers {
        let outbox = Outbox::new(blobs.clone());
        Answers { store: Store { blobs, log, partitions }, outbox, keys, clock, zone }
    }

    /// Appends what was stored and may not be on the log.
    pub async fn append_open(&self) -> linli_connectors::Result<usize> {
        self.store.append_open(&self.outbox, self.clock.now_ms()).await
    }
}

/// `GET` and `POST /answers/TOKEN`; to be mounted anywhere.
pub fn router(answers: Arc<Answers>) -> Router {
    Router::new()
        .route("/answers/{token}", get(show).post(submit))
        .route("/answers/style.css", get(style))
        .route("/healthz", get(|| async { "ok\n" }))
        .fallback(nowhere)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn(secured))
        .with_state(answers)
}

/// Serves the page until `shutdown`, and appends what an earlier crash kept from the log.
pub async fn serve(listener: TcpListener, answers: Arc<Answers>, shutdown: CancellationToken) -> std::io::Result<()> {
    let serving =
        axum::serve(listener, router(answers.clone())).with_graceful_shutdown(shutdown.clone().cancelled_owned());
    let appending = async {
        loop {
            match answers.append_open().await {
                Ok(0) => {}
                Ok(versions) => tracing::info!(versions, "appended answers that were stored and not on the log"),
                Err(error) => tracing::warn!(%error, "stored answers cannot be appended to the log now"),
            }
            answers.clock.sleep(APPEND_EVERY).await;
        }
    };
    tokio::select! {
        served = serving.into_future() => served,
        () = appending => Ok(()),
    }
}

async fn secured(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE).into_response()
}

async fn nowhere(headers: HeaderMap) -> Response {
    told(StatusCode::NOT_FOUND, accepted_language(&headers), Text::UnknownTitle, Text::UnknownBody)
}

fn told(status: StatusCode, language: Language, title: Text, body: Text) -> Response {
    (status, Html(notice(language, title, body))).into_response()
}

/// For whom we do not know yet.
fn accepted_language(headers: &HeaderMap) -> Language {
    let first = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or("zh");
    if first.trim_start().to_ascii_lowercase().starts_with("en") { Language::En } else { Language::Zh }
}

#[derive(Debug, Default, Deserialize)]
struct Shown {
    page: Option<usize>,
    saved: Option<u8>,
}

/// A link that holds, with what it opens.
struct Opened {
    order: SupplierOrder,
    now: i64,
}

impl Opened {
    fn closed(&self) -> bool {
        self.now >= self.order.must_order_by
    }
}

impl Answers {
    /// Nothing is read before the signature holds and the time is not over.
    async fn open(&self, token: &str, language: Language) -> Result<Opened, Response> {
        let now = self.clock.now_ms();
        let ticket = self.keys.open(token, now).map_err(|refusal| match refusal {
            Refusal::Forged => told(StatusCode::FORBIDDEN, language, Text::ForgedTitle, Text::ForgedBody),
            Refusal::Expired => told(StatusCode::GONE, language, Text::ExpiredTitle, Text::ExpiredBody),
        })?;
        let order = self.outbox.order(&ticket.run, ticket.supplier_id).await.map_err(|error| away(&error, language))?;
        let Some(order) = order else {
            return Err(told(StatusCode::NOT_FOUND, language, Text::UnknownTitle, Text::UnknownBody));
        };
        let withdrawn = self.outbox.is_withdrawn(&order.run).await;
        if withdrawn.map_err(|error| away(&error, order.language))? {
            return Err(told(StatusCode::GONE, order.language, Text::WithdrawnTitle, Text::WithdrawnBody));
        }
        Ok(Opened { order, now })
    }

    async fn sheet(&self, order: &SupplierOrder) -> Result<Sheet, Response> {
        let sheet = self.store.sheet(&order.run, order.supplier_id).await;
        sheet.map_err(|error| away(&error, order.language))
    }

    fn page<'a>(&self, opened: &'a Opened, sheet: &'a Sheet, token: &'a str, number: usize) -> Page<'a> {
        Page {
            order: &opened.order,
            sheet,
            token,
            language: opened.order.language,
            zone: self.zone,
            number: number.clamp(1, pages(&opened.order)),
            closed: opened.closed(),
            message: None,
            entered: BTreeMap::new(),
            faults: BTreeMap::new(),
            conflicts: BTreeSet::new(),
        }
    }
}

/// What went wrong inside is logged, not shown.
fn away(error: &Error, language: Language) -> Response {
    tracing::error!(%error, "a supplier's page cannot be answered");
    let status = match error.kind {
        ErrorKind::Retry => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::Reject => StatusCode::TOO_MANY_REQUESTS,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    told(status, language, Text::AwayTitle, Text::AwayBody)
}

async fn show(
    State(answers): State<Arc<Answers>>,
    Path(token): Path<String>,
    Query(shown): Query<Shown>,
    headers: HeaderMap,
) -> Result<Response, Response> {
    let opened = answers.open(&token, accepted_language(&headers)).await?;
    let sheet = answers.sheet(&opened.order).await?;
    let mut page = answers.page(&opened, &sheet, &token, shown.page.unwrap_or(1));
    page.message = shown.saved.map(|_| (Text::Saved, true));
    Ok(Html(page.html()).into_response())
}

async fn submit(
    State(answers): State<Arc<Answers>>,
    Path(token): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Response> {
    let opened = answers.open(&token, accepted_language(&headers)).await?;
    let language = opened.order.language;
    let bad_form = || told(StatusCode::BAD_REQUEST, language, Text::BadFormTitle, Text::BadFormBody);
    let form = form::read(&body, opened.order.lines.len()).ok_or_else(bad_form)?;
    // The form is of this link: one of another supplier or run is not taken here.
    if form.token != token {
        return Err(told(StatusCode::FORBIDDEN, language, Text::ForgedTitle, Text::ForgedBody));
    }
    let sheet = answers.sheet(&opened.order).await?;
    if opened.closed() {
        let mut page = answers.page(&opened, &sheet, &token, form.page);
        page.message = Some((Text::TooLate, false));
        return Ok((StatusCode::CONFLICT, Html(page.html())).into_response());
    }
    let new = match form::answers(&form, &opened.order, &sheet) {
        Ok(new) => new,
        Err(faults) => {
            let number = first_page(faults.keys()).unwrap_or(form.page);
            let mut page = answers.page(&opened, &sheet, &token, number);
            (page.message, page.faults, page.entered) = (Some((Text::NotSaved, false)), faults, form.lines);
            return Ok((StatusCode::UNPROCESSABLE_ENTITY, Html(page.html())).into_response());
        }
    };
    let submitted = answers.store.submit(&opened.order, form.seen, &new, opened.now).await;
    match submitted.map_err(|error| away(&error, language))? {
        Submitted::Stored(_) | Submitted::Unchanged => Ok(saved(&token, &form)),
        Submitted::Conflict(lines) => {
            let sheet = answers.sheet(&opened.order).await?;
            let number = first_page(lines.iter()).unwrap_or(form.page);
            let mut page = answers.page(&opened, &sheet, &token, number);
            page.message = Some((Text::ChangedMeanwhile, false));
            // Of the lines in conflict the newest answer is shown, of the others what was entered.
            page.entered = form.lines.into_iter().filter(|(at, _)| !lines.contains(at)).collect();
            page.conflicts = lines;
            Ok((StatusCode::CONFLICT, Html(page.html())).into_response())
        }
    }
}

fn first_page<'a>(mut lines: impl Iterator<Item = &'a usize>) -> Option<usize> {
    lines.next().map(|at| at / LINES_PAGE + 1)
}

/// Back to the page by GET, so that loading it anew sends nothing again.
fn saved(token: &str, form: &Form) -> Response {
    let location = format!("{token}?page={}&saved=1", form.page);
    (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response()
}
