//! A quarantine that begins within a transaction, and a reader that ends in the midst of it.

use std::sync::Arc;

use linli_binlog::{Checksum, Column, ColumnDefault, ColumnType, Table, kind};
use linli_connectors::log::NewRecord;
use serde_json::Value;

use super::super::apply::Applier;
use super::super::catalog::{Catalog, Known};
use super::super::follow::{FollowFrom, Follower};
use super::super::kept::{self, Front};
use super::super::options::CdcOptions;
use super::super::position::{Place, Position};
use super::super::reader::State;
use super::super::route::Router;

/// An event as a server sends it, whose end is at `end` of the file.
fn event(kind: u8, body: &[u8], end: &mut u32) -> Vec<u8> {
    let size = (19 + body.len()) as u32;
    *end += size;
    let mut bytes = 1_700_000_000u32.to_le_bytes().to_vec();
    bytes.push(kind);
    for number in [7, size, *end] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    bytes.extend_from_slice(&[0, 0]);
    bytes.extend_from_slice(body);
    bytes
}

/// `BEGIN`, then rows of two tables, one of which moves to another key; the third event of the first table holds a number
/// that is none.
fn transaction() -> Vec<Vec<u8>> {
    let mut end = 4;
    let mut events = Vec::new();
    let mut begin = vec![0; 8];
    begin.extend_from_slice(&[6, 0, 0, 0, 0]); // length of the database's name, no error, no variables
    begin.extend_from_slice(b"shop_0\0BEGIN");
    events.push(event(kind::QUERY, &begin, &mut end));
    let map = |id: u8, name: &str| {
        let mut body = vec![id, 0, 0, 0, 0, 0, 1, 0, 6];
        body.extend_from_slice(b"shop_0\0");
        body.push(name.len() as u8);
        body.extend_from_slice(name.as_bytes());
        body.extend_from_slice(&[0, 2, 3, 246, 2, 4, 2, 2]); // INT, DECIMAL(4,2), the latter NULL or not
        body
    };
    let rows = |id: u8, rows: &[(u8, [u8; 2])]| {
        let mut body = vec![id, 0, 0, 0, 0, 0, 1, 0, 2, 0, 2, 3];
        for (key, digits) in rows {
            body.extend_from_slice(&[0, *key, 0, 0, 0, digits[0], digits[1]]);
        }
        body
    };
    let (good, bad) = ([0x81, 50], [0x81, 200]); // 1.50, and 200 hundredths
    for (kind, body) in [
        (kind::TABLE_MAP, map(1, "sick")),
        (kind::WRITE_ROWS, rows(1, &[(1, good), (2, good)])),
        (
            kind::UPDATE_ROWS,
            vec![1, 0, 0, 0, 0, 0, 1, 0, 2, 0, 2, 3, 3, 0, 1, 0, 0, 0, 0x81, 50, 0, 8, 0, 0, 0, 0x81, 50],
        ),
        (kind::WRITE_ROWS, rows(1, &[(3, good), (4, bad), (5, good)])),
        (kind::TABLE_MAP, map(2, "well")),
        (kind::WRITE_ROWS, rows(2, &[(6, good), (7, good)])),
    ] {
        events.push(event(kind, &body, &mut end));
    }
    events
}

fn catalog() -> Arc<Catalog> {
    let mut catalog = Catalog::default();
    for name in ["sick", "well"] {
        let column = |name: &str, kind| Column {
            name: name.into(),
            kind,
            nullable: true,
            generated: false,
            default: ColumnDefault::Null,
        };
        let columns = vec![
            column("id", ColumnType::Integer { bytes: 4, unsigned: false }),
            column("price", ColumnType::Decimal { precision: 4, scale: 2 }),
        ];
        let table = Table { db: "shop_0".into(), name: name.into(), columns, primary_key: vec![0] };
        catalog.put(Known { table, charset: None, lost: None, history: None });
    }
    Arc::new(catalog)
}

fn follower(state: &State) -> Follower {
    let options = Arc::new(CdcOptions::default());
    let from = FollowFrom {
        object: "a server".into(),
        server: "a:1".into(),
        position: state.position.clone(),
        prepared: Arc::default(),
        catalog: Arc::clone(&state.catalog),
        changed: Default::default(),
        checksum: Checksum::None,
        quarantines: Arc::clone(&state.quarantines),
        run: "run".into(),
        maps_tell: false,
    };
    Follower::new(from, Arc::new(Router::new(Arc::clone(&options)).expect("patterns")), options)
}

/// What is true of everything that was read.
fn state(follower: &Follower) -> State {
    State {
        position: follower.position(),
        catalog: Arc::clone(follower.catalog()),
        quarantines: Arc::clone(&follower.quarantines),
        ..State::default()
    }
}

/// Topic, row in the transaction, and id of the row.
fn told(records: Vec<NewRecord>) -> Vec<(String, i64, i64)> {
    let one = |record: NewRecord| {
        let value: Value = serde_json::from_slice(&record.value.expect("a value")).expect("JSON");
        let number = |value: &Value| value.as_i64().unwrap_or(-1);
        (record.topic.to_string(), number(&value["source"]["row"]), number(&value["after"]["id"]))
    };
    records.into_iter().map(one).collect()
}

#[test]
fn wherever_a_reader_ends_the_rows_keep_their_numbers_and_an_event_is_held_once() {
    let events = transaction();
    let row = |topic: &str, row, id| (format!("shop.{topic}"), row, id);
    let mut want = vec![("alerts".to_owned(), -1, -1), row("sick", 0, 1), row("sick", 1, 2)];
    // A row that moves is a delete and a create.
    want.extend([row("sick", 2, -1), row("sick", 2, 8), row("well", 6, 6), row("well", 7, 7)]);
    want.sort();
    let begin = State {
        position: Position { place: Place::new("binlog.000001", 4), ..Position::default() },
        catalog: catalog(),
        ..State::default()
    };
    for ends_after in 0..=events.len() {
        let mut first = follower(&begin);
        for event in &events[..ends_after] {
            first.event(event).expect("an event");
        }
        let mut records = first.batch.take();
        // What was read is on the log and written down; a second reader begins there.
        let state = state(&first);
        let mut second = follower(&state);
        for event in &events {
            second.event(event).expect("an event");
        }
        records.extend(second.batch.take());
        let mut found = told(records);
        found.sort();
        assert_eq!(found, want, "ended after {ends_after} events");
        let quarantine = second.quarantines.get("shop_0.sick").expect("a quarantine");
        assert_eq!((second.quarantines.len(), quarantine.events), (1, 1), "ended after {ends_after} events");
        let (Front::Rest(mut rest), 0) = quarantine.kept.front() else { panic!("{:?}", quarantine.kept) };
        let (head, event) = kept::next(&mut rest).expect("an event").expect("whole");
        assert_eq!((head.row, head.order, &event[..]), (3, 4, &events[4][..]));
        assert!(rest.is_empty());
    }
}

#[test]
fn what_is_applied_stops_at_an_event_that_cannot_be_read_and_leaves_nothing_of_it() {
    let mut reader = follower(&State { catalog: catalog(), ..State::default() });
    for event in transaction() {
        reader.event(&event).expect("an event");
    }
    let (Front::Rest(mut rest), _) = reader.quarantines["shop_0.sick"].kept.front() else { panic!("a rest") };
    let options = Arc::new(CdcOptions::default());
    let router = Arc::new(Router::new(Arc::clone(&options)).expect("patterns"));
    let mut applier = Applier::new(&catalog(), "shop_0.sick", "a:1", router, options).expect("a table");
    let (head, event) = kept::next(&mut rest).expect("an event").expect("whole");
    let why = applier.event(&head, &event, 5).expect_err("200 hundredths");
    assert!(why.contains("price"), "{why}");
    assert_eq!((applier.bytes(), applier.counted()), (0, (0, 0)));
    // Nor with a definition, which then is used up.
    applier.define("CREATE TABLE sick (id INT PRIMARY KEY, price DECIMAL(4,2))").expect("a definition");
    assert!(applier.event(&head, &event, 5).is_err() && applier.is_defined());
}
