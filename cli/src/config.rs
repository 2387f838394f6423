//! The configuration: one struct, from the embedded defaults, a file, the environment and flags.
//!
//! The only place that reads them. Parts get typed values passed in.

use std::path::{Path, PathBuf};
use std::time::Duration;

use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use linli_connectors::log::RECORD_BYTES_MAX;
use linli_ingest::cdc::{ColumnAction, MaskStyle};
use linli_schemas::zone::Zone;
use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Kind};

const DEFAULTS: &str = include_str!("../default.toml");

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub namespace: String,
    pub data_dir: PathBuf,
    pub partitions: u32,
    pub zone: String,
    pub log: Endpoint,
    pub serving: Endpoint,
    pub warehouse: Endpoint,
    pub blobs: Endpoint,
    pub shop: Endpoint,
    pub jobs: Jobs,
    pub loader: Loader,
    pub collect: Collect,
    pub cdc: Cdc,
    pub metrics: Metrics,
    pub serve: Serve,
    pub forecast: Forecast,
    pub mail: Mail,
    pub simulator: Simulator,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// May hold a password: print it through [`redacted`] only.
    pub url: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jobs {
    pub group: String,
    pub out_of_orderness: Span,
    pub lateness: Span,
    pub ahead: Span,
    pub epoch_interval: Span,
    pub catch_up_interval: Span,
    pub catch_up_records: u64,
    pub idle_after: Span,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Loader {
    pub interval: Span,
    pub rows_max: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Collect {
    pub listen: String,
    pub origins: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cdc {
    pub databases: String,
    pub tables: String,
    pub exclude: String,
    pub route: String,
    pub topic_prefix: String,
    pub canal: Vec<String>,
    /// Column by logical table.
    pub soft_deletes: std::collections::BTreeMap<String, String>,
    pub tombstones: bool,
    pub transactions: bool,
    pub server_id: u32,
    pub heartbeat: Span,
    pub save_interval: Span,
    pub snapshot_workers: usize,
    pub snapshot_chunk_rows: usize,
    pub reread_altered: bool,
    pub record_mib_max: usize,
    pub hash_key_file: PathBuf,
    /// A secret: never printed.
    pub hash_key: String,
    pub keys: std::collections::BTreeMap<String, String>,
    pub columns: Vec<CdcColumn>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CdcColumn {
    /// Pattern for the whole `logical_table.column`.
    pub column: String,
    pub action: CdcAction,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CdcAction {
    Keep,
    Drop,
    Hash,
    MaskPhone,
    MaskName,
    MaskAddress,
    MaskFull,
}

impl From<CdcAction> for ColumnAction {
    fn from(action: CdcAction) -> ColumnAction {
        match action {
            CdcAction::Keep => ColumnAction::Keep,
            CdcAction::Drop => ColumnAction::Drop,
            CdcAction::Hash => ColumnAction::Hash,
            CdcAction::MaskPhone => ColumnAction::Mask(MaskStyle::Phone),
            CdcAction::MaskName => ColumnAction::Mask(MaskStyle::Name),
            CdcAction::MaskAddress => ColumnAction::Mask(MaskStyle::Address),
            CdcAction::MaskFull => ColumnAction::Mask(MaskStyle::Full),
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metrics {
    pub listen: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Serve {
    pub listen: String,
}

/// The nightly run.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forecast {
    pub database: String,
    pub policy: PolicyName,
    pub horizon: usize,
    pub publish_days: usize,
    pub goodwill_percent: i64,
    pub holding_e4: i64,
    pub service_level: f64,
    pub sell_through: f64,
    pub guard_multiple: f64,
    pub holiday_calendar: HolidayCalendar,
    pub holidays: Vec<String>,
}

/// The suppliers' mail and the page on which they answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mail {
    /// May hold a password: print it through [`redacted`] only.
    pub url: String,
    /// A secret: never printed.
    pub password: String,
    pub from: String,
    pub reply_to: String,
    pub language: String,
    pub remind_before: Span,
    pub timeout: Span,
    pub link: String,
    pub link_readable: Span,
    pub key_file: PathBuf,
    /// A secret: never printed.
    pub key: String,
    pub listen: String,
}

/// Whose public holidays are known without being named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HolidayCalendar {
    China,
    None,
}

/// How order quantities are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyName {
    /// The quantile of demand at which a piece more costs as much as a piece less.
    Newsvendor,
    /// 1.2 times what ARIMA(1,1,1) on seven days expects of three days.
    Document,
}

impl Forecast {
    /// Names the settings that change an order.
    pub fn fingerprint(&self) -> String {
        format!(
            "{}-{}-{}-{}-{}",
            self.goodwill_percent, self.holding_e4, self.service_level, self.sell_through, self.guard_multiple
        )
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Simulator {
    pub seed: u64,
    pub communities: u32,
    pub orders_per_day: u32,
}

/// A duration written as people write it: `"10s"`, `"24h"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub Duration);

impl Span {
    pub fn ms(self) -> i64 {
        i64::try_from(self.0.as_millis()).unwrap_or(i64::MAX)
    }
}

impl Serialize for Span {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_duration(self.0))
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Span, D::Error> {
        let text = String::deserialize(deserializer)?;
        humantime::parse_duration(&text)
            .map(Span)
            .map_err(|error| serde::de::Error::custom(format!("\"{text}\" is not a duration like \"10s\": {error}")))
    }
}

/// What flags say; `None` leaves the setting to the file, the environment or the default.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Overrides {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_dir: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partitions: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    #[serde(flatten)]
    pub nested: std::collections::BTreeMap<String, std::collections::BTreeMap<String, serde_json::Value>>,
}

impl Overrides {
    pub fn set(&mut self, table: &str, key: &str, value: impl Serialize) {
        if let Ok(value) = serde_json::to_value(value) {
            self.nested.entry(table.to_owned()).or_default().insert(key.to_owned(), value);
        }
    }
}

impl Config {
    pub fn load(file: Option<&Path>, overrides: &Overrides) -> Result<Config, Failure> {
        let mut figment = Figment::from(Toml::string(DEFAULTS));
        if let Some(file) = file {
            if !file.is_file() {
                return Err(Failure::new(Kind::Config, format!("configuration file {} is not there", file.display())));
            }
            figment = figment.merge(Toml::file_exact(file));
        }
        let config: Config = figment
            .merge(Env::prefixed("LINLI__").split("__"))
            .merge(Serialized::defaults(overrides))
            .extract()
            .map_err(|error| {
                Failure::new(Kind::Config, format!("configuration: {error}"))
                    .hint("`linli config show` prints every setting with its value")
            })?;
        config.validate()?;
        Ok(config)
    }

    fn validate(&self) -> Result<(), Failure> {
        if !(1..=1024).contains(&self.partitions) {
            return Err(Failure::new(Kind::Config, format!("partitions = {}: must be 1 to 1024", self.partitions)));
        }
        let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if !self.namespace.chars().all(valid) || self.namespace.len() > 48 {
            return Err(Failure::new(
                Kind::Config,
                format!("namespace \"{}\": only a-z, 0-9 and _ and at most 48 of them", self.namespace),
            ));
        }
        let longest = RECORD_BYTES_MAX >> 20;
        if !(1..=longest).contains(&self.cdc.record_mib_max) {
            let found = self.cdc.record_mib_max;
            return Err(Failure::new(Kind::Config, format!("cdc.record_mib_max = {found}: must be 1 to {longest}")));
        }
        self.zone()?;
        Ok(())
    }

    pub fn zone(&self) -> Result<Zone, Failure> {
        Zone::parse(&self.zone).map_err(|error| {
            Failure::new(Kind::Config, error.to_string()).hint("write it as in Asia/Shanghai or Europe/Berlin")
        })
    }

    /// The settings as TOML, passwords hidden.
    pub fn to_toml(&self) -> Result<String, Failure> {
        let mut shown = self.clone();
        shown.mail.url = redacted(&shown.mail.url);
        for secret in [&mut shown.mail.password, &mut shown.mail.key] {
            if !secret.is_empty() {
                *secret = "***".to_owned();
            }
        }
        for endpoint in [&mut shown.log, &mut shown.serving, &mut shown.warehouse, &mut shown.blobs, &mut shown.shop] {
            // The shop may name several servers.
            endpoint.url = endpoint.url.split_whitespace().map(redacted).collect::<Vec<_>>().join(" ");
        }
        if !shown.cdc.hash_key.is_empty() {
            shown.cdc.hash_key = "***".to_owned();
        }
        toml::to_string(&shown).map_err(|error| Failure::new(Kind::Config, format!("configuration: {error}")))
    }
}

/// A URL for people: the password and the values of its query are `***`.
pub fn redacted(url: &str) -> String {
    let Ok(mut parsed) = url::Url::parse(url) else {
        return without_password(url);
    };
    if parsed.password().is_some() {
        // Fails only for URLs that cannot have one.
        let _ = parsed.set_password(Some("***"));
    }
    let keys: Vec<String> = parsed.query_pairs().map(|(key, _)| key.into_owned()).collect();
    if !keys.is_empty() {
        parsed.query_pairs_mut().clear().extend_pairs(keys.iter().map(|key| (key.as_str(), "***")));
    }
    parsed.to_string()
}

/// For what is no URL, such as a list of hosts: whatever stands between scheme and hosts is hidden.
fn without_password(text: &str) -> String {
    match (text.split_once("://"), text.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, hosts))) => format!("{scheme}://***@{hosts}"),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_override_defaults_and_unknown_settings_are_refused() {
        let mut overrides = Overrides { partitions: Some(3), ..Overrides::default() };
        overrides.set("jobs", "lateness", "60s");
        let config = Config::load(None, &overrides).unwrap();
        assert_eq!(config.partitions, 3);
        assert_eq!(config.jobs.lateness.ms(), 60_000);
        assert_eq!(config.jobs.out_of_orderness.ms(), 5_000);

        overrides.set("jobs", "latness", "60s");
        let error = Config::load(None, &overrides).unwrap_err();
        assert!(error.to_string().contains("latness"), "{error}");
    }

    #[test]
    fn values_that_cannot_be_are_refused_with_their_name() {
        for (overrides, expected) in [
            (Overrides { partitions: Some(0), ..Overrides::default() }, "partitions"),
            (Overrides { zone: Some("Asia/Nowhere".into()), ..Overrides::default() }, "Asia/Nowhere"),
            (Overrides { namespace: Some("a.b".into()), ..Overrides::default() }, "namespace"),
        ] {
            let error = Config::load(None, &overrides).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        }
    }

    #[test]
    fn captured_tables_are_those_that_the_library_captures() {
        let config = Config::load(None, &Overrides::default()).unwrap();
        let library = linli_ingest::cdc::CdcOptions::default();
        assert_eq!(
            (config.cdc.databases, config.cdc.tables, config.cdc.exclude),
            (library.databases, library.tables, library.exclude)
        );
    }

    #[test]
    fn secrets_are_never_shown() {
        let mut overrides = Overrides::default();
        overrides.set("warehouse", "url", "clickhouse://reader:s3cret@db:8123?token=t0ken");
        overrides.set("mail", "url", "smtp://orders:s3cret@mail?ca=/t0ken");
        overrides.set("mail", "password", "s3cret");
        overrides.set("mail", "key", "t0ken");
        let shown = Config::load(None, &overrides).unwrap().to_toml().unwrap();
        assert!(shown.contains("smtp://orders:***@mail"), "{shown}");
        assert!(shown.contains("reader:***@db:8123"), "{shown}");
        assert!(!shown.contains("s3cret") && !shown.contains("t0ken"), "{shown}");
        assert_eq!(redacted("mysql://reader:s3@cret@a:1,b:2#shop"), "mysql://***@a:1,b:2#shop");
    }
}
