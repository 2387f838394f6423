//! Made-up runs, as files and as what must come of them.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::NaiveDate;
use linli_schemas::forecast::{
    Day, DemandRecord, DemandStep, End, LineStatus, Reason, ReasonAddend, RestockLine, RestockRecord, RunId,
};

pub const SUPPLIERS: i64 = 4;
pub const WAREHOUSES: i64 = 2;
pub const SKUS: i64 = 250;
/// Of warehouse stock and of two communities.
const COMMUNITIES: [i64; 3] = [0, 7, 12];
const STEPS: i64 = 3;

pub struct MadeRun {
    pub id: RunId,
    pub lines: Vec<RestockLine>,
    pub steps: Vec<DemandStep>,
    pub business_date: NaiveDate,
    /// Purchase orders that it knows of.
    pub orders_known: Option<BTreeMap<String, u32>>,
}

/// Supplier, warehouse, community and SKU.
pub type Key = (i64, i64, i64, i64);

/// In fen.
pub fn cost(sku: i64) -> i64 {
    99 + sku * 7 % 4_321
}

pub fn key_of(line: &RestockLine) -> Key {
    (line.supplier_id, line.warehouse_id, line.community_id, line.sku_id)
}

impl MadeRun {
    pub fn new(number: i64, business_date: NaiveDate, now_ms: i64) -> MadeRun {
        let id = RunId::of(business_date, (number as u64) << 40 | 0xabcd_0000);
        let (mut lines, mut steps) = (Vec::new(), Vec::new());
        for sku_id in 1..=SKUS {
            for (n, warehouse_id) in (1..=WAREHOUSES).flat_map(|warehouse| COMMUNITIES.map(|_| warehouse)).enumerate() {
                let community_id = COMMUNITIES[n % COMMUNITIES.len()];
                let dice = (sku_id * 31 + warehouse_id * 17 + community_id * 5 + number * 7) % 97;
                if dice % 11 == 10 {
                    // every run holds other lines
                    continue;
                }
                let status = if dice % 13 == 0 { LineStatus::Held } else { LineStatus::Ready };
                let quantity = if dice % 10 == 0 { 0 } else { dice + number };
                let mut reason = Reason::default();
                reason.terms.insert("policy".to_owned(), "newsvendor".into());
                reason.terms.insert("policy_version".to_owned(), "1".into());
                reason.terms.insert("wanted".to_owned(), (quantity as f64 / 7.0 + sku_id as f64 * 1e-7).into());
                reason.sum.push(ReasonAddend { term: "level".to_owned(), pieces: quantity });
                if status == LineStatus::Held {
                    reason.holds.push([("hold".to_owned(), "no_cost".into())].into_iter().collect());
                }
                lines.push(RestockLine {
                    run: id.clone(),
                    supplier_id: sku_id % SUPPLIERS + 1,
                    warehouse_id,
                    community_id,
                    sku_id,
                    quantity,
                    status,
                    must_order_by: now_ms + 3_600_000,
                    needed_by: Day(business_date + chrono::Days::new(1)),
                    reason,
                });
                for step in 1..=STEPS {
                    let mean = dice as f64 / 8.0 + step as f64;
                    steps.push(DemandStep {
                        run: id.clone(),
                        model: "made up".to_owned(),
                        warehouse_id,
                        community_id,
                        sku_id,
                        step_on: Day(business_date + chrono::Days::new(step as u64)),
                        mean,
                        q10: mean * 0.1,
                        q25: mean * 0.5,
                        q50: mean,
                        q75: mean * 1.3,
                        q80: mean * 1.4,
                        q90: mean * 1.8,
                        q95: mean * 2.1,
                        q99: mean * 3.0,
                    });
                }
            }
        }
        MadeRun { id, lines, steps, business_date, orders_known: None }
    }

    pub fn write(&self, file: &Path) {
        let end = End {
            run: self.id.clone(),
            business_date: Day(self.business_date),
            published_at: 0,
            lines: self.lines.len() as u64,
            lines_in_partition: 0,
            orders_known: self.orders_known.clone(),
        };
        let steps = self.steps.iter().map(|step| DemandRecord::Step(step.clone()).encode());
        let lines = self.lines.iter().map(|line| RestockRecord::Line(line.clone()).encode());
        let mut text = Vec::new();
        for record in steps.chain(lines).chain([RestockRecord::End(end).encode()]) {
            text.extend(record);
            text.push(b'\n');
        }
        std::fs::write(file, text).expect("the folder can be written");
    }

    /// What must be ordered.
    pub fn ordered(&self) -> BTreeMap<Key, i64> {
        let ready = self.lines.iter().filter(|line| line.status == LineStatus::Ready && line.quantity > 0);
        ready.map(|line| (key_of(line), line.quantity)).collect()
    }

    /// Lines, and a sum that tells which they are.
    pub fn checksum(&self) -> (u64, i64) {
        let sum = |line: &RestockLine| {
            line.quantity * (line.sku_id * 1_000 + line.community_id * 10 + line.warehouse_id) + line.sku_id
        };
        (self.lines.len() as u64, self.lines.iter().map(sum).sum())
    }

    pub fn demand_checksum(&self) -> (u64, f64) {
        // eighths: added up exactly in any order
        (self.steps.len() as u64, self.steps.iter().map(|step| step.mean).sum())
    }
}
