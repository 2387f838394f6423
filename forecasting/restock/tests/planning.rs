use std::collections::{BTreeMap, HashMap};

use chrono::NaiveTime;
use linli_forecasting::demand::{DemandModel, SeriesForecast};
use linli_forecasting::distribution::Summary;
use linli_restock::books::{Books, OnHand, Problem, Shares, Sku, UnderWay};
use linli_restock::history::SeriesOf;
use linli_restock::plan::{Frame, Plan, plan, reconcile};
use linli_restock::stock::Batch;
use linli_restock::{Hold, Outlook, Place, Policy, Release};
use linli_schemas::zone::Zone;

use crate::shop::{RICE, TOMATO, books, history, today};

/// Ten minutes past midnight after the day.
fn now_ms() -> i64 {
    Zone::SHANGHAI.instant(today().and_hms_opt(21, 0, 0).expect("a time")).0
}

fn outlook(mean: f64) -> Outlook {
    let summary = |days: f64| Summary {
        mean: mean * days,
        quantiles: [0.5, 0.7, 1.0, 1.3, 1.6, 1.8, 2.2].map(|of| of * mean * days),
    };
    Outlook {
        model: "test".to_owned(),
        steps: vec![summary(1.0); 7],
        totals: (2..=7).map(|days| summary(f64::from(days))).collect(),
    }
}

fn outlooks() -> HashMap<(i64, i64), Outlook> {
    [((1, TOMATO), outlook(20.0)), ((1, RICE), outlook(2.0)), ((2, RICE), outlook(1.0))].into()
}

fn frame(policy: &Policy, now_ms: i64) -> Frame<'_> {
    let shares = Shares::default();
    Frame { date: today(), zone: Zone::SHANGHAI, now_ms, policy, shares, releases: BTreeMap::new() }
}

fn planned(books: &Books, outlooks: &HashMap<(i64, i64), Outlook>, now_ms: i64) -> Plan {
    let policy = Policy::newsvendor();
    let frame = frame(&policy, now_ms);
    let recent = outlooks.iter().map(|(shelf, outlook)| (*shelf, outlook.mean_total(1) * 2.0)).collect();
    plan(&frame, books, outlooks, &recent)
}

#[test]
fn every_shelf_has_a_line_and_what_is_under_way_is_not_ordered_again() {
    let mut books = books();
    let before = planned(&books, &outlooks(), now_ms());
    assert_eq!(before.problems, []);
    let shelves: Vec<(i64, i64)> =
        before.lines.iter().map(|planned| (planned.line.place.warehouse_id, planned.line.sku_id)).collect();
    assert_eq!(shelves, [(1, TOMATO), (1, RICE), (2, RICE)]);
    let tomatoes = before.lines[0].line.quantity;
    assert!(tomatoes >= 20, "a day's demand: {tomatoes}");
    books.under_way.insert((1, TOMATO), UnderWay { in_transit: 4, on_order: 3 });
    let on_hand = OnHand { on_hand: 7, reserved: 2, min_stock: 0 };
    books.stock.insert((1, TOMATO), on_hand);
    let day_after = today() + chrono::Days::new(2);
    books.received.insert((1, TOMATO), vec![Batch { batch_id: 1, quantity: 30, expires_on: Some(day_after) }]);
    let after = planned(&books, &outlooks(), now_ms());
    assert_eq!(after.lines[0].line.quantity, tomatoes - 4 - 3 - 5);
    let cut_off = Zone::SHANGHAI.instant(today().and_hms_opt(22, 0, 0).expect("a time"));
    assert_eq!(after.lines[0].must_order_by, cut_off.0);
}

#[test]
fn what_cannot_be_relied_on_is_held_and_listed_and_the_rest_goes_on() {
    let mut books = books();
    books.skus.insert(12, Sku { cost: None, ..crate::shop::sku(12, None) });
    books.skus.insert(13, Sku { supplier_id: 777, ..crate::shop::sku(13, None) });
    for sku in [12, 13, 14] {
        books.stock.insert((1, sku), OnHand { on_hand: 0, reserved: 0, min_stock: 2 });
    }
    let mut outlooks = outlooks();
    outlooks.insert((1, RICE), outlook(f64::NAN));
    outlooks.insert((2, RICE), outlook(5_000.0));
    let policy = Policy::newsvendor();
    let frame = frame(&policy, now_ms());
    let recent = [((2, RICE), 2.0)].into();
    let plan = plan(&frame, &books, &outlooks, &recent);
    let holds = |warehouse_id, sku| {
        let wanted = Place { warehouse_id, community_id: 0 };
        let found = plan.lines.iter().find(|planned| planned.line.place == wanted && planned.line.sku_id == sku);
        found.map(|planned| planned.line.holds.clone())
    };
    assert_eq!(holds(1, TOMATO), Some(vec![]));
    assert_eq!(holds(1, RICE), Some(vec![Hold::UnsoundForecast]));
    assert!(matches!(holds(2, RICE).as_deref(), Some([Hold::Absurd { .. }])));
    assert_eq!(holds(1, 12), Some(vec![Hold::NoForecast, Hold::NoCost]));
    assert_eq!((holds(1, 13), holds(1, 14)), (None, None));
    assert_eq!(
        plan.problems,
        [
            Problem::UnknownSupplier { supplier_id: 777, sku_id: 13 },
            Problem::SkuWithoutCost { sku_id: 12 },
            Problem::UnknownSku { sku_id: 14 },
        ]
    );
}

#[test]
fn a_person_releases_lines_that_wait_and_orders_other_quantities() {
    let mut books = books();
    books.stock.insert((1, 12), OnHand { on_hand: 0, reserved: 0, min_stock: 2 });
    books.skus.insert(12, Sku { cost: None, ..crate::shop::sku(12, None) });
    let policy = Policy::newsvendor();
    let release = |pieces| Release { by: "Li Wei".to_owned(), pieces };
    let releases = [((1, 12), release(None)), ((2, RICE), release(Some(7)))].into();
    let frame = Frame { releases, ..frame(&policy, now_ms()) };
    let plan = plan(&frame, &books, &outlooks(), &HashMap::new());
    let line = |warehouse_id, sku| {
        let wanted = Place { warehouse_id, community_id: 0 };
        let found = plan.lines.iter().find(|planned| planned.line.place == wanted && planned.line.sku_id == sku);
        found.expect("a line").line.clone()
    };
    let released = line(1, 12);
    assert_eq!((released.quantity, released.holds), (2, vec![]));
    assert_eq!(released.terms.released.expect("released").holds, [Hold::NoForecast, Hold::NoCost]);
    assert_eq!(line(2, RICE).quantity, 7);
    assert_eq!(line(1, RICE).terms.released, None);
}

#[test]
fn a_cut_off_that_is_over_and_a_minimum_that_is_not_reached_wait_for_a_person() {
    let mut books = books();
    let supplier = books.suppliers.get_mut(&501).expect("the supplier");
    supplier.calendar.cut_off = NaiveTime::from_hms_opt(20, 30, 0).expect("a time");
    supplier.min_amount = 10_000_000;
    let plan = planned(&books, &outlooks(), now_ms());
    assert!(plan.lines.iter().all(|planned| planned.line.holds == [Hold::CutOffMissed]));
    let [Problem::BelowMinimumAmount { amount, minimum, .. }, Problem::CutOffMissed { .. }] = plan.problems[..] else {
        panic!("{:?}", plan.problems);
    };
    let worth: i64 = plan.lines.iter().map(|planned| planned.line.quantity * 700).sum();
    assert_eq!((amount, minimum), (worth, 10_000_000));
}

#[test]
fn forecasts_of_communities_add_up_to_their_warehouse() {
    let (books, history) = (books(), history(4));
    let built = history.panel(&books, 7).expect("a panel");
    let view = built.panel.observed(built.panel.days()).expect("a view");
    let all: Vec<usize> = (0..built.series.len()).collect();
    let mut forecasts =
        DemandModel::new(7).expect("a model").fit(view).expect("a fit").forecast_in_parallel(view, &all);
    // one that is far off
    scale(&mut forecasts[1], 3.0);
    let whole = |of: &SeriesOf| of.place.community_id == 0;
    let wholes: Vec<SeriesForecast> =
        built.series.iter().zip(&forecasts).filter(|(of, _)| whole(of)).map(|(_, forecast)| forecast.clone()).collect();
    reconcile(&built.series, &mut forecasts);
    let mut seen = 0;
    for (of, forecast) in built.series.iter().zip(&forecasts).filter(|(of, _)| whole(of)) {
        assert_eq!(*forecast, wholes[seen], "a warehouse's own forecast stays");
        seen += 1;
        let members: Vec<&SeriesForecast> = built
            .series
            .iter()
            .zip(&forecasts)
            .filter(|(other, _)| {
                !whole(other) && other.sku_id == of.sku_id && other.place.warehouse_id == of.place.warehouse_id
            })
            .map(|(_, forecast)| forecast)
            .collect();
        let parts = |mean: &dyn Fn(&SeriesForecast) -> f64| members.iter().map(|of| mean(of)).sum::<f64>();
        for day in 0..7 {
            assert!((parts(&|of| of.steps[day].mean) - forecast.steps[day].mean).abs() < 1e-9);
        }
        let days: f64 = forecast.steps.iter().map(|step| step.mean).sum();
        assert!((parts(&|of| of.totals[5].mean) - days).abs() < 1e-9);
        assert!(members.iter().all(|of| of.totals.iter().all(|total| total.quantiles.is_sorted())));
    }
    assert_eq!(seen, 3);
}

fn scale(forecast: &mut SeriesForecast, factor: f64) {
    forecast.steps.iter_mut().chain(&mut forecast.totals).for_each(|summary| {
        summary.mean *= factor;
        summary.quantiles.iter_mut().for_each(|quantile| *quantile *= factor);
    });
}
