//! A run's orders as the shop's MySQL holds them.

use async_trait::async_trait;
use chrono::NaiveDate;
use linli_connectors::{Error, ErrorKind, Result};
use linli_schemas::forecast::RunId;
use linli_schemas::zone::Zone;
use mysql_async::prelude::{FromValue, Queryable};
use mysql_async::{Conn, Row};
use tokio::sync::Mutex;

use super::job::{Orders, RunOrders};
use super::{Language, Name, OrderLine, SupplierOrder};
use crate::sql::{failed, qualified};

const ORDERS: &str = include_str!("orders.sql");
/// Lines of a run that order something: memory is bounded.
const LINES_MAX: usize = 2_000_000;

/// Reads of the database that holds the tables that are not split.
pub struct ShopOrders {
    conn: Mutex<Conn>,
    /// `shop_0`.
    database: String,
    /// For the words of errors.
    object: String,
    zone: Zone,
    /// Of suppliers without terms.
    language: Language,
}

impl ShopOrders {
    /// `zone` is that in which the shop writes its DATETIMEs.
    pub fn new(
        conn: Conn,
        database: impl Into<String>,
        object: impl Into<String>,
        zone: Zone,
        language: Language,
    ) -> ShopOrders {
        ShopOrders { conn: Mutex::new(conn), database: database.into(), object: object.into(), zone, language }
    }

    fn sql(&self, statement: &str) -> String {
        qualified(statement, &self.database)
    }

    fn failed(&self, error: mysql_async::Error) -> Error {
        failed(&self.object, error, "the mail")
    }

    /// The run's business date, if it may be acted on.
    async fn run(&self, conn: &mut Conn, run: Option<&RunId>) -> Result<Option<(RunId, NaiveDate)>> {
        const COLUMNS: &str = "SELECT r.run, CAST(r.business_date AS CHAR), r.state FROM {db}restock_runs r";
        type Of = (String, String, String);
        let found: Option<Of> = match run {
            Some(run) => conn.exec_first(self.sql(&format!("{COLUMNS} WHERE r.run = ?")), (run.as_str(),)).await,
            None => {
                conn.query_first(self.sql(&format!("{COLUMNS} JOIN {{db}}restock_current c ON c.run = r.run"))).await
            }
        }
        .map_err(|error| self.failed(error))?;
        let Some((id, date, state)) = found else { return Ok(None) };
        if state != "complete" {
            return Err(Error::new(ErrorKind::Reject, format!("run {id}"), format!("is {state}: nobody acts on it"))
                .hint("name a run that is complete by --run, or leave it away for the current one"));
        }
        let wrong = |column: &str, value: &str| self.wrong(column, value);
        let id = RunId::parse(&id).map_err(|_| wrong("restock_runs.run", &id))?;
        let date = date.parse().map_err(|_| wrong("restock_runs.business_date", &date))?;
        Ok(Some((id, date)))
    }

    fn wrong(&self, column: &str, value: &str) -> Error {
        Error::new(ErrorKind::Corrupt, &self.object, format!("{column} holds \"{value}\""))
    }

    async fn orders(&self, conn: &mut Conn, run: &RunId, date: NaiveDate) -> Result<Vec<SupplierOrder>> {
        let mut orders: Vec<SupplierOrder> = Vec::new();
        let mut lines = 0;
        let mut rows = conn.exec_iter(self.sql(ORDERS), (run.as_str(),)).await.map_err(|error| self.failed(error))?;
        while let Some(row) = rows.next().await.map_err(|error| self.failed(error))? {
            let read = Read::of(row).map_err(|column| {
                let cause = format!("column {column} of restock_suggestion_rows and what it names cannot be read");
                Error::new(ErrorKind::Reject, &self.object, cause).hint("bring the shop's tables to schemas/shop")
            })?;
            let at = self.zone.from_wall_ms(read.must_order_by).0;
            if orders.last().is_none_or(|order| order.supplier_id != read.supplier_id) {
                orders.push(read.order(run, date, self.language));
            }
            let Some(order) = orders.last_mut() else { continue };
            // One calendar a supplier; where lines differ, the earliest holds for all.
            order.must_order_by = order.must_order_by.min(at);
            if read.status != "ready" {
                order.held += 1;
            } else if read.line.quantity != 0 {
                order.lines.push(read.line);
                lines += 1;
            }
            if lines > LINES_MAX {
                return Err(Error::new(
                    ErrorKind::Reject,
                    format!("run {run}"),
                    format!("has more than {LINES_MAX} lines"),
                ));
            }
        }
        Ok(orders)
    }
}

/// How long after its date a run is looked at that was withdrawn: its goods have come, or never will.
const WITHDRAWN_DAYS: u32 = 14;

#[async_trait]
impl Orders for ShopOrders {
    async fn withdrawn(&self) -> Result<Vec<RunId>> {
        // with a purchase order the goods are on their way for the shop, and count as such in the next run
        let sql = self.sql(&format!(
            "SELECT r.run FROM {{db}}restock_runs r \
             LEFT JOIN ({{db}}restock_current c JOIN {{db}}restock_runs n ON n.run = c.run) ON TRUE \
             WHERE r.business_date >= (SELECT MAX(business_date) FROM {{db}}restock_runs) - INTERVAL {WITHDRAWN_DAYS} DAY \
             AND (r.state = 'withdrawn' OR r.state <> 'building' AND r.business_date = n.business_date \
             AND (r.started_at, r.run) < (n.started_at, n.run)) \
             AND NOT EXISTS (SELECT 1 FROM {{db}}purchase_orders p WHERE p.restock_run = r.run AND p.status <> 'canceled') \
             ORDER BY r.started_at, r.run"
        ));
        let mut conn = self.conn.lock().await;
        let runs: Vec<String> = conn.query(sql).await.map_err(|error| self.failed(error))?;
        runs.iter().map(|run| RunId::parse(run).map_err(|_| self.wrong("restock_runs.run", run))).collect()
    }

    async fn of_run(&self, run: Option<&RunId>) -> Result<Option<RunOrders>> {
        let mut conn = self.conn.lock().await;
        let begin = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";
        conn.query_drop(begin).await.map_err(|error| self.failed(error))?;
        let read = async {
            let Some((run, date)) = self.run(&mut conn, run).await? else { return Ok(None) };
            let orders = self.orders(&mut conn, &run, date).await?;
            Ok(Some(RunOrders { run, orders }))
        }
        .await;
        // Nothing was written: how it ends does not matter.
        let _ = conn.query_drop("ROLLBACK").await;
        read
    }
}

/// One row.
struct Read {
    supplier_id: i64,
    name: Name,
    email: Option<String>,
    language: Option<String>,
    line: OrderLine,
    status: String,
    /// Wall time, as if it were UTC.
    must_order_by: i64,
}

/// The columns of a row, from the left.
struct Columns {
    row: Row,
    at: usize,
}

impl Columns {
    /// The next column; `Err` with its place where it is none of the type.
    fn next<T: FromValue>(&mut self) -> std::result::Result<T, usize> {
        let at = self.at;
        self.at += 1;
        self.row.take_opt(at).and_then(std::result::Result::ok).ok_or(at)
    }

    fn text(&mut self) -> std::result::Result<String, usize> {
        Ok(self.next::<Option<String>>()?.unwrap_or_default())
    }

    fn name(&mut self) -> std::result::Result<Name, usize> {
        Ok(Name::new(self.text()?, self.text()?))
    }
}

impl Read {
    fn of(row: Row) -> std::result::Result<Read, usize> {
        let mut columns = Columns { row, at: 0 };
        let (supplier_id, name, email, language) = (columns.next()?, columns.name()?, columns.next()?, columns.next()?);
        let (warehouse_id, warehouse) = (columns.next()?, columns.name()?);
        let (community_id, community) = (columns.next()?, columns.name()?);
        let (sku_id, supplier_code, title, spec) = (columns.next()?, columns.text()?, columns.name()?, columns.text()?);
        let pack = columns.next::<Option<i64>>()?.unwrap_or(1);
        let (cost_fen, quantity, status, must_order_by) =
            (columns.next()?, columns.next()?, columns.text()?, columns.next()?);
        let at = columns.at;
        let needed_by = columns.text()?.parse().map_err(|_| at)?;
        let line = OrderLine {
            warehouse_id,
            community_id,
            sku_id,
            supplier_code,
            title,
            spec,
            warehouse,
            community,
            pack,
            quantity,
            cost_fen,
            needed_by,
        };
        Ok(Read { supplier_id, name, email, language, line, status, must_order_by })
    }

    fn order(&self, run: &RunId, business_date: NaiveDate, language: Language) -> SupplierOrder {
        SupplierOrder {
            run: run.clone(),
            business_date,
            supplier_id: self.supplier_id,
            name: self.name.clone(),
            email: self.email.clone(),
            language: self.language.as_deref().and_then(Language::parse).unwrap_or(language),
            must_order_by: i64::MAX,
            lines: Vec::new(),
            held: 0,
        }
    }
}
