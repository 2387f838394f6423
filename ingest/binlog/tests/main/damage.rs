//! No bytes make the decoder panic, run on, or take memory that its input does not warrant.

use linli_binlog::{
    Checksum, ColumnType, Event, FormatDescription, HEADER_LEN, RowDecoder, Rows, Table, TableLayout, frame, kind,
    parse, verify,
};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::build::{self, blob, event};
use crate::samples::{everything, sound_events};
use crate::values::layout;

struct Reader {
    table: Table,
    layout: TableLayout,
    decoder: RowDecoder,
    formats: [FormatDescription; 2],
    out: Vec<u8>,
}

impl Reader {
    /// Reads whatever there is to read; gives the length of what was written.
    fn read(&mut self, bytes: &[u8]) -> usize {
        self.out.clear();
        for checksum in [Checksum::None, Checksum::Crc32] {
            let _ = verify(bytes, checksum);
            let Ok((header, body)) = frame(bytes, checksum) else {
                continue;
            };
            for format in &self.formats {
                match parse(&header, body, format) {
                    Ok(Event::Rows(rows)) => read_rows(&self.decoder, &rows, &mut self.out),
                    Ok(Event::TableMap(map)) => {
                        if let Ok(layout) = map.layout() {
                            let _ = layout.table().map(|table| RowDecoder::new(&layout, &table, &[]).map(drop));
                            let _ = RowDecoder::new(&layout, &self.table, &[]);
                        }
                    }
                    Ok(Event::TransactionPayload(payload)) => {
                        if let Ok(mut events) = payload.events() {
                            while let Some(Ok(event)) = events.next_event() {
                                self.out.extend_from_slice(event);
                            }
                        }
                    }
                    Ok(Event::Query(query)) => self.out.extend_from_slice(query.text().as_bytes()),
                    Ok(Event::PreviousGtids(gtids)) => self.out.extend_from_slice(gtids.to_string().as_bytes()),
                    Ok(Event::Gtid(gtid)) => self.out.extend_from_slice(gtid.to_string().as_bytes()),
                    _ => {}
                }
            }
        }
        self.out.len()
    }
}

fn read_rows(decoder: &RowDecoder, rows: &Rows<'_>, out: &mut Vec<u8>) {
    let Ok(mut cursor) = decoder.rows(rows) else { return };
    let mut warnings = Vec::new();
    while let Some(images) = cursor.next_row() {
        let Ok(images) = images else { continue };
        for image in [images.before, images.after].into_iter().flatten() {
            let start = out.len();
            let written = image.write_json(out, &mut warnings);
            match written {
                Ok(()) => {
                    let json = out.get(start..).unwrap_or_default();
                    assert!(
                        serde_json::from_slice::<serde_json::Value>(json).is_ok(),
                        "{}",
                        String::from_utf8_lossy(json)
                    );
                }
                Err(_) => assert_eq!(out.len(), start, "an error leaves nothing behind"),
            }
            let _ = image.column_text(4, out);
        }
    }
}

fn damage(bytes: &mut Vec<u8>, rng: &mut ChaCha8Rng) {
    for _ in 0..rng.random_range(1..6) {
        let at = rng.random_range(4..bytes.len());
        match rng.random_range(0..6) {
            0 => bytes[at] ^= 1 << rng.random_range(0..8),
            1 => bytes[at] = *[0, 1, 127, 128, 250, 252, 253, 254, 255].get(rng.random_range(0..9usize)).unwrap_or(&0),
            2 => bytes[at] = rng.random(),
            3 => drop(bytes.remove(at)),
            4 => bytes.insert(at, rng.random()),
            _ => bytes.truncate(at.max(HEADER_LEN + 1)),
        }
    }
    // Mostly the length in the header is right, or nothing behind it would be reached.
    if rng.random_range(0..20) > 0 && bytes.len() >= 13 {
        let len = (bytes.len() as u32).to_le_bytes();
        bytes[9..13].copy_from_slice(&len);
    }
}

#[test]
fn damaged_events_are_errors_and_never_more() {
    let (table, cells) = everything();
    let layout = layout(&table);
    let decoder = RowDecoder::new(&layout, &table, &[]).expect("a decoder");
    let mut mariadb = FormatDescription::assumed(Checksum::None);
    mariadb.server_version = "10.11.6-MariaDB".into();
    let formats = [FormatDescription::assumed(Checksum::None), mariadb];
    let mut reader = Reader { table, layout, decoder, formats, out: Vec::new() };
    let sound = sound_events(&reader.table, &cells);
    for event in &sound {
        reader.read(event);
    }
    assert!(reader.layout.columns.len() > 20);
    let mut rng = ChaCha8Rng::seed_from_u64(20_260_601);
    for _ in 0..60_000 {
        let mut bytes = sound[rng.random_range(0..sound.len())].clone();
        damage(&mut bytes, &mut rng);
        // Base64, escapes and U+FFFD lengthen; compressed bytes may hold anything, but zstd's ratio ends somewhere.
        let written = reader.read(&bytes);
        assert!(written < 4 << 20, "{written} bytes of {}", bytes.len());
    }
}

#[test]
fn a_declared_length_allocates_nothing() {
    let (table, _) = everything();
    let decoder = RowDecoder::new(&layout(&table), &table, &[]).expect("a decoder");
    // Rows of zlib that is said to hold 3 GiB.
    let mut body = build::rows_head(table.columns.len(), &[vec![0xff; 3]]);
    body.drain(8..10);
    body.extend_from_slice(&[0x84, 0xc0, 0, 0, 0, 1, 2, 3]);
    let bytes = event(kind::MARIADB_WRITE_ROWS_COMPRESSED_V1, &body, Checksum::None);
    let (header, body) = frame(&bytes, Checksum::None).expect("a frame");
    let error = parse(&header, body, &build::format()).expect_err("too large");
    assert!(error.to_string().contains("at most"), "{error}");
    let _ = decoder;
}

/// A document whose members all lie on the same bytes would be written without end.
#[test]
fn a_json_value_that_reaches_its_parts_twice_is_refused() {
    let table = crate::table(vec![ColumnType::Json]);
    let decoder = RowDecoder::new(&layout(&table), &table, &[]).expect("a decoder");
    // An array of 1,000 members that are one string of 10,000 bytes.
    let members: u16 = 1000;
    let at = 4 + 3 * members;
    let mut document = vec![2];
    document.extend_from_slice(&members.to_le_bytes());
    document.extend_from_slice(&(at + 10_002).to_le_bytes());
    for _ in 0..members {
        document.push(12);
        document.extend_from_slice(&at.to_le_bytes());
    }
    document.extend_from_slice(&[0x90, 0x4e]);
    document.extend_from_slice(&[b'x'; 10_000]);
    let mut body = build::rows_head(1, &[vec![1]]);
    body.extend(build::image(&[Some(Some(blob(&document)))]));
    let bytes = event(kind::WRITE_ROWS, &body, Checksum::None);
    let (header, body) = frame(&bytes, Checksum::None).expect("a frame");
    let Ok(Event::Rows(rows)) = parse(&header, body, &build::format()) else { panic!("no rows") };
    let mut cursor = decoder.rows(&rows).expect("rows");
    let images = cursor.next_row().expect("a row").expect("its cells");
    let error = images.after.expect("an image").write_json(&mut Vec::new(), &mut Vec::new()).expect_err("refused");
    assert!(error.to_string().starts_with("column c0 of shop.t"), "{error}");
}
