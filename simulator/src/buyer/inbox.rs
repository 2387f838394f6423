//! From the topics into the buyer's tables.

use std::collections::BTreeMap;

use linli_connectors::log::Batch;
use linli_schemas::Topic;
use linli_schemas::forecast::{AnswerKind, End, LineStatus, RestockLine, RestockRecord, RunId, SupplierAnswer};
use mysql_async::prelude::Queryable;
use mysql_async::{Params, Transaction, TxOpts, Value};

use super::{Buyer, Session, purchase_order_id};
use crate::Result;

/// Rows of one INSERT.
const INSERT_ROWS: usize = 500;

impl Buyer {
    /// Takes records in, with the positions behind them, in one transaction.
    pub(super) async fn take_in(&mut self, session: &mut Session, batch: &Batch) -> Result<()> {
        let failed = self.failed("take in records");
        let Session { conn, sources, next, .. } = session;
        let mut transaction = conn.start_transaction(TxOpts::default()).await.map_err(&failed)?;
        let mut next_offsets = next.clone();
        let mut lines: Vec<(u32, RestockLine)> = Vec::new();
        let mut runs = Runs::default();
        let mut unreadable = 0;
        for record in batch.iter() {
            let source = &sources[record.source];
            next_offsets[record.source] = record.offset + 1;
            let Some(value) = record.value else { continue };
            if &*source.topic == Topic::ForecastAnswers.name() {
                match SupplierAnswer::decode(value) {
                    Ok(answer) => keep_answer(&mut transaction, &answer).await.map_err(&failed)?,
                    Err(error) => unreadable += self.not_read(source, record.offset, &error),
                }
                continue;
            }
            match RestockRecord::decode(value) {
                Ok(RestockRecord::Line(line)) => {
                    if runs.takes_lines(&mut transaction, &line.run).await.map_err(&failed)? {
                        lines.push((source.partition, line));
                    }
                }
                Ok(RestockRecord::End(end)) => {
                    if runs.takes_lines(&mut transaction, &end.run).await.map_err(&failed)? {
                        let sql = "insert into linli_buyer.ends (run, part, line_count) values (?, ?, ?) \
                                   on duplicate key update line_count = values(line_count)";
                        let values = (end.run.as_str(), source.partition, end.lines_in_partition);
                        transaction.exec_drop(sql, values).await.map_err(&failed)?;
                        let sql = "update linli_buyer.runs set business_date = ?, published_ms = ?, line_count = ? where run = ?";
                        let values = (end.business_date.to_string(), end.published_at, end.lines, end.run.as_str());
                        transaction.exec_drop(sql, values).await.map_err(&failed)?;
                        keep_known(&mut transaction, &end).await.map_err(&failed)?;
                    }
                }
                Ok(RestockRecord::Withdrawn(withdrawn)) => {
                    runs.takes_lines(&mut transaction, &withdrawn.run).await.map_err(&failed)?;
                    let at = self.wall_now();
                    withdraw(&mut transaction, &self.options.database, &withdrawn.run, &at).await.map_err(&failed)?;
                    runs.known.insert(withdrawn.run, false);
                }
                Err(error) => unreadable += self.not_read(source, record.offset, &error),
            }
        }
        keep_lines(&mut transaction, &lines).await.map_err(&failed)?;
        for ((source, next), before) in sources.iter().zip(&next_offsets).zip(&*next) {
            if next != before {
                let sql = "insert into linli_buyer.positions (topic, part, next_offset) values (?, ?, ?) \
                           on duplicate key update next_offset = values(next_offset)";
                transaction.exec_drop(sql, (&*source.topic, source.partition, next)).await.map_err(&failed)?;
            }
        }
        transaction.commit().await.map_err(&failed)?;
        *next = next_offsets;
        self.bought.records += batch.len() as u64;
        self.bought.unreadable += unreadable;
        Ok(())
    }

    fn not_read(
        &self,
        source: &linli_connectors::log::TopicPartition,
        offset: u64,
        error: &dyn std::fmt::Display,
    ) -> u64 {
        tracing::error!(topic = %source.topic, partition = source.partition, offset, %error, "a record cannot be read");
        1
    }
}

/// Whether a run still takes lines, asked once for each run of a batch.
#[derive(Default)]
struct Runs {
    known: BTreeMap<RunId, bool>,
}

impl Runs {
    /// `false` for a run that is done with: what comes of it now came before.
    async fn takes_lines(
        &mut self,
        transaction: &mut Transaction<'_>,
        run: &RunId,
    ) -> Result<bool, mysql_async::Error> {
        if let Some(open) = self.known.get(run) {
            return Ok(*open);
        }
        let sql =
            "insert into linli_buyer.runs (run, state) values (?, 'open') on duplicate key update run = values(run)";
        transaction.exec_drop(sql, (run.as_str(),)).await?;
        let sql = "select state from linli_buyer.runs where run = ?";
        let state: Option<String> = transaction.exec_first(sql, (run.as_str(),)).await?;
        let open = state.as_deref() == Some("open");
        self.known.insert(run.clone(), open);
        Ok(open)
    }
}

async fn keep_lines(transaction: &mut Transaction<'_>, lines: &[(u32, RestockLine)]) -> Result<(), mysql_async::Error> {
    for lines in lines.chunks(INSERT_ROWS) {
        let rows = vec!["(?,?,?,?,?,?,?,?,?)"; lines.len()].join(",");
        // a repetition after a crash of who published is the same line
        let sql = format!(
            "insert into linli_buyer.lines_in (run, supplier_id, warehouse_id, community_id, sku_id, part, quantity, \
             ready, needed_by) values {rows} on duplicate key update run = values(run)"
        );
        let mut values: Vec<Value> = Vec::with_capacity(lines.len() * 9);
        for (partition, line) in lines {
            values.push(line.run.as_str().into());
            values.extend([line.supplier_id, line.warehouse_id, line.community_id, line.sku_id].map(Value::from));
            values.extend([Value::from(*partition), Value::from(line.quantity)]);
            values.push((line.status == LineStatus::Ready).into());
            values.push(line.needed_by.to_string().into());
        }
        transaction.exec_drop(sql, Params::Positional(values)).await?;
    }
    Ok(())
}

/// Which purchase orders a run knew of.
async fn keep_known(transaction: &mut Transaction<'_>, end: &End) -> Result<(), mysql_async::Error> {
    let Some(known) = &end.orders_known else { return Ok(()) };
    let sql = "insert into linli_buyer.orders_known (run, of_run, orders) values (?, ?, ?) \
               on duplicate key update orders = values(orders)";
    for (of_run, orders) in known.iter().map(|(of_run, orders)| (of_run.as_str(), *orders)).chain([("", 0)]) {
        transaction.exec_drop(sql, (end.run.as_str(), of_run, orders)).await?;
    }
    Ok(())
}

/// Nothing more is ordered by it; what was drafted is canceled. What was sent is between people.
async fn withdraw(
    transaction: &mut Transaction<'_>,
    database: &str,
    run: &RunId,
    at: &str,
) -> Result<(), mysql_async::Error> {
    let sql = "update linli_buyer.runs set state = 'withdrawn' where run = ? and state in ('open', 'ordering')";
    transaction.exec_drop(sql, (run.as_str(),)).await?;
    super::order::cancel_drafts(transaction, database, run, at).await
}

async fn keep_answer(transaction: &mut Transaction<'_>, answer: &SupplierAnswer) -> Result<(), mysql_async::Error> {
    // assigned from left to right: the version, which the others are told by, comes last
    let sql = "insert into linli_buyer.answers (run, supplier_id, warehouse_id, community_id, sku_id, \
               purchase_order_id, answer, quantity, state, version) values (?, ?, ?, ?, ?, ?, ?, ?, 'open', ?) \
               on duplicate key update answer = if(values(version) > version, values(answer), answer), \
               quantity = if(values(version) > version, values(quantity), quantity), \
               state = if(values(version) > version, 'open', state), version = greatest(version, values(version))";
    let word = match answer.answer {
        AnswerKind::Accepted => "accepted",
        AnswerKind::Changed => "changed",
        AnswerKind::Refused => "refused",
    };
    let order = purchase_order_id(&answer.run, answer.supplier_id, answer.warehouse_id);
    let values = (
        answer.run.as_str(),
        answer.supplier_id,
        answer.warehouse_id,
        answer.community_id,
        answer.sku_id,
        order,
        word,
        answer.quantity,
        answer.version,
    );
    transaction.exec_drop(sql, values).await
}
