//! How a failed statement is answered: ClickHouse's code, text and HTTP status.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub status: u16,
    pub code: u32,
    /// `Code: N. DB::Exception: …`
    pub text: String,
}

impl Failure {
    /// A failure of the front itself.
    pub(super) fn new(status: u16, code: u32, cause: &str) -> Failure {
        Failure { status, code, text: format!("Code: {code}. DB::Exception: {cause}") }
    }

    /// A failure that the engine tells.
    pub(super) fn of_engine(text: String) -> Failure {
        let code = super::super::failure::code_of(&text).unwrap_or(1001);
        Failure { status: status_of(code), code, text }
    }

    pub(super) fn into_response(self, version: &str) -> Response<Body> {
        let mut response = Response::new(Body::from(format!("{} (version {version})\n", self.text.trim_end())));
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=UTF-8"));
        headers.insert("x-clickhouse-exception-code", HeaderValue::from(self.code));
        response
    }
}

/// As ClickHouse's HTTP handler maps its codes.
fn status_of(code: u32) -> u16 {
    match code {
        // type mismatch, bad arguments, syntax, cannot parse …, unknown element, incorrect data, wrong count
        6 | 26 | 27 | 36 | 38 | 41 | 42 | 43 | 53 | 62 | 67 | 69 | 70 | 72 | 117 | 130 | 131 | 176 | 349 | 395
        | 456 | 457 => 400,
        // no such function, identifier, table, database, setting, type, format …
        16 | 46 | 47 | 50 | 60 | 63 | 73 | 79 | 80 | 81 | 113 | 115 => 404,
        48 => 501,
        164 | 291 | 497 => 403,
        202 => 503,
        _ => 500,
    }
}
