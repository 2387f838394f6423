//! Which tables are followed, to which topic they go, under which key, and what becomes of their columns.

use std::sync::Arc;

use linli_binlog::{ColumnRule, Table};
use linli_connectors::{Error, ErrorKind};
use regex::Regex;

use super::catalog::Known;
use super::options::{CdcOptions, ColumnAction};

pub struct Router {
    databases: Regex,
    tables: Regex,
    exclude: Regex,
    route: Regex,
    columns: Vec<(Regex, ColumnAction)>,
    options: Arc<CdcOptions>,
}

/// Where a table's changes go.
#[derive(Clone, Debug)]
pub struct Route {
    pub topic: Arc<str>,
    pub format: Format,
    pub key: Key,
    pub rules: Vec<ColumnRule>,
    /// The column that marks deleted rows.
    pub mark: Option<usize>,
    /// The column that tells until when a row held, of tables that keep old rows.
    pub history: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Debezium,
    Canal,
}

/// What a record's key is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// One column's value as text.
    Column(usize),
    /// An object of column and value.
    Columns(Vec<usize>),
    /// A table without a primary key: all its rows under its name, so that they stay in order.
    Table,
}

impl Router {
    pub fn new(options: Arc<CdcOptions>) -> Result<Router, Error> {
        let columns = options.columns.iter().map(|setting| {
            if setting.action == ColumnAction::Hash && options.hash_key.is_empty() {
                return Err(Error::new(
                    ErrorKind::Config,
                    "cdc.columns",
                    format!("{} is to be hashed without a key", setting.column),
                )
                .hint("name a file with the key by cdc.hash_key_file, or set LINLI__CDC__HASH_KEY"));
            }
            Ok((whole("cdc.columns", &setting.column)?, setting.action))
        });
        Ok(Router {
            databases: whole("cdc.databases", &options.databases)?,
            tables: whole("cdc.tables", &options.tables)?,
            exclude: whole("cdc.exclude", &options.exclude)?,
            route: pattern("cdc.route", &options.route)?,
            columns: columns.collect::<Result<_, _>>()?,
            options,
        })
    }

    pub fn follows_database(&self, db: &str) -> bool {
        self.databases.is_match(db)
    }

    pub fn follows(&self, db: &str, table: &str) -> bool {
        self.databases.is_match(db) && {
            let full = format!("{db}.{table}");
            self.tables.is_match(&full) && !self.exclude.is_match(&full)
        }
    }

    /// The zone in which texts tell instants.
    pub fn zone(&self) -> linli_schemas::zone::Zone {
        self.options.zone
    }

    /// The table that physical tables are shards of.
    pub fn logical<'t>(&self, table: &'t str) -> &'t str {
        let group = self.route.captures(table).and_then(|captures| captures.get(1));
        group.map(|group| group.as_str()).filter(|name| !name.is_empty()).unwrap_or(table)
    }

    pub fn topic(&self, table: &str) -> String {
        let logical = self.logical(table);
        let allowed = |c: char| {
            if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '_' }
        };
        format!("{}{}", self.options.topic_prefix, logical.chars().map(allowed).collect::<String>())
    }

    /// As [`Router::route`], of a table that may keep its old rows.
    pub fn route_of(&self, known: &Known) -> Route {
        let mut route = self.route(&known.table);
        if let Some(history) = &known.history {
            route.history = known.table.column(&history.end);
            let shown = route.rules.len().saturating_sub(history.hidden_columns());
            route.rules.iter_mut().skip(shown).for_each(|rule| *rule = ColumnRule::Drop);
        }
        route
    }

    pub fn route(&self, table: &Table) -> Route {
        let logical = self.logical(&table.name);
        let topic = self.topic(&table.name);
        let routing = self.options.keys.get(logical).and_then(|column| table.column(column));
        let key = match (routing, table.primary_key.as_slice()) {
            (Some(column), _) => Key::Column(column),
            (None, []) => Key::Table,
            (None, [column]) => Key::Column(*column),
            (None, columns) => Key::Columns(columns.to_vec()),
        };
        let rules = table.columns.iter().map(|column| self.rule(logical, &column.name)).collect();
        let format = if self.options.canal.contains(&topic) { Format::Canal } else { Format::Debezium };
        let mark = self.options.soft_deletes.get(logical).and_then(|column| table.column(column));
        Route { topic: topic.into(), format, key, rules, mark, history: None }
    }

    fn rule(&self, logical: &str, column: &str) -> ColumnRule {
        let name = format!("{logical}.{column}");
        let action = self.columns.iter().find(|(pattern, _)| pattern.is_match(&name)).map(|(_, action)| *action);
        match action {
            None | Some(ColumnAction::Keep) => ColumnRule::Keep,
            Some(ColumnAction::Drop) => ColumnRule::Drop,
            Some(ColumnAction::Mask(style)) => ColumnRule::Mask(style),
            Some(ColumnAction::Hash) => ColumnRule::Hash { key: self.options.hash_key.clone() },
        }
    }
}

fn whole(setting: &str, text: &str) -> Result<Regex, Error> {
    pattern(setting, &format!("^(?:{text})$"))
}

fn pattern(setting: &str, text: &str) -> Result<Regex, Error> {
    Regex::new(text).map_err(|error| {
        Error::new(ErrorKind::Config, setting, format!("{text:?} is no pattern: {error}"))
            .hint("patterns are regular expressions, as in shop_\\d+")
    })
}

#[cfg(test)]
mod tests {
    use linli_binlog::{Column, ColumnType};

    use super::*;

    fn table(db: &str, name: &str, columns: &[&str], primary_key: &[usize]) -> Table {
        let column = |name: &&str| Column {
            name: (*name).to_owned(),
            kind: ColumnType::Integer { bytes: 8, unsigned: false },
            nullable: true,
            generated: false,
            default: Default::default(),
        };
        Table {
            db: db.to_owned(),
            name: name.to_owned(),
            columns: columns.iter().map(column).collect(),
            primary_key: primary_key.to_vec(),
        }
    }

    #[test]
    fn shards_share_a_topic_and_orders_go_by_community() {
        let router = Router::new(Arc::new(CdcOptions::default())).unwrap();
        for (db, name, follows) in [
            ("shop_0", "orders_12", true),
            ("shop", "users", true),
            ("shop_0", "_orders_1_gho", false),
            ("mysql", "user", false),
            ("my_shop_0", "orders_1", false),
        ] {
            assert_eq!(router.follows(db, name), follows, "{db}.{name}");
        }
        for table in linli_schemas::shop::TABLES {
            let own = table.owner == linli_schemas::shop::Owner::Linli;
            assert_eq!(router.follows("shop_0", table.name), !own, "{}", table.name);
        }
        let orders = router.route(&table("shop_1", "orders_12", &["order_id", "community_id", "phone"], &[0]));
        assert_eq!((&*orders.topic, &orders.key), ("shop.orders", &Key::Column(1)));
        assert_eq!(orders.rules[2], ColumnRule::Mask(linli_binlog::MaskStyle::Phone));
        let stock = router.route(&table("shop_0", "stock", &["warehouse_id", "sku_id", "community_id"], &[0, 1]));
        assert_eq!((&*stock.topic, &stock.key), ("shop.stock", &Key::Columns(vec![0, 1])));
        assert_eq!(router.route(&table("shop_0", "notes", &["a"], &[])).key, Key::Table);
    }

    #[test]
    fn settings_that_cannot_be_are_refused_by_name() {
        let options = CdcOptions { databases: "shop_(".to_owned(), ..CdcOptions::default() };
        let error = Router::new(Arc::new(options)).err().unwrap();
        assert!(error.to_string().contains("cdc.databases"), "{error}");
        let mut options = CdcOptions::default();
        options.columns[0].action = ColumnAction::Hash;
        assert!(Router::new(Arc::new(options)).err().unwrap().hint.unwrap().contains("hash_key"));
    }
}
