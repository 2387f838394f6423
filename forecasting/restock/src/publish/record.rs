//! A line as it is published.

use linli_schemas::EventTime;
use linli_schemas::forecast::{Day, LineStatus, Reason, ReasonAddend, RestockLine, RunId};
use serde_json::{Map, Value};

use crate::Line;
use crate::terms::Terms;

/// A line as a record of topic `forecast.restock`. Held where it has a hold.
pub fn record(run: &RunId, line: &Line, must_order_by: EventTime) -> RestockLine {
    let status = if line.holds.is_empty() { LineStatus::Ready } else { LineStatus::Held };
    let sum = line.sum.iter().map(|addend| ReasonAddend {
        term: serde_json::to_value(addend.term)
            .ok()
            .and_then(|name| name.as_str().map(str::to_owned))
            .unwrap_or_default(),
        pieces: addend.pieces,
    });
    RestockLine {
        run: run.clone(),
        supplier_id: line.supplier_id,
        warehouse_id: line.place.warehouse_id,
        community_id: line.place.community_id,
        sku_id: line.sku_id,
        quantity: line.quantity,
        status,
        must_order_by: must_order_by.0,
        needed_by: Day(line.terms.arrives_on),
        reason: Reason {
            terms: object(&line.terms),
            sum: sum.collect(),
            conflicts: line.conflicts.iter().map(object).collect(),
            holds: line.holds.iter().map(object).collect(),
        },
    }
}

/// The terms that a published reason tells, to compute the quantity again.
pub fn terms_of(reason: &Reason) -> Result<Terms, serde_json::Error> {
    serde_json::from_value(Value::Object(reason.terms.clone()))
}

fn object(of: &impl serde::Serialize) -> Map<String, Value> {
    // structs and tagged enumerations of plain fields: they are objects, and writing them cannot fail
    match serde_json::to_value(of) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;
    use linli_schemas::forecast::RestockRecord;

    use super::*;
    use crate::{Addend, Conflict, Hold, Place, Released, Term};

    #[test]
    fn a_published_line_is_the_line_and_its_sum_is_computed_again() {
        let date = NaiveDate::from_ymd_opt(2026, 3, 2).expect("a date");
        let terms = Terms {
            policy: "newsvendor".to_owned(),
            policy_version: "1".to_owned(),
            model: "pooled".to_owned(),
            order_on: date,
            arrives_on: date.succ_opt().expect("a date"),
            covers_until: date.succ_opt().expect("a date"),
            cover_days: 1,
            quantile: None,
            probability: Some(0.1 + 0.2),
            mean: 1.0 / 3.0,
            wanted: 17.000_000_000_000_004,
            min_stock: 0,
            stock: 3,
            spoiling: 0,
            in_transit: 0,
            on_order: 2,
            shelf_cover: None,
            pack: 5,
            min_order: 0,
            recent_max: None,
            guard_multiple: 3.0,
            released: Some(Released {
                by: "李伟".to_owned(),
                pieces: None,
                holds: vec![Hold::Absurd { most: 0.1 + 0.2 }],
            }),
        };
        let sum = terms.sum();
        let line = Line {
            supplier_id: 3,
            place: Place { warehouse_id: 1, community_id: 7 },
            sku_id: 1001,
            quantity: sum.quantity,
            terms: terms.clone(),
            sum: sum.addends,
            conflicts: vec![Conflict::ShelfCoverBelowLevel { room: 1, needed: 2 }],
            holds: vec![Hold::NoCost],
        };
        let run = RunId::of(date, 1 << 20);
        let record = record(&run, &line, EventTime(1_793_491_200_000));
        assert_eq!(record.status, LineStatus::Held);
        assert_eq!((record.quantity, record.needed_by.0), (15, terms.arrives_on));
        let read = RestockRecord::decode(&RestockRecord::Line(record.clone()).encode()).expect("decodes");
        assert_eq!(read, RestockRecord::Line(record.clone()));
        assert_eq!(terms_of(&record.reason).expect("terms"), terms);
        assert_eq!(terms_of(&record.reason).expect("terms").sum().quantity, record.quantity);
        let pack = Addend { term: Term::Pack, pieces: 3 };
        assert!(line.sum.contains(&pack) && record.reason.sum.iter().any(|of| of.term == "pack" && of.pieces == 3));
        let free = super::record(&run, &Line { holds: Vec::new(), ..line }, EventTime(0));
        assert_eq!(free.status, LineStatus::Ready);
    }
}
