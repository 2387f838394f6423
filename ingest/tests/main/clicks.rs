//! What is accepted, how it is written, and what is refused with which words.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Collector, NOW, click};

#[tokio::test]
async fn one_click_is_on_the_log_when_it_is_acknowledged() {
    let collector = Collector::start();
    let answer = collector.post(r#"{"type":"cart","anonymous_id":"v1","community_id":3,"received_at":1,"ts":null,"event_id":null,"ab_test":[1.50,"é\u00e9"],"sku_id":null}"#).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert_eq!(answer.json(), json!({"accepted": 1, "rejected_count": 0, "rejected": []}));
    let values = collector.log.values("clicks").await;
    assert_eq!(values.len(), 1);
    let text = String::from_utf8(values[0].clone()).expect("UTF-8");
    assert!(text.contains(r#""ab_test":[1.50,"é\u00e9"]"#), "unknown fields stay as they came: {text}");
    let value: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((value["ts"].as_i64(), value["received_at"].as_i64()), (Some(NOW), Some(NOW)));
    let id = value["event_id"].as_str().expect("an id was made");
    assert_eq!((id.len(), &id[14..15]), (36, "4"), "{id}");
}

#[tokio::test]
async fn an_array_lines_and_gzip_carry_many() {
    let collector = Collector::start();
    let array = format!("\n[{},\n{}]", click("a"), click("b"));
    let lines = format!("{}\r\n\n{}\n", click("c"), click("d"));
    let pretty = click("e").replace(',', ",\n  ");
    for (body, count) in [(&array, 2), (&lines, 2), (&pretty, 1)] {
        let answer = collector.post(body.clone()).await;
        assert_eq!(answer.json()["accepted"], count, "{body}");
    }
    let packed = gzip(format!("[{}]", click("f")).as_bytes());
    let request =
        Request::post("/v1/clicks").header("content-encoding", "gzip").header("content-type", "application/json");
    assert_eq!(collector.send(request.body(Body::from(packed)).expect("a request")).await.status, StatusCode::ACCEPTED);
    let mut ids: Vec<_> =
        collector.log.clicks().await.iter().map(|c| c["event_id"].as_str().map(str::to_owned)).collect();
    ids.sort();
    assert_eq!(ids, ["a", "b", "c", "d", "e", "f"].map(|id| Some(id.to_owned())));
}

#[tokio::test]
async fn good_events_are_taken_and_bad_ones_are_named_and_kept() {
    let collector = Collector::start();
    let bad = r#"{"event_id":"x","type":"view","user_id":"7","community_id":1}"#;
    let body = format!("[{},{bad},{}]", click("a"), click("b").replace(&NOW.to_string(), "4102444800000"));
    let answer = collector.post(body).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    let json = answer.json();
    assert_eq!((&json["accepted"], &json["rejected_count"]), (&json!(1), &json!(2)));
    assert_eq!(
        json["rejected"][0],
        json!({"index": 1, "code": "malformed", "field": "user_id", "reason": "must be an integer of 64 bits"})
    );
    assert_eq!((&json["rejected"][1]["code"], &json["rejected"][1]["field"]), (&json!("future"), &json!("ts")));
    let mut letters = collector.log.dead_letters().await;
    letters.sort_by(|a, b| a.code.cmp(&b.code));
    assert_eq!(letters.iter().map(|l| l.code.as_str()).collect::<Vec<_>>(), ["future", "malformed"]);
    assert_eq!(
        linli_schemas::dead_letter::DeadLetter::decode_bytes(&letters[1].value).expect("base64"),
        bad.as_bytes()
    );
    assert_eq!(letters[1].reason, "field \"user_id\" must be an integer of 64 bits");
}

#[tokio::test]
async fn what_cannot_be_used_is_refused_with_the_field() {
    let good = click("a");
    let now = NOW.to_string();
    let cases: [(&str, &str, Option<&str>, &str); 21] = [
        ("{", "", None, "is not a JSON object"),
        (r#""type":"view""#, r#""type":"bought""#, Some("type"), "must be one of view, cart"),
        (r#""type":"view","#, "", Some("type"), "is missing"),
        (r#""community_id":12,"#, "", Some("community_id"), "is missing"),
        (r#""community_id":12"#, r#""community_id":null"#, Some("community_id"), "is missing"),
        (r#""community_id":12"#, r#""community_id":1.5"#, Some("community_id"), "must be an integer"),
        (r#""community_id":12"#, r#""community_id":9223372036854775808"#, Some("community_id"), "must be an integer"),
        (r#""user_id":7,"#, "", Some("user_id"), "is missing, and there is no anonymous_id"),
        (r#""user_id":7"#, r#""anonymous_id":"""#, Some("user_id"), "is missing"),
        (r#""user_id":7"#, r#""anonymous_id":7"#, Some("anonymous_id"), "must be text"),
        (r#""user_id":7"#, r#""user_id":7,"user_id":8"#, None, "duplicate field `user_id`"),
        (r#""event_id":"a""#, r#""event_id":"""#, Some("event_id"), "must not be empty"),
        (r#""event_id":"a""#, r#""event_id":5"#, Some("event_id"), "must be text"),
        (r#""event_id":"a""#, r#""event_id":"a","properties":[1]"#, Some("properties"), "must be an object"),
        (r#""event_id":"a""#, r#""event_id":"a","other":"\ud800""#, Some("other"), "cannot be read"),
        (r#""event_id":"a""#, r#""event_id":"a","page":true"#, Some("page"), "must be text"),
        (&now, "4102444800000", Some("ts"), "ahead of the time of receipt"),
        (&now, "1700000000000", Some("ts"), "before the time of receipt"),
        (&now, "1e3", Some("ts"), "must be an integer"),
        (&now, "\"2026-11-01\"", Some("ts"), "must be an integer"),
        ("}", "", None, "is not a JSON object"),
    ];
    for (from, to, field, reason) in cases {
        let collector = Collector::start();
        let body = good.replace(from, to);
        let answer = collector.post(body.clone()).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        assert_eq!(answer.headers["content-type"], "application/problem+json");
        let json = answer.json();
        assert_eq!((&json["code"], &json["status"]), (&json!("malformed"), &json!(400)));
        let rejected = &json["rejected"][0];
        assert_eq!(rejected.get("field").and_then(Value::as_str), field, "{body}: {json}");
        assert!(rejected["reason"].as_str().is_some_and(|r| r.contains(reason)), "{body}: {json}");
        let letters = collector.log.dead_letters().await;
        assert_eq!((letters.len(), collector.log.clicks().await.len()), (1, 0), "{body}");
    }
    let collector = Collector::start();
    for (body, index) in
        [(String::new(), 0), ("[]".to_owned(), 0), ("\u{0}".to_owned(), 0), (format!("[{good},{good},}}"), 2)]
    {
        let answer = collector.post(body).await;
        assert_eq!((answer.status, &answer.json()["rejected"][0]["index"]), (StatusCode::BAD_REQUEST, &json!(index)));
    }
    assert_eq!(collector.post(vec![b'{', 0xff]).await.status, StatusCode::BAD_REQUEST);
    let deep = format!(
        r#"{{"type":"view","user_id":7,"community_id":1,"properties":{{"a":{}1{}}}}}"#,
        "[".repeat(10_000),
        "]".repeat(10_000)
    );
    assert_eq!(collector.post(deep).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_picture_carries_one_click() {
    let collector = Collector::start();
    let request = Request::get(
        "/v1/p.gif?type=view&user_id=7&community_id=12&x=%E7%A6%8F%22&properties=%7B%22q%22%3A1%7D&event_id=g",
    )
    .header("referer", "https://shop.example/p/5");
    let answer = collector.send(request.body(Body::empty()).expect("a request")).await;
    assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, 43));
    assert_eq!(
        (&answer.headers["content-type"], &answer.headers["cache-control"]),
        (&"image/gif".parse().expect("ok"), &"no-store".parse().expect("ok"))
    );
    let clicks = collector.log.clicks().await;
    assert_eq!(
        clicks,
        [
            json!({"event_id": "g", "type": "view", "user_id": 7, "community_id": 12, "x": "福\"", "properties": {"q": 1}, "page": "https://shop.example/p/5", "ts": NOW, "received_at": NOW})
        ]
    );
    let bad = collector.get("/v1/p.gif?type=view&user_id=seven&community_id=12").await;
    assert_eq!((bad.status, &bad.json()["rejected"][0]["field"]), (StatusCode::BAD_REQUEST, &json!("user_id")));
}

#[tokio::test]
async fn pages_of_configured_origins_alone_may_send() {
    let collector = Collector::with(|options| options.origins = vec!["https://shop.example".to_owned()]);
    let from = |origin: &str, method: &str| {
        let request = Request::builder().method(method).uri("/v1/clicks").header("origin", origin);
        request.body(Body::from(click("a"))).expect("a request")
    };
    let allowed = collector.send(from("https://shop.example", "POST")).await;
    assert_eq!(allowed.status, StatusCode::ACCEPTED);
    assert_eq!(allowed.headers["access-control-allow-origin"], "https://shop.example");
    let asked = collector.send(from("https://shop.example", "OPTIONS")).await;
    assert_eq!(asked.status, StatusCode::NO_CONTENT);
    assert_eq!(asked.headers["access-control-allow-headers"], "content-type, content-encoding");
    let other = collector.send(from("https://evil.example", "POST")).await;
    assert_eq!((other.status, &other.json()["code"]), (StatusCode::FORBIDDEN, &json!("unknown_origin")));
    assert!(!other.headers.contains_key("access-control-allow-origin"));
    assert_eq!(collector.log.clicks().await.len(), 1);
    let any = Collector::start().send(from("https://evil.example", "POST")).await;
    assert_eq!(any.headers["access-control-allow-origin"], "*");
}

#[tokio::test]
async fn unknown_ways_of_sending_are_named() {
    let collector = Collector::start();
    let post = |name: &str, value: &str| {
        Request::post("/v1/clicks").header(name, value).body(Body::from(click("a"))).expect("a request")
    };
    for (name, value, status, code) in [
        ("content-encoding", "br", 415, "unknown_encoding"),
        ("content-type", "multipart/form-data", 415, "unknown_content_type"),
        ("content-encoding", "gzip", 400, "bad_gzip"),
    ] {
        let answer = collector.send(post(name, value)).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (status, &json!(code)));
    }
    assert_eq!(collector.send(post("content-type", "text/plain;charset=UTF-8")).await.status, StatusCode::ACCEPTED);
    assert_eq!(collector.get("/v1/clicks").await.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(collector.get("/nothing").await.json()["code"], "not_found");
    assert_eq!(collector.get("/healthz").await.status, StatusCode::OK);
    let metrics = String::from_utf8(collector.get("/metrics").await.body).expect("text");
    assert!(metrics.contains("linli_collect_events_total{result=\"accepted\"} 1"), "{metrics}");
}

pub fn gzip(content: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).expect("written");
    encoder.finish().expect("finished")
}
