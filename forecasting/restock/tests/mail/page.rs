//! The page behind the link: what it shows, takes and refuses.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use bytes::Bytes;
use linli_connectors::blobs::{Blobs, PutOutcome, SharedBlobs};
use linli_connectors::clock::Clock as _;
use linli_connectors::log::{Batch, EventLog as _, LogFaults, MemoryLog, OpenOptions, TopicPartition, TopicSpec};
use linli_restock::answers::{Answers, Key, Keys, Links, Store, router};
use linli_restock::mail::outbox::Outbox;
use linli_restock::mail::{Language, Name, SupplierOrder};
use linli_schemas::Topic;
use linli_schemas::forecast::{AnswerKind, SupplierAnswer};
use linli_schemas::zone::Zone;
use proptest::prelude::*;
use tower::ServiceExt as _;

use crate::delivery::{TestClock, memory};
use crate::sample::{AT, CUT_OFF, RUN, line, order};

const PARTITIONS: u32 = 4;
const READABLE_MS: i64 = 3_600_000;

/// A blob store that counts how often it is asked.
struct Counting {
    inner: SharedBlobs,
    calls: AtomicU32,
}

impl Counting {
    fn inner(&self) -> &SharedBlobs {
        self.calls.fetch_add(1, Ordering::SeqCst);
        &self.inner
    }
}

#[async_trait]
impl Blobs for Counting {
    async fn put_if_absent(&self, key: &str, bytes: Bytes) -> linli_connectors::Result<PutOutcome> {
        self.inner().put_if_absent(key, bytes).await
    }
    async fn put(&self, key: &str, bytes: Bytes) -> linli_connectors::Result<()> {
        self.inner().put(key, bytes).await
    }
    async fn get(&self, key: &str) -> linli_connectors::Result<Option<Bytes>> {
        self.inner().get(key).await
    }
    async fn list(&self, prefix: &str) -> linli_connectors::Result<Vec<String>> {
        self.inner().list(prefix).await
    }
    async fn delete(&self, key: &str) -> linli_connectors::Result<()> {
        self.inner().delete(key).await
    }
}

struct Site {
    blobs: Arc<Counting>,
    log: MemoryLog,
    clock: Arc<TestClock>,
    answers: Arc<Answers>,
    links: Links,
}

struct Reply {
    status: StatusCode,
    headers: axum::http::HeaderMap,
    body: String,
}

fn keys(byte: u8) -> Keys {
    Keys::new(Key::new(&[byte; 32]).expect("a key"), Vec::new(), "")
}

impl Site {
    async fn with(orders: &[SupplierOrder]) -> Site {
        let blobs = Arc::new(Counting { inner: memory().await, calls: AtomicU32::new(0) });
        let log = MemoryLog::new(OpenOptions::default());
        let topic =
            TopicSpec { name: Topic::ForecastAnswers.name().to_owned(), partitions: PARTITIONS, compacted: false };
        log.create_topics(&[topic]).await.expect("made");
        for order in orders {
            Outbox::new(blobs.clone()).keep_order(order).await.expect("kept");
        }
        let clock = TestClock::at(AT);
        let shared: SharedBlobs = blobs.clone();
        let answers =
            Arc::new(Answers::new(shared, Arc::new(log.clone()), PARTITIONS, keys(1), clock.clone(), Zone::SHANGHAI));
        let links = Links { base: "https://linli.example/".to_owned(), keys: keys(1), readable_ms: READABLE_MS };
        Site { blobs, log, clock, answers, links }
    }

    fn token(&self, order: &SupplierOrder) -> String {
        let url = self.links.url(order);
        url.strip_prefix("https://linli.example/answers/").expect("the page's address").to_owned()
    }

    async fn ask(&self, request: Request<Body>) -> Reply {
        let answer = router(self.answers.clone()).oneshot(request).await.expect("an answer");
        let (parts, body) = answer.into_parts();
        let body = axum::body::to_bytes(body, 16 << 20).await.expect("a body");
        let body = String::from_utf8(body.to_vec()).expect("text");
        Reply { status: parts.status, headers: parts.headers, body }
    }

    async fn get(&self, path: &str) -> Reply {
        self.ask(Request::get(format!("/answers/{path}")).body(Body::empty()).expect("a request")).await
    }

    async fn post(&self, token: &str, fields: &[(&str, &str)]) -> Reply {
        self.post_form(token, token, fields).await
    }

    async fn post_form(&self, token: &str, form_token: &str, fields: &[(&str, &str)]) -> Reply {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("token", form_token).append_pair("page", "1").append_pair("save", "1").extend_pairs(fields);
        let request = Request::post(format!("/answers/{token}"))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(form.finish()));
        self.ask(request.expect("a request")).await
    }

    /// Everything on the topic, with its keys.
    async fn records(&self) -> Vec<(String, SupplierAnswer)> {
        let topic: Arc<str> = Topic::ForecastAnswers.name().into();
        let partitions: Vec<TopicPartition> =
            (0..PARTITIONS).map(|partition| TopicPartition { topic: topic.clone(), partition }).collect();
        let ends: u64 = self.log.ends(&partitions).await.expect("ends").iter().sum();
        let mut reader = self.log.reader(partitions.into_iter().map(|of| (of, 0)).collect()).await.expect("a reader");
        let (mut found, mut batch) = (Vec::new(), Batch::default());
        while (found.len() as u64) < ends {
            reader.poll(&mut batch, 1_000, Duration::from_millis(10)).await.expect("records");
            for record in batch.iter() {
                let answer = SupplierAnswer::decode(record.value.expect("a value")).expect("an answer");
                found.push((String::from_utf8_lossy(record.key).into_owned(), answer));
            }
        }
        found
    }

    fn calls(&self) -> u32 {
        self.blobs.calls.load(Ordering::SeqCst)
    }

    async fn notes(&self) -> usize {
        self.blobs.list("restock/answers-open").await.expect("listed").len()
    }
}

fn two_lines() -> SupplierOrder {
    order(7, vec![line(1), line(2)])
}

#[tokio::test]
async fn a_link_shows_one_suppliers_lines_safely() {
    let mut mine = two_lines();
    mine.lines[0].title = Name::new("<script>alert(1)</script>\"'&", "");
    mine.lines[0].supplier_code = "A\" onfocus=\"x".to_owned();
    let other = order(8, vec![line(99)]);
    let site = Site::with(&[mine.clone(), other]).await;
    let reply = site.get(&site.token(&mine)).await;
    assert_eq!(reply.status, StatusCode::OK);
    assert!(reply.body.contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;"), "{}", reply.body);
    assert!(reply.body.contains("A&quot; onfocus=&quot;x") && !reply.body.contains("<script"));
    assert!(reply.body.contains("苹果2") && !reply.body.contains("苹果99"), "{}", reply.body);
    assert!(reply.body.contains("2 箱 × 12 件 = 24 件") && reply.body.contains("2026-03-02 22:00"));
    assert!(reply.body.contains("width=device-width") && reply.body.contains("lang=\"zh-CN\""));
    let header = |name: &str| reply.headers[name].to_str().expect("text").to_owned();
    assert!(header("content-security-policy").starts_with("default-src 'none'"));
    assert!(!header("content-security-policy").contains("unsafe"));
    assert_eq!((header("referrer-policy").as_str(), header("cache-control").as_str()), ("no-referrer", "no-store"));
    assert!(!reply.body.contains("style=\"") && !reply.body.contains(" onclick"), "the policy forbids it");
    let style = site.get("style.css").await;
    assert_eq!(
        (style.status, &style.headers["content-type"]),
        (StatusCode::OK, &"text/css; charset=utf-8".parse().expect("a type"))
    );

    let mut english = order(9, vec![line(1)]);
    english.language = Language::En;
    let site = Site::with(&[english.clone()]).await;
    let reply = site.get(&site.token(&english)).await;
    assert!(reply.body.contains("Apples 1 500g") && reply.body.contains("Accept all lines without an answer"));
    assert!(reply.body.chars().all(|c| c < '\u{2e80}'), "Chinese in the English page");
}

#[tokio::test]
async fn an_order_that_was_withdrawn_takes_no_answer() {
    let order = two_lines();
    let site = Site::with(std::slice::from_ref(&order)).await;
    let token = site.token(&order);
    assert_eq!(site.get(&token).await.status, StatusCode::OK);
    Outbox::new(site.blobs.clone()).withdraw(&order.run, AT).await.expect("withdrawn");
    for reply in [site.get(&token).await, site.post(&token, &[("all", "accepted")]).await] {
        assert_eq!(reply.status, StatusCode::GONE);
        assert!(reply.body.contains("订货单已作废") && !reply.body.contains("苹果1"), "{}", reply.body);
    }
    assert!(site.records().await.is_empty());
    // another run's order holds
    let mut other = two_lines();
    other.run = linli_schemas::forecast::RunId::parse("2026-03-02-ffffffffffff").expect("a run");
    Outbox::new(site.blobs.clone()).keep_order(&other).await.expect("kept");
    assert_eq!(site.get(&site.token(&other)).await.status, StatusCode::OK);
}

#[tokio::test]
async fn links_that_do_not_hold_are_refused_before_anything_is_read() {
    let order = two_lines();
    let site = Site::with(std::slice::from_ref(&order)).await;
    let token = site.token(&order);
    let before = site.calls();
    let altered = format!("{}{}", &token[..token.len() - 3], "AAA");
    let elsewhere = Links { keys: keys(2), ..site.links.clone() }.url(&order);
    let elsewhere = elsewhere.rsplit('/').next().expect("a token");
    for bad in [altered.as_str(), elsewhere, "x", "x.y", "%00", &"a".repeat(5_000)] {
        let reply = site.get(bad).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "{bad}");
        assert!(reply.body.contains("链接无效") && reply.headers.contains_key("content-security-policy"));
        assert_eq!(site.post(bad, &[("a0", "accepted")]).await.status, StatusCode::FORBIDDEN, "{bad}");
    }
    site.clock.sleep(Duration::from_millis((CUT_OFF + READABLE_MS - AT) as u64)).await;
    assert_eq!(site.get(&token).await.status, StatusCode::GONE);
    assert_eq!(site.post(&token, &[("a0", "accepted")]).await.status, StatusCode::GONE);
    assert_eq!(site.calls(), before, "something was read or written");
    // A link that holds, of a run that is not there.
    let site = Site::with(&[]).await;
    assert_eq!(site.get(&token).await.status, StatusCode::NOT_FOUND);
    assert_eq!(site.get("").await.status, StatusCode::NOT_FOUND);
    let english = Request::get("/answers/x").header(header::ACCEPT_LANGUAGE, "en-GB,zh;q=0.5").body(Body::empty());
    assert!(site.ask(english.expect("a request")).await.body.contains("This link is not valid"));
}

#[tokio::test]
async fn answers_are_stored_published_and_shown_again() {
    let order = order(7, vec![line(1), line(2), line(3)]);
    let site = Site::with(std::slice::from_ref(&order)).await;
    let token = site.token(&order);
    let fields = [
        ("version", "0"),
        ("a0", "accepted"),
        ("q0", ""),
        ("n0", ""),
        ("a1", "changed"),
        ("q1", " ３ "),
        ("n1", "只有\r\n三箱"),
        ("a2", "refused"),
        ("q2", "9"),
        ("n2", "缺货"),
    ];
    let reply = site.post(&token, &fields).await;
    assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.body);
    assert_eq!(reply.headers["location"], format!("{token}?page=1&saved=1").as_str());
    let first = site.records().await;
    let said: Vec<_> = first
        .iter()
        .map(|(key, answer)| (key.as_str(), answer.sku_id, answer.answer, answer.quantity, answer.note.as_deref()))
        .collect();
    let key = format!("{RUN}/7");
    assert_eq!(
        said,
        [
            (key.as_str(), 1, AnswerKind::Accepted, 24, None),
            (key.as_str(), 2, AnswerKind::Changed, 36, Some("只有  三箱")),
            (key.as_str(), 3, AnswerKind::Refused, 0, Some("缺货")),
        ]
    );
    assert!(first.iter().all(|(_, answer)| answer.version == 1 && answer.answered_at == AT && answer.supplier_id == 7));
    let shown = site.get(&token).await.body;
    assert!(shown.contains("已答复 3 / 3 行") && shown.contains("您的答复：修改数量，36 件"), "{shown}");
    assert!(shown.contains("name=\"q1\" min=\"0\" max=\"20\" step=\"1\" value=\"3\""), "{shown}");
    // The same form again, with the version it had then.
    assert_eq!(site.post(&token, &fields).await.status, StatusCode::SEE_OTHER);
    assert_eq!(site.records().await, first, "a replay changes nothing");
    // Another mind, until the cut-off: only what differs gets a new version.
    let again = site.post(&token, &[("version", "1"), ("a0", "accepted"), ("a1", "accepted"), ("n1", "")]).await;
    assert_eq!(again.status, StatusCode::SEE_OTHER);
    let records = site.records().await;
    assert_eq!(records.len(), 4);
    let newest = &records[3].1;
    assert_eq!((newest.sku_id, newest.answer, newest.quantity, newest.version), (2, AnswerKind::Accepted, 24, 2));
    assert_eq!(site.notes().await, 0);
}

#[tokio::test]
async fn after_the_cut_off_nothing_changes_and_all_can_be_read() {
    let order = two_lines();
    let site = Site::with(std::slice::from_ref(&order)).await;
    let token = site.token(&order);
    site.post(&token, &[("version", "0"), ("a0", "refused")]).await;
    site.clock.sleep(Duration::from_millis((CUT_OFF - AT) as u64)).await;
    let late = site.post(&token, &[("version", "1"), ("a0", "accepted"), ("a1", "accepted")]).await;
    assert_eq!(late.status, StatusCode::CONFLICT);
    assert!(late.body.contains("未保存") && !late.body.contains("<form"), "{}", late.body);
    assert_eq!(site.records().await.len(), 1);
    let shown = site.get(&token).await;
    assert_eq!(shown.status, StatusCode::OK);
    assert!(shown.body.contains("您的答复：拒绝，0 件") && shown.body.contains("只能查看"));
    assert!(!shown.body.contains("<form") && !shown.body.contains("<input"));
}

#[tokio::test]
async fn a_form_of_another_link_or_with_foreign_lines_is_refused() {
    let (mine, other) = (two_lines(), order(8, vec![line(1), line(2), line(3)]));
    let site = Site::with(&[mine.clone(), other.clone()]).await;
    let (own, foreign) = (site.token(&mine), site.token(&other));
    let reply = site.post_form(&own, &foreign, &[("version", "0"), ("a0", "accepted")]).await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN);
    for fields in [
        &[("a2", "accepted")][..],
        &[("a-1", "accepted")],
        &[("a0", "accepted"), ("a0", "refused")],
        &[("supplier_id", "8")],
        &[("version", "x")],
        &[("é", "x")],
    ] {
        assert_eq!(site.post(&own, fields).await.status, StatusCode::BAD_REQUEST, "{fields:?}");
    }
    let long = "x".repeat(600 * 1024);
    assert_eq!(site.post(&own, &[("n0", &long)]).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(site.records().await.is_empty() && site.notes().await == 0);
}

#[tokio::test]
async fn wrong_entries_are_pointed_out_and_kept() {
    let order = two_lines();
    let site = Site::with(std::slice::from_ref(&order)).await;
    let token = site.token(&order);
    for (packs, told) in [
        ("21", "0 到 20"),
        ("-1", "0 到 20"),
        ("1.5", "0 到 20"),
        ("99999999999999999999", "0 到 20"),
        ("", "请输入箱数"),
    ] {
        let fields = [("version", "0"), ("a0", "accepted"), ("a1", "changed"), ("q1", packs), ("n1", "<b>")];
        let reply = site.post(&token, &fields).await;
        assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY, "{packs}");
        assert!(reply.body.contains(told) && reply.body.contains("value=\"&lt;b&gt;\""), "{}", reply.body);
        assert!(reply.body.contains("value=\"accepted\" checked"), "what was entered is kept: {}", reply.body);
    }
    let long = "长".repeat(201);
    let reply = site.post(&token, &[("version", "0"), ("a0", "accepted"), ("n0", &long)]).await;
    assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(site.records().await.is_empty(), "nothing is stored in part");
    // In their own words: nothing is a refusal, as much as ordered an acceptance.
    site.post(&token, &[("version", "0"), ("a0", "changed"), ("q0", "0"), ("a1", "changed"), ("q1", "2")]).await;
    let said: Vec<AnswerKind> = site.records().await.iter().map(|(_, answer)| answer.answer).collect();
    assert_eq!(said, [AnswerKind::Refused, AnswerKind::Accepted]);
}

#[tokio::test]
async fn two_tabs_do_not_undo_each_other() {
    let order = two_lines();
    let site = Site::with(std::slice::from_ref(&order)).await;
    let token = site.token(&order);
    assert_eq!(site.post(&token, &[("version", "0"), ("a0", "accepted")]).await.status, StatusCode::SEE_OTHER);
    // The second tab saw nothing answered; another line is no conflict, the same line is one.
    assert_eq!(site.post(&token, &[("version", "0"), ("a1", "refused")]).await.status, StatusCode::SEE_OTHER);
    let reply = site.post(&token, &[("version", "0"), ("a0", "refused"), ("a1", "refused")]).await;
    assert_eq!(reply.status, StatusCode::CONFLICT);
    assert!(
        reply.body.contains("在别处已答复") && reply.body.contains("name=\"version\" value=\"2\""),
        "{}",
        reply.body
    );
    assert_eq!(site.records().await.len(), 2);
    assert_eq!(site.post(&token, &[("version", "2"), ("a0", "refused")]).await.status, StatusCode::SEE_OTHER);
    // At the same time: each version is one tab's.
    let posts = (0..8).map(|tab| {
        let (site, token) = (&site, &token);
        async move {
            let note = format!("tab {tab}");
            site.post(token, &[("version", "99"), ("a1", "accepted"), ("n1", &note)]).await.status
        }
    });
    let statuses: BTreeSet<u16> = futures(posts).await.into_iter().map(|status| status.as_u16()).collect();
    assert_eq!(statuses, BTreeSet::from([303]));
    let versions: Vec<u64> = site.records().await.iter().map(|(_, answer)| answer.version).collect();
    let distinct: BTreeSet<u64> = versions.iter().copied().collect();
    assert_eq!(distinct.len(), versions.len(), "{versions:?}");
}

/// All of them, driven together.
async fn futures<F: Future>(all: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut pinned: Vec<_> = all.map(|one| (Box::pin(one), None)).collect();
    std::future::poll_fn(|context| {
        for (one, done) in &mut pinned {
            if done.is_none()
                && let std::task::Poll::Ready(output) = one.as_mut().poll(context)
            {
                *done = Some(output);
            }
        }
        if pinned.iter().all(|(_, done)| done.is_some()) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    pinned.into_iter().filter_map(|(_, done)| done).collect()
}

#[tokio::test]
async fn the_rest_is_accepted_at_once_over_all_pages() {
    let order = order(7, (1..=120).map(line).collect());
    let site = Site::with(std::slice::from_ref(&order)).await;
    let token = site.token(&order);
    let (first, last) = (site.get(&token).await.body, site.get(&format!("{token}?page=3")).await.body);
    assert!(first.contains("苹果50 ") && !first.contains("苹果51 ") && first.contains("href=\"?page=2\""), "{first}");
    assert!(last.contains("苹果120 ") && !last.contains("苹果100 ") && last.contains("第 3 / 3 页"));
    assert!(site.get(&format!("{token}?page=99")).await.body.contains("苹果120 "));
    site.post(&token, &[("version", "0"), ("a3", "refused"), ("all", "accepted")]).await;
    let records = site.records().await;
    assert_eq!(records.len(), 120);
    let refused: Vec<i64> = records
        .iter()
        .filter(|(_, answer)| answer.answer == AnswerKind::Refused)
        .map(|(_, answer)| answer.sku_id)
        .collect();
    assert_eq!(refused, [4]);
}

#[tokio::test]
async fn what_a_crash_kept_from_the_log_comes_later() {
    let order = two_lines();
    let site = Site::with(std::slice::from_ref(&order)).await;
    let token = site.token(&order);
    site.log.set_faults(LogFaults { append_fails_before: 1.0, ..LogFaults::default() });
    assert_eq!(site.post(&token, &[("version", "0"), ("a0", "accepted")]).await.status, StatusCode::SEE_OTHER);
    assert!(site.get(&token).await.body.contains("已答复 1 / 2 行"), "it is stored");
    assert!(site.answers.append_open().await.is_err());
    assert_eq!((site.records().await.len(), site.notes().await), (0, 1));
    site.log.set_faults(LogFaults::default());
    assert_eq!(site.answers.append_open().await.expect("appended"), 1);
    assert_eq!(site.answers.append_open().await.expect("nothing to append"), 0);
    let records = site.records().await;
    assert_eq!((records.len(), records[0].1.version, site.notes().await), (1, 1, 0));
    // A note whose version never came to be goes away, once its writer cannot be at it any more.
    let note = format!("restock/answers-open/{RUN}/7/00000009");
    site.blobs.put(&note, Bytes::from(AT.to_string())).await.expect("put");
    assert_eq!(site.answers.append_open().await.expect("looked"), 0);
    assert_eq!(site.notes().await, 1);
    site.clock.sleep(Duration::from_secs(601)).await;
    assert_eq!(site.answers.append_open().await.expect("looked"), 0);
    assert_eq!(site.notes().await, 0);
}

#[tokio::test]
async fn a_store_that_is_away_is_told_and_nothing_half_done() {
    let order = two_lines();
    let site = Site::with(std::slice::from_ref(&order)).await;
    let token = site.token(&order);
    let key = format!("restock/answers/{RUN}/7/00000001");
    site.blobs.put(&key, Bytes::from_static(b"not json")).await.expect("put");
    let reply = site.get(&token).await;
    assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(reply.body.contains("暂时无法处理") && !reply.body.contains("restock/answers"), "{}", reply.body);
    let store = Store { blobs: site.blobs.clone(), log: Arc::new(site.log.clone()), partitions: PARTITIONS };
    let error = store.sheet(&order.run, 7).await.expect_err("corrupt");
    assert_eq!(error.kind, linli_connectors::ErrorKind::Corrupt);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    /// Whatever is sent, the page answers it and stores whole packs within the bound, or nothing.
    #[test]
    fn any_form_is_answered(body in "(&?[aqnvt](0|1|2|ersion|oken)?=(accepted|changed|refused|[0-9]{1,3}|%[0-9A-F]{2}|.{0,4})){0,8}") {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let order = two_lines();
            let site = Site::with(std::slice::from_ref(&order)).await;
            let token = site.token(&order);
            let request = Request::post(format!("/answers/{token}"))
                .body(Body::from(format!("token={token}&version=0{body}")));
            let reply = site.ask(request.expect("a request")).await;
            assert!(matches!(reply.status.as_u16(), 303 | 400 | 403 | 422), "{} {body}", reply.status);
            for (_, answer) in site.records().await {
                assert!(answer.quantity % 12 == 0 && (0..=240).contains(&answer.quantity), "{answer:?}");
            }
        });
    }
}
