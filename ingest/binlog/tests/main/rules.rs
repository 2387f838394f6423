//! Personal data on its way out.

use linli_binlog::{Charset, ColumnRule, ColumnType, MaskStyle, RowDecoder, TextRows, kind};

use crate::build::{self, JsonMember, varchar};
use crate::table;
use crate::values::{images, layout};

#[test]
fn masks_keep_little() {
    let cases = [
        (MaskStyle::Phone, "13812345678", "138****5678"),
        (MaskStyle::Phone, "+8613812345678", "+86****5678"),
        (MaskStyle::Phone, "62345678", "62****78"),
        (MaskStyle::Phone, "110", "****"),
        (MaskStyle::Phone, "", ""),
        (MaskStyle::Name, "张三丰", "张**"),
        (MaskStyle::Name, "张", "*"),
        (MaskStyle::Name, "Alexander", "A***"),
        (MaskStyle::Address, "湖北省武汉市中山路100号3栋502", "湖北省武汉市****"),
        (MaskStyle::Address, "3栋502", "3栋****"),
        (MaskStyle::Full, "x", "****"),
    ];
    for (style, text, want) in cases {
        assert_eq!(style.mask(text), want, "{style:?} of {text}");
    }
}

#[test]
fn rules_hold_for_the_log_and_for_selects_alike() {
    let text = || ColumnType::Text { charset: Charset::Utf8mb4 };
    let table =
        table(vec![ColumnType::Integer { bytes: 4, unsigned: false }, text(), text(), text(), ColumnType::Json]);
    let rules = [
        ColumnRule::Drop,
        ColumnRule::Mask(MaskStyle::Phone),
        ColumnRule::Hash { key: b"key".to_vec() },
        ColumnRule::Hash { key: b"key".to_vec() },
        ColumnRule::Mask(MaskStyle::Address),
    ];
    let document =
        build::json_object(&[("no", JsonMember::Int(7)), ("street", JsonMember::Text("湖北省武汉市中山路\"100\"号"))]);
    let cells = [
        vec![1, 0, 0, 0],
        varchar(b"13812345678"),
        varchar(b"The quick brown fox jumps over the lazy dog"),
        vec![],
        build::blob(&document),
    ];
    let cells: Vec<_> = cells.into_iter().map(|cell| Some((!cell.is_empty()).then_some(cell))).collect();
    let mut body = build::rows_head(5, &[build::bitmap(&cells)]);
    body.extend(build::image(&cells));
    let decoder = RowDecoder::new(&layout(&table), &table, &rules).expect("a decoder");
    // The HMAC is the example of the algorithm's article everywhere.
    let want = concat!(
        r#"{"c1":"138****5678","c2":"f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8","#,
        r#""c3":null,"c4":"{\"no\": null, \"street\": \"湖北省武汉市****\"}"}"#
    );
    assert_eq!(images(&decoder, kind::WRITE_ROWS, &body), [[None, Some(want.to_owned())]]);

    let json = "{\"no\": 7, \"street\": \"湖北省武汉市中山路\\\"100\\\"号\"}";
    let texts = [
        Some(&b"1"[..]),
        Some(b"13812345678"),
        Some(b"The quick brown fox jumps over the lazy dog"),
        None,
        Some(json.as_bytes()),
    ];
    let mut out = Vec::new();
    TextRows::new(&table, &rules)
        .expect("rules")
        .write_json(texts.iter().copied(), &mut out, &mut Vec::new())
        .expect("JSON");
    assert_eq!(String::from_utf8(out).expect("UTF-8"), want);
}

#[test]
fn a_rule_does_not_show_its_key() {
    assert_eq!(format!("{:?}", ColumnRule::Hash { key: b"secret".to_vec() }), "Hash");
}
