//! What holds of every order line, on 10,000 random cases each.

use std::cell::Cell;

use chrono::{Days, NaiveDate, NaiveTime};
use linli_forecasting::distribution::Summary;
use linli_restock::calendar::{Calendar, Weekdays};
use linli_restock::stock::Batch;
use linli_restock::{Conflict, Line, Margins, Outlook, Place, Policy, Release, Rule, Situation, Term, Terms, order};
use proptest::prelude::*;

fn today() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 3, 2).expect("a date")
}

fn any_summary(mean: f64) -> impl Strategy<Value = Summary> {
    prop::array::uniform7(0.0_f64..0.6).prop_map(move |steps| {
        let mut quantile = 0.0;
        Summary {
            mean,
            quantiles: steps.map(|step| {
                quantile += step * mean;
                quantile
            }),
        }
    })
}

/// Mostly sound; now and then without a forecast, or with numbers that no shop sells.
fn any_outlook() -> impl Strategy<Value = Outlook> {
    let mean = prop_oneof![6 => 0.0_f64..30.0, 2 => 0.0_f64..2.0, 1 => Just(0.0), 1 => 0.0_f64..1e9];
    let sound = (mean, 1_usize..6).prop_flat_map(|(mean, horizon)| {
        let steps = prop::collection::vec(any_summary(mean), horizon);
        let totals: Vec<_> = (2..=horizon).map(|days| any_summary(mean * days as f64)).collect();
        (steps, totals).prop_map(|(steps, totals)| Outlook { model: "test".to_owned(), steps, totals })
    });
    let absurd = prop::sample::select(vec![f64::NAN, f64::INFINITY, -1.0, 1e300, f64::MAX]);
    let unsound = (any_summary(3.0), absurd).prop_map(|(mut first, absurd)| {
        first.mean = absurd;
        Outlook { model: "absurd".to_owned(), steps: vec![first], totals: Vec::new() }
    });
    let quantiles = (any_summary(3.0), 0_usize..7).prop_map(|(mut first, at)| {
        first.quantiles[at] = f64::MAX;
        Outlook { model: "absurd".to_owned(), steps: vec![first; 3], totals: vec![first; 2] }
    });
    prop_oneof![20 => sound, 1 => unsound, 1 => quantiles, 1 => Just(Outlook::default())]
}

fn any_policy() -> impl Strategy<Value = Policy> {
    let sell_through = prop::option::weighted(0.7, 0.0_f64..1.0);
    let rule = prop_oneof![
        3 => Just(Rule::Newsvendor),
        1 => (0.5_f64..2.0, prop::option::of(1_u32..8)).prop_map(|(factor, days)| Rule::Multiple { factor, days }),
    ];
    (rule, sell_through, 0.5_f64..5.0, 0.5_f64..0.99).prop_map(|(rule, sell_through, guard_multiple, service_level)| {
        Policy { rule, sell_through, guard_multiple, service_level, ..Policy::newsvendor() }
    })
}

fn any_batch() -> impl Strategy<Value = Batch> {
    (any::<u64>(), -3_i64..60, prop::option::weighted(0.8, 0_u64..9)).prop_map(|(batch_id, quantity, expires)| {
        // from two days ago on
        let expires_on = expires.map(|days| today() - Days::new(2) + Days::new(days));
        Batch { batch_id, quantity, expires_on }
    })
}

fn any_situation() -> impl Strategy<Value = Situation> {
    let weekdays = || prop::sample::select(vec!["1234567", "1234567", "135", "2", "67"]);
    let calendar = (weekdays(), weekdays(), 0_u32..6).prop_map(|(order, deliver, lead_days)| Calendar {
        order_days: Weekdays::parse(order).expect("days"),
        delivery_days: Weekdays::parse(deliver).expect("days"),
        cut_off: NaiveTime::MIN,
        lead_days,
    });
    let margins = (0_i64..3_000, 0_i64..3_000, 0_i64..600_000).prop_map(|(lost, waste, holding_e4)| Margins {
        lost,
        waste,
        holding_e4,
    });
    let money = (prop::option::weighted(0.9, margins), prop::option::weighted(0.2, 0.0_f64..1.0));
    let terms =
        (prop::option::weighted(0.7, 0_u32..12), 0_i64..13, 0_i64..50, prop_oneof![2 => Just(0_i64), 1 => 0_i64..80]);
    let stock = (prop::collection::vec(any_batch(), 0..5), 0_i64..40, 0_i64..40, prop::option::of(0.0_f64..60.0));
    (calendar, money, terms, stock).prop_map(|(calendar, money, terms, stock)| Situation {
        place: Place { warehouse_id: 1, community_id: 0 },
        sku_id: 10_001,
        supplier_id: 501,
        calendar,
        margins: money.0,
        service_level: money.1,
        life_days: terms.0,
        pack: terms.1,
        min_order: terms.2,
        min_stock: terms.3,
        batches: stock.0,
        in_transit: stock.1,
        on_order: stock.2,
        recent_max: stock.3,
    })
}

fn any_case() -> impl Strategy<Value = (Situation, Outlook, Policy)> {
    (any_situation(), any_outlook(), any_policy())
}

/// The order, and what its terms promise: level, position and least order in whole packs.
struct Seen {
    line: Line,
    level: i64,
    position: i64,
    least: i64,
}

fn seen((situation, outlook, policy): &(Situation, Outlook, Policy)) -> Seen {
    let line = order(today(), situation, outlook, policy);
    let terms = &line.terms;
    let level = line.sum.iter().find(|addend| addend.term == Term::Level).map_or(0, |addend| addend.pieces);
    let (level, position) = (level.max(terms.min_stock), terms.position());
    let least = whole_packs(terms.min_order, terms.pack);
    Seen { level, position, least, line }
}

fn whole_packs(pieces: i64, pack: i64) -> i64 {
    (pieces + pack - 1).div_euclid(pack) * pack
}

fn has(line: &Line, term: Term) -> bool {
    line.sum.iter().any(|addend| addend.term == term)
}

fn config() -> ProptestConfig {
    ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn never_more_than_the_level_asks_for_beyond_what_is_there_and_on_order(case in any_case()) {
        let Seen { line, level, position, least } = seen(&case);
        let needed = whole_packs((level - position).max(0), line.terms.pack);
        prop_assert!(line.quantity <= if needed > 0 { needed.max(least) } else { 0 }, "{:?}", line);
        // everything that was ordered is there already, whoever counts it
        let Situation { batches, in_transit, on_order, .. } = &case.0;
        prop_assert_eq!((line.terms.in_transit, line.terms.on_order), (*in_transit, *on_order));
        let on_hand: i64 = batches.iter().map(|batch| batch.quantity.max(0)).sum();
        prop_assert_eq!(line.terms.stock + line.terms.spoiling, on_hand);
        prop_assert!(line.terms.stock >= 0 && line.terms.spoiling >= 0);
    }

    #[test]
    fn never_more_than_can_be_sold_before_it_expires(case in any_case()) {
        let Seen { line, position, .. } = seen(&case);
        if let Some(most) = line.terms.shelf_cover {
            prop_assert!(line.quantity == 0 || position + line.quantity <= most, "{:?}", line);
        }
    }

    #[test]
    fn whole_packs_and_at_least_the_suppliers_minimum_or_nothing(case in any_case()) {
        let Seen { line, .. } = seen(&case);
        let terms = &line.terms;
        prop_assert!(line.quantity >= 0 && line.quantity % terms.pack == 0, "{:?}", line);
        prop_assert!(line.quantity == 0 || line.quantity >= terms.min_order, "{:?}", line);
    }

    #[test]
    fn more_stock_never_means_a_bigger_order(case in any_case(), which in 0_usize..8, more in 1_i64..200) {
        let before = seen(&case).line.quantity;
        let mut richer = case.clone();
        match which {
            0 => richer.0.in_transit += more,
            1 => richer.0.on_order += more,
            2 => {
                let expires_on = Some(today() + Days::new(more as u64 % 7));
                richer.0.batches.push(Batch { batch_id: 0, quantity: more, expires_on });
            }
            _ => {
                let batches = &mut richer.0.batches;
                let Some(batch) = which.checked_rem(batches.len()).and_then(|at| batches.get_mut(at)) else { return Ok(()) };
                batch.quantity += more;
            }
        }
        prop_assert!(seen(&richer).line.quantity <= before, "{} and more of {:?}", before, richer.0);
    }

    #[test]
    fn the_addends_add_up_to_the_quantity(case in any_case()) {
        let Seen { line, .. } = seen(&case);
        prop_assert_eq!(line.sum.iter().map(|addend| addend.pieces).sum::<i64>(), line.quantity);
        prop_assert!(line.sum.iter().all(|addend| addend.pieces != 0), "a term that adds nothing is left out");
    }

    #[test]
    fn a_line_that_was_written_and_read_back_computes_the_same(case in any_case()) {
        let Seen { line, .. } = seen(&case);
        let text = serde_json::to_string(&line).expect("it is written");
        let read: Line = serde_json::from_str(&text).expect("it is read");
        prop_assert_eq!(&read, &line);
        let again = Terms::sum(&read.terms);
        prop_assert_eq!((again.quantity, &again.addends), (line.quantity, &line.sum));
    }

    #[test]
    fn a_person_stands_over_the_sum_and_the_line_says_by_how_much(
        case in any_case(), pieces in prop::option::of(-5_i64..2_000),
    ) {
        let held = seen(&case).line;
        let mut line = held.clone();
        line.release(&Release { by: "Li Wei".to_owned(), pieces });
        prop_assert_eq!(line.quantity, pieces.map_or(held.quantity, |pieces| pieces.max(0)));
        prop_assert!(line.holds.is_empty());
        prop_assert_eq!(line.sum.iter().map(|addend| addend.pieces).sum::<i64>(), line.quantity);
        let text = serde_json::to_string(&line).expect("it is written");
        let read: Line = serde_json::from_str(&text).expect("it is read");
        prop_assert_eq!(Terms::sum(&read.terms).quantity, line.quantity);
        prop_assert_eq!(read.terms.released.map(|released| released.holds), Some(held.holds));
        prop_assert_eq!(&line.sum[..held.sum.len()], &held.sum[..], "the sum itself is told all the same");
    }

    #[test]
    fn what_a_stronger_bound_overrides_is_listed(case in any_case()) {
        let Seen { line, level, position, least } = seen(&case);
        let listed = |wanted: fn(&Conflict) -> bool| line.conflicts.iter().any(wanted);
        let (capped, after) = (has(&line, Term::ShelfCover), position + line.quantity);
        let below_level = listed(|conflict| matches!(conflict, Conflict::ShelfCoverBelowLevel { .. }));
        let below_min_stock = listed(|conflict| matches!(conflict, Conflict::ShelfCoverBelowMinStock { .. }));
        let below_minimum = listed(|conflict| matches!(conflict, Conflict::ShelfCoverBelowMinimum { .. }));
        let level_alone = line.sum.iter().find(|addend| addend.term == Term::Level).map_or(0, |addend| addend.pieces);
        prop_assert_eq!(below_level, capped && after < level_alone, "{:?}", line);
        prop_assert_eq!(below_min_stock, capped && after < line.terms.min_stock, "{:?}", line);
        prop_assert_eq!(below_minimum, capped && line.quantity == 0, "{:?}", line);
        prop_assert!(!has(&line, Term::BelowMinimum) || least > 0);
        prop_assert!(capped || after >= level, "only expiry may leave less than was asked for: {:?}", line);
    }
}

/// The cases above must meet every bound, or they show nothing.
#[test]
fn the_cases_meet_every_bound() {
    let terms = [
        Term::Level,
        Term::MinStock,
        Term::Stock,
        Term::InTransit,
        Term::OnOrder,
        Term::Surplus,
        Term::Pack,
        Term::MinOrder,
        Term::ShelfCover,
        Term::BelowMinimum,
    ];
    let counts: Vec<Cell<u32>> = terms.iter().map(|_| Cell::new(0)).collect();
    let ordered = Cell::new(0);
    let mut runner = proptest::test_runner::TestRunner::new_with_rng(
        ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() },
        proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
    );
    let outcome = runner.run(&any_case(), |case| {
        let Seen { line, .. } = seen(&case);
        terms
            .iter()
            .zip(&counts)
            .filter(|(term, _)| has(&line, **term))
            .for_each(|(_, count)| count.set(count.get() + 1));
        ordered.set(ordered.get() + u32::from(line.quantity > 0));
        Ok(())
    });
    outcome.expect("every case runs");
    for (term, count) in terms.iter().zip(&counts) {
        assert!(count.get() >= 10, "{term:?} only {} times", count.get());
    }
    assert!(ordered.get() > 1000, "{} of 4000 order something", ordered.get());
}
