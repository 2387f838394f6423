//! GET of a JSON answer, by hand: the tests need no HTTP client for one request.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;

/// `url` as in `http://127.0.0.1:8080`.
pub fn get(url: &str, path: &str) -> Value {
    let address = url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).expect("the server accepts");
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").expect("the request is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the answer is text");
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"))
}
