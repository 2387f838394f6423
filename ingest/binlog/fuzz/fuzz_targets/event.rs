//! Whole events from arbitrary bytes: `cargo +nightly fuzz run event`. The bytes are one table map and one rows event,
//! the first of a length that stands in two bytes in front.
#![no_main]

use libfuzzer_sys::fuzz_target;
use linli_binlog::{Checksum, Event, FormatDescription, RowDecoder, frame, parse};

fn event(bytes: &[u8]) -> Option<Event<'_>> {
    let (header, body) = frame(bytes, Checksum::None).ok()?;
    parse(&header, body, &FormatDescription::assumed(Checksum::None)).ok()
}

fuzz_target!(|data: &[u8]| {
    let Some((len, rest)) = data.split_first_chunk::<2>() else {
        return;
    };
    let Some((map, rows)) = rest.split_at_checked(usize::from(u16::from_le_bytes(*len))) else {
        return;
    };
    let rows = event(rows);
    if let Some(Event::TransactionPayload(payload)) = &rows
        && let Ok(mut events) = payload.events()
    {
        while let Some(Ok(bytes)) = events.next_event() {
            drop(event(bytes));
        }
    }
    let (Some(Event::TableMap(map)), Some(Event::Rows(rows))) = (event(map), rows) else {
        return;
    };
    let Ok(layout) = map.layout() else { return };
    let Some(table) = layout.table() else { return };
    let Ok(decoder) = RowDecoder::new(&layout, &table, &[]) else {
        return;
    };
    let Ok(mut cursor) = decoder.rows(&rows) else { return };
    let (mut out, mut warnings) = (Vec::new(), Vec::new());
    while let Some(images) = cursor.next_row() {
        let Ok(images) = images else { return };
        for image in [images.before, images.after].into_iter().flatten() {
            out.clear();
            warnings.clear();
            let _ = image.write_json(&mut out, &mut warnings);
        }
    }
});
