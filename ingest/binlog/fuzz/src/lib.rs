//! What the targets have in common: samples of the tests, and what is done with an image.

#[allow(dead_code)] // written for the tests
#[path = "../../tests/main/build.rs"]
pub mod build;
#[path = "../../tests/main/samples.rs"]
pub mod samples;

use linli_binlog::{Checksum, Event, FormatDescription, Image, RowDecoder, Rows, Table, TableLayout, frame, parse};

/// The formats that events are read with: of MySQL and of MariaDB.
pub fn formats() -> [FormatDescription; 2] {
    let mut mariadb = FormatDescription::assumed(Checksum::None);
    mariadb.server_version = "10.11.6-MariaDB".into();
    [FormatDescription::assumed(Checksum::None), mariadb]
}

/// The layout of a table whose map is sound.
pub fn layout(table: &Table) -> TableLayout {
    let bytes = build::event(linli_binlog::kind::TABLE_MAP, &build::table_map(table), Checksum::None);
    let (header, body) = frame(&bytes, Checksum::None).expect("a frame");
    let Event::TableMap(map) = parse(&header, body, &build::format()).expect("an event") else {
        panic!("no table map")
    };
    map.layout().expect("a layout")
}

/// Reads rows to their end, or to the first that is damaged.
pub fn read_rows(decoder: &RowDecoder, columns: usize, rows: &Rows<'_>) {
    let Ok(mut cursor) = decoder.rows(rows) else { return };
    while let Some(images) = cursor.next_row() {
        let Ok(images) = images else { return };
        if let (Some(before), Some(after)) = (&images.before, &images.after) {
            let _ = (0..columns).filter(|column| after.same(before, *column)).count();
        }
        for image in [images.before, images.after].into_iter().flatten() {
            read_image(&image, columns);
        }
    }
}

fn read_image(image: &Image<'_>, columns: usize) {
    let (mut out, mut warnings) = (Vec::new(), Vec::new());
    match image.write_json(&mut out, &mut warnings) {
        Ok(()) => is_json(&out),
        Err(_) => assert!(out.is_empty(), "an error leaves nothing behind"),
    }
    assert!(warnings.iter().all(|warning| warning.column < columns));
    for column in 0..columns {
        out.clear();
        let _ = image.column_text(column, &mut out);
        out.clear();
        if image.column_json(column, &mut out).is_ok_and(|is_there| is_there) {
            is_json(&out);
        }
        out.clear();
        let _ = image.sql_text(column, &mut out);
    }
}

pub fn is_json(bytes: &[u8]) {
    let read = serde_json::from_slice::<serde::de::IgnoredAny>(bytes);
    assert!(read.is_ok(), "{read:?}: {}", String::from_utf8_lossy(bytes));
}
