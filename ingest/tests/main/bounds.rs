//! Large bodies, a slow log, a failing log: bounded, told, and nothing acknowledged is lost.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use futures::future::join_all;
use linli_connectors::log::LogFaults;

use crate::clicks::gzip;
use crate::harness::{Collector, click};

#[tokio::test]
async fn bodies_are_bounded_as_sent_and_inflated() {
    let collector = Collector::start();
    let declared =
        Request::post("/v1/clicks").header("content-length", "10000001").body(Body::empty()).expect("a request");
    assert_eq!(collector.send(declared).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    let chunks = (0..11).map(|_| Ok::<_, std::io::Error>(bytes::Bytes::from(vec![b' '; 1_000_000])));
    let undeclared =
        Request::post("/v1/clicks").body(Body::from_stream(futures::stream::iter(chunks))).expect("a request");
    let answer = collector.send(undeclared).await;
    assert_eq!((answer.status, &answer.json()["code"]), (StatusCode::PAYLOAD_TOO_LARGE, &"too_large".into()));
    let bomb = gzip(&vec![b' '; 100_000_000]);
    assert!(bomb.len() < 1_000_000);
    let request =
        Request::post("/v1/clicks").header("content-encoding", "gzip").body(Body::from(bomb)).expect("a request");
    assert_eq!(collector.send(request).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    let many = format!("[{}1]", "1,".repeat(60_000));
    assert_eq!(collector.post(many).await.json()["code"], "too_many");
    let metrics = String::from_utf8(collector.get("/metrics").await.body).expect("text");
    assert!(metrics.contains("linli_collect_in_flight_bytes 0"), "{metrics}");
    assert!(collector.log.dead_letters().await.is_empty());
    // And a large batch within the bounds passes.
    let batch: Vec<String> = (0..20_000).map(|i| click(&format!("e{i}"))).collect();
    let answer = collector.post(format!("[{}]", batch.join(","))).await;
    assert_eq!((answer.status, answer.json()["accepted"].as_u64()), (StatusCode::ACCEPTED, Some(20_000)));
    assert_eq!(collector.log.clicks().await.len(), 20_000);
}

#[tokio::test]
async fn a_slow_log_is_answered_with_429_and_memory_stays_bounded() {
    let collector = Collector::with(|options| {
        options.answer_within = Duration::from_millis(50);
        options.in_flight_bytes_max = 64 << 10;
        options.waiting_requests_max = 10;
    });
    collector.log.open.send_replace(false);
    let answers = join_all((0..100).map(|i| {
        let collector = &collector;
        async move { collector.post(click(&format!("e{i}"))).await }
    }))
    .await;
    for answer in &answers {
        assert_eq!((answer.status, &answer.json()["code"]), (StatusCode::TOO_MANY_REQUESTS, &"busy".into()));
        assert!((1..=5).contains(&answer.retry_after()));
    }
    collector.log.open.send_replace(true);
    // Once the log answers again, what was held goes through and new events are taken.
    let answer = loop {
        let answer = collector.post(click("after")).await;
        if answer.status != StatusCode::TOO_MANY_REQUESTS {
            break answer;
        }
    };
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    let ids: BTreeSet<_> =
        collector.log.clicks().await.iter().map(|c| c["event_id"].as_str().map(str::to_owned)).collect();
    assert!(ids.contains(&Some("after".to_owned())) && ids.len() <= 13, "{ids:?}");
}

#[tokio::test]
async fn a_failing_log_is_answered_with_503_and_what_is_acknowledged_is_there() {
    let collector = Collector::start();
    collector.log.inner.set_faults(LogFaults {
        append_fails_before: 0.2,
        append_fails_midway: 0.2,
        append_fails_after: 0.1,
        ..LogFaults::default()
    });
    let send = |i: usize| {
        let collector = &collector;
        async move {
            let id = format!("e{i}");
            loop {
                let answer = collector.post(click(&id)).await;
                match answer.status {
                    StatusCode::ACCEPTED => return (id, true),
                    StatusCode::SERVICE_UNAVAILABLE if i.is_multiple_of(3) => {
                        assert!((1..=5).contains(&answer.retry_after()));
                        return (id, false); // gives up
                    }
                    StatusCode::SERVICE_UNAVAILABLE => {}
                    other => panic!("{other}"),
                }
            }
        }
    };
    let mut acknowledged = BTreeSet::new();
    let mut refused = 0;
    for round in 0..40 {
        for (id, taken) in join_all((0..10).map(|i| send(round * 10 + i))).await {
            if taken {
                acknowledged.insert(id);
            } else {
                refused += 1;
            }
        }
    }
    let there: BTreeSet<String> =
        collector.log.clicks().await.iter().filter_map(|c| c["event_id"].as_str().map(str::to_owned)).collect();
    assert!(refused > 10 && acknowledged.len() > 200, "the faults were met: {refused} refused");
    assert_eq!(acknowledged.difference(&there).count(), 0, "nothing acknowledged is lost");
    collector.log.inner.set_faults(LogFaults { append_fails_before: 1.0, ..LogFaults::default() });
    assert_eq!(collector.post(click("z")).await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(collector.get("/readyz").await.status, StatusCode::SERVICE_UNAVAILABLE);
    collector.log.inner.set_faults(LogFaults::default());
    assert_eq!(collector.post(click("z")).await.status, StatusCode::ACCEPTED);
    assert_eq!(collector.get("/readyz").await.status, StatusCode::OK);
}

#[tokio::test]
async fn concurrent_requests_share_appends() {
    let collector = Collector::start();
    collector.post(click("first")).await;
    collector.log.open.send_replace(false);
    let before = collector.log.appends.load(Ordering::Relaxed);
    let waiting = join_all((0..100).map(|i| {
        let collector = &collector;
        async move { collector.post(click(&format!("e{i}"))).await.status }
    }));
    let open = async {
        // The requests are polled first; the gate opens when they all wait.
        tokio::task::yield_now().await;
        collector.log.open.send_replace(true);
    };
    let (statuses, ()) = tokio::join!(waiting, open);
    assert!(statuses.iter().all(|status| *status == StatusCode::ACCEPTED));
    let appends = collector.log.appends.load(Ordering::Relaxed) - before;
    assert!(appends <= 10, "{appends} appends for 100 requests");
    assert_eq!(collector.log.clicks().await.len(), 101);
}
