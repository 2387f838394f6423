//! Goods come: stock, its batches and its movements.

use chrono::NaiveDate;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, TxOpts};

use super::{Buyer, hash};
use crate::Result;

/// Orders that are looked up at once.
const ORDERS: usize = 500;

/// A line that comes: line, SKU, pieces, days that it keeps.
type Coming = (i64, i64, i64, i64);

impl Buyer {
    /// Receives the orders that are expected on a day or before, each in one transaction, once: what the supplier confirmed,
    /// and where it gave no answer what was ordered.
    pub(super) async fn receive(&mut self, conn: &mut Conn, date: NaiveDate) -> Result<()> {
        let failed = self.failed("look for what comes");
        loop {
            let sql = format!(
                "select purchase_order_id from {}.purchase_orders where restock_run is not null \
                 and status in ('sent', 'confirmed') and expected_on <= ? order by purchase_order_id limit {ORDERS}",
                self.options.database
            );
            let due: Vec<u64> = conn.exec(&sql, (date.to_string(),)).await.map_err(&failed)?;
            if due.is_empty() {
                return Ok(());
            }
            for id in due {
                self.receive_order(conn, id, date).await?;
            }
        }
    }

    async fn receive_order(&mut self, conn: &mut Conn, id: u64, date: NaiveDate) -> Result<()> {
        let failed = self.failed("receive a purchase order");
        let (database, now, day) = (self.options.database.clone(), self.wall_now(), date.to_string());
        let mut transaction = conn.start_transaction(TxOpts::default()).await.map_err(&failed)?;
        let sql = format!(
            "select supplier_id, warehouse_id from {database}.purchase_orders where purchase_order_id = ? \
             and status in ('sent', 'confirmed') for update"
        );
        let order: Option<(i64, i64)> = transaction.exec_first(&sql, (id,)).await.map_err(&failed)?;
        let Some((supplier_id, warehouse_id)) = order else {
            return transaction.rollback().await.map_err(&failed);
        };
        let sql = format!(
            "select l.line, l.sku_id, coalesce(l.confirmed, l.quantity), s.shelf_days \
             from {database}.purchase_order_lines l join {database}.skus s on s.sku_id = l.sku_id \
             where l.purchase_order_id = ? and coalesce(l.confirmed, l.quantity) > 0 order by l.line"
        );
        let lines: Vec<Coming> = transaction.exec(&sql, (id,)).await.map_err(&failed)?;
        for (line, sku_id, pieces, shelf_days) in lines {
            let unique = hash(&format!("{id}/{line}"));
            // what is made on the day on which it comes expires when its life is over
            let sql = format!(
                "insert into {database}.stock_batches (batch_id, warehouse_id, sku_id, supplier_id, quantity, produced_on, \
                 expires_on, received_at) values (?, ?, ?, ?, ?, ?, date_add(?, interval ? day), ?)"
            );
            let values = (unique, warehouse_id, sku_id, supplier_id, pieces, &day, &day, shelf_days, &now);
            transaction.exec_drop(&sql, values).await.map_err(&failed)?;
            let sql = format!(
                "insert into {database}.stock_movements (movement_id, warehouse_id, sku_id, kind, quantity, moved_at) \
                 values (?, ?, ?, 'inbound', ?, ?)"
            );
            transaction.exec_drop(&sql, (unique, warehouse_id, sku_id, pieces, &now)).await.map_err(&failed)?;
            let sql = format!(
                "insert into {database}.stock (warehouse_id, sku_id, on_hand, reserved, updated_at) values (?, ?, ?, 0, ?) \
                 on duplicate key update on_hand = on_hand + values(on_hand), updated_at = values(updated_at)"
            );
            transaction.exec_drop(&sql, (warehouse_id, sku_id, pieces, &now)).await.map_err(&failed)?;
        }
        let sql = format!(
            "update {database}.purchase_order_lines set received = coalesce(confirmed, quantity) where purchase_order_id = ?"
        );
        transaction.exec_drop(&sql, (id,)).await.map_err(&failed)?;
        let sql = format!(
            "update {database}.purchase_orders set status = 'received', received_at = ?, updated_at = ? where purchase_order_id = ?"
        );
        transaction.exec_drop(&sql, (&now, &now, id)).await.map_err(&failed)?;
        transaction.commit().await.map_err(&failed)?;
        tracing::info!(id, "purchase order received");
        self.bought.received += 1;
        Ok(())
    }
}
