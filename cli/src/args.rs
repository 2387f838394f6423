//! The command line: nouns and verbs, and the flags that override settings.

use std::path::PathBuf;

use chrono::NaiveDate;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::{Overrides, PolicyName};

/// Linli (邻里): analytics for community group buying. 社区团购实时分析。
#[derive(Debug, Parser)]
#[command(name = "linli", version, propagate_version = true, max_term_width = 110)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Args, Debug)]
pub struct Global {
    /// Settings as TOML; flags and the environment (LINLI__LOG__URL=…) override it.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The event log: kafka://HOST:PORT, file:///DIR or memory://.
    #[arg(long, global = true, value_name = "URL")]
    pub log: Option<String>,
    /// The serving store: redis://HOST:PORT or memory://.
    #[arg(long, global = true, value_name = "URL")]
    pub serving: Option<String>,
    /// The warehouse: clickhouse://HOST:PORT or chdb:///DIR.
    #[arg(long, global = true, value_name = "URL")]
    pub warehouse: Option<String>,
    /// Checkpoints and lake: file:///DIR, memory:// or s3://BUCKET/PREFIX.
    #[arg(long, global = true, value_name = "URL")]
    pub blobs: Option<String>,
    /// The shop: shop:// (simulated) or mysql://USER:PASSWORD@HOST:PORT[,HOST:PORT], once for each server with its replicas.
    #[arg(long, global = true, value_name = "URL")]
    pub shop: Vec<String>,
    /// Where the embedded endpoints live; a temporary directory when absent.
    #[arg(long, global = true, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// A prefix of topics, keys, databases and blobs.
    #[arg(long, global = true, value_name = "NAME")]
    pub namespace: Option<String>,
    /// Partitions of every topic.
    #[arg(long, global = true, value_name = "N")]
    pub partitions: Option<u32>,
    /// The business's time zone, as in Asia/Shanghai.
    #[arg(long, global = true, value_name = "ZONE")]
    pub zone: Option<String>,
    /// How long a complete window may still be corrected, as in 24h.
    #[arg(long, global = true, value_name = "DURATION")]
    pub lateness: Option<String>,
    /// Print results as JSON on stdout.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to log on stderr: error, warn, info, debug, or a filter like linli_stream_runtime=debug.
    #[arg(long, global = true, value_name = "FILTER", env = "LINLI_LOG", hide_env = true)]
    pub verbosity: Option<String>,
}

impl Global {
    pub fn overrides(&self) -> Overrides {
        let mut overrides = Overrides {
            namespace: self.namespace.clone(),
            data_dir: self.data_dir.clone(),
            partitions: self.partitions,
            zone: self.zone.clone(),
            ..Overrides::default()
        };
        let endpoints =
            [("log", &self.log), ("serving", &self.serving), ("warehouse", &self.warehouse), ("blobs", &self.blobs)];
        for (name, url) in endpoints {
            if let Some(url) = url {
                overrides.set(name, "url", url);
            }
        }
        if !self.shop.is_empty() {
            overrides.set("shop", "url", self.shop.join(" "));
        }
        if let Some(lateness) = &self.lateness {
            overrides.set("jobs", "lateness", lateness);
        }
        overrides
    }
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Everything in one process, embedded, on the simulated shop; with --shop mysql://… it commits on that server.
    Demo(DemoArgs),
    /// Collect clicks, follow the shop's databases.
    #[command(subcommand)]
    Ingest(IngestCommand),
    /// Run the stream jobs.
    #[command(subcommand)]
    Jobs(JobsCommand),
    /// The warehouse's tables and loaders.
    #[command(subcommand)]
    Warehouse(WarehouseCommand),
    /// Fit and forecast demand.
    #[command(subcommand)]
    Forecast(ForecastCommand),
    /// Services of the simulated shop.
    #[command(subcommand)]
    Simulate(SimulateCommand),
    /// Serve the dashboards.
    Serve(ServeArgs),
    /// Import history from NDJSON files, through the whole pipeline.
    Backfill(BackfillArgs),
    /// Records that could not be used.
    #[command(subcommand, name = "dead-letter")]
    DeadLetter(DeadLetterCommand),
    /// Check the configuration and every endpoint.
    Check,
    /// The settings in force.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Measure.
    #[command(subcommand)]
    Bench(BenchCommand),
    /// Completions for a shell.
    Completions { shell: clap_complete::Shell },
}

#[derive(Args, Debug)]
pub struct DemoArgs {
    /// Where the page is served; port 0 takes any free one.
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// The seed of the simulated shop.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Stop after this many seconds; for trying it out in a script.
    #[arg(long, value_name = "SECONDS")]
    pub stop_after: Option<u64>,
}

#[derive(Debug, Subcommand)]
pub enum IngestCommand {
    /// Collect clicks over HTTP.
    Collect(ListenArgs),
    /// Follow the binlogs of the shop's databases.
    Cdc(CdcArgs),
}

#[derive(Args, Debug)]
pub struct CdcArgs {
    /// End when everything is published that is committed now.
    #[arg(long)]
    pub until_caught_up: bool,
    /// Show what is measured on http://ADDRESS/metrics; port 0 takes any free one.
    #[arg(long, value_name = "ADDRESS")]
    pub metrics: Option<String>,
    #[command(subcommand)]
    pub command: Option<CdcCommand>,
}

/// Without one: follow.
#[derive(Debug, Subcommand)]
pub enum CdcCommand {
    /// Read tables anew, between live changes; ends their quarantine.
    Snapshot {
        /// As in shop_0.orders_3.
        #[arg(required = true, value_name = "DATABASE.TABLE")]
        tables: Vec<String>,
    },
    /// Where the readers are, and where they shall go on.
    #[command(subcommand)]
    Position(PositionCommand),
    /// Tables whose changes cannot be followed, and are held.
    #[command(subcommand)]
    Quarantine(QuarantineCommand),
}

#[derive(Debug, Subcommand)]
pub enum QuarantineCommand {
    /// Which tables, since when and why.
    List,
    /// Publish what is held of a table, then go on with it; ends its quarantine. A new snapshot does, too.
    Apply(QuarantineApplyArgs),
}

#[derive(Args, Debug)]
pub struct QuarantineApplyArgs {
    /// As in shop_0.orders_3.
    #[arg(value_name = "DATABASE.TABLE")]
    pub table: String,
    /// The table's CREATE TABLE, as it was from the first held change on that does not fit what is known.
    #[arg(long, value_name = "FILE", conflicts_with = "current_definition")]
    pub definition: Option<PathBuf>,
    /// Take the definition that the server shows now: where the table was not altered again since.
    #[arg(long)]
    pub current_definition: bool,
    /// Only say what it would publish, or at which event it would stop.
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Subcommand)]
pub enum PositionCommand {
    /// The position of each reader against the end of its server's log.
    Show,
    /// Go on at another place; what was between is published twice or never.
    Set(PositionSetArgs),
    /// Begin anew with a snapshot.
    Reset {
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub struct PositionTarget {
    /// As in binlog.000003:154.
    #[arg(long, value_name = "FILE:POS")]
    pub place: Option<String>,
    /// Behind these transactions, written as the server writes them.
    #[arg(long, value_name = "SET")]
    pub gtid: Option<String>,
    /// At the first transaction since then, as in 2026-11-01T08:00:00Z.
    #[arg(long, value_name = "TIME")]
    pub time: Option<String>,
}

#[derive(Args, Debug)]
pub struct PositionSetArgs {
    #[command(flatten)]
    pub target: PositionTarget,
    /// Say what it would skip or repeat, and do nothing.
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Args, Debug)]
pub struct ListenArgs {
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum JobsCommand {
    /// Run them; several processes share the tasks as a consumer group.
    Run,
    /// What each task has read and published, from its epochs.
    Status,
}

#[derive(Debug, Subcommand)]
pub enum WarehouseCommand {
    /// Bring the tables to this version.
    Migrate,
    /// Load results and facts from the log.
    Load,
    /// Ask a named query and print its rows as CSV; without a name, list the queries.
    Query(WarehouseQueryArgs),
    /// Own a chdb directory and serve it on loopback until stdin closes.
    #[command(hide = true)]
    Engine { dir: PathBuf },
}

#[derive(Args, Debug)]
pub struct WarehouseQueryArgs {
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// A parameter of the query, as in from=2026-11-01; may be given several times.
    #[arg(long = "param", value_name = "NAME=VALUE")]
    pub params: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub enum ForecastCommand {
    /// Fit models to series and print coefficients, likelihood and forecasts.
    Fit(ForecastFitArgs),
    /// Forecast at rolling origins of a panel and score what came: quantiles, coverage, and what restocking would have cost.
    Backtest(ForecastBacktestArgs),
    /// The nightly run: from the history of sales and the shop's books to forecasts and order lines.
    Run(ForecastRunArgs),
    /// Show a run from a file to the shop: in MySQL and on the topics, all of it at once.
    Publish(ForecastPublishArgs),
    /// Show the last good run again, or a given one; newer ones are withdrawn.
    Rollback {
        #[arg(value_name = "RUN")]
        run: Option<String>,
    },
    /// Take one run back: nobody acts on it any more, and the shop sees the last good one.
    Withdraw {
        #[arg(value_name = "RUN")]
        run: String,
    },
    /// Mail each supplier its lines of a run, once, until its cut-off.
    Mail(ForecastMailArgs),
    /// Serve the page on which suppliers answer.
    Answers(ForecastAnswersArgs),
}

#[derive(Args, Debug)]
pub struct ForecastMailArgs {
    /// The run whose lines are mailed; the current one where it is not given.
    #[arg(long, value_name = "RUN")]
    pub run: Option<String>,
    /// Where mails go: smtp://USER@HOST, smtps://USER@HOST or file:///DIR; the password is LINLI__MAIL__PASSWORD.
    #[arg(long, value_name = "URL")]
    pub mail: Option<String>,
    /// Who sends, as in orders@example.com.
    #[arg(long, value_name = "ADDRESS")]
    pub from: Option<String>,
    /// Show who would get what, and send nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Try each mail that is due once, and wait for none.
    #[arg(long)]
    pub once: bool,
    /// Stay until the last cut-off, and remind who has not answered.
    #[arg(long, conflicts_with_all = ["once", "dry_run"])]
    pub until_cut_off: bool,
}

#[derive(Args, Debug)]
pub struct ForecastAnswersArgs {
    /// Where the page is served; port 0 takes any free one.
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,
}

#[derive(Args, Debug)]
pub struct ForecastRunArgs {
    /// The local day that has closed. Without it, yesterday until noon, today after.
    #[arg(long, value_name = "DATE")]
    pub date: Option<chrono::NaiveDate>,
    /// How order quantities are found; the setting forecast.policy where it is not given.
    #[arg(long, value_enum)]
    pub policy: Option<PolicyName>,
    /// Write the order lines to this file, one JSON object a line, and publish nothing.
    #[arg(long, value_name = "FILE.ndjson")]
    pub out: Option<PathBuf>,
    /// Run though the warehouse's newest sale is older than the day.
    #[arg(long)]
    pub stale: bool,
    /// Release a line that waits for a person, by warehouse and SKU, with the pieces that are to be ordered where the sum
    /// is not to hold; may be given several times.
    #[arg(long = "release", value_name = "WAREHOUSE/SKU[=PIECES]", requires = "by")]
    pub releases: Vec<String>,
    /// Who releases; it is told with the line.
    #[arg(long, value_name = "NAME", requires = "releases")]
    pub by: Option<String>,
}

#[derive(Args, Debug)]
pub struct ForecastPublishArgs {
    /// Records as on the topics forecast.demand and forecast.restock, one a line; the last is the end of forecast.restock,
    /// with the number of order lines.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Complete runs that are kept to go back to.
    #[arg(long, value_name = "N", default_value_t = linli_restock::publish::RUNS_KEPT)]
    pub keep: usize,
}

#[derive(Args, Debug)]
pub struct ForecastBacktestArgs {
    /// Directory of the panel: series.csv and sales.csv, with calendar.csv and promo_weekly.csv where there are any; each
    /// also gzipped, or as Parquet. Columns x_… of the calendar are numbers that are known ahead, such as days to a feast.
    /// Without it, the daily sales of the warehouse.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Write every forecast to this file: .csv, .csv.gz or .parquet.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Last observed days to forecast after, as in 284,294; or `daily`: every day of the last ten weeks, on which restocking
    /// is simulated. Without it eight, ten days apart, ten days before the end, and for the series that are scored every day
    /// between them.
    #[arg(long, value_name = "DAYS")]
    pub origins: Option<Origins>,
    /// Score all series, not only those that series.csv marks (eval = 1).
    #[arg(long)]
    pub all_series: bool,
    /// Days for which what was learnt is used; levels are those of the day always.
    #[arg(long, value_name = "DAYS", default_value_t = 7)]
    pub refit_days: usize,
    #[arg(long, value_enum, default_value = "default")]
    pub model: BacktestModel,
}

/// Origins of a back-test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    Daily,
    Days(Vec<usize>),
}

impl std::str::FromStr for Origins {
    type Err = String;

    fn from_str(text: &str) -> Result<Origins, String> {
        if text == "daily" {
            return Ok(Origins::Daily);
        }
        let day = |day: &str| day.trim().parse().map_err(|_| format!("\"{day}\" is no day: write 284,294 or daily"));
        text.split(',').map(day).collect::<Result<_, _>>().map(Origins::Days)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BacktestModel {
    /// The pooled profile and trees over all series.
    Default,
    /// The pooled profile alone.
    Pooled,
}

#[derive(Args, Debug)]
pub struct ForecastFitArgs {
    /// Series and models with reference fits, as JSON: every model is fitted, and orders are chosen where asked for.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["data", "order", "seasonal"])]
    pub oracle: Option<PathBuf>,
    /// A table of series (series_id, day, units, or series_id, d0, d1, …) as CSV, also gzipped, or Parquet; or a directory
    /// with sales.csv. A day without a line sold nothing, an empty field is not known. Without it, the daily sales of the
    /// warehouse.
    #[arg(long, value_name = "PATH")]
    pub data: Option<PathBuf>,
    /// p,d,q of the model, as in 1,1,1; without it orders are chosen for each series.
    #[arg(long, value_name = "P,D,Q", value_delimiter = ',')]
    pub order: Option<Vec<usize>>,
    /// P,D,Q of its season.
    #[arg(long, value_name = "P,D,Q", value_delimiter = ',', requires = "order")]
    pub seasonal: Option<Vec<usize>>,
    /// Days of a season.
    #[arg(long, value_name = "DAYS", default_value_t = 7)]
    pub period: usize,
    /// Days to forecast.
    #[arg(long, value_name = "DAYS", default_value_t = 7)]
    pub horizon: usize,
}

#[derive(Debug, Subcommand)]
pub enum SimulateCommand {
    /// The shop's buyer: drafts purchase orders from restock runs, books what suppliers answer, receives the goods.
    Buyer(BuyerArgs),
}

#[derive(Args, Debug)]
pub struct BuyerArgs {
    /// End when all is done that is on the topics now.
    #[arg(long)]
    pub until_caught_up: bool,
    /// Only receive what is expected on this day or before, as in 2026-03-03.
    #[arg(long, value_name = "DATE", conflicts_with = "until_caught_up")]
    pub receive_on: Option<chrono::NaiveDate>,
}

#[derive(Args, Debug)]
pub struct ServeArgs {
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum JobsPlace {
    /// In this process.
    Here,
    /// In `linli jobs run` processes that somebody else started.
    External,
}

#[derive(Args, Debug)]
pub struct BackfillArgs {
    /// NDJSON files (also .gz) in order of time.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Write the answers as CSV into this directory.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// At most this many lines a second.
    #[arg(long, value_name = "LINES_PER_S")]
    pub throttle: Option<u32>,
    /// Where the stream jobs run.
    #[arg(long, value_enum, default_value = "here")]
    pub jobs: JobsPlace,
}

#[derive(Debug, Subcommand)]
pub enum DeadLetterCommand {
    /// List them, newest last.
    List {
        #[arg(long, default_value_t = 50)]
        limit: usize,
        /// Only those with this code: malformed, future or late.
        #[arg(long)]
        code: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print every setting with its value; secrets hidden.
    Show,
}

#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// From a filled log to every result readable.
    Stream(BenchStreamArgs),
    /// From the binlogs of a server to the log, a snapshot of its tables, and how a reader keeps up with writers.
    Cdc(BenchCdcArgs),
    /// Fits a CPU second by model and length, and how good they are.
    Forecast(BenchForecastArgs),
    /// What restocking costs by our policy, by document 1's rule and by the naive one, on the same simulated shop.
    Restock(BenchRestockArgs),
}

#[derive(Args, Clone, Debug)]
pub struct BenchRestockArgs {
    /// Days that are played.
    #[arg(long, value_name = "DAYS", default_value_t = 60)]
    pub days: usize,
    /// Days before them, whose demand every policy knows.
    #[arg(long, value_name = "DAYS", default_value_t = 140)]
    pub history_days: usize,
    /// The first day that is played; the default has Spring Festival within its 60 days.
    #[arg(long, value_name = "DATE", default_value = "2026-01-19")]
    pub from: NaiveDate,
    /// The seed of the simulated shop.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// SKUs, each stocked in two warehouses.
    #[arg(long, value_name = "N", default_value_t = 320)]
    pub skus: u32,
    /// Orders of an ordinary day, of 3.5 pieces each.
    #[arg(long, value_name = "N", default_value_t = 3_000)]
    pub orders_per_day: u32,
    /// Every supplier takes so many days; without it each as the shop's table says, 1 for fresh goods and 1 to 3 for others.
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=14))]
    pub lead_days: Option<u32>,
    /// A shop without limited-time offers.
    #[arg(long)]
    pub without_promotions: bool,
    /// Years without holidays.
    #[arg(long)]
    pub without_holidays: bool,
}

#[derive(Args, Debug)]
pub struct BenchCdcArgs {
    /// Write nothing to the server: leaves out latency, catching up and the snapshot of one table, which need a database
    /// of their own (linli_bench, dropped at the end).
    #[arg(long)]
    pub read_only: bool,
    /// Rows a second while the latency is measured.
    #[arg(long, default_value_t = 1_000, value_name = "ROWS")]
    pub rate: u32,
    /// Seconds for which the latency is measured.
    #[arg(long, default_value_t = 30, value_name = "S")]
    pub seconds: u32,
    /// Seconds for which the reader stands still before it catches up.
    #[arg(long, default_value_t = 60, value_name = "S")]
    pub stopped: u32,
    /// Rows of the table whose snapshot is measured.
    #[arg(long, default_value_t = 1_000_000, value_name = "ROWS")]
    pub table_rows: u64,
}

#[derive(Args, Debug)]
pub struct BenchForecastArgs {
    /// Seconds of CPU time to spend on each model and length.
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0)]
    pub budget: f64,
    /// Series of each model and length whose likelihood is compared with a search from many starts.
    #[arg(long, value_name = "N", default_value_t = 2000)]
    pub compare: usize,
    /// Series of the made-up shop that the default model is measured on.
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    pub demand_series: usize,
    /// The seed of the series.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Write the compared series with parameters and likelihood, one JSON object a line.
    #[arg(long, value_name = "FILE")]
    pub dump: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub struct BenchStreamArgs {
    /// NDJSON in the format of `linli backfill`.
    pub file: PathBuf,
    /// Leave out loading the facts (orders, items, clicks), which is timed apart.
    #[arg(long)]
    pub no_facts: bool,
}
