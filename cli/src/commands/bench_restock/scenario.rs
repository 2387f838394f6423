//! The simulated shop as restocking sees it: goods, terms, prices, what will be wanted and what is planned ahead.

use std::collections::BTreeSet;

use chrono::{Days, NaiveDate, NaiveTime};
use linli_connectors::random::{Random, SeededRandom};
use linli_forecasting::Labels;
use linli_restock::calendar::{Calendar, Weekdays};
use linli_restock::simulation::{Class, Item, Scenario};
use linli_restock::{Margins, Place};
use linli_schemas::zone::Zone;
use linli_simulator::demand::{DailyDemand, DemandSeries, Occasions, SLOTS};
use linli_simulator::holidays::holidays;
use linli_simulator::{Shop, ShopOptions, Sku, Supplier};
use xxhash_rust::xxh3::xxh3_64;

use crate::args::BenchRestockArgs;
use crate::failure::{Failure, Kind, Outcome};

/// Days behind the last one of which holidays and offers are known, so that the last evening sees as far as the first.
pub const KNOWN_AHEAD: usize = 28;
/// Of the price, what a disappointed buyer is worth beyond the margin: one part in so many.
const GOODWILL_PARTS: i64 = 5;
/// Holding a piece for a day costs so many ten thousandths of its price: cooling apart, cash and space.
const HOLDING_FRESH_E4: i64 = 50;
const HOLDING_AMBIENT_E4: i64 = 200;
/// One order in so many comes a day late.
const LATE_ONE_IN: u64 = 50;
/// Cases of ambient goods: pieces by the price up to which they hold.
const CASES: [(i64, i64); 3] = [(400, 12), (900, 6), (2_000, 4)];
const CUT_OFF: (u32, u32) = (22, 0);

/// What the seed and the sizes make.
pub fn build(args: &BenchRestockArgs, zone: Zone) -> Outcome<Scenario> {
    let too_early = || {
        Failure::new(Kind::Config, format!("before {} there are no {} days", args.from, args.history_days))
            .hint("name a later day by --from")
    };
    let history_from = args.from.checked_sub_days(Days::new(args.history_days as u64)).ok_or_else(too_early)?;
    let options = ShopOptions {
        skus: args.skus,
        orders_per_day: args.orders_per_day,
        ..ShopOptions::demo(args.seed, zone, history_from)
    };
    let shop = Shop::new(options)?;
    let known_days = args.history_days + args.days + KNOWN_AHEAD;
    let occasions = Occasions { promotions: !args.without_promotions, holidays: !args.without_holidays };
    let demand = shop.daily_demand(history_from, known_days, occasions);
    let items: Vec<Item> = demand.series.iter().map(|series| item(args, &shop, series)).collect::<Outcome<_>>()?;
    Ok(Scenario {
        history_from,
        history_days: args.history_days,
        days: args.days,
        labels: demand.series.iter().map(|series| labels(&shop, series)).collect(),
        own: vec![offers(&demand, args.history_days)],
        days_off: if occasions.holidays { days_off() } else { BTreeSet::new() },
        known_days,
        items,
    })
}

fn item(args: &BenchRestockArgs, shop: &Shop, series: &DemandSeries) -> Outcome<Item> {
    let goods = &shop.catalog().skus[series.sku];
    let life_days = u32::try_from(goods.shelf_days).ok();
    let class = Class::of(life_days);
    let supplier = shop.city().suppliers.iter().find(|supplier| supplier.supplier_id == goods.supplier_id);
    let supplier = supplier.ok_or_else(|| {
        Failure::new(Kind::Internal, format!("SKU {} has no supplier in the simulated shop", goods.sku_id))
    })?;
    let calendar = calendar(args, supplier);
    let pack = pack(class, goods);
    let recent = &series.pieces[args.history_days.saturating_sub(7)..args.history_days];
    let lasts = i64::from(calendar.lead_days);
    Ok(Item {
        place: Place { warehouse_id: shop.city().warehouses[series.warehouse].warehouse_id, community_id: 0 },
        sku_id: goods.sku_id,
        supplier_id: goods.supplier_id,
        calendar,
        margins: margins(class, goods),
        life_days,
        pack,
        min_order: pack,
        min_stock: goods.min_stock[series.warehouse],
        // until the first order comes
        initial: (recent.iter().sum::<i64>() * lasts).div_euclid(recent.len().max(1) as i64) + 1,
        demand: series.pieces[..args.history_days + args.days].to_vec(),
        late_days: late_days(args.seed, goods.supplier_id, args.days),
    })
}

/// Orders are taken and delivered every day; overnight where the supplier says so.
fn calendar(args: &BenchRestockArgs, supplier: &Supplier) -> Calendar {
    Calendar {
        order_days: Weekdays::ALL,
        delivery_days: Weekdays::ALL,
        cut_off: NaiveTime::from_hms_opt(CUT_OFF.0, CUT_OFF.1, 0).unwrap_or_default(),
        lead_days: args.lead_days.unwrap_or(u32::try_from(supplier.lead_days).unwrap_or(1)),
    }
}

/// A piece thrown away costs what it cost; a sale that is lost its margin and a part of the buyer's goodwill.
fn margins(class: Class, goods: &Sku) -> Margins {
    let holding = match class {
        Class::Fresh => HOLDING_FRESH_E4,
        Class::Ambient => HOLDING_AMBIENT_E4,
    };
    Margins {
        lost: goods.price - goods.cost + goods.price / GOODWILL_PARTS,
        waste: goods.cost,
        holding_e4: goods.price * holding,
    }
}

/// Fresh goods come by the piece, cheap ones that keep by the case.
fn pack(class: Class, goods: &Sku) -> i64 {
    let case = CASES.iter().find(|(price, _)| goods.price <= *price).map_or(1, |(_, pieces)| *pieces);
    if class == Class::Fresh { 1 } else { case }
}

/// All orders of a supplier's evening come late together.
fn late_days(seed: u64, supplier_id: i64, days: usize) -> Vec<u8> {
    let random = SeededRandom::new(seed ^ xxh3_64(&supplier_id.to_le_bytes()));
    (0..days).map(|_| u8::from(random.next_u64().is_multiple_of(LATE_ONE_IN))).collect()
}

fn labels(shop: &Shop, series: &DemandSeries) -> Labels {
    let goods = &shop.catalog().skus[series.sku];
    let group = |id: i64| u32::try_from(id).unwrap_or(0);
    Labels {
        key: xxh3_64(format!("{}/{}", series.warehouse, goods.sku_id).as_bytes()),
        level: 0,
        department: group(goods.category_id),
        category: group(goods.category_id),
        product: group(goods.product_id),
        place: series.warehouse as u32,
    }
}

/// What the offers planned for a day are expected to add, against an ordinary day of the SKU: by what offers of the same slot
/// and warehouse added in the history. Nothing behind the history is looked at.
fn offers(demand: &DailyDemand, history_days: usize) -> Vec<f32> {
    let usual: Vec<f64> = demand.series.iter().map(|series| usual(series, history_days)).collect();
    let warehouses = demand.series.iter().map(|series| series.warehouse + 1).max().unwrap_or(0);
    let mut added = vec![[(0.0, 0.0); SLOTS]; warehouses];
    for (series, usual) in demand.series.iter().zip(&usual) {
        for (pieces, offers) in series.pieces.iter().zip(&series.offers).take(history_days) {
            // Where two offers run on one day, nobody can tell what came of which.
            let mut running = (0..SLOTS).filter(|slot| offers[*slot] > 0);
            if let (Some(slot), None) = (running.next(), running.next()) {
                let (sum, days) = &mut added[series.warehouse][slot];
                *sum += *pieces as f64 - usual;
                *days += 1.0;
            }
        }
    }
    let mut table = Vec::new();
    for (series, usual) in demand.series.iter().zip(&usual) {
        let adds = added[series.warehouse].map(|(sum, days): (f64, f64)| (sum / f64::max(days, 1.0)).max(0.0));
        table.extend(series.offers.iter().map(|offers| {
            let expected: f64 = (0..SLOTS).filter(|slot| offers[*slot] > 0).map(|slot| adds[slot]).sum();
            (expected / usual.max(0.5)) as f32
        }));
    }
    table
}

/// Mean of the days of the history without an offer.
fn usual(series: &DemandSeries, history_days: usize) -> f64 {
    let days = series.pieces.iter().zip(&series.offers).take(history_days);
    let plain = days.filter(|(_, offers)| offers.iter().all(|percent| *percent == 0)).map(|(pieces, _)| *pieces);
    let (sum, count) = plain.fold((0, 0), |(sum, count), pieces| (sum + pieces, count + 1));
    sum as f64 / f64::from(count.max(1))
}

/// As they were announced.
fn days_off() -> BTreeSet<NaiveDate> {
    holidays().flat_map(|holiday| holiday.first.iter_days().take(holiday.days.max(0) as usize)).collect()
}
