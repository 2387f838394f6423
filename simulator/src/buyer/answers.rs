//! What suppliers say, booked on the lines of purchase orders.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, TxOpts};

use super::Buyer;
use crate::Result;

impl Buyer {
    /// Books answers on orders that were sent; an order whose lines are all answered is confirmed.
    pub(super) async fn book_answers(&mut self, conn: &mut Conn) -> Result<()> {
        let failed = self.failed("book answers");
        let database = self.options.database.clone();
        let sql = "select exists (select 1 from linli_buyer.answers where state = 'open')";
        let open: Option<bool> = conn.query_first(sql).await.map_err(&failed)?;
        if open != Some(true) {
            return Ok(());
        }
        let now = self.wall_now();
        let mut transaction = conn.start_transaction(TxOpts::default()).await.map_err(&failed)?;
        // refused: no such line, or the goods have come, or nothing was ordered after all. A run that is not done with
        // may still make the order.
        let sql = format!(
            "update linli_buyer.answers a join linli_buyer.runs r on r.run = a.run \
             left join {database}.purchase_orders o on o.purchase_order_id = a.purchase_order_id \
             left join {database}.purchase_order_lines l on l.purchase_order_id = a.purchase_order_id \
             and l.community_id = a.community_id and l.sku_id = a.sku_id set a.state = 'refused' \
             where a.state = 'open' and r.state not in ('open', 'ordering') \
             and (l.line is null or o.status not in ('sent', 'confirmed'))"
        );
        transaction.query_drop(&sql).await.map_err(&failed)?;
        let refused = transaction.affected_rows();
        let sql = format!(
            "update {database}.purchase_order_lines l join {database}.purchase_orders o using (purchase_order_id) \
             join linli_buyer.answers a on a.purchase_order_id = l.purchase_order_id \
             and a.community_id = l.community_id and a.sku_id = l.sku_id \
             set l.confirmed = case a.answer when 'accepted' then l.quantity when 'changed' then a.quantity else 0 end, \
             l.answer_version = a.version \
             where a.state = 'open' and o.status in ('sent', 'confirmed') and coalesce(l.answer_version < a.version, true)"
        );
        transaction.query_drop(&sql).await.map_err(&failed)?;
        let booked = transaction.affected_rows();
        let sql = format!(
            "update {database}.purchase_orders o join (select p.purchase_order_id id, \
             sum(coalesce(p.confirmed, p.quantity) * p.cost) amount, sum(p.confirmed is null) unanswered \
             from {database}.purchase_order_lines p where p.purchase_order_id in \
             (select a.purchase_order_id from linli_buyer.answers a where a.state = 'open') \
             group by p.purchase_order_id) n on n.id = o.purchase_order_id \
             set o.amount = n.amount, o.updated_at = ?, o.status = if(n.unanswered = 0, 'confirmed', o.status) \
             where o.status in ('sent', 'confirmed')"
        );
        transaction.exec_drop(&sql, (&now,)).await.map_err(&failed)?;
        let sql = format!(
            "update linli_buyer.answers a join {database}.purchase_order_lines l \
             on l.purchase_order_id = a.purchase_order_id and l.community_id = a.community_id and l.sku_id = a.sku_id \
             set a.state = 'booked' where a.state = 'open' and l.answer_version >= a.version"
        );
        transaction.query_drop(&sql).await.map_err(&failed)?;
        transaction.commit().await.map_err(&failed)?;
        if refused > 0 {
            tracing::warn!(
                refused,
                "answers come too late or to lines that were not ordered: listed in linli_buyer.answers"
            );
        }
        self.bought.answers += booked;
        Ok(())
    }
}
