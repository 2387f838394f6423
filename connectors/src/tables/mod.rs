//! The warehouse connection: ClickHouse's HTTP protocol through crate `clickhouse`.
//!
//! `clickhouse://[USER:PASSWORD@]HOST[:PORT]` is a server; `chdb://DIR` is the same engine in a process of its own,
//! started when nobody serves the directory yet. Both get the same SQL.

#[cfg(feature = "conformance")]
pub mod conformance;
pub mod engine;
mod failure;
mod owner;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clickhouse::{Client, Compression, Row, RowOwned, RowRead};
use serde::Serialize;
use url::Url;

use crate::clock::{Clock, SystemClock};
use crate::{Error, ErrorKind, Result, namespace};

pub use clickhouse;
pub use owner::EngineCommand;

/// How often an insert is tried, and how long to wait before the second try; each further wait is twice as long.
const INSERT_TRIES: u32 = 6;
const INSERT_WAIT: Duration = Duration::from_millis(100);
/// One insert to a healthy warehouse ends long before.
const SEND_WITHIN: Duration = Duration::from_secs(60);
const END_WITHIN: Duration = Duration::from_secs(180);

/// How to open a warehouse.
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    /// The database is `linli`, with a namespace `linli_NAMESPACE`.
    pub namespace: String,
    /// Where `chdb://` without a path keeps its data: `DATA_DIR/warehouse`.
    pub data_dir: Option<PathBuf>,
    /// How to start an engine for `chdb://`. Without it, only a directory that somebody serves can be opened.
    pub engine: Option<EngineCommand>,
}

/// A database of a warehouse. Clones share the connections and the engine.
#[derive(Clone)]
pub struct Tables {
    client: Client,
    shared: Arc<Shared>,
}

struct Shared {
    /// Without credentials, for messages.
    name: String,
    address: String,
    database: String,
    engine_pid: Option<u32>,
    /// Dropping it ends the child.
    owner: Mutex<Option<owner::Owner>>,
}

/// Opens the warehouse and makes its database where it is missing.
pub async fn open(url: &str, options: OpenOptions) -> Result<Tables> {
    namespace::check(&options.namespace)?;
    let bad = |cause: &str| {
        Error::new(ErrorKind::Config, "warehouse", cause)
            .hint("use chdb://DIR or clickhouse://[USER:PASSWORD@]HOST[:PORT]")
    };
    let database = match options.namespace.as_str() {
        "" => "linli".to_owned(),
        namespace => format!("linli_{namespace}"),
    };
    match url.split_once("://") {
        Some(("chdb", path)) => {
            let directory = match (path, &options.data_dir) {
                ("", Some(data_dir)) => data_dir.join("warehouse"),
                ("", None) => return Err(bad("chdb:// names no directory")),
                (path, _) => PathBuf::from(path),
            };
            let owner = owner::Owner::of(&directory, options.engine.as_ref()).await?;
            let client = Client::default().with_url(&owner.address);
            let name = format!("warehouse chdb://{}", directory.display());
            Tables::of(client, name, owner.address.clone(), database, Some(owner)).await
        }
        Some(("clickhouse", _)) => {
            let parsed = Url::parse(url).map_err(|error| bad("is no URL").caused_by(error))?;
            let host =
                parsed.host_str().filter(|host| !host.is_empty()).ok_or_else(|| bad("clickhouse:// names no host"))?;
            let address = format!("http://{host}:{}", parsed.port().unwrap_or(8123));
            // As in our engine: a time without a zone means UTC, whatever zone the server runs in.
            let mut client = Client::default().with_url(&address).with_setting("session_timezone", "UTC");
            if !parsed.username().is_empty() {
                client = client.with_user(decoded(parsed.username()));
            }
            if let Some(password) = parsed.password() {
                client = client.with_password(decoded(password));
            }
            let name = format!("warehouse clickhouse://{host}:{}", parsed.port().unwrap_or(8123));
            Tables::of(client, name, address, database, None).await
        }
        _ => Err(bad("the URL has a scheme that is not known")),
    }
}

/// A part of a URL without its percent signs.
fn decoded(part: &str) -> String {
    // `+` means itself in this part of a URL.
    let query = format!("p={}", part.replace('+', "%2B").replace('&', "%26"));
    let value = url::form_urlencoded::parse(query.as_bytes()).next().map(|(_, value)| value.into_owned());
    value.unwrap_or_default()
}

impl Tables {
    async fn of(
        client: Client,
        name: String,
        address: String,
        database: String,
        owner: Option<owner::Owner>,
    ) -> Result<Tables> {
        let client = client.with_compression(Compression::None);
        let create = format!("CREATE DATABASE IF NOT EXISTS {}", engine::request::identifier(&database));
        client.query_raw(&create).execute().await.map_err(|error| failure::error_of(&name, error))?;
        let shared = Shared {
            name,
            address,
            engine_pid: owner.as_ref().and_then(|owner| owner.pid),
            owner: Mutex::new(owner),
            database: database.clone(),
        };
        Ok(Tables { client: client.with_database(database), shared: Arc::new(shared) })
    }

    /// The client, bound to the database: `tables.client().query("SELECT …").bind(…).fetch_all::<R>()`.
    /// [`Tables::error`] maps its errors.
    pub fn client(&self) -> &Client {
        &self.client
    }

    pub fn database(&self) -> &str {
        &self.shared.database
    }

    /// Where ClickHouse's HTTP protocol is spoken: `http://HOST:PORT`.
    pub fn address(&self) -> &str {
        &self.shared.address
    }

    /// The engine's process, where it is on this machine: for accounting of its memory and CPU apart.
    pub fn engine_pid(&self) -> Option<u32> {
        self.shared.engine_pid
    }

    /// Maps an error of the client; the object is the warehouse.
    pub fn error(&self, error: clickhouse::error::Error) -> Error {
        failure::error_of(&self.shared.name, error)
    }

    /// Runs one statement that answers nothing. `?` has no meaning in it.
    pub async fn execute(&self, sql: &str) -> Result<()> {
        self.client.query_raw(sql).execute().await.map_err(|error| self.error(error))
    }

    /// All rows of a question without bound values.
    pub async fn fetch_all<R>(&self, sql: &str) -> Result<Vec<R>>
    where
        R: RowOwned + RowRead,
    {
        self.client.query_raw(sql).fetch_all().await.map_err(|error| self.error(error))
    }

    pub async fn ping(&self) -> Result<()> {
        self.execute("SELECT 1").await
    }

    /// Such as `26.7.2.1`.
    pub async fn version(&self) -> Result<String> {
        self.client.query_raw("SELECT version()").fetch_one().await.map_err(|error| self.error(error))
    }

    /// Inserts rows as one block of a table, and tries again while the warehouse says that this may help. `token` names
    /// the block: a table with `non_replicated_deduplication_window` (or a replicated one) drops the block when it
    /// already has it. That saves work; correctness must not rest on it.
    pub async fn insert<R>(&self, table: &str, token: &str, rows: &[R]) -> Result<()>
    where
        R: RowOwned + Serialize + for<'a> Row<Value<'a> = R>,
    {
        if rows.is_empty() {
            return Ok(());
        }
        let mut wait = INSERT_WAIT;
        let mut tries = 1;
        loop {
            match self.insert_once(table, token, rows).await {
                Err(error) if error.is_retry() && tries < INSERT_TRIES => {
                    tracing::warn!(table, error = %error, tries, "insert will be tried again");
                }
                outcome => return outcome,
            }
            SystemClock.sleep(wait).await;
            wait *= 2;
            tries += 1;
        }
    }

    async fn insert_once<R>(&self, table: &str, token: &str, rows: &[R]) -> Result<()>
    where
        R: RowOwned + Serialize + for<'a> Row<Value<'a> = R>,
    {
        let failed = |error| failure::error_of(&format!("table {table} of {}", self.shared.name), error);
        let mut insert = self
            .client
            .insert::<R>(table)
            .await
            .map_err(failed)?
            .with_timeouts(Some(SEND_WITHIN), Some(END_WITHIN))
            .with_setting("insert_deduplication_token", token);
        for row in rows {
            insert.write(row).await.map_err(failed)?;
        }
        insert.end().await.map_err(failed)
    }

    /// Ends the engine if this process started it, and waits for that. Other clones cannot be used after.
    pub async fn close(&self) -> Result<()> {
        let owner = self.shared.owner.lock().unwrap_or_else(PoisonError::into_inner).take();
        match owner {
            Some(owner) => owner.close().await,
            None => Ok(()),
        }
    }
}
