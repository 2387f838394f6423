//! The books as the shop's MySQL holds them, read in one consistent view.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{Days, NaiveDate, NaiveTime};
use linli_connectors::{Error, ErrorKind, Result};
use linli_schemas::EventTime;
use linli_schemas::shop::ORDERS_BY_RUN;
use linli_schemas::zone::Zone;
use mysql_async::prelude::{FromRow, Queryable};
use mysql_async::{Conn, Row};

use super::{Books, CUT_OFF, OnHand, Shelf, Sku, Supplier, UnderWay};
use crate::calendar::{Calendar, Weekdays};
use crate::history::Promoted;
use crate::sql::{failed, qualified};
use crate::stock::Batch;
use crate::value::Moved;

/// Rows of a table beyond which it is not read: memory is bounded.
const ROWS_MAX: usize = 20_000_000;
/// Promotions longer than this are taken to be prices.
const PROMOTION_DAYS_MAX: u32 = 31;

/// Reads of the database that holds the tables that are not split.
#[derive(Debug)]
pub struct Reader<'a> {
    conn: &'a mut Conn,
    /// `shop_0`.
    database: String,
    /// For the words of errors.
    object: String,
}

/// The days that a run looks at.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// At whose close it is made: batches that had expired before are left out.
    pub date: NaiveDate,
    /// Of which it is told what was ordered and thrown away.
    pub judged: NaiveDate,
    /// The first and the last whose promotions count.
    pub from: NaiveDate,
    pub to: NaiveDate,
}

/// What was read at one moment.
#[derive(Clone, Debug, Default)]
pub struct Read {
    pub books: Books,
    pub promoted: Vec<Promoted>,
    /// Of the day that is judged.
    pub moved: HashMap<Shelf, Moved>,
}

impl<'a> Reader<'a> {
    pub fn new(conn: &'a mut Conn, database: impl Into<String>, object: impl Into<String>) -> Reader<'a> {
        Reader { conn, database: database.into(), object: object.into() }
    }

    /// Everything, as it is at the time of the call.
    ///
    /// # Errors
    /// Where the server does not answer, a table is missing, or a value cannot be one.
    pub async fn read(&mut self, span: Span, zone: Zone) -> Result<Read> {
        self.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY").await?;
        let read = self.everything(span, zone).await;
        // Nothing was written: how it ends does not matter.
        let _ = self.conn.query_drop("ROLLBACK").await;
        read
    }

    async fn everything(&mut self, span: Span, zone: Zone) -> Result<Read> {
        let terms = self.tables().await?;
        let books = Books {
            suppliers: self.suppliers(terms.contains("supplier_terms")).await?,
            skus: self.skus(terms.contains("supply_terms")).await?,
            warehouse_of: self.warehouses().await?,
            stock: self.stock().await?,
            received: self.received(span.date).await?,
            under_way: self.under_way().await?,
            orders_known: self.rows(ORDERS_BY_RUN).await?.into_iter().collect(),
        };
        let promoted = self.promoted(span.from, span.to, zone).await?;
        let moved = self.moved(span.judged).await?;
        Ok(Read { books, promoted, moved })
    }

    async fn tables(&mut self) -> Result<BTreeSet<String>> {
        let sql = format!("SELECT table_name FROM information_schema.tables WHERE table_schema = '{}'", self.database);
        Ok(self.rows::<String>(&sql).await?.into_iter().collect())
    }

    async fn suppliers(&mut self, agreed: bool) -> Result<BTreeMap<i64, Supplier>> {
        let (columns, join) = if agreed {
            (
                "t.order_days, t.delivery_days, CAST(t.cut_off AS CHAR), CAST(ROUND(t.min_amount * 100) AS SIGNED), \
                 t.language",
                "LEFT JOIN {db}supplier_terms t USING (supplier_id)",
            )
        } else {
            ("NULL, NULL, NULL, NULL, NULL", "")
        };
        let sql = format!(
            "SELECT s.supplier_id, s.name, s.name_en, NULLIF(TRIM(s.email), ''), s.lead_days, {columns} \
             FROM {{db}}suppliers s {join}"
        );
        let mut found = BTreeMap::new();
        for row in self.rows::<SupplierRow>(&sql).await? {
            let supplier = row.supplier(&self.object)?;
            found.insert(supplier.supplier_id, supplier);
        }
        Ok(found)
    }

    async fn skus(&mut self, agreed: bool) -> Result<BTreeMap<i64, Sku>> {
        let (columns, join) = if agreed {
            ("t.pack, t.min_order, t.service_level", "LEFT JOIN {db}supply_terms t USING (sku_id)")
        } else {
            ("NULL, NULL, NULL", "")
        };
        let sql = format!(
            "SELECT k.sku_id, k.supplier_id, k.category_id, k.title, CAST(ROUND(k.price * 100) AS SIGNED), \
             CAST(ROUND(NULLIF(k.cost, 0) * 100) AS SIGNED), k.shelf_days, {columns} FROM {{db}}skus k {join}"
        );
        type Of = (i64, i64, i64, String, i64, Option<i64>, Option<i64>, Option<i64>, Option<i64>, Option<f64>);
        let rows = self.rows::<Of>(&sql).await?;
        let sku = |(sku_id, supplier_id, category_id, title, price, cost, shelf, pack, min_order, level): Of| Sku {
            sku_id,
            supplier_id,
            category_id,
            title,
            price,
            cost,
            shelf_days: shelf.filter(|days| *days > 0).and_then(|days| u32::try_from(days).ok()),
            pack: pack.unwrap_or(1).max(1),
            min_order: min_order.unwrap_or(0).max(0),
            service_level: level.filter(|level| (0.0..=1.0).contains(level)),
        };
        Ok(rows.into_iter().map(|row| (row.0, sku(row))).collect())
    }

    async fn warehouses(&mut self) -> Result<BTreeMap<i64, i64>> {
        let sql = "SELECT community_id, warehouse_id FROM {db}communities WHERE warehouse_id IS NOT NULL";
        Ok(self.rows(sql).await?.into_iter().collect())
    }

    async fn stock(&mut self) -> Result<BTreeMap<Shelf, OnHand>> {
        type Of = (i64, i64, i64, i64, Option<i64>);
        let rows = self.rows::<Of>("SELECT warehouse_id, sku_id, on_hand, reserved, min_stock FROM {db}stock").await?;
        let of = |(warehouse_id, sku_id, on_hand, reserved, min_stock): Of| {
            ((warehouse_id, sku_id), OnHand { on_hand, reserved, min_stock: min_stock.unwrap_or(0).max(0) })
        };
        Ok(rows.into_iter().map(of).collect())
    }

    async fn received(&mut self, date: NaiveDate) -> Result<BTreeMap<Shelf, Vec<Batch>>> {
        let sql = format!(
            "SELECT warehouse_id, sku_id, batch_id, quantity, CAST(expires_on AS CHAR) FROM {{db}}stock_batches \
             WHERE expires_on >= '{date}' ORDER BY batch_id"
        );
        let mut found = BTreeMap::<Shelf, Vec<Batch>>::new();
        for (warehouse_id, sku_id, batch_id, quantity, expires_on) in
            self.rows::<(i64, i64, u64, i64, String)>(&sql).await?
        {
            let expires_on = parsed(&expires_on, &self.object, "stock_batches.expires_on")?;
            let batch = Batch { batch_id, quantity, expires_on: Some(expires_on) };
            found.entry((warehouse_id, sku_id)).or_default().push(batch);
        }
        Ok(found)
    }

    async fn under_way(&mut self) -> Result<BTreeMap<Shelf, UnderWay>> {
        let sql = "SELECT o.warehouse_id, l.sku_id, \
             CAST(SUM(IF(o.status = 'confirmed', GREATEST(l.quantity - l.received, 0), 0)) AS SIGNED), \
             CAST(SUM(IF(o.status = 'confirmed', 0, GREATEST(l.quantity - l.received, 0))) AS SIGNED) \
             FROM {db}purchase_orders o JOIN {db}purchase_order_lines l USING (purchase_order_id) \
             WHERE o.status IN ('draft', 'sent', 'confirmed') GROUP BY o.warehouse_id, l.sku_id";
        type Of = (i64, i64, i64, i64);
        let of = |(warehouse_id, sku_id, in_transit, on_order): Of| {
            ((warehouse_id, sku_id), UnderWay { in_transit, on_order })
        };
        Ok(self.rows::<Of>(sql).await?.into_iter().map(of).collect())
    }

    /// What was ordered and thrown away on a local day.
    async fn moved(&mut self, date: NaiveDate) -> Result<HashMap<Shelf, Moved>> {
        let after = date + Days::new(1);
        let ordered = format!(
            "SELECT o.warehouse_id, l.sku_id, CAST(SUM(l.quantity) AS SIGNED) FROM {{db}}purchase_orders o \
             JOIN {{db}}purchase_order_lines l USING (purchase_order_id) WHERE o.status <> 'canceled' \
             AND o.created_at >= '{date}' AND o.created_at < '{after}' GROUP BY o.warehouse_id, l.sku_id"
        );
        let thrown_away = format!(
            "SELECT warehouse_id, sku_id, CAST(-SUM(quantity) AS SIGNED) FROM {{db}}stock_movements \
             WHERE kind = 'expired' AND moved_at >= '{date}' AND moved_at < '{after}' GROUP BY warehouse_id, sku_id"
        );
        let mut moved = HashMap::<Shelf, Moved>::new();
        for (warehouse_id, sku_id, pieces) in self.rows::<(i64, i64, i64)>(&ordered).await? {
            moved.entry((warehouse_id, sku_id)).or_default().ordered = pieces;
        }
        for (warehouse_id, sku_id, pieces) in self.rows::<(i64, i64, i64)>(&thrown_away).await? {
            moved.entry((warehouse_id, sku_id)).or_default().thrown_away = pieces;
        }
        Ok(moved)
    }

    /// A promotion counts on each day by the part of it in which it runs and the part of the price that it takes off.
    async fn promoted(&mut self, from: NaiveDate, to: NaiveDate, zone: Zone) -> Result<Vec<Promoted>> {
        let after = to.checked_add_days(Days::new(1)).unwrap_or(to);
        let sql = format!(
            "SELECT s.sku_id, CAST(p.starts_at AS CHAR), CAST(p.ends_at AS CHAR), s.price / k.price + 0E0 \
             FROM {{db}}promotions p JOIN {{db}}promotion_skus s USING (promotion_id) JOIN {{db}}skus k USING (sku_id) \
             WHERE p.starts_at < '{after}' AND p.ends_at >= '{from}' AND k.price > 0 \
             ORDER BY s.sku_id, p.promotion_id"
        );
        let mut found = Vec::new();
        for (sku_id, starts, ends, share) in self.rows::<(i64, String, String, f64)>(&sql).await? {
            let wall = |text: &str| {
                chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f")
                    .map_err(|_| wrong(&self.object, "promotions.starts_at, ends_at", text))
            };
            let (starts, ends) = (wall(&starts)?, wall(&ends)?);
            let (EventTime(start), EventTime(end)) = (zone.instant(starts), zone.instant(ends));
            let off = (1.0 - share).clamp(0.0, 1.0) as f32;
            let mut day = starts.date().max(from);
            for _ in 0..PROMOTION_DAYS_MAX {
                if day > ends.date().min(to) {
                    break;
                }
                let (open, close) = (zone.midnight(day).0, zone.midnight(day + Days::new(1)).0);
                let part = (end.min(close) - start.max(open)).max(0) as f32 / (close - open).max(1) as f32;
                found.push(Promoted { sku_id, date: day, strength: part * off });
                day = day + Days::new(1);
            }
        }
        Ok(found)
    }

    async fn execute(&mut self, sql: &str) -> Result<()> {
        self.conn.query_drop(sql).await.map_err(|error| failed(&self.object, error, "the run"))
    }

    /// `{db}` in the statement is the database with its dot.
    async fn rows<T: FromRow + Send + 'static>(&mut self, sql: &str) -> Result<Vec<T>> {
        let sql = qualified(sql, &self.database);
        let bounded = format!("{sql} LIMIT {}", ROWS_MAX + 1);
        let rows: Vec<Row> = self.conn.query(bounded).await.map_err(|error| failed(&self.object, error, "the run"))?;
        if rows.len() > ROWS_MAX {
            return Err(Error::new(ErrorKind::Reject, &self.object, format!("{sql}: more than {ROWS_MAX} rows"))
                .hint("archive what is no longer needed"));
        }
        let typed = rows.into_iter().map(|row| {
            T::from_row_opt(row).map_err(|error| {
                Error::new(ErrorKind::Reject, &self.object, format!("{sql}: a value has another type: {error}"))
                    .hint("bring the shop's tables to the definitions in schemas/shop")
            })
        });
        typed.collect()
    }
}

struct SupplierRow {
    supplier_id: i64,
    name: String,
    name_en: String,
    email: Option<String>,
    lead_days: i64,
    order_days: Option<String>,
    delivery_days: Option<String>,
    cut_off: Option<String>,
    min_amount: Option<i64>,
    language: Option<String>,
}

impl FromRow for SupplierRow {
    fn from_row_opt(row: Row) -> Result<SupplierRow, mysql_async::FromRowError> {
        type Of = (
            i64,
            String,
            String,
            Option<String>,
            i64,
            Option<String>,
            Option<String>,
            Option<String>,
            Option<i64>,
            Option<String>,
        );
        let (supplier_id, name, name_en, email, lead_days, order_days, delivery_days, cut_off, min_amount, language) =
            Of::from_row_opt(row)?;
        Ok(SupplierRow {
            supplier_id,
            name,
            name_en,
            email,
            lead_days,
            order_days,
            delivery_days,
            cut_off,
            min_amount,
            language,
        })
    }
}

impl SupplierRow {
    fn supplier(self, object: &str) -> Result<Supplier> {
        let days = |text: Option<&String>, column: &str| match text {
            None => Ok(Weekdays::ALL),
            Some(text) => Weekdays::parse(text).ok_or_else(|| wrong(object, column, text)),
        };
        let cut_off = match &self.cut_off {
            None => CUT_OFF,
            Some(text) => NaiveTime::parse_from_str(text, "%H:%M:%S%.f")
                .map_err(|_| wrong(object, "supplier_terms.cut_off", text))?,
        };
        Ok(Supplier {
            calendar: Calendar {
                order_days: days(self.order_days.as_ref(), "supplier_terms.order_days")?,
                delivery_days: days(self.delivery_days.as_ref(), "supplier_terms.delivery_days")?,
                cut_off,
                lead_days: u32::try_from(self.lead_days).unwrap_or(0).max(1),
            },
            supplier_id: self.supplier_id,
            name: self.name,
            name_en: self.name_en,
            email: self.email,
            min_amount: self.min_amount.unwrap_or(0).max(0),
            language: self.language.unwrap_or_else(|| "zh".to_owned()),
        })
    }
}

fn parsed(text: &str, object: &str, column: &str) -> Result<NaiveDate> {
    text.parse().map_err(|_| wrong(object, column, text))
}

fn wrong(object: &str, column: &str, value: &str) -> Error {
    Error::new(ErrorKind::Reject, object, format!("{column} holds \"{value}\"")).hint(match column {
        "supplier_terms.order_days" | "supplier_terms.delivery_days" => {
            "weekdays are numbers from Monday, as in 12345 for Monday to Friday"
        }
        _ => "correct the row",
    })
}
