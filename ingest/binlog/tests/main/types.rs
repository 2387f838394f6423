//! Texts of column types, and tables that do not fit the log.

use linli_binlog::{Charset, ColumnType, Mismatch, RowDecoder, Table};

use crate::table;
use crate::values::layout;

#[test]
fn type_texts_are_read() {
    let text = |charset| ColumnType::Text { charset };
    let strings = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
    let cases = [
        ("bigint(20) unsigned", ColumnType::Integer { bytes: 8, unsigned: true }),
        ("int(8) unsigned zerofill", ColumnType::Integer { bytes: 4, unsigned: true }),
        ("INTEGER", ColumnType::Integer { bytes: 4, unsigned: false }),
        ("tinyint(1)", ColumnType::Integer { bytes: 1, unsigned: false }),
        ("Decimal( 12 , 2 ) unsigned", ColumnType::Decimal { precision: 12, scale: 2 }),
        ("numeric", ColumnType::Decimal { precision: 10, scale: 0 }),
        ("double precision", ColumnType::Double),
        ("double unsigned", ColumnType::Double),
        ("float(7,2)", ColumnType::Float),
        ("float(53)", ColumnType::Double),
        ("bit(64)", ColumnType::Bit { length: 64 }),
        ("datetime(6)", ColumnType::DateTime { fsp: 6 }),
        ("timestamp /* mariadb-5.3 */", ColumnType::Timestamp { fsp: 0 }),
        ("time(3) /* mariadb-5.3 */", ColumnType::Time { fsp: 3 }),
        ("varchar(300) /*M!100301 COMPRESSED*/", text(Charset::Gbk)),
        ("character varying(20)", text(Charset::Gbk)),
        ("binary(8)", ColumnType::Binary { length: 8 }),
        ("varbinary(8)", ColumnType::Bytes),
        (
            "enum('a','中文','with,comma','it''s','(x)','')",
            ColumnType::Enum { values: strings(&["a", "中文", "with,comma", "it's", "(x)", ""]) },
        ),
        ("set('x','y')", ColumnType::Set { values: strings(&["x", "y"]) }),
        ("json", ColumnType::Json),
        ("multipolygon", ColumnType::Geometry),
    ];
    for (source, want) in cases {
        assert_eq!(ColumnType::parse(source, Some(Charset::Gbk)), Ok(want), "{source}");
    }
    assert!(ColumnType::parse("tuple(int)", None).is_err());
    assert!(ColumnType::parse("enum('a", None).is_err());
}

#[test]
fn a_table_is_kept_as_json_and_comes_back() {
    let table =
        table(vec![ColumnType::Decimal { precision: 5, scale: 1 }, ColumnType::Text { charset: Charset::Gb18030 }]);
    let json = serde_json::to_string(&table).expect("JSON");
    assert_eq!(serde_json::from_str::<Table>(&json).expect("a table"), table);
}

#[test]
fn a_schema_that_does_not_fit_is_told_by_table_and_column() {
    let log = layout(&table(vec![ColumnType::Integer { bytes: 4, unsigned: false }, ColumnType::DateTime { fsp: 3 }]));
    let fewer = table(vec![ColumnType::Integer { bytes: 4, unsigned: false }]);
    let error = RowDecoder::new(&log, &fewer, &[]).expect_err("a mismatch");
    assert_eq!(error, Mismatch::ColumnCount { table: "shop.t".into(), schema: 1, log: 2 });
    let other = table(vec![ColumnType::Integer { bytes: 8, unsigned: false }, ColumnType::DateTime { fsp: 3 }]);
    let error = RowDecoder::new(&log, &other, &[]).expect_err("a mismatch");
    assert_eq!(
        error.to_string(),
        "column \"c0\" of table shop.t is bigint by the schema at hand and int in the binlog"
    );
}
