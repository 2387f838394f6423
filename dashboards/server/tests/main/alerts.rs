//! What fires, from topic `alerts` to the stream.

use std::sync::Arc;
use std::time::Duration;

use linli_connectors::log::{EventLog as _, LogFaults, MemoryLog, NewRecord, OpenOptions, TopicSpec};
use linli_dashboards::ServeOptions;
use linli_schemas::Topic;
use linli_schemas::alert::{Alert, AlertState, QUARANTINE};
use serde_json::{Value, json};

use crate::support::{Served, Settable, serve_with_alerts};

const PARTITIONS: u32 = 3;

async fn create(log: &MemoryLog) {
    let spec = TopicSpec { name: Topic::Alerts.name().to_owned(), partitions: PARTITIONS, compacted: false };
    log.create_topics(&[spec]).await.unwrap();
}

async fn append(log: &MemoryLog, partition: u32, key: String, value: Vec<u8>) {
    let topic = Topic::Alerts.name().into();
    let (key, value) = (key.into(), Some(value.into()));
    log.append(vec![NewRecord { topic, partition, timestamp_ms: 0, key, value }]).await.unwrap();
}

async fn tell(log: &MemoryLog, partition: u32, rule: &str, subject: &str, state: AlertState) {
    let (rule, subject) = (rule.to_owned(), subject.to_owned());
    let reason = Some(format!("why {subject}"));
    let alert = Alert { rule, subject, state, value: 1.0, threshold: None, since: 1_700_000_000_000, reason };
    append(log, partition, alert.log_key(), alert.encode()).await;
}

async fn serve(log: &MemoryLog) -> Served {
    serve_with_alerts(Settable::gmv(1), Arc::new(log.clone()), ServeOptions::default()).await
}

fn subjects(alerts: &Value) -> Vec<&str> {
    alerts["firing"].as_array().unwrap().iter().map(|one| one["subject"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn what_began_before_and_is_not_over_is_told_first_and_then_as_it_changes() {
    let log = MemoryLog::new(OpenOptions::default());
    create(&log).await;
    tell(&log, 0, QUARANTINE, "h:1/s.over", AlertState::Firing).await;
    tell(&log, 0, QUARANTINE, "h:1/s.over", AlertState::Resolved).await;
    tell(&log, 2, QUARANTINE, "h:1/s.t", AlertState::Firing).await;
    append(&log, 1, "x".to_owned(), b"no alert".to_vec()).await;
    let served = serve(&log).await;
    let alerts = served.get("/api/v1/alerts").await.json();
    assert_eq!((&alerts["source"], &alerts["total"], &alerts["tables"]), (&json!("ok"), &json!(1), &json!(1)));
    let expected = json!({
        "rule": "cdc.quarantine", "subject": "h:1/s.t", "since": 1_700_000_000_000_i64, "reason": "why h:1/s.t",
        "held": {
            "server": "h:1", "table": "s.t",
            "cures": ["linli ingest cdc quarantine apply s.t", "linli ingest cdc snapshot s.t"]
        }
    });
    assert_eq!(alerts["firing"], json!([expected]));

    let mut events = served.events("/api/v1/stream", "").await;
    events.until("event: alerts").await;
    events.until("why h:1/s.t").await;
    tell(&log, 1, "forecast.drift", "category/3", AlertState::Firing).await;
    events.until("\"total\":2,\"tables\":1").await;
    tell(&log, 2, QUARANTINE, "h:1/s.t", AlertState::Resolved).await;
    events.until("\"total\":1,\"tables\":0").await;
    assert_eq!(subjects(&served.get("/api/v1/alerts").await.json()), ["category/3"]);

    // Resumed after the last reading, a tab still learns what fires.
    let id = events.last_id();
    let mut resumed = served.events("/api/v1/stream", &format!("last-event-id: {id}\r\n")).await;
    resumed.until("category/3").await;
    let metrics = String::from_utf8(served.get("/metrics").await.body).unwrap();
    assert!(metrics.contains("linli_dashboards_alerts_firing 1"), "{metrics}");
    assert!(metrics.contains("linli_dashboards_alerts_unreadable_total 1"), "{metrics}");
}

#[tokio::test]
async fn nothing_is_said_before_the_topic_was_read_to_its_end() {
    let log = MemoryLog::new(OpenOptions::default());
    create(&log).await;
    for _ in 0..2_000 {
        tell(&log, 1, QUARANTINE, "h:1/s.t", AlertState::Firing).await;
    }
    tell(&log, 1, QUARANTINE, "h:1/s.t", AlertState::Resolved).await;
    let slow = LogFaults { poll_is_slow: 1.0, poll_delay_max: Duration::from_millis(400), ..LogFaults::default() };
    let alerts = serve(&log.fork("page", 1, slow)).await.get("/api/v1/alerts").await.json();
    assert_eq!((&alerts["source"], &alerts["total"]), (&json!("ok"), &json!(0)));
}

#[tokio::test]
async fn a_topic_that_is_not_there_yet_is_noticed_when_it_appears() {
    let log = MemoryLog::new(OpenOptions::default());
    let served = serve(&log).await;
    let mut events = served.events("/api/v1/stream", "").await;
    events.until("{\"source\":\"ok\",\"total\":0,\"tables\":0,\"firing\":[]}").await;
    create(&log).await;
    tell(&log, 1, QUARANTINE, "h:1/s.t", AlertState::Firing).await;
    events.until("\"total\":1,\"tables\":1").await;
}

#[tokio::test]
async fn a_log_that_cannot_be_read_is_told_as_that_and_not_as_calm() {
    let log = MemoryLog::new(OpenOptions::default());
    create(&log).await;
    let broken = LogFaults { poll_fails: 1.0, other_calls_fail: 1.0, ..LogFaults::default() };
    let seen = log.fork("page", 1, broken);
    let served = serve(&seen).await;
    let alerts = served.get("/api/v1/alerts").await.json();
    assert_eq!((&alerts["source"], &alerts["total"]), (&json!("failing"), &json!(0)));
    // The numbers go on.
    assert_eq!(served.get("/api/v1/live").await.json()["source"], "ok");
    let mut events = served.events("/api/v1/stream", "").await;
    events.until("{\"source\":\"failing\",\"total\":0").await;
    tell(&log, 0, QUARANTINE, "h:1/s.t", AlertState::Firing).await;
    seen.set_faults(LogFaults::default());
    events.until("{\"source\":\"ok\",\"total\":1").await;
    // What fired is still shown when the log goes again, but as what it is.
    seen.set_faults(broken);
    events.until("{\"source\":\"failing\",\"total\":1").await;
    assert_eq!(subjects(&served.get("/api/v1/alerts").await.json()), ["h:1/s.t"]);
}

#[tokio::test]
async fn a_hundred_are_listed_and_all_are_counted() {
    let log = MemoryLog::new(OpenOptions::default());
    create(&log).await;
    for number in 0..120 {
        tell(&log, number % PARTITIONS, QUARANTINE, &format!("h:1/s.t_{number}"), AlertState::Firing).await;
    }
    let alerts = serve(&log).await.get("/api/v1/alerts").await.json();
    assert_eq!((&alerts["total"], subjects(&alerts).len()), (&json!(120), 100));
}
