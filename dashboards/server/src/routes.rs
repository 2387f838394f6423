//! The API's addresses and their description.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use utoipa::OpenApi;

use crate::alert_log::AlertsState;
use crate::api::{Alerts, Catalog, Live, Minutes, Named, TopList};
use crate::definitions::DEFINITIONS;
use crate::hub::{Frame, Hub, ViewState};
use crate::meters::Meters;
use crate::problem::{Problem, ProblemBody};
use crate::scope::{Permitted, RowScope, permit};
use crate::source::{TopQuery, View};
use crate::stream;
use crate::view::ViewQuery;

/// How long a request waits for the source's first answer.
const FIRST_ANSWER: Duration = Duration::from_secs(8);

#[derive(Clone)]
pub struct AppState {
    pub hub: Arc<Hub>,
    pub alerts: watch::Receiver<AlertsState>,
    pub meters: Arc<Meters>,
    /// How many streams may be open.
    pub streams: Arc<Semaphore>,
    pub clock: linli_connectors::clock::SharedClock,
    pub shutdown: CancellationToken,
}

pub fn router(state: AppState) -> Router {
    Router::new()
        .route("/api/v1/live", get(live))
        .route("/api/v1/live/minutes", get(minutes))
        .route("/api/v1/top", get(top))
        .route("/api/v1/alerts", get(alerts))
        .route("/api/v1/catalog", get(catalog))
        .route("/api/v1/stream", get(live_stream))
        .route("/api/{*rest}", get(|| async { Problem::NotFound }))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/metrics", get(metrics))
        .fallback(get(crate::web::page))
        .with_state(state)
}

#[derive(OpenApi)]
#[openapi(
    info(title = "Linli dashboards", description = "The API of the live page.", version = "1"),
    paths(live, minutes, top, alerts, catalog, live_stream),
    components(schemas(Live, Minutes, TopList, Alerts, Catalog, ProblemBody))
)]
struct Description;

/// The OpenAPI description, as committed in `dashboards/openapi.json`.
pub fn openapi_json() -> String {
    let mut text = Description::openapi().to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}

/// The reader's scope comes from their session; until there are accounts, everybody sees everything.
fn permitted(query: &ViewQuery) -> Result<Permitted, Problem> {
    permit(RowScope::default(), query.parse()?)
}

/// The day so far.
#[utoipa::path(get, path = "/api/v1/live", operation_id = "live",
    params(("community" = Option<String>, Query, description = "a community's id; the whole shop without")),
    responses((status = 200, body = Live), (status = "default", body = ProblemBody)))]
async fn live(State(app): State<AppState>, Query(query): Query<ViewQuery>) -> Result<Response, Problem> {
    let view = View { top: TopQuery::default(), ..permitted(&query)?.view() };
    let frame = app.frame(view).await?;
    Ok(fresh(Live::of(&frame, view, app.hub.now_ms())))
}

/// GMV and orders by minute of today.
#[utoipa::path(get, path = "/api/v1/live/minutes", operation_id = "minutes",
    params(("community" = Option<String>, Query, description = "a community's id; the whole shop without")),
    responses((status = 200, body = Minutes), (status = "default", body = ProblemBody)))]
async fn minutes(State(app): State<AppState>, Query(query): Query<ViewQuery>) -> Result<Response, Problem> {
    let view = View { top: TopQuery::default(), ..permitted(&query)?.view() };
    let frame = app.frame(view).await?;
    Ok(fresh(Minutes::of(&frame, view, frame.snapshot.day_start)))
}

/// The 100 products sold most.
#[utoipa::path(get, path = "/api/v1/top", operation_id = "top",
    params(
        ("window" = Option<String>, Query, description = "`day` (default) or `hour`: the last 60 minutes"),
        ("scope" = Option<String>, Query, description = "`all` (default), `category:ID` or `community:ID`")),
    responses((status = 200, body = TopList), (status = "default", body = ProblemBody)))]
async fn top(State(app): State<AppState>, Query(query): Query<ViewQuery>) -> Result<Response, Problem> {
    let view = View { community: None, ..permitted(&query)?.view() };
    let frame = app.frame(view).await?;
    Ok(fresh(TopList::of(&frame, view, &app.hub.names())))
}

/// What needs attention now.
#[utoipa::path(get, path = "/api/v1/alerts", operation_id = "alerts",
    responses((status = 200, body = Alerts), (status = "default", body = ProblemBody)))]
async fn alerts(State(app): State<AppState>) -> Result<Response, Problem> {
    permitted(&ViewQuery::default())?;
    let mut receiver = app.alerts.clone();
    tokio::select! {
        _ = receiver.wait_for(|state| *state != AlertsState::Starting) => {}
        () = app.clock.sleep(FIRST_ANSWER) => {}
    }
    let answer = Alerts::of(&app.alerts.borrow());
    Ok(fresh(answer))
}

/// What can be chosen, and what the numbers mean.
#[utoipa::path(get, path = "/api/v1/catalog", operation_id = "catalog",
    responses((status = 200, body = Catalog), (status = "default", body = ProblemBody)))]
async fn catalog(State(app): State<AppState>) -> Result<Response, Problem> {
    permitted(&ViewQuery::default())?;
    let names = app.hub.names();
    let named = |id: String, name: &Option<String>| Named { id, name: name.clone() };
    Ok(fresh(Catalog {
        zone: app.hub.zone().name().to_owned(),
        communities: names.communities.iter().map(|(id, name)| named(id.to_string(), name)).collect(),
        categories: names.categories.iter().map(|(id, name)| named(id.to_string(), name)).collect(),
        metrics: DEFINITIONS.clone(),
    }))
}

/// Server-sent events `live`, `minutes`, `top` and `alerts`, whenever they change.
#[utoipa::path(get, path = "/api/v1/stream", operation_id = "stream",
    params(
        ("community" = Option<String>, Query, description = "as of `live`"),
        ("window" = Option<String>, Query, description = "as of `top`"),
        ("scope" = Option<String>, Query, description = "as of `top`"),
        ("Last-Event-ID" = Option<String>, Header, description = "what is newer than this is sent")),
    responses((status = 200, description = "events", content_type = "text/event-stream"),
        (status = "default", body = ProblemBody)))]
async fn live_stream(
    State(app): State<AppState>,
    Query(query): Query<ViewQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let view = permitted(&query)?;
    // A source that has never answered is told as an error, not as an empty stream.
    app.frame(view.view()).await?;
    let permit = app.streams.clone().try_acquire_owned().map_err(|_| Problem::TooManyReaders)?;
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()).and_then(|id| id.parse().ok());
    let (hub, alerts) = (app.hub.clone(), app.alerts.clone());
    let events = stream::open(hub, alerts, app.meters.clone(), view, last, permit, app.shutdown.clone())?;
    let mut response = events.into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // A proxy that collects the answer would hold the events back.
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

async fn metrics(State(app): State<AppState>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], app.meters.render()).into_response()
}

fn fresh(body: impl serde::Serialize) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

impl AppState {
    /// What a view shows now, waiting for its first reading.
    async fn frame(&self, view: View) -> Result<Arc<Frame>, Problem> {
        let mut receiver = self.hub.follow(view)?;
        let state = tokio::select! {
            state = receiver.wait_for(|state| !matches!(state, ViewState::Starting)) => {
                state.map_err(|_| Problem::SourceUnavailable)?.clone()
            }
            () = self.clock.sleep(FIRST_ANSWER) => return Err(Problem::SourceUnavailable),
        };
        match state {
            ViewState::Read(frame) => Ok(frame),
            ViewState::Starting | ViewState::Unread => Err(Problem::SourceUnavailable),
        }
    }
}
