//! Opening the endpoints that the configuration names, or their embedded twins under the data directory.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use linli_connectors::blobs::{self, SharedBlobs};
use linli_connectors::clock::{SharedClock, SystemClock};
use linli_connectors::log::{self, EventLog, SharedLog, TopicSpec};
use linli_connectors::random::{SharedRandom, SystemRandom};
use linli_connectors::serving::{self, SharedServing};
use linli_connectors::tables::{self, Tables};
use linli_schemas::Topic;
use linli_schemas::zone::Zone;
use linli_warehouse::Warehouse;

use crate::config::{Config, redacted};
use crate::failure::{Failure, Kind, Outcome};

/// What every command works with.
pub struct Parts {
    pub config: Config,
    pub zone: Zone,
    pub clock: SharedClock,
    pub random: SharedRandom,
    data_dir: DataDir,
}

enum DataDir {
    Kept(PathBuf),
    Temporary(tempfile::TempDir),
}

/// A warehouse that is open: the connection that owns it, and the way to its tables.
pub struct OpenWarehouse {
    pub tables: Tables,
    pub warehouse: Warehouse,
}

impl Parts {
    pub fn new(config: Config) -> Outcome<Parts> {
        let zone = config.zone()?;
        let data_dir = data_dir(&config.data_dir)?;
        Ok(Parts { config, zone, clock: Arc::new(SystemClock), random: Arc::new(SystemRandom::new()), data_dir })
    }

    pub fn data_dir(&self) -> &Path {
        match &self.data_dir {
            DataDir::Kept(path) => path,
            DataDir::Temporary(folder) => folder.path(),
        }
    }

    /// The URL in the configuration, or the embedded twin's.
    fn url(&self, configured: &str, scheme: &str, folder: &str) -> String {
        if configured.is_empty() {
            format!("{scheme}://{}", self.data_dir().join(folder).display())
        } else {
            configured.to_owned()
        }
    }

    pub fn log_url(&self) -> String {
        self.url(&self.config.log.url, "file", "log")
    }

    pub fn blobs_url(&self) -> String {
        self.url(&self.config.blobs.url, "file", "blobs")
    }

    pub fn warehouse_url(&self) -> String {
        self.url(&self.config.warehouse.url, "chdb", "warehouse")
    }

    pub fn serving_url(&self) -> String {
        if self.config.serving.url.is_empty() { "memory://".to_owned() } else { self.config.serving.url.clone() }
    }

    pub async fn log(&self) -> Outcome<SharedLog> {
        self.open_log(&self.log_url()).await
    }

    /// The log for a writer that hands over whole batches and waits for each: the client need not wait for more. With a
    /// `transactional_id` each batch is a Kafka transaction, where the log is Kafka.
    pub async fn log_for_batches(&self, transactional_id: Option<&str>) -> Outcome<SharedLog> {
        let mut url = self.log_url();
        if url.starts_with("kafka:") {
            let mut set = |key: &str, value: &str| {
                if !url.contains(&format!("{key}=")) {
                    let separator = if url.contains('?') { '&' } else { '?' };
                    url.push_str(&format!("{separator}{key}={value}"));
                }
            };
            set("linger.ms", "0");
            if let Some(id) = transactional_id {
                set("transactional.id", id);
            }
        }
        self.open_log(&url).await
    }

    /// [`Parts::log_for_batches`] in the process that has opened `log`: an embedded one is shared. Without transactions:
    /// what drains a log waits for its end, and their markers move it.
    pub async fn log_beside(&self, log: &SharedLog) -> Outcome<SharedLog> {
        if self.log_url().starts_with("kafka:") { self.log_for_batches(None).await } else { Ok(SharedLog::clone(log)) }
    }

    pub fn log_options(&self) -> log::OpenOptions {
        log::OpenOptions {
            namespace: self.config.namespace.clone(),
            data_dir: Some(self.data_dir().to_owned()),
            client_id: "linli".to_owned(),
            clock: Arc::clone(&self.clock),
        }
    }

    async fn open_log(&self, url: &str) -> Outcome<SharedLog> {
        Ok(log::open(url, self.log_options()).await?)
    }

    /// The log, with every topic of ours on it.
    pub async fn log_with_topics(&self) -> Outcome<SharedLog> {
        let log = self.log().await?;
        create_topics(&*log, self.config.partitions).await?;
        Ok(log)
    }

    pub async fn blobs(&self) -> Outcome<SharedBlobs> {
        let options =
            blobs::OpenOptions { namespace: self.config.namespace.clone(), data_dir: Some(self.data_dir().to_owned()) };
        Ok(blobs::open(&self.blobs_url(), options).await?)
    }

    pub async fn serving(&self) -> Outcome<SharedServing> {
        let options = serving::OpenOptions {
            namespace: self.config.namespace.clone(),
            clock: Arc::clone(&self.clock),
            random: Arc::clone(&self.random),
        };
        Ok(serving::open(&self.serving_url(), options).await?)
    }

    /// The warehouse; for `chdb://` its engine is started in a process of its own unless somebody runs it already.
    pub async fn warehouse(&self) -> Outcome<OpenWarehouse> {
        let url = self.warehouse_url();
        let options = tables::OpenOptions {
            namespace: self.config.namespace.clone(),
            data_dir: Some(self.data_dir().to_owned()),
            engine: Some(engine_command()?),
        };
        let tables = tables::open(&url, options).await?;
        let warehouse = Warehouse::new(tables.client().clone(), format!("warehouse {}", redacted(&url)));
        Ok(OpenWarehouse { tables, warehouse })
    }

    /// A warehouse engine of its own in a directory, beside the warehouse.
    pub async fn engine_in(&self, dir: &Path) -> Outcome<OpenWarehouse> {
        let url = format!("chdb://{}", dir.display());
        let options = tables::OpenOptions { namespace: String::new(), data_dir: None, engine: Some(engine_command()?) };
        let tables = tables::open(&url, options).await?;
        let warehouse = Warehouse::new(tables.client().clone(), format!("warehouse engine in {}", dir.display()));
        Ok(OpenWarehouse { tables, warehouse })
    }

    /// The shop's first server, whose database holds the tables that are not split.
    pub fn shop_server(&self) -> Outcome<linli_simulator::sql::Server> {
        let url = self.config.shop.url.split_whitespace().next().unwrap_or_default();
        if url.starts_with("shop:") {
            return Err(Failure::new(Kind::Config, format!("the simulated shop {url} has no tables on a server"))
                .hint("name the shop's server with --shop mysql://USER:PASSWORD@HOST:PORT"));
        }
        Ok(linli_simulator::sql::Server::parse(url)?)
    }

    /// A connection to [`Parts::shop_server`], and what errors call it.
    pub async fn shop_database(&self) -> Outcome<(mysql_async::Conn, String)> {
        let server = self.shop_server()?;
        let conn = server.connect().await.map_err(|error| {
            Failure::new(Kind::Unavailable, format!("{}: {error}", server.name()))
                .hint("check that the server is up; the command can be started again")
        })?;
        Ok((conn, server.name()))
    }

    /// [`Parts::warehouse`], brought to this version.
    pub async fn migrated_warehouse(&self) -> Outcome<OpenWarehouse> {
        let open = self.warehouse().await?;
        linli_warehouse::migrate(&open.warehouse).await?;
        Ok(open)
    }
}

/// This program, asked to be the engine of a directory.
fn engine_command() -> Outcome<tables::EngineCommand> {
    let program = std::env::current_exe()
        .map_err(|error| Failure::new(Kind::Internal, format!("the path of this program is not known: {error}")))?;
    Ok(tables::EngineCommand { program, args: vec!["warehouse".into(), "engine".into()] })
}

pub async fn create_topics(log: &dyn EventLog, partitions: u32) -> Outcome {
    let specs: Vec<TopicSpec> = Topic::ALL
        .into_iter()
        .map(|topic| TopicSpec { name: topic.name().to_owned(), partitions, compacted: topic.compacted() })
        .collect();
    Ok(log.create_topics(&specs).await?)
}

fn data_dir(configured: &Path) -> Outcome<DataDir> {
    if configured.as_os_str().is_empty() {
        let folder = tempfile::Builder::new()
            .prefix("linli-")
            .tempdir()
            .map_err(|error| Failure::new(Kind::Config, format!("no temporary directory can be made: {error}")))?;
        return Ok(DataDir::Temporary(folder));
    }
    let failed = |error: std::io::Error| {
        Failure::new(Kind::Config, format!("data directory {}: {error}", configured.display()))
            .hint("name a directory that can be written with --data-dir")
    };
    std::fs::create_dir_all(configured).map_err(failed)?;
    let absolute = std::fs::canonicalize(configured).map_err(failed)?;
    Ok(DataDir::Kept(absolute))
}
