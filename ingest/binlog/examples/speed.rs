//! Decodes rows like an order's to JSON, many times over: `cargo run --release -p linli-binlog --example speed -- [ROWS]`.
//! Time it from outside (`time`): the crate knows no clock.

#[path = "../tests/main/build.rs"]
#[allow(dead_code)]
mod build;

use build::{JsonMember, blob, decimal, json_object, varchar, with_fraction};
use linli_binlog::{Charset, Column, ColumnType, Event, RowDecoder, Table, frame, parse, verify};

fn orders() -> Table {
    let big = |unsigned| ColumnType::Integer { bytes: 8, unsigned };
    let integer = |bytes| ColumnType::Integer { bytes, unsigned: false };
    let text = || ColumnType::Text { charset: Charset::Utf8mb4 };
    let datetime = || ColumnType::DateTime { fsp: 3 };
    let amount = || ColumnType::Decimal { precision: 12, scale: 2 };
    let columns = [
        ("order_id", big(true)),
        ("user_id", big(false)),
        ("community_id", integer(4)),
        ("leader_id", big(false)),
        ("status", integer(1)),
        ("pay_amount", amount()),
        ("discount", amount()),
        ("address", ColumnType::Json),
        ("note", text()),
        ("phone", text()),
        ("created_at", datetime()),
        ("paid_at", datetime()),
        ("accepted_at", datetime()),
        ("sorted_at", datetime()),
        ("delivered_at", datetime()),
        ("updated_at", datetime()),
    ];
    let column = |(name, kind): (&str, ColumnType)| Column {
        name: name.to_owned(),
        kind,
        nullable: true,
        generated: false,
        default: Default::default(),
    };
    Table { db: "shop_0".into(), name: "orders_0".into(), columns: columns.map(column).to_vec(), primary_key: vec![0] }
}

fn order(id: u64) -> Vec<Option<Option<Vec<u8>>>> {
    let ymd = ((2026 * 13 + 3) << 5) + 14;
    let at = |step: u64| with_fraction((ymd << 17) + (9 << 12) + ((step as i64 % 60) << 6) + 30, 123_000, 3, 5, false);
    let address = json_object(&[
        ("no", JsonMember::Int(77)),
        ("lat", JsonMember::Double(30.593_098)),
        ("lon", JsonMember::Double(114.305_392)),
        ("street", JsonMember::Text("解放大道")),
        ("城市", JsonMember::Text("武汉")),
    ]);
    let later = |step: u64| if id % 4 < step { None } else { Some(at(step)) };
    [
        Some((1000 + id).to_le_bytes().to_vec()),
        Some((id * 31 % 500_000).to_le_bytes().to_vec()),
        Some((id as u32 % 2000).to_le_bytes().to_vec()),
        Some((id % 3000).to_le_bytes().to_vec()),
        Some(vec![(id % 6) as u8]),
        Some(decimal(false, &format!("{:010}", id * 7), &format!("{:02}", id % 100))),
        Some(decimal(true, "0000000003", "50")),
        Some(blob(&address)),
        Some(varchar("请放门口，谢谢".as_bytes())),
        Some(varchar(b"13812345678")),
        Some(at(id)),
        later(1),
        later(2),
        later(3),
        None,
        Some(at(id + 1)),
    ]
    .map(Some)
    .to_vec()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let rows: u64 = std::env::args().nth(1).map_or(Ok(1_000_000), |text| text.parse())?;
    const ROWS_OF_EVENT: u64 = 8;
    let table = orders();
    let format = build::format();
    let map = build::event(linli_binlog::kind::TABLE_MAP, &build::table_map(&table), format.checksum);
    let (header, body) = frame(&map, format.checksum)?;
    let Event::TableMap(map) = parse(&header, body, &format)? else {
        return Err("no table map".into());
    };
    let decoder = RowDecoder::new(&map.layout()?, &table, &[])?;
    let mut body = build::rows_head(16, &[vec![0xff; 2]]);
    (0..ROWS_OF_EVENT).for_each(|id| body.extend_from_slice(&build::image(&order(id))));
    let checksum = linli_binlog::Checksum::Crc32;
    let event = build::event(linli_binlog::kind::WRITE_ROWS, &body, checksum);

    let (mut out, mut warnings, mut bytes) = (Vec::new(), Vec::new(), 0u64);
    for _ in 0..rows / ROWS_OF_EVENT {
        verify(&event, checksum)?;
        let (header, body) = frame(&event, checksum)?;
        let Event::Rows(rows) = parse(&header, body, &format)? else {
            return Err("no rows".into());
        };
        let mut cursor = decoder.rows(&rows)?;
        while let Some(images) = cursor.next_row() {
            out.clear();
            if let Some(after) = images?.after {
                after.write_json(&mut out, &mut warnings)?;
            }
            bytes += out.len() as u64;
        }
    }
    println!("{}", String::from_utf8_lossy(&out));
    println!("{rows} rows of 16 columns, {bytes} bytes of JSON");
    Ok(())
}
