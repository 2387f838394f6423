//! Sound events to be damaged, here and by the fuzzer (`fuzz/examples/seeds.rs`).

use linli_binlog::{Charset, Checksum, Column, ColumnType, Table, kind};

use crate::build::{self, JsonMember, blob, decimal, event, varchar, with_fraction};

/// A table of every type, and an image of it.
pub fn everything() -> (Table, Vec<Option<Option<Vec<u8>>>>) {
    let document = build::json_object(&[
        ("a", JsonMember::Int(-3)),
        ("b", JsonMember::Double(1.5)),
        ("cc", JsonMember::Text("中文\"")),
    ]);
    let text = |charset| ColumnType::Text { charset };
    let columns = vec![
        (ColumnType::Integer { bytes: 8, unsigned: true }, 7u64.to_le_bytes().to_vec()),
        (ColumnType::Integer { bytes: 3, unsigned: false }, vec![0xff; 3]),
        (ColumnType::Float, 1.5f32.to_le_bytes().to_vec()),
        (ColumnType::Double, 0.1f64.to_le_bytes().to_vec()),
        (ColumnType::Decimal { precision: 30, scale: 11 }, decimal(true, &"9".repeat(19), &"1".repeat(11))),
        (ColumnType::Bit { length: 13 }, vec![1, 2]),
        (ColumnType::Year, vec![124]),
        (ColumnType::Date, vec![0x21, 0xa0, 0x0f]),
        (ColumnType::Time { fsp: 4 }, with_fraction(5, 1200, 4, 3, true)),
        (ColumnType::DateTime { fsp: 6 }, with_fraction(5 << 30, 12, 6, 5, false)),
        (ColumnType::Timestamp { fsp: 2 }, vec![1, 2, 3, 4, 5]),
        (text(Charset::Utf8mb4), varchar("团购".as_bytes())),
        (text(Charset::Gb18030), varchar(&[0xd6, 0xd0])),
        (text(Charset::Utf16), varchar(&[0, 65])),
        (text(Charset::Latin2), varchar(&[0xe9])),
        (ColumnType::Binary { length: 20 }, vec![2, 1, 2]),
        (ColumnType::Enum { values: vec!["x".into()] }, vec![1]),
        (ColumnType::Set { values: vec!["x".into(), "y".into()] }, vec![3]),
        (ColumnType::Json, blob(&document)),
        (ColumnType::Geometry, blob(&[1, 0, 0, 0, 9, 9])),
        (ColumnType::Bytes, varchar(&[1, 2, 3])),
    ];
    let mut table = Table { db: "d".into(), name: "t".into(), columns: Vec::new(), primary_key: vec![0] };
    let mut cells = Vec::new();
    for (index, (kind, value)) in columns.into_iter().enumerate() {
        table.columns.push(Column {
            name: format!("c{index}"),
            kind,
            nullable: true,
            generated: false,
            default: Default::default(),
        });
        cells.push(Some(Some(value)));
    }
    (table, cells)
}

pub fn sound_events(table: &Table, cells: &[Option<Option<Vec<u8>>>]) -> Vec<Vec<u8>> {
    let (bitmap, image) = (build::bitmap(cells), build::image(cells));
    let rows = |bitmaps: usize, images: usize| {
        let mut body = build::rows_head(cells.len(), &vec![bitmap.clone(); bitmaps]);
        (0..images).for_each(|_| body.extend_from_slice(&image));
        body
    };
    let inner = event(kind::WRITE_ROWS, &rows(1, 1), Checksum::None).repeat(3);
    let compressed = zstd::bulk::compress(&inner, 1).expect("memory");
    let gtids = [&1u64.to_le_bytes()[..], &[7; 16], &1u64.to_le_bytes(), &[1; 16]].concat();
    let statement: &[u8] = b"ALTER TABLE t ADD d ENUM('a', 'b''c') DEFAULT 'a' /* x */";
    // Version 1 has no extra data, whose length stands in two bytes.
    let mut version_1 = build::rows_head(cells.len(), std::slice::from_ref(&bitmap));
    version_1.drain(8..10);
    let in_zlib = [version_1.clone(), build::mariadb_compressed(&image)].concat();
    version_1.extend_from_slice(&image);
    let bodies: [(u8, Vec<u8>); 21] = [
        (kind::TABLE_MAP, build::table_map(table)),
        (kind::WRITE_ROWS, rows(1, 2)),
        (kind::UPDATE_ROWS, rows(2, 2)),
        (kind::DELETE_ROWS_V1, version_1),
        (kind::MARIADB_WRITE_ROWS_COMPRESSED_V1, in_zlib),
        (kind::TRANSACTION_PAYLOAD, build::payload(0, &compressed, inner.len())),
        (kind::TRANSACTION_PAYLOAD, build::payload(255, &inner, inner.len())),
        (kind::PREVIOUS_GTIDS, gtids),
        (kind::GTID, vec![3; 60]),
        (kind::TAGGED_GTID, vec![2; 60]),
        (kind::MARIADB_GTID, [&[9; 12][..], &[64, 7, 0, 0, 0, 2, 2], b"g1b1"].concat()),
        (kind::MARIADB_GTID_LIST, [&[2, 0, 0, 0][..], &[1; 32]].concat()),
        (kind::QUERY, vec![1; 60]),
        (kind::QUERY, build::query(statement)),
        (kind::QUERY, build::query(b"XA COMMIT X'6731',X'6231',7 ONE PHASE")),
        (kind::MARIADB_QUERY_COMPRESSED, build::query(&build::mariadb_compressed(statement))),
        (kind::XA_PREPARE, vec![1, 7, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, b'g', b'1', b'b', b'1']),
        (kind::ROTATE, [&4u64.to_le_bytes()[..], b"binlog.000002"].concat()),
        (kind::HEARTBEAT_V2, [&[1, 13][..], b"binlog.000003", &[2, 1, 9, 0]].concat()),
        (kind::INCIDENT, vec![1, 0, 4, b'l', b'o', b's', b't']),
        (kind::ROWS_QUERY, b"\x06insert".to_vec()),
    ];
    let with = |checksum| bodies.iter().map(move |(kind, body)| event(*kind, body, checksum));
    with(Checksum::None).chain(with(Checksum::Crc32)).collect()
}
