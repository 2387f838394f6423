//! Events that are not rows.

use linli_binlog::{
    Charset, Checksum, ColumnType, DecodeError, Event, FormatDescription, HEADER_LEN, Header, RowDecoder, XaStatement,
    Xid, frame, kind, parse, verify,
};

use crate::build::{self, event, lenenc, mariadb_compressed, payload, query};
use crate::table;
use crate::values::layout;

fn header(kind: u8) -> Header {
    Header { timestamp: 1, kind, server_id: 7, size: 0, next_pos: 500, flags: 0 }
}

fn read(kind: u8, body: &[u8]) -> Event<'_> {
    parse(&header(kind), body, &build::format()).expect("an event")
}

fn format_description(version: &str, algorithm: u8) -> Vec<u8> {
    let mut body = 4u16.to_le_bytes().to_vec();
    let mut name = [0; 50];
    name[..version.len()].copy_from_slice(version.as_bytes());
    body.extend_from_slice(&name);
    body.extend_from_slice(&[0, 0, 0, 0, HEADER_LEN as u8]);
    let mut post_header = [0; 41];
    (post_header[1], post_header[18], post_header[29]) = (13, 8, 10);
    body.extend_from_slice(&post_header);
    body.push(algorithm);
    body
}

#[test]
fn a_format_description_carries_its_own_checksum() {
    for (version, algorithm, want) in [
        ("8.0.15", 1, Checksum::Crc32),
        ("8.0.15", 0, Checksum::None),
        ("10.11.19-MariaDB-0+deb12u1-log", 1, Checksum::Crc32),
    ] {
        let mut bytes = event(kind::FORMAT_DESCRIPTION, &format_description(version, algorithm), Checksum::Crc32);
        verify(&bytes, Checksum::None).expect("a sound event");
        bytes[17] |= 1; // the file is in use: not covered
        verify(&bytes, Checksum::None).expect("a sound event");
        let (header, body) = frame(&bytes, Checksum::None).expect("a frame");
        let Event::FormatDescription(format) = parse(&header, body, &build::format()).expect("an event") else {
            panic!("no format description")
        };
        assert_eq!((format.checksum, format.server_version.as_str()), (want, version));
        assert_eq!(format.is_mariadb(), version.contains("Maria"));
    }
}

#[test]
fn a_damaged_event_is_told_by_its_checksum() {
    let sound = event(kind::XID, &42u64.to_le_bytes(), Checksum::Crc32);
    verify(&sound, Checksum::Crc32).expect("a sound event");
    for index in 0..sound.len() {
        let mut damaged = sound.clone();
        damaged[index] ^= 0x10;
        let told = verify(&damaged, Checksum::Crc32).is_err() || damaged[4] == kind::FORMAT_DESCRIPTION;
        assert!(told, "byte {index}");
    }
    let (header, body) = frame(&sound, Checksum::Crc32).expect("a frame");
    assert!(matches!(parse(&header, body, &build::format()), Ok(Event::Xid(42))));
}

#[test]
fn gtids_of_all_kinds() {
    let uuid: Vec<u8> = (0u8..16).collect();
    let mut body = [&[1u8][..], &uuid, &77u64.to_le_bytes(), &[2], &5u64.to_le_bytes(), &6u64.to_le_bytes()].concat();
    let (committed, original) = (1_700_000_000_000_123u64, 1_700_000_000_000_000u64);
    body.extend_from_slice(&(committed | 1 << 55).to_le_bytes()[..7]);
    body.extend_from_slice(&original.to_le_bytes()[..7]);
    lenenc(4000, &mut body);
    let Event::Gtid(gtid) = read(kind::GTID, &body) else { panic!("no GTID") };
    assert_eq!(gtid.to_string(), "00010203-0405-0607-0809-0a0b0c0d0e0f:77");
    assert_eq!((gtid.committed_us, gtid.original_committed_us), (Some(committed), Some(original)));
    assert_eq!((gtid.last_committed, gtid.sequence_number, gtid.transaction_len), (5, 6, Some(4000)));
    assert!(matches!(read(kind::ANONYMOUS_GTID, &body[..25]), Event::AnonymousGtid(_)));

    // Version 1, then length and last needed field; fields: flags, UUID, number, tag.
    let mut body = vec![2, 0, 0, 0, 2, 2];
    for byte in &uuid {
        body.push(byte << 1);
    }
    body[6] = 0x25; // 0x89 takes two bytes
    body.insert(7, 0x02);
    // The number 77: its sign last, and two bytes again. Then the tag with its length.
    body.extend_from_slice(&[4, 0x69, 0x02, 6, 6, b'a', b'b', b'c']);
    body[1] = (body.len() as u8) << 1;
    let Event::Gtid(gtid) = read(kind::TAGGED_GTID, &body) else { panic!("no GTID") };
    assert_eq!(gtid.to_string(), "89010203-0405-0607-0809-0a0b0c0d0e0f:abc:77");

    let body = [&1u64.to_le_bytes()[..], &uuid, &2u64.to_le_bytes(), &1u64.to_le_bytes(), &6u64.to_le_bytes()].concat();
    let body = [body, 9u64.to_le_bytes().to_vec(), 10u64.to_le_bytes().to_vec()].concat();
    let Event::PreviousGtids(gtids) = read(kind::PREVIOUS_GTIDS, &body) else { panic!("no GTIDs") };
    assert_eq!(gtids.to_string(), "00010203-0405-0607-0809-0a0b0c0d0e0f:1-5:9");

    let body = [&12u64.to_le_bytes()[..], &3u32.to_le_bytes(), &[1, 0, 0, 0, 0, 0, 0]].concat();
    let Event::MariadbGtid(gtid) = read(kind::MARIADB_GTID, &body) else { panic!("no GTID") };
    assert_eq!((gtid.to_string().as_str(), gtid.is_standalone()), ("3-7-12", true));
    let body = [&1u32.to_le_bytes()[..], &3u32.to_le_bytes(), &7u32.to_le_bytes(), &12u64.to_le_bytes()].concat();
    let Event::MariadbGtidList(gtids) = read(kind::MARIADB_GTID_LIST, &body) else { panic!("no GTIDs") };
    assert_eq!(gtids.to_string(), "3-7-12");
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex")).collect()
}

/// Bytes as MySQL 8.0.15 and MariaDB 10.11 wrote them.
#[test]
fn xa_transactions_are_told_by_their_names() {
    let xid = Xid { format: 7, global: b"g1".to_vec(), branch: b"b1".to_vec() };
    for (body, phases) in [("0007000000020000000200000067316231", false), ("0107000000020000000200000067316231", true)]
    {
        let body = bytes(body);
        let Event::XaPrepare { one_phase, xid: found } = read(kind::XA_PREPARE, &body) else { panic!("no prepare") };
        assert_eq!((one_phase, &found), (phases, &xid));
    }
    let body = bytes("0400000000000000000000004c0700000002026731623101ff");
    let Event::MariadbGtid(prepares) = read(kind::MARIADB_GTID, &body) else { panic!("no GTID") };
    assert_eq!((prepares.prepares(), prepares.is_standalone()), (Some(&xid), false));
    let body = bytes("0600000000000000000000008d07000000020267316231");
    let Event::MariadbGtid(decides) = read(kind::MARIADB_GTID, &body) else { panic!("no GTID") };
    assert_eq!((decides.prepares(), decides.xid.as_ref()), (None, Some(&xid)));

    let statement = |sql: &[u8]| {
        let body = query(sql);
        let Event::Query(query) = read(kind::QUERY, &body) else { panic!("no query") };
        query.xa()
    };
    assert_eq!(xid.to_string(), "X'6731',X'6231',7");
    assert_eq!(statement(b"XA START X'6731',X'6231',7"), Some(XaStatement::Start(xid.clone())));
    assert_eq!(statement(b"XA END X'6731',X'6231',7"), Some(XaStatement::Other));
    assert_eq!(statement(b"XA ROLLBACK X'6731',X'6231',7"), Some(XaStatement::Rollback(xid.clone())));
    assert_eq!(statement(b"xa commit X'6731',X'6231',7 ONE PHASE"), Some(XaStatement::Commit(xid)));
    let odd = Xid { format: 1, global: vec![0, 255, 39], branch: Vec::new() };
    assert_eq!(statement(b"XA COMMIT X'00ff27',X'',1"), Some(XaStatement::Commit(odd)));
    let others: [&[u8]; 6] =
        [b"BEGIN", b"XANADU", b"XA COMMIT", b"XA COMMIT X'6',X'',1", b"XA COMMIT 'a'", b"INSERT INTO xa"];
    for sql in others {
        assert_eq!(statement(sql), None, "{}", String::from_utf8_lossy(sql));
    }
    let long = [&[0u8; 5][..], &65u32.to_le_bytes(), &0u32.to_le_bytes(), &[0; 65]].concat();
    assert!(parse(&header(kind::XA_PREPARE), &long, &build::format()).is_err(), "longer than a server takes");
}

#[test]
fn a_statement_has_its_session() {
    let sql = encoding_rs::GBK.encode("alter table 订单 add c int").0.into_owned();
    for (number, body) in
        [(kind::QUERY, query(&sql)), (kind::MARIADB_QUERY_COMPRESSED, query(&mariadb_compressed(&sql)))]
    {
        let Event::Query(query) = read(number, &body) else { panic!("no query") };
        assert_eq!((query.db.as_str(), &*query.text()), ("shop", "alter table 订单 add c int"));
        assert_eq!((query.session.sql_mode, query.session.client_charset), (Some(4), Some(Charset::Gbk)));
        assert_eq!((query.session.server_collation, query.session.time_zone.as_deref()), (Some(8), Some("+08:00")));
    }
    let begin = query(b"BEGIN");
    assert!(matches!(read(kind::QUERY, &begin), Event::Query(query) if query.is("begin")));
}

/// A LOAD DATA that is logged as a statement: what names its file stands before the session.
#[test]
fn a_load_of_a_file_is_a_statement() {
    let mut body = query(b"LOAD DATA INFILE 'x' INTO TABLE t");
    body.splice(13..13, [9, 0, 0, 0, 17, 0, 0, 0, 20, 0, 0, 0, 1]);
    let Event::Query(query) = read(kind::EXECUTE_LOAD_QUERY, &body) else { panic!("no query") };
    assert_eq!((query.db.as_str(), &*query.text()), ("shop", "LOAD DATA INFILE 'x' INTO TABLE t"));
    assert_eq!(query.session.sql_mode, Some(4));
    for block in [kind::BEGIN_LOAD_QUERY, kind::APPEND_BLOCK] {
        assert!(matches!(read(block, &[9, 0, 0, 0, b'1']), Event::Other { .. }));
    }
}

#[test]
fn rows_that_mariadb_compressed_are_those_it_did_not() {
    let table = table(vec![ColumnType::Integer { bytes: 4, unsigned: true }]);
    let decoder = RowDecoder::new(&layout(&table), &table, &[]).expect("a decoder");
    let mut head = build::rows_head(1, &[vec![1]]);
    head.drain(8..10); // version 1 has no extra data
    let data = [0, 1, 0, 0, 0, 0, 2, 0, 0, 0];
    let plain = [&head[..], &data].concat();
    let compressed = [&head[..], &mariadb_compressed(&data)].concat();
    let want = crate::values::images(&decoder, kind::WRITE_ROWS_V1, &plain);
    assert_eq!(want.len(), 2);
    assert_eq!(crate::values::images(&decoder, kind::MARIADB_WRITE_ROWS_COMPRESSED_V1, &compressed), want);
}

#[test]
fn a_transaction_payload_gives_the_events_inside() {
    let inner: Vec<Vec<u8>> = (0..300u64)
        .map(|index| {
            event(kind::XID, &[&index.to_le_bytes()[..], &vec![0; index as usize * 50]].concat(), Checksum::None)
        })
        .collect();
    let data = inner.concat();
    let compressed = zstd::bulk::compress(&data, 3).expect("memory");
    for body in [payload(0, &compressed, data.len()), payload(255, &data, data.len())] {
        let Event::TransactionPayload(payload) = read(kind::TRANSACTION_PAYLOAD, &body) else { panic!("no payload") };
        assert_eq!(payload.uncompressed_len, data.len() as u64);
        let mut events = payload.events().expect("a stream");
        for want in &inner {
            assert_eq!(events.next_event().expect("an event").expect("sound"), want.as_slice());
        }
        assert!(events.next_event().is_none());
    }
    let cut = payload(255, &data[..data.len() - 1], data.len());
    let Event::TransactionPayload(payload) = read(kind::TRANSACTION_PAYLOAD, &cut) else { panic!("no payload") };
    let mut events = payload.events().expect("a stream");
    let last = std::iter::from_fn(|| events.next_event().map(|event| event.map(drop))).last();
    assert!(matches!(last, Some(Err(DecodeError::Truncated { .. }))), "{last:?}");
}

#[test]
fn small_events() {
    let body = [&1_234u64.to_le_bytes()[..], b"binlog.000002"].concat();
    assert!(matches!(read(kind::ROTATE, &body), Event::Rotate { file, pos: 1_234 } if file == "binlog.000002"));
    assert!(
        matches!(read(kind::HEARTBEAT, b"binlog.000002"), Event::Heartbeat { file, pos: 500 } if file == "binlog.000002")
    );
    let mut body = vec![1, 13];
    body.extend_from_slice(b"binlog.000003");
    body.extend_from_slice(&[2, 9, 254, 0, 0, 0, 0, 1, 0, 0, 0, 0]);
    let Event::Heartbeat { file, pos } = read(kind::HEARTBEAT_V2, &body) else { panic!("no heartbeat") };
    assert_eq!((file.as_str(), pos), ("binlog.000003", 1 << 32));
    assert!(matches!(read(kind::MARIADB_ANNOTATE_ROWS, b"insert"), Event::RowsQuery(text) if text == "insert"));
    assert!(matches!(read(kind::ROWS_QUERY, b"\x06insert"), Event::RowsQuery(text) if text == "insert"));
    assert!(matches!(read(kind::STOP, b""), Event::Stop));
    assert!(matches!(read(kind::MARIADB_BINLOG_CHECKPOINT, b"...."), Event::Other { kind: 161 }));
}

#[test]
fn what_cannot_be_followed_names_the_remedy() {
    for (number, word) in [
        (kind::PARTIAL_UPDATE_ROWS, "binlog_row_value_options"),
        (kind::MARIADB_START_ENCRYPTION, "encrypted"),
        (kind::INTVAR, "binlog_format"),
    ] {
        let result = parse(&header(number), &[], &build::format());
        match result {
            Err(error @ DecodeError::Unsupported { .. }) => assert!(error.to_string().contains(word), "{error}"),
            other if number == kind::INTVAR => assert!(other.is_ok(), "{other:?}"),
            other => panic!("{other:?}"),
        }
    }
}

/// Full metadata of a table map tells the table without any schema.
#[test]
fn full_metadata_makes_the_table() {
    let kinds = vec![
        ColumnType::Integer { bytes: 8, unsigned: true },
        ColumnType::Text { charset: Charset::Gbk },
        ColumnType::Integer { bytes: 4, unsigned: false },
        ColumnType::Enum { values: vec!["甲".into(), "乙".into()] },
        ColumnType::Bytes,
    ];
    let table = table(kinds);
    let elements = [&[2, 3][..], "甲".as_bytes(), &[3], "乙".as_bytes()].concat();
    let fields = [(1, vec![0b1000_0000]), (3, vec![28, 63]), (6, elements), (8, vec![0]), (11, vec![45])];
    let body = build::full_table_map(&table, &fields);
    let Event::TableMap(map) = read(kind::TABLE_MAP, &body) else { panic!("no table map") };
    let layout = map.layout().expect("a layout");
    assert_eq!(layout.table(), Some(table.clone()));
    RowDecoder::new(&layout, &table, &[]).expect("a decoder");
}

#[test]
fn an_assumed_format_is_that_of_the_session() {
    assert_eq!(FormatDescription::assumed(Checksum::Crc32).checksum, Checksum::Crc32);
}
