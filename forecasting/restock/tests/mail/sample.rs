//! Orders to test with.

use chrono::NaiveDate;
use linli_restock::mail::{Kind, Language, Name, OrderLine, Sender, SupplierOrder, Writing};
use linli_schemas::forecast::RunId;
use linli_schemas::zone::Zone;

pub const RUN: &str = "2026-03-02-1a2b3c4d5e6f";
/// 2026-03-02 20:00 in Shanghai.
pub const AT: i64 = 1_772_452_800_000;
/// 22:00 of that evening.
pub const CUT_OFF: i64 = AT + 2 * 3_600_000;

pub fn day(day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 3, day).expect("a date")
}

/// 24 pieces in packs of 12, 3.35 yuan each.
pub fn line(sku_id: i64) -> OrderLine {
    OrderLine {
        warehouse_id: 1,
        community_id: 0,
        sku_id,
        supplier_code: format!("A-{sku_id}"),
        title: Name::new(format!("苹果{sku_id}"), format!("Apples {sku_id}")),
        spec: "500g".to_owned(),
        warehouse: Name::new("武汉一仓", "Wuhan 1"),
        community: Name::default(),
        pack: 12,
        quantity: 24,
        cost_fen: Some(335),
        needed_by: day(4),
    }
}

pub fn order(supplier_id: i64, lines: Vec<OrderLine>) -> SupplierOrder {
    SupplierOrder {
        run: RunId::parse(RUN).expect("a run"),
        business_date: day(2),
        supplier_id,
        name: Name::new(format!("供应商{supplier_id}"), format!("Supplier {supplier_id}")),
        email: Some(format!("s{supplier_id}@example.com")),
        language: Language::Zh,
        must_order_by: CUT_OFF,
        lines,
        held: 0,
    }
}

pub fn sender() -> Sender {
    Sender::parse("\"邻里 Linli\" <orders@linli.example>", "buyers@linli.example").expect("a sender")
}

pub fn writing<'a>(kind: Kind, sender: &'a Sender, link: Option<&'a str>) -> Writing<'a> {
    Writing { kind, namespace: "", sender, link, at: AT, zone: Zone::SHANGHAI }
}
