//! Days of a small shop: the books balance, every policy meets the same, and what goes wrong shows.

use std::collections::BTreeSet;

use chrono::{NaiveDate, NaiveTime};
use linli_forecasting::Labels;
use linli_restock::calendar::{Calendar, Weekdays};
use linli_restock::simulation::{
    Books, Contender, DocumentForecaster, Error, Forecaster, Item, Known, NaiveForecaster, Play, Scenario, compare,
    play,
};
use linli_restock::{Margins, Outlook, Place, Policy};
use proptest::prelude::*;

const HISTORY: usize = 14;

fn item(demand: Vec<i64>, life_days: Option<u32>, lead_days: u32) -> Item {
    let days = demand.len() - HISTORY;
    Item {
        place: Place { warehouse_id: 1, community_id: 0 },
        sku_id: 10_001,
        supplier_id: 501,
        calendar: Calendar {
            order_days: Weekdays::ALL,
            delivery_days: Weekdays::ALL,
            cut_off: NaiveTime::MIN,
            lead_days,
        },
        margins: Margins { lost: 500, waste: 700, holding_e4: 50_000 },
        life_days,
        pack: 1,
        min_order: 1,
        min_stock: 0,
        initial: 0,
        demand,
        late_days: vec![0; days],
    }
}

fn scenario(items: Vec<Item>) -> Scenario {
    let days = items[0].demand.len() - HISTORY;
    Scenario {
        history_from: NaiveDate::from_ymd_opt(2026, 3, 2).expect("a date"),
        history_days: HISTORY,
        days,
        labels: (0..items.len()).map(|key| Labels { key: key as u64, ..Labels::default() }).collect(),
        days_off: BTreeSet::new(),
        own: Vec::new(),
        known_days: HISTORY + days,
        items,
    }
}

fn naive() -> Contender {
    Contender { policy: Policy::naive(), forecaster: Box::new(NaiveForecaster) }
}

fn document() -> Contender {
    Contender { policy: Policy::document(), forecaster: Box::new(DocumentForecaster::new().expect("a forecaster")) }
}

fn played(scenario: &Scenario, mut contender: Contender) -> Play {
    play(scenario, &mut contender, || ()).expect("it plays")
}

#[test]
fn a_steady_shop_is_counted_by_hand() {
    // Ten a day, told so by the week before: from the first delivery on ten come and ten go.
    let steady = || vec![10; HISTORY + 6];
    let books = played(&scenario(vec![item(steady(), Some(3), 1)]), naive()).total(|_| true);
    assert_eq!((books.wanted, books.sold, books.lost, books.thrown_away, books.held), (60, 60, 0, 0, 0));
    assert_eq!((books.initial, books.bought, books.left, books.under_way), (0, 60, 0, 0));
    assert_eq!(books.cost_e4(), 0);

    // Two days under way: the first day has nothing, and at the end one delivery is still on the road.
    let books = played(&scenario(vec![item(steady(), Some(3), 2)]), naive()).total(|_| true);
    assert_eq!((books.lost, books.cost_of_lost_e4), (10, 10 * 500 * 10_000));
    assert_eq!((books.bought, books.sold, books.under_way), (60 + books.left, 50, 10));

    // Nobody wants it any more: what was there at first spoils on its second day, the rest was never bought.
    let mut forgotten = vec![0; HISTORY + 5];
    forgotten[..HISTORY].fill(0);
    let once = Item { initial: 7, ..item(forgotten, Some(2), 1) };
    let books = played(&scenario(vec![once]), naive()).total(|_| true);
    assert_eq!((books.bought, books.thrown_away, books.held), (0, 7, 7), "held over one night");
    assert_eq!((books.cost_of_waste_e4, books.cost_of_holding_e4), (7 * 700 * 10_000, 7 * 50_000));
}

/// Believes that a fixed number is wanted every day, whatever happens.
struct Stubborn(f64);

impl Forecaster for Stubborn {
    fn outlooks(&mut self, known: Known<'_>) -> linli_forecasting::Result<Vec<Outlook>> {
        let certain = |mean| linli_forecasting::distribution::Summary { mean, quantiles: [mean; 7] };
        let outlook = Outlook {
            model: "stubborn".to_owned(),
            steps: vec![certain(self.0); 3],
            totals: vec![certain(2.0 * self.0), certain(3.0 * self.0)],
        };
        Ok(vec![outlook; known.seen.len()])
    }
}

#[test]
fn what_is_on_order_is_not_ordered_again() {
    // Five days under way, and nobody buys: one order up to the level of five days, and never another.
    let scenario = scenario(vec![item(vec![0; HISTORY + 20], None, 5)]);
    let contender = Contender { policy: Policy::naive(), forecaster: Box::new(Stubborn(4.0)) };
    let books = played(&scenario, contender).total(|_| true);
    assert_eq!((books.orders, books.bought, books.left), (1, 20, 20));
}

#[test]
fn orders_wait_for_the_supplier_and_late_goods_are_missed() {
    let on_mondays = Weekdays::parse("1").expect("a day");
    // 16 March 2026, the first day, is a Monday: what is ordered in its evening comes on Tuesday and lasts a week.
    let weekly = |late: u8| {
        let mut item = item(vec![2; HISTORY + 8], None, 1);
        item.calendar.order_days = on_mondays;
        item.late_days.fill(late);
        played(&scenario(vec![item]), naive()).total(|_| true)
    };
    let (prompt, late) = (weekly(0), weekly(1));
    assert_eq!((prompt.orders, prompt.lost, prompt.bought), (1, 2, 14));
    assert_eq!((late.orders, late.lost), (1, 4), "a day later, a day's demand less");
}

#[test]
fn books_that_do_not_balance_are_found_and_so_are_other_conditions() {
    let scenario = scenario(vec![item(vec![5; HISTORY + 10], Some(2), 1)]);
    let ours = played(&scenario, naive());
    assert!(ours.books[0].balance());
    let forged = [
        Books { sold: ours.books[0].sold + 1, ..ours.books[0] },
        Books { bought: ours.books[0].bought - 1, ..ours.books[0] },
        Books { thrown_away: -1, left: ours.books[0].left + 1, ..ours.books[0] },
        Books { lost: ours.books[0].lost + 1, ..ours.books[0] },
    ];
    forged.iter().for_each(|books| assert!(!books.balance(), "{books}"));

    let rule = played(&scenario, document());
    assert_eq!(compare(&[ours.clone(), rule]), Ok(()));
    let change = |change: fn(&mut Item)| {
        let mut other = scenario.clone();
        change(&mut other.items[0]);
        compare(&[ours.clone(), played(&other, document())])
    };
    let differs = |outcome| matches!(outcome, Err(Error::Unequal { .. }));
    assert!(differs(change(|item| item.demand[HISTORY + 3] += 1)), "demand");
    assert!(differs(change(|item| item.late_days[4] = 1)), "lead times");
    assert!(differs(change(|item| item.margins.waste += 1)), "prices");
    assert!(differs(change(|item| item.pack = 2)), "terms");
}

#[test]
fn a_scenario_that_cannot_be_played_says_why() {
    let sound = scenario(vec![item(vec![5; HISTORY + 10], Some(2), 1)]);
    let refused = |change: fn(&mut Scenario)| {
        let mut scenario = sound.clone();
        change(&mut scenario);
        play(&scenario, &mut naive(), || ()).expect_err("refused")
    };
    let shape = Error::Shape { what: "days of an item's demand", given: HISTORY + 9, needed: HISTORY + 10 };
    assert_eq!(refused(|scenario| scenario.items[0].demand.truncate(HISTORY + 9)), shape);
    assert!(matches!(refused(|scenario| scenario.items[0].demand[3] = -1), Error::Range { value: -1, .. }));
    assert!(matches!(refused(|scenario| scenario.items.clear()), Error::Range { what: "items", .. }));
    assert!(matches!(refused(|scenario| scenario.history_days = 0), Error::Range { what: "days of history", .. }));
    assert!(matches!(refused(|scenario| scenario.items[0].margins.lost = i64::MAX), Error::Range { .. }));
}

/// The same in the fewest words: stock by age, orders by days to go, up to a fixed level, expiry not looked at. Pieces lost,
/// thrown away and held.
fn by_ages(demand: &[i64], level: i64, life: usize, lead: usize, initial: i64) -> (i64, i64, i64) {
    let (mut ages, mut coming) = (vec![0; life], vec![0; lead]);
    let (mut lost, mut wasted, mut held) = (0, 0, 0);
    for (day, wanted) in demand.iter().enumerate() {
        let there = if day == 0 { initial } else { ages.iter().sum() };
        coming[lead - 1] = (level - there - coming[..lead - 1].iter().sum::<i64>()).max(0);
        // the night
        ages[0] = coming[0] + if day == 0 { initial } else { 0 };
        coming.rotate_left(1);
        coming[lead - 1] = 0;
        let mut need = *wanted;
        for age in ages.iter_mut().rev() {
            let taken = need.min(*age);
            *age -= taken;
            need -= taken;
        }
        lost += need;
        wasted += ages.pop().unwrap_or(0);
        ages.insert(0, 0);
        held += ages.iter().sum::<i64>();
    }
    (lost, wasted, held)
}

fn any_item(days: usize) -> impl Strategy<Value = Item> {
    let weekdays = prop::sample::select(vec!["1234567", "135", "2", "67"]);
    (
        prop::collection::vec(prop_oneof![3 => 0_i64..12, 1 => 0_i64..200], HISTORY + days),
        prop::option::weighted(0.7, 1_u32..9),
        (1_u32..6, weekdays.clone(), weekdays),
        (1_i64..13, 0_i64..40, 0_i64..20, 0_i64..60),
        prop::collection::vec(prop_oneof![5 => Just(0_u8), 1 => 1_u8..4], days),
        (0_i64..5_000, 0_i64..5_000, 0_i64..300_000),
    )
        .prop_map(|(demand, life, (lead, order, deliver), (pack, least, min_stock, initial), late_days, money)| {
            let mut item = item(demand, life, lead);
            item.calendar.order_days = Weekdays::parse(order).expect("days");
            item.calendar.delivery_days = Weekdays::parse(deliver).expect("days");
            item.margins = Margins { lost: money.0, waste: money.1, holding_e4: money.2 };
            Item { pack, min_order: least, min_stock, initial, late_days, ..item }
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_fixed_level_comes_to_what_a_table_of_ages_comes_to(
        demand in prop::collection::vec(0_i64..30, 40),
        (life, lead) in (1_usize..7, 1_usize..5),
        (guess, initial) in (0_u32..20, 0_i64..30),
    ) {
        let level = i64::from(guess) * lead as i64;
        let mut days = vec![0; HISTORY];
        days.extend(&demand);
        let mut item = item(days, Some(life as u32), lead as u32);
        item.initial = initial;
        let contender = Contender { policy: Policy::naive(), forecaster: Box::new(Stubborn(f64::from(guess))) };
        let books = played(&scenario(vec![item]), contender).total(|_| true);
        prop_assert_eq!((books.lost, books.thrown_away, books.held), by_ages(&demand, level, life, lead, initial));
    }

    #[test]
    fn whatever_comes_nothing_appears_or_vanishes_and_all_meet_the_same(
        items in prop::collection::vec(any_item(25), 1..4),
        guess in 0.0_f64..40.0,
    ) {
        let scenario = scenario(items);
        let stubborn = Contender { policy: Policy::newsvendor(), forecaster: Box::new(Stubborn(guess)) };
        let plays = [naive(), document(), stubborn].map(|contender| played(&scenario, contender));
        prop_assert_eq!(compare(&plays), Ok(()));
        for play in &plays {
            for (books, item) in play.books.iter().zip(&scenario.items) {
                prop_assert!(books.balance(), "{}", books);
                prop_assert_eq!(books.wanted, item.demand[HISTORY..].iter().sum::<i64>());
                prop_assert_eq!(books.initial, item.initial);
                let money = |pieces: i64, each: i64| i128::from(pieces) * i128::from(each);
                prop_assert_eq!(books.cost_of_lost_e4, money(books.lost, item.margins.lost) * 10_000);
                prop_assert_eq!(books.cost_of_waste_e4, money(books.thrown_away, item.margins.waste) * 10_000);
                prop_assert_eq!(books.cost_of_holding_e4, money(books.held, item.margins.holding_e4));
                prop_assert!(item.life_days.is_some() || books.thrown_away == 0, "it does not spoil");
                prop_assert_eq!(books.bought % item.pack, 0, "whole packs");
            }
        }
    }
}
