//! The headers of every answer, and which host names are answered.

use std::collections::HashSet;
use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::problem::Problem;

/// Scripts, styles and data from here alone; `style` attributes, because the charts' hover texts are built with them.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    style-src-attr 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HEADERS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
];

/// The host names that are answered. A page elsewhere whose name is made to point here is not.
#[derive(Clone, Debug)]
pub enum Hosts {
    Any,
    Only(Arc<HashSet<String>>),
}

impl Hosts {
    pub fn of(allowed: &[String], loopback: bool) -> Hosts {
        let own = ["localhost", "127.0.0.1", "[::1]"].map(str::to_owned);
        match (allowed.is_empty(), loopback) {
            (true, false) => Hosts::Any,
            _ => Hosts::Only(Arc::new(allowed.iter().map(|name| name.to_ascii_lowercase()).chain(own).collect())),
        }
    }

    fn admit(&self, headers: &HeaderMap) -> bool {
        let Hosts::Only(names) = self else { return true };
        let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()) else { return false };
        names.contains(&without_port(host).to_ascii_lowercase())
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => name,
        _ => host,
    }
}

pub async fn guard(hosts: Hosts, request: Request, next: Next) -> Response {
    let mut response =
        if hosts.admit(request.headers()) { next.run(request).await } else { Problem::UnknownHost.into_response() };
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(hosts: &Hosts, host: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_str(host).unwrap());
        hosts.admit(&headers)
    }

    #[test]
    fn on_loopback_only_its_own_names_are_answered() {
        let hosts = Hosts::of(&[], true);
        for own in ["localhost:8080", "127.0.0.1", "[::1]:8080", "[::1]", "LOCALHOST"] {
            assert!(admits(&hosts, own), "{own}");
        }
        assert!(!admits(&hosts, "evil.example:8080"));
        assert!(!hosts.admit(&HeaderMap::new()));
    }

    #[test]
    fn elsewhere_the_names_that_are_given() {
        assert!(admits(&Hosts::of(&[], false), "anything"));
        let hosts = Hosts::of(&["Linli.example".to_owned()], false);
        assert!(admits(&hosts, "linli.example:443"));
        assert!(!admits(&hosts, "other.example"));
    }
}
