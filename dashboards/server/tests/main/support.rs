//! A server on a free port with a source whose answers a test sets.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use linli_connectors::clock::SystemClock;
use linli_connectors::log::{MemoryLog, OpenOptions, SharedLog};
use linli_dashboards::{
    LiveSource, Minute, Names, ServeOptions, SkuName, Snapshot, SourceError, Top, TopRow, Totals, View, bind,
};
use linli_schemas::{CategoryId, CommunityId, EventTime, Money, SkuId};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_util::sync::{CancellationToken, DropGuard};

pub const DEADLINE: Duration = Duration::from_secs(20);
pub const BIG_ID: i64 = 9_007_199_254_740_993;

#[derive(Clone)]
pub struct Settable(pub Arc<Mutex<Result<i64, String>>>);

impl Settable {
    pub fn gmv(fen: i64) -> Settable {
        Settable(Arc::new(Mutex::new(Ok(fen))))
    }

    pub fn broken(cause: &str) -> Settable {
        Settable(Arc::new(Mutex::new(Err(cause.to_owned()))))
    }

    pub fn set(&self, answer: Result<i64, String>) {
        *self.0.lock().unwrap() = answer;
    }
}

#[async_trait]
impl LiveSource for Settable {
    async fn names(&self) -> Result<Names, SourceError> {
        let apple = SkuName { name: Some("苹果".to_owned()), category: Some(CategoryId(1)) };
        Ok(Names {
            communities: vec![(CommunityId(BIG_ID), None), (CommunityId(2), Some("锦绣花园".to_owned()))],
            categories: vec![(CategoryId(1), Some("水果".to_owned()))],
            skus: HashMap::from([(SkuId(7), apple)]),
        })
    }

    async fn snapshot(&self, view: View) -> Result<Snapshot, SourceError> {
        let gmv = self.0.lock().unwrap().clone().map_err(|cause| SourceError::new("snapshot", cause))?;
        let gmv = if view.community.is_some() { gmv / 10 } else { gmv };
        Ok(Snapshot {
            day_start: EventTime(0),
            day_end: EventTime(86_400_000),
            as_of: Some(EventTime(120_000)),
            totals: Totals { gmv: Some(Money(gmv)), orders: Some(3), buyers: Some(2), active_users: None },
            minutes: vec![
                Minute { start: EventTime(0), gmv: Money(5), orders: 1 },
                Minute { start: EventTime(60_000), gmv: Money(gmv), orders: 2 },
            ],
            top: Top {
                window_start: EventTime(0),
                window_end: EventTime(86_400_000),
                rows: vec![TopRow { sku: SkuId(7), qty: 9 }, TopRow { sku: SkuId(BIG_ID), qty: 4 }],
            },
        })
    }
}

/// Stops when dropped.
pub struct Served {
    pub address: SocketAddr,
    pub ended: tokio::task::JoinHandle<Result<(), linli_dashboards::ServeError>>,
    pub stop: CancellationToken,
    _guard: DropGuard,
}

pub async fn serve(source: Settable) -> Served {
    serve_with(source, ServeOptions::default()).await
}

/// A shop without a word of alerts.
pub async fn serve_with(source: Settable, options: ServeOptions) -> Served {
    serve_with_alerts(source, Arc::new(MemoryLog::new(OpenOptions::default())), options).await
}

pub async fn serve_with_alerts(source: Settable, log: SharedLog, options: ServeOptions) -> Served {
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let server = bind(ServeOptions { listen, ..options }).await.unwrap();
    let address = server.address();
    let stop = CancellationToken::new();
    let ended = tokio::spawn(server.run(Arc::new(source), Arc::new(log), Arc::new(SystemClock), stop.clone()));
    Served { address, ended, stop: stop.clone(), _guard: stop.drop_guard() }
}

pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("not JSON: {}", String::from_utf8_lossy(&self.body)))
    }
}

impl Served {
    pub async fn get(&self, path: &str) -> Answer {
        self.get_with(path, "").await
    }

    /// `headers` are whole lines, each ended by `\r\n`; a `host:` among them replaces the own one.
    pub async fn get_with(&self, path: &str, headers: &str) -> Answer {
        let mut line = self.open(path, headers, "connection: close\r\n").await;
        let mut bytes = Vec::new();
        tokio::time::timeout(DEADLINE, line.read_to_end(&mut bytes)).await.unwrap().unwrap();
        let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head, body: bytes[end + 4..].to_vec() }
    }

    async fn open(&self, path: &str, headers: &str, more: &str) -> TcpStream {
        let mut line = TcpStream::connect(self.address).await.unwrap();
        let host = if headers.contains("host:") { String::new() } else { format!("host: {}\r\n", self.address) };
        let request = format!("GET {path} HTTP/1.1\r\n{host}{headers}{more}\r\n");
        line.write_all(request.as_bytes()).await.unwrap();
        line
    }

    pub async fn events(&self, path: &str, headers: &str) -> Events {
        Events { line: self.open(path, headers, "").await, text: String::new() }
    }
}

/// A live stream being read.
pub struct Events {
    line: TcpStream,
    pub text: String,
}

impl Events {
    /// Reads until the text read so far holds what is wanted.
    pub async fn until(&mut self, wanted: &str) -> &str {
        let reading = async {
            let mut buffer = vec![0; 16 * 1024];
            while !self.text.contains(wanted) {
                let read = self.line.read(&mut buffer).await.unwrap();
                assert!(read > 0, "the stream ended without \"{wanted}\": {}", self.text);
                self.text.push_str(&String::from_utf8_lossy(&buffer[..read]));
            }
        };
        if tokio::time::timeout(DEADLINE, reading).await.is_err() {
            panic!("no \"{wanted}\" in time: {}", self.text);
        }
        &self.text
    }

    /// Reads to the end.
    pub async fn end(mut self) {
        let mut rest = Vec::new();
        tokio::time::timeout(DEADLINE, self.line.read_to_end(&mut rest)).await.unwrap().unwrap();
    }

    pub fn last_id(&self) -> u64 {
        let id = self.text.lines().rev().find_map(|line| line.strip_prefix("id: ")).unwrap();
        id.trim().parse().unwrap()
    }
}
