//! Everything a request can fail with, as problem JSON (RFC 9457). What went wrong inside is logged, not returned.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

#[derive(Debug, thiserror::Error)]
pub enum Problem {
    #[error("{parameter} is \"{given}\"; it must be {expected}")]
    BadParameter { parameter: &'static str, given: String, expected: &'static str },
    #[error("there is nothing at this address")]
    NotFound,
    #[error("this host name is not served here")]
    UnknownHost,
    #[error("the numbers cannot be read at the moment")]
    SourceUnavailable,
    #[error("too many readers at the moment")]
    TooManyReaders,
    #[error("too many different views are open at the moment")]
    TooManyViews,
}

/// The body of an error.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProblemBody {
    /// What kind of problem it is, stable: `bad_parameter`, `not_found`, `unknown_host`, `source_unavailable`, …
    pub code: String,
    pub status: u16,
    pub title: String,
}

impl Problem {
    pub fn bad(parameter: &'static str, given: &str, expected: &'static str) -> Problem {
        Problem::BadParameter { parameter, given: given.chars().take(40).collect(), expected }
    }

    fn code(&self) -> (&'static str, StatusCode) {
        match self {
            Problem::BadParameter { .. } => ("bad_parameter", StatusCode::BAD_REQUEST),
            Problem::NotFound => ("not_found", StatusCode::NOT_FOUND),
            Problem::UnknownHost => ("unknown_host", StatusCode::MISDIRECTED_REQUEST),
            Problem::SourceUnavailable => ("source_unavailable", StatusCode::SERVICE_UNAVAILABLE),
            Problem::TooManyReaders => ("too_many_readers", StatusCode::SERVICE_UNAVAILABLE),
            Problem::TooManyViews => ("too_many_views", StatusCode::SERVICE_UNAVAILABLE),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (code, status) = self.code();
        let body = ProblemBody { code: code.to_owned(), status: status.as_u16(), title: self.to_string() };
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
        }
        response
    }
}
