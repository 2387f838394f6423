//! The rows that a binlog says were changed, counted by a reader that shares nothing with ours (`mysql_async`).

use mysql_async::binlog::events::{EventData, RowsEventData};
use mysql_async::prelude::Queryable;
use mysql_async::{BinlogStreamRequest, Conn, Opts};

use super::{Changes, ChangesByTable};

/// An id that no reader of the tests has.
const REPLICA: u32 = 990_017;

/// Rows changed in the shop's databases behind a place, up to the end of the binlog.
pub async fn changes_since(url: &str, file: &str, pos: u64) -> ChangesByTable {
    let mut conn = Conn::new(Opts::from_url(url).expect("a URL")).await.expect("the server answers");
    // what a server sends to a replica that keeps quiet for long; none of it is waited for
    conn.query_drop("SET @master_heartbeat_period = 1000000000").await.expect("a setting");
    let request = BinlogStreamRequest::new(REPLICA).with_filename(file.as_bytes()).with_pos(pos).with_non_blocking();
    let mut stream = conn.get_binlog_stream(request).await.expect("a binlog stream");
    let mut changes = ChangesByTable::new();
    while let Some(event) = futures::StreamExt::next(&mut stream).await {
        let event = event.expect("an event");
        let Ok(Some(EventData::RowsEvent(rows))) = event.read_data() else { continue };
        let table = stream.get_tme(rows.table_id()).expect("a table map");
        let database = table.database_name();
        if !database.starts_with("shop_") {
            continue;
        }
        let count = rows.rows(table).fold(0, |count, row| row.map(|_| count + 1).expect("a row"));
        let counted: &mut Changes = changes.entry(format!("{database}.{}", table.table_name())).or_default();
        match rows {
            RowsEventData::WriteRowsEvent(_) | RowsEventData::WriteRowsEventV1(_) => counted.inserted += count,
            RowsEventData::UpdateRowsEvent(_) | RowsEventData::UpdateRowsEventV1(_) => counted.updated += count,
            RowsEventData::DeleteRowsEvent(_) | RowsEventData::DeleteRowsEventV1(_) => counted.deleted += count,
            RowsEventData::PartialUpdateRowsEvent(_) => panic!("partial updates were not asked for"),
        }
    }
    changes
}
