//! A binlog: whole events one behind the other, with maps of tables, rows, payloads and what is compressed.
#![no_main]

use std::collections::HashMap;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use linli_binlog::{Checksum, Event, FormatDescription, HEADER_LEN, MAGIC, RowDecoder, Table, frame, parse, verify};
use linli_binlog_fuzz::{formats, read_rows, samples};

/// Where an event's length stands in its header.
const SIZE_AT: std::ops::Range<usize> = 9..13;
/// A payload within a payload is none that a server writes.
const DEPTH_MAX: u32 = 3;

static EVERYTHING: LazyLock<Table> = LazyLock::new(|| samples::everything().0);

struct Log {
    format: FormatDescription,
    tables: HashMap<u64, (usize, RowDecoder)>,
}

impl Log {
    fn read(&mut self, bytes: &[u8], depth: u32) {
        let _ = verify(bytes, self.format.checksum);
        let Ok((header, body)) = frame(bytes, self.format.checksum) else { return };
        let Ok(event) = parse(&header, body, &self.format) else { return };
        match event {
            Event::FormatDescription(format) => self.format = format,
            Event::TableMap(map) => {
                let Ok(layout) = map.layout() else { return };
                for table in layout.table().iter().chain([&*EVERYTHING]) {
                    if let Ok(decoder) = RowDecoder::new(&layout, table, &[]) {
                        self.tables.insert(map.table_id, (table.columns.len(), decoder));
                        break;
                    }
                }
            }
            Event::Rows(rows) => {
                if let Some((columns, decoder)) = self.tables.get(&rows.table_id) {
                    read_rows(decoder, *columns, &rows);
                }
            }
            Event::TransactionPayload(payload) if depth < DEPTH_MAX => {
                let Ok(mut events) = payload.events() else { return };
                let checksum = std::mem::replace(&mut self.format.checksum, Checksum::None);
                while let Some(Ok(event)) = events.next_event() {
                    self.read(event, depth + 1);
                }
                self.format.checksum = checksum;
            }
            Event::Query(query) => drop((query.text(), query.xa())),
            Event::Gtid(gtid) | Event::AnonymousGtid(gtid) => drop(gtid.to_string()),
            Event::MariadbGtid(gtid) => drop((gtid.to_string(), gtid.prepares().map(ToString::to_string))),
            Event::PreviousGtids(gtids) => drop(gtids.to_string()),
            Event::MariadbGtidList(gtids) => drop(gtids.to_string()),
            _ => {}
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let mut rest = data.strip_prefix(&MAGIC).unwrap_or(data);
    for format in formats() {
        let mut log = Log { format, tables: HashMap::new() };
        let mut event = Vec::new();
        while let Some(declared) = rest.get(SIZE_AT) {
            let declared = declared.iter().rev().fold(0, |size, byte| size << 8 | usize::from(*byte));
            let Some((bytes, behind)) = rest.split_at_checked(declared.max(HEADER_LEN).min(rest.len())) else { return };
            event.clear();
            event.extend_from_slice(bytes);
            // A length that is wrong is refused at once: nothing behind it would be reached.
            let len = (bytes.len() as u32).to_le_bytes();
            if let Some(size) = event.get_mut(SIZE_AT) {
                size.copy_from_slice(&len);
            }
            log.read(&event, 0);
            rest = behind;
        }
        rest = data.strip_prefix(&MAGIC).unwrap_or(data);
    }
});
