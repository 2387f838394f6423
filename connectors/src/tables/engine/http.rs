//! ClickHouse's HTTP protocol before the engine: what crate `clickhouse`, clickhouse-connect and curl use of it.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Response, header};
use futures::{Stream, StreamExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::failure::Failure;
use super::ffi::{Answer, Engine};
use super::request::{Asked, form_boundary, form_fields, refusal};
use super::statement;

/// A statement longer than this is refused. Data of inserts has no bound: it streams.
const STATEMENT_BYTES_MAX: usize = 64 << 20;
/// An insert's statement must end within this many bytes of a body.
const INSERT_HEAD_BYTES_MAX: usize = 256 << 10;
/// Pieces of an insert's data between the network and the engine.
const PIECES_WAITING: usize = 4;
/// Requests that may wait for the engine; further ones are told to come again.
const REQUESTS_WAITING: usize = 512;

/// What every request needs.
pub(super) struct Front {
    pub engine: Arc<Engine>,
    /// One permit for each statement that runs.
    pub running: Arc<Semaphore>,
    /// One permit for each request that is being served or waits.
    pub admitted: Arc<Semaphore>,
    /// ClickHouse's version, such as `26.7.2.1`.
    pub version: String,
    pub timezone: String,
    /// Of which directory this is the engine; clients compare it.
    pub directory: HeaderValue,
}

pub(super) const DIRECTORY_HEADER: HeaderName = HeaderName::from_static("x-linli-warehouse");

impl Front {
    pub(super) fn admissions(running: usize) -> Arc<Semaphore> {
        Arc::new(Semaphore::new(running + REQUESTS_WAITING))
    }
}

pub(super) fn router(front: Arc<Front>) -> Router {
    Router::new().fallback(serve).with_state(front)
}

async fn serve(State(front): State<Arc<Front>>, request: Request) -> Response<Body> {
    if let Some(refusal) = refusal(request.headers()) {
        return refusal.into_response(&front.version);
    }
    let mut response = match request.uri().path() {
        "/ping" | "/replicas_status" => Response::new(Body::from("Ok.\n")),
        "/" => Box::pin(answer(&front, request)).await.unwrap_or_else(|failure| failure.into_response(&front.version)),
        path => Failure::new(404, 60, &format!("There is no handle {path}")).into_response(&front.version),
    };
    response.headers_mut().insert(DIRECTORY_HEADER, front.directory.clone());
    response
}

async fn answer(front: &Arc<Front>, request: Request) -> Result<Response<Body>, Failure> {
    let Ok(_admitted) = Arc::clone(&front.admitted).try_acquire_owned() else {
        return Err(Failure::new(503, 202, "Too many simultaneous queries. (TOO_MANY_SIMULTANEOUS_QUERIES)"));
    };
    let (parts, body) = request.into_parts();
    let mut asked = Asked::of(&parts.method, &parts.uri, &parts.headers)?;
    let mut body = Pieces { first: Vec::new(), rest: body.into_data_stream() };
    if let Some(boundary) = form_boundary(&parts.headers) {
        body.read_all().await?;
        let fields =
            form_fields(&body.first, &boundary).ok_or_else(|| Failure::new(400, 27, "the form cannot be read"))?;
        body.first.clear();
        for (name, value) in fields {
            let value =
                String::from_utf8(value).map_err(|_| Failure::new(400, 27, "a field of the form is no UTF-8"))?;
            asked.take(&name, value)?;
        }
    }
    if asked.query.is_none() {
        body.read_to(INSERT_HEAD_BYTES_MAX).await?;
    }
    // The insert's statement stands in the URL or at the start of the body; what follows it is data.
    let (mut text, from_url) = match asked.query.take() {
        Some(query) => (query.into_bytes(), true),
        None => (std::mem::take(&mut body.first), false),
    };
    let reply = match statement::insert(&text) {
        Some(insert) if !is_small_expression(&asked, &insert, &text) => {
            let data = text.split_off(insert.data);
            text.truncate(insert.head);
            body.first = [data, body.first].concat();
            run_insert(front, &asked, text, insert.format, body).await?
        }
        _ => {
            body.read_all().await?;
            if from_url && !text.is_empty() && !body.first.is_empty() {
                text.push(b'\n');
            }
            text.append(&mut body.first);
            if text.trim_ascii().is_empty() {
                return Ok(Response::new(Body::from("Ok.\n")));
            }
            run_query(front, &asked, text).await?
        }
    };
    Ok(respond(front, &asked, reply))
}

/// `INSERT … VALUES ({a:Int64})`: the values are expressions over bound parameters, which only the parser of statements
/// knows. Safe in the text, where the engine cuts data only at a blank line.
fn is_small_expression(asked: &Asked, insert: &statement::Insert, text: &[u8]) -> bool {
    let blank_line = |text: &[u8]| text.windows(2).any(|two| two == b"\n\n") || text.contains(&b'\r');
    insert.format == "Values" && !asked.parameters.is_empty() && !blank_line(&text[insert.data.min(text.len())..])
}

async fn run_query(front: &Arc<Front>, asked: &Asked, text: Vec<u8>) -> Result<Answer, Failure> {
    let permit = turn(front).await;
    let (engine, preparation) = (Arc::clone(&front.engine), asked.preparation());
    let parameters = asked.parameters.clone();
    let format = asked.default_format.clone().unwrap_or_else(|| "TabSeparated".to_owned());
    blocking(permit, move || {
        let session = engine.session()?;
        if session.statements(&text) > 1 {
            return Err(
                "Code: 62. DB::Exception: Syntax error (Multi-statements are not allowed). (SYNTAX_ERROR)".to_owned()
            );
        }
        for statement in preparation {
            session.query(statement.as_bytes(), "TabSeparated", &[])?;
        }
        session.query(&text, &format, &parameters)
    })
    .await
}

async fn run_insert(
    front: &Arc<Front>,
    asked: &Asked,
    head: Vec<u8>,
    format: String,
    mut body: Pieces,
) -> Result<Answer, Failure> {
    let permit = turn(front).await;
    let (engine, preparation) = (Arc::clone(&front.engine), asked.preparation());
    let parameters = asked.parameters.clone();
    let (sender, mut pieces) = mpsc::channel::<Option<Bytes>>(PIECES_WAITING);
    let insert = blocking(permit, move || {
        let session = engine.session()?;
        for statement in preparation {
            session.query(statement.as_bytes(), "TabSeparated", &[])?;
        }
        let mut insert = session.insert(&head, &format, &parameters)?;
        loop {
            match pieces.blocking_recv() {
                Some(Some(piece)) => insert.append(&piece)?,
                Some(None) => return insert.finish(),
                // Not the end of the data: the client went away. Dropping the insert cancels it.
                None => {
                    return Err(
                        "Code: 210. DB::Exception: the client went away during the insert. (NETWORK_ERROR)".to_owned()
                    );
                }
            }
        }
    });
    let feed = async move {
        while let Some(piece) = body.next().await? {
            if sender.send(Some(piece)).await.is_err() {
                // The engine has refused the data. The client is answered only after it has sent all of it.
                while body.next().await?.is_some() {}
                return Ok(());
            }
        }
        // Refused by now or not: the insert itself tells.
        drop(sender.send(None).await);
        Ok::<(), Failure>(())
    };
    let (answer, fed) = futures::join!(insert, feed);
    fed.and(answer)
}

/// Waits for the engine, first come first served.
async fn turn(front: &Front) -> Option<OwnedSemaphorePermit> {
    Arc::clone(&front.running).acquire_owned().await.ok()
}

async fn blocking(
    permit: Option<OwnedSemaphorePermit>,
    run: impl FnOnce() -> Result<Answer, String> + Send + 'static,
) -> Result<Answer, Failure> {
    let ran = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        run()
    });
    match ran.await {
        Ok(answer) => answer.map_err(Failure::of_engine),
        Err(_) => Err(Failure::new(500, 1001, "the statement did not end. (STD_EXCEPTION)")),
    }
}

fn respond(front: &Front, asked: &Asked, answer: Answer) -> Response<Body> {
    let summary = format!(
        "{{\"read_rows\":\"{}\",\"read_bytes\":\"{}\",\"written_rows\":\"{}\",\"written_bytes\":\"{}\",\"result_rows\":\"{}\",\"result_bytes\":\"{}\"}}",
        answer.read_rows,
        answer.read_bytes,
        answer.written_rows,
        answer.written_bytes,
        answer.result_rows,
        answer.body.len(),
    );
    let mut response = Response::new(Body::from(answer.body));
    let format = asked.default_format.as_deref().unwrap_or("TabSeparated");
    let content_type = match format {
        "JSON" | "JSONCompact" | "JSONStrings" => "application/json; charset=UTF-8",
        _ if format.starts_with("RowBinary") || format == "Native" => "application/octet-stream",
        _ => "text/plain; charset=UTF-8",
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    let texts = [
        ("x-clickhouse-summary", summary.as_str()),
        ("x-clickhouse-timezone", front.timezone.as_str()),
        ("x-clickhouse-query-id", asked.query_id.as_deref().unwrap_or_default()),
        ("x-clickhouse-server-display-name", "linli"),
    ];
    for (name, text) in texts {
        if let Ok(value) = HeaderValue::from_str(text) {
            headers.insert(name, value);
        }
    }
    response
}

/// A body: what has been read of it, and the rest.
struct Pieces {
    first: Vec<u8>,
    rest: axum::body::BodyDataStream,
}

impl Pieces {
    /// The next piece; `None` at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        if !self.first.is_empty() {
            return Ok(Some(std::mem::take(&mut self.first).into()));
        }
        next(&mut self.rest).await
    }

    /// Reads on until `first` holds `bytes` or the body ends.
    async fn read_to(&mut self, bytes: usize) -> Result<(), Failure> {
        while self.first.len() < bytes {
            match next(&mut self.rest).await? {
                Some(piece) => self.first.extend_from_slice(&piece),
                None => break,
            }
        }
        Ok(())
    }

    async fn read_all(&mut self) -> Result<(), Failure> {
        self.read_to(STATEMENT_BYTES_MAX + 1).await?;
        if self.first.len() > STATEMENT_BYTES_MAX {
            return Err(Failure::new(413, 62, "the statement is longer than 64 MiB. (QUERY_IS_TOO_LARGE)"));
        }
        Ok(())
    }
}

async fn next(stream: &mut (impl Stream<Item = Result<Bytes, axum::Error>> + Unpin)) -> Result<Option<Bytes>, Failure> {
    match stream.next().await {
        Some(Ok(piece)) => Ok(Some(piece)),
        Some(Err(_)) => Err(Failure::new(400, 210, "the request broke off. (NETWORK_ERROR)")),
        None => Ok(None),
    }
}
