//! Statements with their sessions, and the texts of types and defaults that come of them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use linli_binlog::{
    Charset, Checksum, ColumnDefault, ColumnType, Event, Literal, XaStatement, Xid, frame, kind, parse,
};
use linli_binlog_fuzz::{build, formats};

fuzz_target!(|data: &[u8]| {
    let Some((selector, bytes)) = data.split_first() else { return };
    for kind in [kind::QUERY, kind::MARIADB_QUERY_COMPRESSED] {
        let event = build::event(kind, bytes, Checksum::None);
        let (header, body) = frame(&event, Checksum::None).expect("a frame");
        for format in formats() {
            if let Ok(Event::Query(query)) = parse(&header, body, &format) {
                let _ = (query.text(), query.is("BEGIN"));
                match query.xa() {
                    Some(XaStatement::Start(xid) | XaStatement::Commit(xid) | XaStatement::Rollback(xid)) => {
                        assert_eq!(Xid::parse(&xid.to_string()), Some(xid));
                    }
                    Some(XaStatement::Other) | None => {}
                }
            }
        }
    }
    let charset = Charset::of_collation(u32::from(*selector));
    let text = charset.unwrap_or(Charset::Utf8mb4).decode(bytes);
    if let Ok(found) = ColumnType::parse(&text, charset) {
        for literal in
            [Literal::Text(text.to_string()), Literal::Number(text.to_string()), Literal::Bytes(bytes.to_vec())]
        {
            let _ = ColumnDefault::of_literal(&found, &literal);
        }
    }
    let _ = (Charset::named(&text), Charset::of_collation_name(&text));
});
