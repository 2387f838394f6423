use std::collections::HashMap;

use chrono::Days;
use linli_restock::Place;
use linli_restock::history::{Sale, SeriesOf};
use linli_restock::value::{Group, Moved, Value, compare, tracking_signal};

use crate::shop::{RICE, TOMATO, books, history, today};

fn group(warehouse_id: i64, community_id: i64) -> Group {
    Group { supplier_id: 501, category_id: 1, place: Place { warehouse_id, community_id } }
}

fn of(warehouse_id: i64, community_id: i64, sku_id: i64) -> SeriesOf {
    SeriesOf { place: Place { warehouse_id, community_id }, sku_id }
}

#[test]
fn a_day_is_held_against_what_was_expected_of_it_and_what_others_would_have_expected() {
    // 3 tomatoes a day in warehouse 1, on the last day 5 more; 2 bags of rice a day
    let mut history = history(1);
    history.sales.push(Sale { community_id: 1, sku_id: TOMATO, date: today(), pieces: 5 });
    let expected = HashMap::from([(of(1, 0, TOMATO), 7.0), (of(1, 0, RICE), 2.5), (of(1, 1, TOMATO), 2.0)]);
    let moved = HashMap::from([((1, TOMATO), Moved { ordered: 12, thrown_away: 2 })]);
    let built = history.panel(&books(), 7).expect("a panel");
    let values = compare(&history, &built, &books(), &expected, &moved);
    let whole = values[&group(1, 0)];
    assert_eq!(
        whole,
        Value {
            series: 2,
            sold: 8 + 2,
            forecast: 9.5,
            error: 1.0 + 0.5,
            // both said 3 and 2
            error_document: 5.0,
            error_naive: 5.0,
            compared_sold: 10,
            compared_forecast: 9.5,
            ordered: 12,
            lost: 0.0,
            sold_out: 0,
            thrown_away: 2,
            thrown_away_cost: 1400,
        }
    );
    let first = values[&group(1, 1)];
    assert_eq!((first.sold, first.forecast, first.ordered, first.thrown_away), (6 + 1, 2.0, 0, 0));
    assert_eq!((first.compared_sold, first.error), (6, 4.0), "rice had no forecast there");
    assert_eq!(values[&group(2, 0)].sold, 1);
}

#[test]
fn an_empty_shelf_says_what_was_lost_and_nothing_of_the_forecast() {
    let mut history = history(1);
    history.sold_out.insert(((1, TOMATO), today()));
    let expected = HashMap::from([(of(1, 0, TOMATO), 7.0)]);
    let built = history.panel(&books(), 7).expect("a panel");
    let value = compare(&history, &built, &books(), &expected, &HashMap::new())[&group(1, 0)];
    assert_eq!((value.sold, value.lost, value.sold_out), (3 + 2, 4.0, 1));
    assert_eq!((value.error, value.compared_sold), (0.0, 0));
    history.sold_out.clear();
    history.sold_out.insert(((1, TOMATO), today() - Days::new(7)));
    let built = history.panel(&books(), 7).expect("a panel");
    let value = compare(&history, &built, &books(), &expected, &HashMap::new())[&group(1, 0)];
    assert_eq!((value.error, value.error_naive), (4.0, 3.0), "a week before nobody knows what was wanted");
}

#[test]
fn a_day_that_is_not_over_is_neither_learnt_from_nor_judged() {
    let mut history = history(1);
    history.sales.retain(|sale| sale.date < today());
    history.sales.push(Sale { community_id: 1, sku_id: TOMATO, date: today(), pieces: 1 });
    history.open = true;
    let built = history.panel(&books(), 7).expect("a panel");
    assert!((0..built.series.len()).all(|at| built.panel.demand(at).last().is_some_and(|units| units.is_nan())));
    let expected = HashMap::from([(of(1, 0, TOMATO), 7.0)]);
    let value = compare(&history, &built, &books(), &expected, &HashMap::new())[&group(1, 0)];
    assert_eq!((value.sold, value.error, value.error_naive), (3 + 2, 4.0, 0.0), "yesterday's");
}

#[test]
fn forecasts_that_are_always_too_high_are_noticed_and_chance_is_not() {
    let balanced: Vec<(f64, f64)> = (0..28).map(|day| (10.0, if day % 2 == 0 { 8.0 } else { 12.0 })).collect();
    assert_eq!(tracking_signal(&balanced), Some(0.0));
    let high: Vec<(f64, f64)> = balanced.iter().map(|(forecast, sold)| (forecast * 1.5, *sold)).collect();
    assert!(tracking_signal(&high).expect("a signal") > 20.0);
    assert_eq!((tracking_signal(&balanced[..13]), tracking_signal(&[(1.0, 1.0); 28])), (None, None));
}
