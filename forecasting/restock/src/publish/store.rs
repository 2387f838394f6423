//! Runs and their rows in MySQL.

use std::fmt::Write as _;

use chrono::NaiveDate;
use linli_schemas::forecast::{Day, DemandStep, LineStatus, RestockLine, RunId, ordered_since};
use linli_schemas::shop::{ORDERS_BY_RUN, Owner, ShopTable, TABLES, VIEWS};
use linli_schemas::zone::Zone;
use mysql_async::prelude::{FromRow, Queryable};
use mysql_async::{Conn, Opts, OptsBuilder, Params, Row, TxOpts, Value};

use super::error::{Error, Result};
use super::{Run, Totals, wall};
use crate::sql::qualified;

/// Rows of one INSERT.
const INSERT_ROWS: usize = 500;
/// Rows of one DELETE: readers and replicas are held up by no more.
const REMOVE_ROWS: u64 = 10_000;
/// Seconds that a publisher waits for one that is ending.
const TAKEN_S: u32 = 15;
/// Nothing of how a server is set up changes what a statement means.
const SESSION: [&str; 3] = [
    "set session sql_mode = 'STRICT_ALL_TABLES'",
    "set session transaction isolation level read committed",
    "set names utf8mb4",
];

const DEMAND_COLUMNS: &str =
    "run, warehouse_id, community_id, sku_id, step_on, model, mean, q10, q25, q50, q75, q80, q90, q95, q99";
const LINE_COLUMNS: &str =
    "run, supplier_id, warehouse_id, community_id, sku_id, quantity, status, reason, must_order_by, needed_by";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Building,
    Complete,
    Withdrawn,
    /// Old; its rows are being removed.
    Removing,
    /// Its rows are gone.
    Removed,
}

impl State {
    pub const fn name(self) -> &'static str {
        match self {
            State::Building => "building",
            State::Complete => "complete",
            State::Withdrawn => "withdrawn",
            State::Removing => "removing",
            State::Removed => "removed",
        }
    }

    fn parse(name: &str) -> Option<State> {
        let all = [State::Building, State::Complete, State::Withdrawn, State::Removing, State::Removed];
        all.into_iter().find(|state| state.name() == name)
    }
}

/// What `restock_runs` tells of a run.
pub struct Known {
    pub state: State,
    pub business_date: NaiveDate,
    pub policy: String,
}

/// What buyers agree with suppliers: tables of the shop that an older one lacks. Empty ones mean what is usual.
const TERMS: [&str; 2] = ["supplier_terms", "supply_terms"];

pub struct Store {
    server: String,
    database: String,
    zone: Zone,
    conn: Conn,
}

impl Store {
    pub async fn open(server: Opts, database: String, zone: Zone) -> Result<Store> {
        let name = format!("mysql://{}:{}", server.ip_or_hostname(), server.tcp_port());
        let opts = OptsBuilder::from_opts(server)
            .prefer_socket(false)
            .stmt_cache_size(16)
            .client_found_rows(true)
            .init(SESSION.to_vec());
        let failed = |source| Error::Sql { server: name.clone(), action: "connect".to_owned(), source };
        let conn = Conn::new(opts).await.map_err(failed)?;
        let mut store = Store { server: name, database, zone, conn };
        let lock = format!("linli.restock.{}", store.database);
        let taken: Option<Option<u8>> = store.first("select get_lock(?, ?)", (lock, TAKEN_S)).await?;
        if taken.flatten() != Some(1) {
            return Err(Error::Taken { server: store.server, database: store.database });
        }
        store.make_tables().await?;
        Ok(store)
    }

    pub async fn close(self) {
        // nothing is open on it any more
        let _ = self.conn.disconnect().await;
    }

    /// Makes those of our tables and views that are missing: a view is not replaced under its readers.
    async fn make_tables(&mut self) -> Result<()> {
        let sql = "select cast(table_name as char), cast(table_type as char) from information_schema.tables \
                   where table_schema = ?";
        let mut there: Vec<String> = Vec::new();
        for (name, kind) in self.all::<(String, String)>(sql, (self.database.clone(),)).await? {
            // The shop's own tables of these names, from before there were views: kept, under another name.
            if kind == "BASE TABLE" && VIEWS.iter().any(|view| view.name == name) {
                let database = &self.database;
                let sql = format!("rename table `{database}`.`{name}` to `{database}`.`{name}_before_views`");
                self.run_sql(&sql, ()).await?;
            } else {
                there.push(name);
            }
        }
        let missing = |name: &str| !there.iter().any(|table| table == name);
        let needed = |table: &ShopTable| table.owner == Owner::Linli || TERMS.contains(&table.name);
        let ours = TABLES.iter().filter(|table| needed(table) && missing(table.name));
        let tables = ours.map(|table| table.create(&self.database, table.name));
        let views = VIEWS.iter().filter(|view| missing(view.name)).map(|view| view.statement(&self.database));
        for sql in tables.chain(views).collect::<Vec<_>>() {
            self.run_sql(&sql, ()).await?;
        }
        Ok(())
    }

    pub async fn insert_run(&mut self, run: &Run, now_ms: i64) -> Result<()> {
        let sql = format!(
            "insert into `{}`.restock_runs (run, business_date, state, policy, policy_version, started_at) \
             values (?, ?, 'building', ?, ?, ?) on duplicate key update run = values(run)",
            self.database
        );
        let date = run.business_date.to_string();
        let values = (run.id.as_str(), date, &run.policy, &run.policy_version, wall(self.zone, now_ms));
        self.run_sql(&sql, values).await
    }

    pub async fn run(&mut self, run: &RunId) -> Result<Known> {
        let sql = format!(
            "select state, cast(business_date as char), policy from `{}`.restock_runs where run = ?",
            self.database
        );
        let row: Option<(String, String, String)> = self.first(&sql, (run.as_str(),)).await?;
        let (state, date, policy) = row.ok_or_else(|| Error::NoRun { run: run.clone() })?;
        let unreadable = |what: &str| self.unreadable(run, "restock_runs", format!("\"{what}\""));
        Ok(Known {
            state: State::parse(&state).ok_or_else(|| unreadable(&state))?,
            business_date: date.parse().map_err(|_| unreadable(&date))?,
            policy,
        })
    }

    pub async fn current(&mut self) -> Result<Option<RunId>> {
        let sql = format!("select run from `{}`.restock_current where one = 1", self.database);
        let run: Option<String> = self.first(&sql, ()).await?;
        run.map(|run| self.run_id(&run)).transpose()
    }

    /// Complete runs, the newest first.
    pub async fn complete_runs(&mut self) -> Result<Vec<RunId>> {
        let sql = format!(
            "select run from `{}`.restock_runs where state = 'complete' order by business_date desc, started_at desc, run desc",
            self.database
        );
        let runs: Vec<String> = self.all(&sql, ()).await?;
        runs.iter().map(|run| self.run_id(run)).collect()
    }

    /// Some run, for an error.
    pub async fn any_run(&mut self) -> Result<RunId> {
        let sql = format!("select coalesce(max(run), 'none') from `{}`.restock_runs", self.database);
        let run: Option<String> = self.first(&sql, ()).await?;
        self.run_id(&run.unwrap_or_default())
    }

    /// A run that others were completed after stays behind them.
    pub async fn refuse_if_overtaken(&mut self, run: &RunId) -> Result<()> {
        let sql = format!(
            "select c.run from `{0}`.restock_runs c join `{0}`.restock_runs r on r.run = ? \
             where c.state = 'complete' and c.run <> r.run \
             and (c.business_date, c.started_at) > (r.business_date, r.started_at) \
             order by c.business_date desc, c.started_at desc limit 1",
            self.database
        );
        let by: Option<String> = self.first(&sql, (run.as_str(),)).await?;
        match by {
            Some(by) => Err(Error::Overtaken { run: run.clone(), by: self.run_id(&by)? }),
            None => Ok(()),
        }
    }

    /// A run that does not know of purchase orders which other runs led to meanwhile would order the same goods again.
    pub async fn refuse_if_ordered_since(&mut self, run: &Run) -> Result<()> {
        let Some(known) = &run.orders_known else { return Ok(()) };
        let now: Vec<(String, u32)> = self.all(&qualified(ORDERS_BY_RUN, &self.database), ()).await?;
        match ordered_since(&run.id, known, &now) {
            Some(by) => Err(Error::OrderedSince { run: run.id.clone(), by: by.to_owned() }),
            None => Ok(()),
        }
    }

    pub async fn write_demand(&mut self, run: &RunId, rows: &[DemandStep]) -> Result<()> {
        let key = 5;
        for rows in rows.chunks(INSERT_ROWS) {
            let sql = insert(&self.database, "demand_forecast_rows", DEMAND_COLUMNS, key, rows.len());
            let mut values: Vec<Value> = Vec::with_capacity(rows.len() * 15);
            for step in rows {
                values.push(run.as_str().into());
                values.extend([step.warehouse_id, step.community_id, step.sku_id].map(Value::from));
                values.push(step.step_on.to_string().into());
                values.push(step.model.as_str().into());
                let numbers =
                    [step.mean, step.q10, step.q25, step.q50, step.q75, step.q80, step.q90, step.q95, step.q99];
                values.extend(numbers.map(Value::from));
            }
            self.run_sql(&sql, Params::Positional(values)).await?;
        }
        Ok(())
    }

    pub async fn write_lines(&mut self, run: &RunId, lines: &[RestockLine]) -> Result<()> {
        let key = 5;
        for lines in lines.chunks(INSERT_ROWS) {
            let sql = insert(&self.database, "restock_suggestion_rows", LINE_COLUMNS, key, lines.len());
            let mut values: Vec<Value> = Vec::with_capacity(lines.len() * 10);
            for line in lines {
                // text keys alone: writing it cannot fail
                let reason = serde_json::to_string(&line.reason).unwrap_or_default();
                values.push(run.as_str().into());
                let numbers = [line.supplier_id, line.warehouse_id, line.community_id, line.sku_id, line.quantity];
                values.extend(numbers.map(Value::from));
                values.push(line.status.name().into());
                values.push(reason.into());
                values.push(wall(self.zone, line.must_order_by).into());
                values.push(line.needed_by.to_string().into());
            }
            self.run_sql(&sql, Params::Positional(values)).await?;
        }
        Ok(())
    }

    /// What the tables hold of a run.
    pub async fn count(&mut self, run: &RunId) -> Result<Totals> {
        let sql = format!("select count(*) from `{}`.demand_forecast_rows where run = ?", self.database);
        let demand_rows: Option<u64> = self.first(&sql, (run.as_str(),)).await?;
        let sql = format!(
            "select count(*), cast(coalesce(sum(status = 'ready'), 0) as unsigned), \
             cast(coalesce(sum(quantity), 0) as unsigned) from `{}`.restock_suggestion_rows where run = ?",
            self.database
        );
        let lines: Option<(u64, u64, u64)> = self.first(&sql, (run.as_str(),)).await?;
        let (lines, ready, pieces) = lines.unwrap_or_default();
        Ok(Totals { demand_rows: demand_rows.unwrap_or(0), lines, ready, pieces })
    }

    /// Writes down what a run holds and when it is published: the same each time it is tried. Returns the latter.
    pub async fn counted(&mut self, run: &RunId, totals: &Totals, now_ms: i64) -> Result<i64> {
        let sql = format!(
            "update `{}`.restock_runs set demand_rows = ?, suggestion_rows = ?, ready_rows = ?, pieces = ?, \
             published_at = coalesce(published_at, ?) where run = ? and state = 'building'",
            self.database
        );
        let Totals { demand_rows, lines, ready, pieces } = *totals;
        let values = (demand_rows, lines, ready, pieces, wall(self.zone, now_ms), run.as_str());
        self.run_sql(&sql, values).await?;
        let sql = format!(
            "select timestampdiff(microsecond, '1970-01-01', published_at) div 1000 from `{}`.restock_runs where run = ?",
            self.database
        );
        let published: Option<Option<i64>> = self.first(&sql, (run.as_str(),)).await?;
        let wall_ms = published.flatten().ok_or_else(|| Error::NoRun { run: run.clone() })?;
        Ok(self.zone.from_wall_ms(wall_ms).0)
    }

    /// Rows behind a key, in the key's order.
    pub async fn demand_after(
        &mut self,
        run: &RunId,
        after: Option<&(i64, i64, i64, Day)>,
        limit: usize,
    ) -> Result<Vec<DemandStep>> {
        // a row constructor is no range of the index for every server: bounds are written out
        let behind = "(warehouse_id > ? or (warehouse_id = ? and (community_id > ? or (community_id = ? \
                      and (sku_id > ? or (sku_id = ? and step_on > ?))))))";
        let mut values: Vec<Value> = vec![run.as_str().into()];
        if let Some((warehouse, community, sku, step_on)) = after {
            values.extend([warehouse, warehouse, community, community, sku, sku].map(|id| Value::from(*id)));
            values.push(step_on.to_string().into());
        }
        let sql = format!(
            "select {} from `{}`.demand_forecast_rows where run = ? and {} \
             order by run, warehouse_id, community_id, sku_id, step_on limit {limit}",
            DEMAND_COLUMNS.replace("step_on", "cast(step_on as char)"),
            self.database,
            if after.is_some() { behind } else { "true" },
        );
        let rows: Vec<Row> = self.all(&sql, Params::Positional(values)).await?;
        let step = |row: Row| demand_of(run, row).map_err(|cause| self.unreadable(run, "demand_forecast_rows", cause));
        rows.into_iter().map(step).collect()
    }

    /// Rows behind a key, in the key's order.
    pub async fn lines_after(
        &mut self,
        run: &RunId,
        after: Option<(i64, i64, i64, i64)>,
        limit: usize,
    ) -> Result<Vec<RestockLine>> {
        let behind = "(supplier_id > ? or (supplier_id = ? and (warehouse_id > ? or (warehouse_id = ? \
                      and (community_id > ? or (community_id = ? and sku_id > ?))))))";
        let mut values: Vec<Value> = vec![run.as_str().into()];
        if let Some((supplier, warehouse, community, sku)) = after {
            values.extend([supplier, supplier, warehouse, warehouse, community, community, sku].map(Value::from));
        }
        let sql = format!(
            "select supplier_id, warehouse_id, community_id, sku_id, quantity, status, reason, \
             timestampdiff(microsecond, '1970-01-01', must_order_by) div 1000, cast(needed_by as char) \
             from `{}`.restock_suggestion_rows where run = ? and {} \
             order by run, supplier_id, warehouse_id, community_id, sku_id limit {limit}",
            self.database,
            if after.is_some() { behind } else { "true" },
        );
        let rows: Vec<LineRow> = self.all(&sql, Params::Positional(values)).await?;
        let line =
            |row| line_of(run, self.zone, row).map_err(|cause| self.unreadable(run, "restock_suggestion_rows", cause));
        rows.into_iter().map(line).collect()
    }

    /// Readers see this run from here on.
    pub async fn name(&mut self, run: &RunId, now_ms: i64) -> Result<()> {
        let at = wall(self.zone, now_ms);
        let complete = format!(
            "update `{}`.restock_runs set state = 'complete', completed_at = ? where run = ? and state = 'building'",
            self.database
        );
        let name = name_sql(&self.database);
        let (server, action) = (self.server.clone(), format!("name run {run}"));
        let sql = |source| Error::Sql { server: server.clone(), action: action.clone(), source };
        let mut transaction = self.conn.start_transaction(TxOpts::default()).await.map_err(sql)?;
        transaction.exec_drop(complete, (&at, run.as_str())).await.map_err(sql)?;
        if transaction.affected_rows() != 1 {
            transaction.rollback().await.map_err(sql)?;
            let state = self.run(run).await?.state.name().to_owned();
            return Err(Error::State { run: run.clone(), state, wanted: "named" });
        }
        transaction.exec_drop(name, (run.as_str(), &at)).await.map_err(sql)?;
        transaction.commit().await.map_err(sql)
    }

    /// Marks runs as withdrawn and names another where readers see one of them: that which is asked for, or the newest
    /// that is complete. Returns the run that readers see.
    pub async fn withdraw(&mut self, runs: &[RunId], shown: Option<&RunId>, now_ms: i64) -> Result<Option<RunId>> {
        let (at, database) = (wall(self.zone, now_ms), self.database.clone());
        let (server, action) = (self.server.clone(), "withdraw runs".to_owned());
        let sql = |source| Error::Sql { server: server.clone(), action: action.clone(), source };
        let mut transaction = self.conn.start_transaction(TxOpts::default()).await.map_err(sql)?;
        let mark = format!("update `{database}`.restock_runs set state = 'withdrawn' where run = ?");
        for run in runs {
            transaction.exec_drop(&mark, (run.as_str(),)).await.map_err(sql)?;
        }
        let current = format!(
            "select r.run from `{database}`.restock_current c join `{database}`.restock_runs r on r.run = c.run \
             where r.state = 'complete' for update"
        );
        let current: Option<String> = transaction.query_first(current).await.map_err(sql)?;
        let newest = format!(
            "select run from `{database}`.restock_runs where state = 'complete' \
             order by business_date desc, started_at desc, run desc limit 1"
        );
        let next = match (shown, &current) {
            (Some(shown), _) => Some(shown.as_str().to_owned()),
            (None, Some(current)) => Some(current.clone()),
            (None, None) => transaction.query_first(newest).await.map_err(sql)?,
        };
        match &next {
            Some(next) if Some(next) == current.as_ref() => {}
            Some(next) => {
                transaction.exec_drop(name_sql(&database), (next, &at)).await.map_err(sql)?;
            }
            None => {
                let none = format!("delete from `{database}`.restock_current where one = 1");
                transaction.query_drop(none).await.map_err(sql)?;
            }
        }
        transaction.commit().await.map_err(sql)?;
        next.map(|run| self.run_id(&run)).transpose()
    }

    /// Removes the rows of all runs that are older than the newest complete ones, but of that which readers see.
    /// Returns how many runs it removed.
    pub async fn remove_old(&mut self, kept: usize) -> Result<usize> {
        let good = self.complete_runs().await?;
        let current = self.current().await?;
        let Some(oldest) = good.get(kept.min(good.len()).saturating_sub(1)) else { return Ok(0) };
        let sql = format!(
            "select o.run from `{0}`.restock_runs o join `{0}`.restock_runs k on k.run = ? where o.state <> 'removed' \
             and (o.business_date, o.started_at, o.run) < (k.business_date, k.started_at, k.run)",
            self.database
        );
        let runs: Vec<String> = self.all(&sql, (oldest.as_str(),)).await?;
        let mut removed = 0;
        for run in runs {
            let run = self.run_id(&run)?;
            if Some(&run) != current.as_ref() {
                self.remove(&run).await?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Removes the rows of a run that nobody reads, a bounded number at a time.
    async fn remove(&mut self, run: &RunId) -> Result<()> {
        // first nobody can go back to it, last it is done with: killed between, its rows are removed the next time
        let sql = format!(
            "update `{}`.restock_runs set state = 'removing' where run = ? and state <> 'removing'",
            self.database
        );
        self.run_sql(&sql, (run.as_str(),)).await?;
        for table in ["demand_forecast_rows", "restock_suggestion_rows"] {
            let sql = format!("delete from `{}`.{table} where run = ? limit {REMOVE_ROWS}", self.database);
            loop {
                self.run_sql(&sql, (run.as_str(),)).await?;
                if self.conn.affected_rows() < REMOVE_ROWS {
                    break;
                }
            }
        }
        let sql = format!("update `{}`.restock_runs set state = 'removed' where run = ?", self.database);
        self.run_sql(&sql, (run.as_str(),)).await
    }

    fn run_id(&self, text: &str) -> Result<RunId> {
        RunId::parse(text).map_err(|error| Error::Sql {
            server: self.server.clone(),
            action: "read the name of a run".to_owned(),
            source: mysql_async::Error::Other(error.into()),
        })
    }

    fn unreadable(&self, run: &RunId, table: &'static str, cause: String) -> Error {
        Error::Unreadable { run: run.clone(), table, cause }
    }

    fn sql_error(&self, sql: &str, source: mysql_async::Error) -> Error {
        // the statement's beginning says what it is about; a statement of 500 rows is not shown
        let action = sql.chars().take(160).collect();
        Error::Sql { server: self.server.clone(), action, source }
    }

    async fn run_sql(&mut self, sql: &str, values: impl Into<Params> + Send) -> Result<()> {
        let values = values.into();
        let done = match values {
            // DDL is not prepared by every server
            Params::Empty => self.conn.query_drop(sql).await,
            values => self.conn.exec_drop(sql, values).await,
        };
        done.map_err(|source| self.sql_error(sql, source))
    }

    async fn first<T: FromRow + Send + 'static>(
        &mut self,
        sql: &str,
        values: impl Into<Params> + Send,
    ) -> Result<Option<T>> {
        self.conn.exec_first(sql, values.into()).await.map_err(|source| self.sql_error(sql, source))
    }

    async fn all<T: FromRow + Send + 'static>(
        &mut self,
        sql: &str,
        values: impl Into<Params> + Send,
    ) -> Result<Vec<T>> {
        self.conn.exec(sql, values.into()).await.map_err(|source| self.sql_error(sql, source))
    }
}

fn name_sql(database: &str) -> String {
    format!(
        "insert into `{database}`.restock_current (one, run, named_at) values (1, ?, ?) \
         on duplicate key update run = values(run), named_at = values(named_at)"
    )
}

/// An INSERT of many rows that writes over those that are there; the first columns are the key.
fn insert(database: &str, table: &str, columns: &str, key: usize, rows: usize) -> String {
    let names: Vec<&str> = columns.split(", ").collect();
    let row = format!("({})", vec!["?"; names.len()].join(","));
    let mut sql = format!("insert into `{database}`.{table} ({columns}) values {row}");
    for _ in 1..rows {
        sql.push(',');
        sql.push_str(&row);
    }
    sql.push_str(" on duplicate key update ");
    for (n, name) in names[key..].iter().enumerate() {
        // writing to a string cannot fail
        let _ = write!(sql, "{}{name} = values({name})", if n == 0 { "" } else { ", " });
    }
    sql
}

type LineRow = (i64, i64, i64, i64, i64, String, String, i64, String);

fn line_of(run: &RunId, zone: Zone, row: LineRow) -> Result<RestockLine, String> {
    let (supplier_id, warehouse_id, community_id, sku_id, quantity, status, reason, must_order_by, needed_by) = row;
    let status = match status.as_str() {
        "ready" => LineStatus::Ready,
        "held" => LineStatus::Held,
        other => return Err(format!("status \"{other}\"")),
    };
    Ok(RestockLine {
        run: run.clone(),
        supplier_id,
        warehouse_id,
        community_id,
        sku_id,
        quantity,
        status,
        must_order_by: zone.from_wall_ms(must_order_by).0,
        needed_by: Day(needed_by.parse().map_err(|_| format!("needed_by \"{needed_by}\""))?),
        // serde_json's numbers may be off in their last digit
        reason: sonic_rs::from_str(&reason).map_err(|error| format!("reason: {error}"))?,
    })
}

fn demand_of(run: &RunId, row: Row) -> Result<DemandStep, String> {
    fn get<T: mysql_async::prelude::FromValue>(row: &Row, column: usize) -> Result<T, String> {
        row.get_opt(column).and_then(Result::ok).ok_or_else(|| format!("column {column}"))
    }
    let number = |column| get::<f64>(&row, column);
    let step_on: String = get(&row, 4)?;
    Ok(DemandStep {
        run: run.clone(),
        model: get(&row, 5)?,
        warehouse_id: get(&row, 1)?,
        community_id: get(&row, 2)?,
        sku_id: get(&row, 3)?,
        step_on: Day(step_on.parse().map_err(|_| format!("step_on \"{step_on}\""))?),
        mean: number(6)?,
        q10: number(7)?,
        q25: number(8)?,
        q50: number(9)?,
        q75: number(10)?,
        q80: number(11)?,
        q90: number(12)?,
        q95: number(13)?,
        q99: number(14)?,
    })
}
