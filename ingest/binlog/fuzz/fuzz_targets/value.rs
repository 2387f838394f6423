//! One value of a column: the first byte tells the column, the rest is the value, as the log has it and as a SELECT has it.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use linli_binlog::{Checksum, ColumnType, Event, RowDecoder, Table, TextRows, frame, kind, parse};
use linli_binlog_fuzz::{build, is_json, layout, read_rows, samples};

struct Reader {
    decoder: RowDecoder,
    select: TextRows,
}

static READERS: LazyLock<Vec<Reader>> = LazyLock::new(|| {
    let (everything, _) = samples::everything();
    let mut columns = everything.columns.clone();
    for kind in [ColumnType::Uuid, ColumnType::Inet4, ColumnType::Inet6] {
        columns.push(linli_binlog::Column { kind, ..columns[15].clone() });
    }
    let one = |column: &linli_binlog::Column| {
        let table = Table { columns: vec![column.clone()], ..everything.clone() };
        let layout = match column.kind {
            ColumnType::Uuid | ColumnType::Inet6 => binary(&table, 16),
            ColumnType::Inet4 => binary(&table, 4),
            _ => layout(&table),
        };
        let decoder = RowDecoder::new(&layout, &table, &[]).expect("a decoder");
        Reader { decoder, select: TextRows::new(&table, &[]).expect("no rules") }
    };
    columns.iter().map(one).collect()
});

/// In the log they are bytes of a fixed length.
fn binary(table: &Table, length: u16) -> linli_binlog::TableLayout {
    let mut table = table.clone();
    table.columns[0].kind = ColumnType::Binary { length };
    layout(&table)
}

fuzz_target!(|data: &[u8]| {
    let Some((column, value)) = data.split_first() else { return };
    let reader = &READERS[usize::from(*column) % READERS.len()];
    let mut body = build::rows_head(1, &[vec![1]]);
    body.extend(build::image(&[Some(Some(value.to_vec()))]));
    let bytes = build::event(kind::WRITE_ROWS, &body, Checksum::None);
    let (header, body) = frame(&bytes, Checksum::None).expect("a frame");
    let Ok(Event::Rows(rows)) = parse(&header, body, &build::format()) else { panic!("no rows") };
    read_rows(&reader.decoder, 1, &rows);

    let (mut out, mut warnings) = (Vec::new(), Vec::new());
    if reader.select.write_json([Some(value)].into_iter(), &mut out, &mut warnings).is_ok() {
        is_json(&out);
    }
    out.clear();
    let _ = reader.select.column_text(0, Some(value), &mut out);
    out.clear();
    if reader.select.column_json(0, Some(value), &mut out).is_ok_and(|is_there| is_there) {
        is_json(&out);
    }
    out.clear();
    let _ = reader.select.sql_text(0, Some(value), &mut out);
});
