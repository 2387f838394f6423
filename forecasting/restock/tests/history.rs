use chrono::Days;
use linli_forecasting::distribution::Summary;
use linli_restock::Place;
use linli_restock::books::Problem;
use linli_restock::history::{HISTORY_DAYS, History, Promoted, Sale, SeriesOf};

use crate::shop::{RICE, TOMATO, books, history, today};

fn series(warehouse_id: i64, community_id: i64, sku_id: i64) -> SeriesOf {
    SeriesOf { place: Place { warehouse_id, community_id }, sku_id }
}

fn row(history: &History, of: SeriesOf) -> Vec<f64> {
    let built = history.panel(&books(), 7).expect("a panel");
    let at = built.series.iter().position(|series| *series == of).expect("the series");
    built.panel.demand(at).to_vec()
}

#[test]
fn sales_of_communities_are_those_of_their_warehouse() {
    let history = history(3);
    let built = history.panel(&books(), 7).expect("a panel");
    assert_eq!(built.series.len(), 5 + 3, "five of communities, three of warehouses");
    assert!(built.series.is_sorted() && built.problems.is_empty());
    assert_eq!(row(&history, series(1, 0, TOMATO)), [9.0; HISTORY_DAYS as usize]);
    assert_eq!(row(&history, series(1, 2, TOMATO)), [6.0; HISTORY_DAYS as usize]);
    assert_eq!(row(&history, series(2, 0, RICE)), [1.0; HISTORY_DAYS as usize]);
    let keys: std::collections::BTreeSet<u64> = built.panel.labels().iter().map(|labels| labels.key).collect();
    assert_eq!(keys.len(), built.series.len());
}

#[test]
fn days_that_tell_nothing_are_missing_and_what_came_back_is_never_less_than_nothing() {
    let mut history = history(3);
    let first_sold = today() - Days::new(30);
    history.sales.retain(|sale| sale.sku_id != TOMATO || sale.date >= first_sold);
    let empty = today() - Days::new(1);
    history.sold_out.insert(((1, TOMATO), empty));
    history.sales.retain(|sale| sale.date != empty || sale.sku_id != TOMATO);
    history.sales.push(Sale { community_id: 1, sku_id: TOMATO, date: today(), pieces: -5 });
    for (of, pieces, last) in [(series(1, 1, TOMATO), 3.0, 0.0), (series(1, 0, TOMATO), 9.0, 4.0)] {
        let row = row(&history, of);
        let (before, after) = row.split_at(HISTORY_DAYS as usize - 31);
        assert!(before.iter().all(|value| value.is_nan()), "not on sale yet");
        assert_eq!(after[..29], [pieces; 29]);
        assert!(after[29].is_nan(), "sold out");
        assert_eq!(after[30], last);
    }
    assert!(row(&history, series(1, 0, RICE)).iter().all(|value| *value == 2.0));
}

#[test]
fn a_day_that_sold_out_with_more_than_usual_is_not_forgotten() {
    let mut history = history(3);
    let (busy, slow) = (today() - Days::new(3), today() - Days::new(5));
    history.sales.push(Sale { community_id: 1, sku_id: TOMATO, date: busy, pieces: 8 });
    history.sales.push(Sale { community_id: 1, sku_id: TOMATO, date: slow, pieces: -2 });
    history.sold_out.extend([((1, TOMATO), busy), ((1, TOMATO), slow)]);
    let row = row(&history, series(1, 0, TOMATO));
    let back = |days: usize| row[row.len() - 1 - days];
    assert_eq!(back(3), 17.0);
    assert!(back(5).is_nan());
    assert_eq!(back(4), 9.0);
}

#[test]
fn a_day_that_sold_out_wanted_what_the_evening_before_makes_likely() {
    let mut history = history(3);
    let (busy, empty) = (today() - Days::new(3), today() - Days::new(5));
    history.sales.retain(|sale| sale.date != empty || sale.sku_id != TOMATO);
    history.sold_out.extend([((1, TOMATO), busy), ((1, TOMATO), empty)]);
    let eve = Summary { mean: 9.0, quantiles: [4.0, 6.0, 9.0, 11.0, 14.0, 16.0, 20.0] };
    history.eves.extend([busy, empty].map(|day| ((series(1, 0, TOMATO), day), eve)));
    let row = row(&history, series(1, 0, TOMATO));
    let back = |days: usize| row[row.len() - 1 - days];
    // of the upper half: on the lines between its quantiles, 11.8
    assert!((11.5..12.5).contains(&back(3)), "{}", back(3));
    assert!(back(5).is_nan(), "a shelf that was empty from the start says nothing");
    assert_eq!(back(4), 9.0);
    let first = self::row(&history, series(1, 1, TOMATO));
    assert!(first[first.len() - 4].is_nan(), "of a community nothing was expected, and it sold no more than usual");
}

#[test]
fn sales_that_nobody_can_place_are_named() {
    let mut history = history(1);
    history.sales.push(Sale { community_id: 9, sku_id: RICE, date: today(), pieces: 1 });
    history.sales.push(Sale { community_id: 1, sku_id: 99, date: today(), pieces: 1 });
    history.sales.push(Sale { community_id: 1, sku_id: RICE, date: today() + Days::new(1), pieces: 50 });
    let built = history.panel(&books(), 7).expect("a panel");
    assert_eq!(
        built.problems,
        [Problem::UnknownSku { sku_id: 99 }, Problem::CommunityWithoutWarehouse { community_id: 9 }]
    );
    assert_eq!(row(&history, series(1, 1, RICE)).last(), Some(&1.0), "tomorrow's sales are not seen");
}

#[test]
fn promotions_and_holidays_are_known_ahead() {
    let mut history = history(1);
    history.promoted.push(Promoted { sku_id: TOMATO, date: today() + Days::new(2), strength: 0.5 });
    history.holidays.insert(today() + Days::new(3));
    // a regressor beyond what is known ahead is no error
    history.promoted.push(Promoted { sku_id: TOMATO, date: today() + Days::new(90), strength: 0.5 });
    let built = history.panel(&books(), 7).expect("a panel");
    let view = built.panel.observed(built.panel.days()).expect("a view");
    let day = built.panel.days() + 2;
    let tomato = built.series.iter().position(|of| of.sku_id == TOMATO).expect("a series");
    let promoted = view.own(0, tomato);
    assert!(promoted[day - 1] > 0.0 && promoted[day] == 0.0);
    assert_eq!((view.calendar(0)[day - 1], view.calendar(1)[day]), (0.125, 0.125), "the eve, and the day off");
}
