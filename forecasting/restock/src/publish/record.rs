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
