//! Everything a request can fail with, as problem JSON (RFC 9457). What went wrong inside is logged, not returned.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::click::Rejected;

/// How many refused events an answer names.
pub(super) const LISTED_MAX: usize = 100;

#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    #[error("no event of this request can be used")]
    NothingValid { rejected: Vec<Rejected> },
    #[error("the body is not valid gzip: {cause}")]
    BadGzip { cause: String },
    #[error("the body is longer than {max} bytes; send smaller batches")]
    TooLarge { max: usize },
    #[error("the body has more than {max} events; send smaller batches")]
    TooMany { max: usize },
    #[error("content-encoding \"{given}\" is not understood; send gzip or none")]
    Encoding { given: String },
    #[error("content-type \"{given}\" is not understood; send application/json or application/x-ndjson")]
    ContentType { given: String },
    #[error("the body did not arrive in time")]
    SlowBody,
    #[error("the connection ended before the body did")]
    CutBody,
    #[error("pages of this origin may not send events here; add it to collect.origins")]
    Origin,
    #[error("too much is waiting; send the same again later")]
    Busy { after_s: u64 },
    #[error("the log cannot take events at the moment; send the same again later")]
    LogFails { after_s: u64 },
    #[error("there is nothing at this address")]
    NotFound,
    #[error("this address takes other methods")]
    Method,
}

#[derive(Serialize)]
struct Body<'a> {
    code: &'static str,
    status: u16,
    title: String,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    rejected: &'a [Rejected],
}

impl Problem {
    fn code(&self) -> (&'static str, StatusCode) {
        match self {
            Problem::NothingValid { .. } => ("malformed", StatusCode::BAD_REQUEST),
            Problem::BadGzip { .. } => ("bad_gzip", StatusCode::BAD_REQUEST),
            Problem::CutBody => ("cut_body", StatusCode::BAD_REQUEST),
            Problem::TooLarge { .. } => ("too_large", StatusCode::PAYLOAD_TOO_LARGE),
            Problem::TooMany { .. } => ("too_many", StatusCode::PAYLOAD_TOO_LARGE),
            Problem::Encoding { .. } => ("unknown_encoding", StatusCode::UNSUPPORTED_MEDIA_TYPE),
            Problem::ContentType { .. } => ("unknown_content_type", StatusCode::UNSUPPORTED_MEDIA_TYPE),
            Problem::SlowBody => ("slow_body", StatusCode::REQUEST_TIMEOUT),
            Problem::Origin => ("unknown_origin", StatusCode::FORBIDDEN),
            Problem::Busy { .. } => ("busy", StatusCode::TOO_MANY_REQUESTS),
            Problem::LogFails { .. } => ("log_fails", StatusCode::SERVICE_UNAVAILABLE),
            Problem::NotFound => ("not_found", StatusCode::NOT_FOUND),
            Problem::Method => ("method", StatusCode::METHOD_NOT_ALLOWED),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (code, status) = self.code();
        let rejected = match &self {
            Problem::NothingValid { rejected } => &rejected[..rejected.len().min(LISTED_MAX)],
            _ => &[],
        };
        let body = Body { code, status: status.as_u16(), title: self.to_string(), rejected };
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        match self {
            Problem::Busy { after_s } | Problem::LogFails { after_s } => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(after_s));
            }
            Problem::Encoding { .. } => {
                headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
            }
            // The rest of the body is not read: the connection cannot be used again.
            Problem::TooLarge { .. } | Problem::SlowBody => {
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        response
    }
}
