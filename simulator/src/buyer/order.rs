//! From whole runs to purchase orders.

use std::collections::BTreeMap;

use linli_schemas::EventTime;
use linli_schemas::forecast::{RunId, ordered_since};
use linli_schemas::shop::ORDERS_BY_RUN;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Transaction, TxOpts};

use super::{AHEAD_MS, Buyer, FRESH_MS, purchase_order_id};
use crate::{Error, Result};

/// Lines that are taken away at once.
const REMOVE_ROWS: u64 = 10_000;

/// A run of which all has come.
struct Whole {
    run: RunId,
    state: String,
    business_date: chrono::NaiveDate,
    published_ms: i64,
}

impl Buyer {
    /// Orders what can be ordered, books what was answered.
    pub(super) async fn act(&mut self, conn: &mut Conn) -> Result<()> {
        // the newest first: an older one that nothing was ordered by yet is superseded, since the newer one, which does not
        // know of its orders, asks for the same goods
        let mut newest: Option<RunId> = None;
        for whole in self.whole_runs(conn).await? {
            if let Some(ahead) = Some(whole.published_ms - self.clock.now_ms()).filter(|ahead| *ahead > AHEAD_MS) {
                tracing::warn!(run = %whole.run, ahead_ms = ahead, "a run comes from the future: not acted on before");
                continue;
            }
            if !self.is_fresh(&whole) {
                tracing::warn!(run = %whole.run, "the run is older than a day: not acted on");
                self.finish(conn, &whole.run, "stale").await?;
            } else if let Some(newer) = newest.as_ref().filter(|_| whole.state == "open") {
                tracing::warn!(run = %whole.run, %newer, "the run is superseded: not acted on");
                self.finish(conn, &whole.run, "superseded").await?;
            } else if let Some(by) = self.ordered_since(conn, &whole).await? {
                tracing::error!(run = %whole.run, by, "goods were ordered by another run which this one does not know of: \
                                 not acted on, make a new run");
                self.finish(conn, &whole.run, "overtaken").await?;
            } else {
                newest.get_or_insert_with(|| whole.run.clone());
                self.order(conn, &whole.run).await?;
                self.bought.runs += 1;
            }
        }
        self.book_answers(conn).await
    }

    fn is_fresh(&self, whole: &Whole) -> bool {
        let now = self.clock.now_ms();
        let today = self.options.zone.date_of(EventTime(now));
        now - whole.published_ms <= FRESH_MS && (today - whole.business_date).num_days() <= 1
    }

    /// Runs with an end in every partition and as many distinct lines as the ends tell of; those that were begun come
    /// first, then the newest.
    async fn whole_runs(&self, conn: &mut Conn) -> Result<Vec<Whole>> {
        let failed = self.failed("look for whole runs");
        let sql = "select run, state, cast(business_date as char), published_ms, line_count from linli_buyer.runs \
                   where state in ('open', 'ordering') and line_count is not null \
                   order by state = 'open', published_ms desc, run desc";
        let rows: Vec<(String, String, String, i64, u64)> = conn.query(sql).await.map_err(&failed)?;
        let mut whole = Vec::new();
        for (run, state, business_date, published_ms, told) in rows {
            let sql = "select count(*), cast(coalesce(sum(e.line_count), 0) as unsigned), \
                       cast(coalesce(sum(e.line_count = (select count(*) from linli_buyer.lines_in l \
                       where l.run = e.run and l.part = e.part)), 0) as unsigned) from linli_buyer.ends e where e.run = ?";
            let counts: Option<(u64, u64, u64)> = conn.exec_first(sql, (&run,)).await.map_err(&failed)?;
            let partitions = u64::from(self.options.partitions);
            if counts == Some((partitions, told, partitions)) {
                let unreadable = || Error::BuyerRow { run: run.clone() };
                let run = RunId::parse(&run).map_err(|_| unreadable())?;
                let business_date = business_date.parse().map_err(|_| unreadable())?;
                whole.push(Whole { run, state, business_date, published_ms });
            }
        }
        Ok(whole)
    }

    /// The run by which more is under way than this one knew of, before anything was ordered by it: the same goods would be
    /// ordered twice.
    async fn ordered_since(&self, conn: &mut Conn, whole: &Whole) -> Result<Option<String>> {
        let failed = self.failed("look for orders of other runs");
        let sql = "select of_run, orders from linli_buyer.orders_known where run = ?";
        let known: BTreeMap<String, u32> =
            conn.exec(sql, (whole.run.as_str(),)).await.map_err(&failed)?.into_iter().collect();
        if whole.state != "open" || !known.contains_key("") {
            return Ok(None);
        }
        let sql = ORDERS_BY_RUN.replace("{db}", &format!("{}.", self.options.database));
        let now: Vec<(String, u32)> = conn.query(sql).await.map_err(&failed)?;
        Ok(ordered_since(&whole.run, &known, &now).map(str::to_owned))
    }

    async fn order(&mut self, conn: &mut Conn, run: &RunId) -> Result<()> {
        let failed = self.failed("begin to order");
        let sql = "update linli_buyer.runs set state = 'ordering' where run = ? and state = 'open'";
        conn.exec_drop(sql, (run.as_str(),)).await.map_err(&failed)?;
        let sql = "select distinct supplier_id, warehouse_id from linli_buyer.lines_in \
                   where run = ? and ready and quantity > 0 order by supplier_id, warehouse_id";
        let pairs: Vec<(i64, i64)> = conn.exec(sql, (run.as_str(),)).await.map_err(&failed)?;
        for (supplier_id, warehouse_id) in pairs {
            self.draft(conn, run, supplier_id, warehouse_id).await?;
        }
        self.send(conn, run).await?;
        self.remove_lines(conn, run).await
    }

    /// One purchase order, once: its id tells whether it is there.
    async fn draft(&mut self, conn: &mut Conn, run: &RunId, supplier_id: i64, warehouse_id: i64) -> Result<()> {
        let failed = self.failed("draft a purchase order");
        let id = purchase_order_id(run, supplier_id, warehouse_id);
        let (database, now) = (self.options.database.clone(), self.wall_now());
        let mut transaction = conn.start_transaction(TxOpts::default()).await.map_err(&failed)?;
        let sql = format!(
            "select supplier_id, warehouse_id, coalesce(restock_run, '') from {database}.purchase_orders where purchase_order_id = ?"
        );
        let there: Option<(i64, i64, String)> = transaction.exec_first(&sql, (id,)).await.map_err(&failed)?;
        if let Some(there) = there {
            transaction.rollback().await.map_err(&failed)?;
            if there == (supplier_id, warehouse_id, run.to_string()) {
                return Ok(());
            }
            return Err(Error::OtherPurchaseOrder { id, run: run.to_string() });
        }
        let of = "l.run = ? and l.supplier_id = ? and l.warehouse_id = ? and l.ready and l.quantity > 0";
        let whose = (run.as_str(), supplier_id, warehouse_id);
        // a SKU that the shop does not have has no cost: listed, not ordered
        let sql = format!(
            "insert into linli_buyer.refused (run, supplier_id, warehouse_id, community_id, sku_id, cause) \
             select l.run, l.supplier_id, l.warehouse_id, l.community_id, l.sku_id, 'the shop has no such SKU' \
             from linli_buyer.lines_in l left join {database}.skus s on s.sku_id = l.sku_id \
             where {of} and s.sku_id is null on duplicate key update cause = values(cause)"
        );
        transaction.exec_drop(&sql, whose).await.map_err(&failed)?;
        let refused = transaction.affected_rows();
        let sql = format!(
            "insert into {database}.purchase_orders (purchase_order_id, supplier_id, warehouse_id, status, restock_run, \
             amount, created_at, expected_on, updated_at) \
             select ?, ?, ?, 'draft', ?, sum(l.quantity * s.cost), ?, min(l.needed_by), ? \
             from linli_buyer.lines_in l join {database}.skus s on s.sku_id = l.sku_id where {of} having count(*) > 0"
        );
        let head = (id, supplier_id, warehouse_id, run.as_str(), &now, &now);
        let values = (head.0, head.1, head.2, head.3, head.4, head.5, whose.0, whose.1, whose.2);
        transaction.exec_drop(&sql, values).await.map_err(&failed)?;
        let made = transaction.affected_rows();
        let sql = format!(
            "insert into {database}.purchase_order_lines (purchase_order_id, line, community_id, sku_id, quantity, cost) \
             select ?, row_number() over (order by l.community_id, l.sku_id), l.community_id, l.sku_id, l.quantity, s.cost \
             from linli_buyer.lines_in l join {database}.skus s on s.sku_id = l.sku_id where {of}"
        );
        transaction.exec_drop(&sql, (id, whose.0, whose.1, whose.2)).await.map_err(&failed)?;
        transaction.commit().await.map_err(&failed)?;
        if refused > 0 {
            tracing::warn!(%run, supplier_id, warehouse_id, refused, "lines name SKUs that the shop does not have: not ordered");
        }
        tracing::info!(%run, supplier_id, warehouse_id, id, "purchase order drafted");
        self.bought.refused += refused;
        self.bought.purchase_orders += made;
        Ok(())
    }

    /// All orders of a run go out together.
    async fn send(&mut self, conn: &mut Conn, run: &RunId) -> Result<()> {
        let failed = self.failed("send purchase orders");
        let now = self.wall_now();
        let mut transaction = conn.start_transaction(TxOpts::default()).await.map_err(&failed)?;
        let sql = format!(
            "update {}.purchase_orders set status = 'sent', sent_at = ?, updated_at = ? where restock_run = ? and status = 'draft'",
            self.options.database
        );
        transaction.exec_drop(&sql, (&now, &now, run.as_str())).await.map_err(&failed)?;
        let sql = "update linli_buyer.runs set state = 'ordered' where run = ? and state = 'ordering'";
        transaction.exec_drop(sql, (run.as_str(),)).await.map_err(&failed)?;
        transaction.commit().await.map_err(&failed)?;
        tracing::info!(%run, "purchase orders sent");
        Ok(())
    }

    /// Is done with a run by which nothing is ordered any more.
    async fn finish(&mut self, conn: &mut Conn, run: &RunId, state: &str) -> Result<()> {
        let failed = self.failed("leave a run");
        let now = self.wall_now();
        let mut transaction = conn.start_transaction(TxOpts::default()).await.map_err(&failed)?;
        let sql = "update linli_buyer.runs set state = ? where run = ?";
        transaction.exec_drop(sql, (state, run.as_str())).await.map_err(&failed)?;
        cancel_drafts(&mut transaction, &self.options.database, run, &now).await.map_err(&failed)?;
        transaction.commit().await.map_err(&failed)?;
        self.remove_lines(conn, run).await
    }

    /// Takes the lines of a run away that is done with; killed before the end, they stay and nobody reads them.
    async fn remove_lines(&mut self, conn: &mut Conn, run: &RunId) -> Result<()> {
        let failed = self.failed("remove lines");
        let sql = format!("delete from linli_buyer.lines_in where run = ? limit {REMOVE_ROWS}");
        loop {
            conn.exec_drop(&sql, (run.as_str(),)).await.map_err(&failed)?;
            if conn.affected_rows() < REMOVE_ROWS {
                return Ok(());
            }
        }
    }
}

pub async fn cancel_drafts(
    transaction: &mut Transaction<'_>,
    database: &str,
    run: &RunId,
    at: &str,
) -> Result<(), mysql_async::Error> {
    let sql = format!(
        "update {database}.purchase_orders set status = 'canceled', updated_at = ? where restock_run = ? and status = 'draft'"
    );
    transaction.exec_drop(&sql, (at, run.as_str())).await
}
