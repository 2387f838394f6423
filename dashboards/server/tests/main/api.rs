use std::net::SocketAddr;

use linli_dashboards::{ServeError, ServeOptions, bind};
use serde_json::json;

use crate::support::{BIG_ID, Settable, serve, serve_with};

#[tokio::test]
async fn numbers_of_the_shop_and_of_a_community() {
    let served = serve(Settable::gmv(10_000)).await;
    let live = served.get("/api/v1/live").await;
    assert_eq!(live.status, 200);
    let expected = json!({"gmv": 10_000, "orders": 3, "active_users": null, "buyers": 2, "aov": 3_333});
    assert_eq!(live.json()["today"], expected);
    assert_eq!(live.json()["as_of"], 120_000);
    assert_eq!(live.header("cache-control"), Some("no-store"));
    let one = served.get(&format!("/api/v1/live?community={BIG_ID}")).await.json();
    assert_eq!((&one["today"]["gmv"], &one["community"]), (&json!(1_000), &json!(BIG_ID.to_string())));
}

#[tokio::test]
async fn minutes_and_lists() {
    let served = serve(Settable::gmv(77)).await;
    let minutes = served.get("/api/v1/live/minutes").await.json();
    assert_eq!(minutes["start"], json!([0, 60_000]));
    assert_eq!(minutes["gmv"], json!([5, 77]));
    // Names come a moment after the first numbers.
    let mut events = served.events("/api/v1/stream", "").await;
    events.until("event: top").await;
    let top = served.get("/api/v1/top?window=hour&scope=category:1").await.json();
    assert_eq!((&top["window"], &top["scope"]), (&json!("hour"), &json!("category:1")));
    assert_eq!((&top["rows"][1]["sku_id"], &top["rows"][1]["name"]), (&json!(BIG_ID.to_string()), &json!(null)));
    assert_eq!(top["compared_with"], json!(null));
}

#[tokio::test]
async fn nonsense_is_refused_with_a_problem_that_names_it() {
    let served = serve(Settable::gmv(1)).await;
    for path in ["/api/v1/live?community=x", "/api/v1/top?window=week", "/api/v1/stream?scope=sku:1"] {
        let answer = served.get(path).await;
        assert_eq!((answer.status, answer.header("content-type")), (400, Some("application/problem+json")), "{path}");
        assert_eq!(answer.json()["code"], "bad_parameter");
    }
    let nothing = served.get("/api/v2/live").await;
    assert_eq!((nothing.status, &nothing.json()["code"]), (404, &json!("not_found")));
}

#[tokio::test]
async fn a_source_that_never_answered_is_an_error_without_its_innards() {
    let served = serve(Settable::broken("password wrong for user linli")).await;
    for path in ["/api/v1/live", "/api/v1/stream"] {
        let answer = served.get(path).await;
        assert_eq!((answer.status, &answer.json()["code"]), (503, &json!("source_unavailable")), "{path}");
        assert!(!String::from_utf8_lossy(&answer.body).contains("password"));
        assert!(answer.header("retry-after").is_some());
    }
}

#[tokio::test]
async fn the_stream_pushes_what_changes_and_resumes() {
    let source = Settable::gmv(100);
    let served = serve(source.clone()).await;
    let mut events = served.events("/api/v1/stream", "").await;
    events.until("\"gmv\":100").await;
    events.until("\nid: ").await;
    source.set(Ok(250));
    let text = events.until("\"gmv\":250").await;
    // Only the minute that changed is sent again.
    assert!(text.contains("\"from\":60000,\"start\":[60000],\"gmv\":[250]"), "{text}");
    assert_eq!(text.matches("event: top").count(), 1);
    let version = served.get("/api/v1/live").await.json()["version"].as_u64().unwrap();
    let mut resumed = served.events("/api/v1/stream", &format!("last-event-id: {version}\r\n")).await;
    source.set(Ok(300));
    let text = resumed.until("\"gmv\":300").await;
    assert!(!text.contains("\"gmv\":250,"), "what was seen is not sent again: {text}");
    resumed.until("\nid: ").await;
    assert!(resumed.last_id() > version);
}

#[tokio::test]
async fn a_source_that_stops_answering_leaves_its_last_numbers_marked() {
    let source = Settable::gmv(100);
    let served = serve(source.clone()).await;
    let mut events = served.events("/api/v1/stream", "").await;
    events.until("\"source\":\"ok\"").await;
    source.set(Err("gone".to_owned()));
    events.until("\"source\":\"failing\"").await;
    assert_eq!(served.get("/api/v1/live").await.json()["today"]["gmv"], 100);
    source.set(Ok(101));
    events.until("\"gmv\":101").await;
    let metrics = String::from_utf8(served.get("/metrics").await.body).unwrap();
    assert!(metrics.contains("linli_dashboards_source_failures_total{question=\"snapshot\"}"), "{metrics}");
    assert!(metrics.contains("linli_dashboards_streams 1"), "{metrics}");
}

#[tokio::test]
async fn too_many_tabs_are_told_so() {
    let served = serve_with(Settable::gmv(1), ServeOptions { streams_max: 1, ..ServeOptions::default() }).await;
    let mut first = served.events("/api/v1/stream", "").await;
    first.until("event: live").await;
    assert_eq!(served.get("/api/v1/stream").await.json()["code"], "too_many_readers");
}

#[tokio::test]
async fn catalogue_has_names_ids_and_meanings() {
    let served = serve(Settable::gmv(1)).await;
    served.events("/api/v1/stream", "").await.until("\"name\":\"苹果\",\"category\":\"水果\"").await;
    let catalog = served.get("/api/v1/catalog").await.json();
    assert_eq!(catalog["zone"], "Asia/Shanghai");
    assert_eq!(catalog["communities"][0], json!({"id": BIG_ID.to_string(), "name": null}));
    assert_eq!(catalog["metrics"][0]["key"], "gmv");
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let served = serve(Settable::gmv(1)).await;
    for path in ["/", "/live", "/api/v1/live", "/api/nothing", "/healthz"] {
        let answer = served.get(path).await;
        let policy = answer.header("content-security-policy").unwrap_or_default();
        assert!(policy.contains("script-src 'self';") && policy.contains("frame-ancestors 'none'"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
    }
}

#[tokio::test]
async fn foreign_host_names_are_not_served_on_loopback() {
    let served = serve(Settable::gmv(1)).await;
    assert_eq!(served.get_with("/api/v1/live", "host: evil.example\r\n").await.status, 421);
    assert_eq!(served.get_with("/api/v1/live", "host: localhost:1\r\n").await.status, 200);
}

#[tokio::test]
async fn addresses_of_the_page_lead_to_the_page_and_files_are_kept() {
    let served = serve(Settable::gmv(1)).await;
    for path in ["/", "/live?lang=en", "/some/deep/address"] {
        let page = served.get(path).await;
        assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")), "{path}");
    }
    for missing in ["/assets/none.js", "/index.html.br", "/.gitkeep"] {
        assert_eq!(served.get(missing).await.status, 404, "{missing}");
    }
    let page = served.get("/").await;
    // Without the built page a short one says how to build it.
    if let Some(tag) = page.header("etag") {
        assert!(tag.starts_with('"') && tag.ends_with('"'));
        let known = served.get_with("/", &format!("if-none-match: {tag}\r\n")).await;
        assert_eq!((known.status, known.body.len()), (304, 0));
        let packed = served.get_with("/", "accept-encoding: br\r\n").await;
        assert_eq!(packed.header("content-encoding"), Some("br"));
        assert_ne!(packed.header("etag"), Some(tag));
        let text = String::from_utf8(page.body).unwrap();
        let script = text.split("src=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        let asset = served.get(script).await;
        assert_eq!(asset.header("cache-control"), Some("public, max-age=31536000, immutable"));
    } else {
        assert!(String::from_utf8(page.body).unwrap().contains("npm"));
    }
}

#[tokio::test]
async fn a_port_in_use_is_told_with_a_hint() {
    let taken =
        bind(ServeOptions { listen: SocketAddr::from(([127, 0, 0, 1], 0)), ..ServeOptions::default() }).await.unwrap();
    let again = bind(ServeOptions { listen: taken.address(), ..ServeOptions::default() }).await.unwrap_err();
    assert!(matches!(again, ServeError::InUse { .. }));
    assert!(again.to_string().contains(&taken.address().to_string()));
    assert!(again.hint().unwrap().contains("--listen"));
}

#[tokio::test]
async fn shutdown_ends_open_streams_and_the_server() {
    let served = serve(Settable::gmv(1)).await;
    let mut events = served.events("/api/v1/stream", "").await;
    events.until("event: live").await;
    served.stop.cancel();
    events.end().await;
    tokio::time::timeout(crate::support::DEADLINE, served.ended).await.unwrap().unwrap().unwrap();
}
