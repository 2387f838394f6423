//! What a request in ClickHouse's HTTP protocol asks for.

use axum::http::{HeaderMap, Method, Uri, header};

use super::failure::Failure;

/// Everything of a request but its body.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    /// The statement, or its beginning, when it stands in the URL.
    pub query: Option<String>,
    pub database: Option<String>,
    pub default_format: Option<String>,
    pub query_id: Option<String>,
    /// Values of `{name:Type}` placeholders.
    pub parameters: Vec<(String, String)>,
    pub settings: Vec<(String, String)>,
    pub read_only: bool,
}

/// Parameters of the protocol that mean nothing to this engine: it has no users, sessions or compression of bodies.
const WITHOUT_MEANING: [&str; 14] = [
    "buffer_size",
    "client_protocol_version",
    "close_session",
    "password",
    "quota_key",
    "role",
    "session_check",
    "session_id",
    "session_timeout",
    "stacktrace",
    "user",
    "wait_end_of_query",
    "compress",
    "decompress",
];

impl Asked {
    pub(super) fn of(method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<Asked, Failure> {
        let mut asked = Asked { read_only: method == Method::GET, ..Asked::default() };
        asked.database = header_text(headers, "x-clickhouse-database");
        asked.default_format = header_text(headers, "x-clickhouse-format");
        for (name, value) in url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
            asked.take(&name, value.into_owned())?;
        }
        let plain = |value: &str| matches!(value, "" | "identity");
        if header_text(headers, "content-encoding").is_some_and(|encoding| !plain(&encoding)) {
            return Err(Failure::new(501, 48, "compressed bodies are not supported: send them as they are"));
        }
        Ok(asked)
    }

    /// Takes a parameter of the URL or a field of a form.
    pub(super) fn take(&mut self, name: &str, value: String) -> Result<(), Failure> {
        match name {
            "query" => self.query = Some(value),
            "database" => self.database = Some(value).filter(|name| !name.is_empty()),
            "default_format" => self.default_format = Some(value),
            "query_id" => self.query_id = Some(value),
            "compress" | "decompress" if !matches!(value.as_str(), "" | "0" | "false") => {
                return Err(Failure::new(
                    501,
                    48,
                    "compressed bodies are not supported: turn the client's compression off",
                ));
            }
            _ if WITHOUT_MEANING.contains(&name) => {}
            _ => match name.strip_prefix("param_") {
                Some(parameter) => self.parameters.push((parameter.to_owned(), value)),
                None if is_setting(name) => self.settings.push((name.to_owned(), value)),
                None => {
                    return Err(Failure::new(404, 115, &format!("Unknown setting {name:?}. (UNKNOWN_SETTING)")));
                }
            },
        }
        Ok(())
    }

    /// The statements that make a fresh session ready for the query.
    pub(super) fn preparation(&self) -> Vec<String> {
        let mut statements = Vec::new();
        if let Some(database) = &self.database {
            statements.push(format!("USE {}", identifier(database)));
        }
        // `readonly` goes last: after it no setting may change.
        let read_only = self.read_only.then(|| ("readonly".to_owned(), "2".to_owned()));
        let (last, first): (Vec<_>, Vec<_>) = self.settings.iter().cloned().partition(|(name, _)| name == "readonly");
        for (name, value) in first.into_iter().chain(read_only).chain(last) {
            statements.push(format!("SET {name} = {}", literal(&value)));
        }
        statements
    }
}

fn header_text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

fn is_setting(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.')
}

/// A name as SQL quotes it.
pub(crate) fn identifier(name: &str) -> String {
    format!("`{}`", name.replace('\\', "\\\\").replace('`', "\\`"))
}

/// A text as SQL quotes it.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// Only programs on this machine, and no page in a browser: any site may make a browser send requests to the loopback.
pub(super) fn refusal(headers: &HeaderMap) -> Option<Failure> {
    let host = header_text(headers, header::HOST.as_str()).unwrap_or_default();
    let name = match host.strip_prefix('[') {
        Some(bracketed) => bracketed.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host.as_str(), |(name, _)| name),
    };
    if !matches!(name, "127.0.0.1" | "localhost" | "::1") {
        return Some(Failure::new(403, 497, "the warehouse engine answers on the loopback only. (ACCESS_DENIED)"));
    }
    let site = header_text(headers, "sec-fetch-site");
    let of_a_page = site.is_some_and(|site| !matches!(site.as_str(), "none" | "same-origin"));
    if headers.contains_key(header::ORIGIN) || of_a_page {
        return Some(Failure::new(403, 497, "the warehouse engine answers no web pages. (ACCESS_DENIED)"));
    }
    None
}

/// The boundary of a form with several parts, as `Content-Type` states it.
pub(super) fn form_boundary(headers: &HeaderMap) -> Option<String> {
    let content_type = header_text(headers, header::CONTENT_TYPE.as_str())?;
    let mut parts = content_type.split(';');
    if !parts.next()?.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let boundary = parts.find_map(|part| part.trim().strip_prefix("boundary="))?;
    Some(boundary.trim_matches('"').to_owned())
}

/// The fields of a form: names and values. `None` when it is broken.
pub(super) fn form_fields(body: &[u8], boundary: &str) -> Option<Vec<(String, Vec<u8>)>> {
    let delimiter = [b"--", boundary.as_bytes()].concat();
    let mut rest = &body[find(body, &delimiter)? + delimiter.len()..];
    let mut fields = Vec::new();
    while !rest.starts_with(b"--") {
        rest = rest.strip_prefix(b"\r\n")?;
        let head_end = find(rest, b"\r\n\r\n")?;
        let head = std::str::from_utf8(&rest[..head_end]).ok()?;
        rest = &rest[head_end + 4..];
        let end = find(rest, &[b"\r\n", delimiter.as_slice()].concat())?;
        fields.push((field_name(head)?, rest[..end].to_vec()));
        rest = &rest[end + 2 + delimiter.len()..];
    }
    Some(fields)
}

fn field_name(head: &str) -> Option<String> {
    let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with("content-disposition:"))?;
    let name = line.split(';').find_map(|part| part.trim().strip_prefix("name="))?;
    Some(name.trim_matches('"').to_owned())
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn the_url_says_what_is_asked() {
        let uri: Uri =
            "/?query=SELECT+%7Ba%3AString%7D&param_a=%E9%82%BB&database=l&max_threads=2&user=x".parse().expect("a URL");
        let asked = Asked::of(&Method::POST, &uri, &HeaderMap::new()).expect("understood");
        assert_eq!(asked.query.as_deref(), Some("SELECT {a:String}"));
        assert_eq!(asked.parameters, [("a".to_owned(), "邻".to_owned())]);
        assert_eq!(asked.preparation(), ["USE `l`", "SET max_threads = '2'"]);
        let injected: Uri = "/?a%3D1;DROP=1".parse().expect("a URL");
        assert!(Asked::of(&Method::POST, &injected, &HeaderMap::new()).is_err());
        let compressed: Uri = "/?decompress=1".parse().expect("a URL");
        assert!(Asked::of(&Method::POST, &compressed, &HeaderMap::new()).is_err());
    }

    #[test]
    fn a_get_cannot_write() {
        let uri: Uri = "/?readonly=0&max_threads=1".parse().expect("a URL");
        let asked = Asked::of(&Method::GET, &uri, &HeaderMap::new()).expect("understood");
        assert_eq!(asked.preparation(), ["SET max_threads = '1'", "SET readonly = '2'", "SET readonly = '0'"]);
    }

    #[test]
    fn only_programs_on_this_machine_are_answered() {
        let check = |host: &'static str, extra: Option<(&'static str, &'static str)>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static(host));
            if let Some((name, value)) = extra {
                headers.insert(name, HeaderValue::from_static(value));
            }
            refusal(&headers).is_none()
        };
        assert!(check("127.0.0.1:8123", None) && check("localhost", None) && check("[::1]:1", None));
        assert!(check("127.0.0.1:8123", Some(("sec-fetch-site", "none"))));
        assert!(!check("warehouse.example:8123", None) && !check("127.0.0.1.example", None) && !check("", None));
        assert!(!check("127.0.0.1:8123", Some(("origin", "http://127.0.0.1:8123"))));
        assert!(!check("127.0.0.1:8123", Some(("sec-fetch-site", "cross-site"))));
    }

    #[test]
    fn forms_are_read_and_broken_ones_refused() {
        let form = b"--b\r\nContent-Disposition: form-data; name=\"query\"\r\n\r\nSELECT\r\n1\r\n--b\r\ncontent-disposition: form-data; name=param_a\r\n\r\n\r\n--b--\r\n";
        let fields = form_fields(form, "b").expect("a form");
        assert_eq!(fields, [("query".to_owned(), b"SELECT\r\n1".to_vec()), ("param_a".to_owned(), Vec::new())]);
        for end in 0..form.len() - 4 {
            assert_eq!(form_fields(&form[..end], "b"), None, "cut at {end}");
        }
    }
}
