//! `linli bench restock`: what restocking by our policy costs, against the document's rule and the naive one.

mod scenario;

use std::collections::BTreeMap;

use linli_restock::Policy;
use linli_restock::simulation::{
    Books, Class, Contender, DocumentForecaster, E4, ModelForecaster, NaiveForecaster, Play, Scenario, compare, play,
};
use linli_schemas::zone::Zone;
use serde::Serialize;

use super::seconds_since;
use crate::accounting::{Process, fine_cpu_seconds, reset_peak};
use crate::args::BenchRestockArgs;
use crate::failure::{Failure, Kind, Outcome};
use crate::output::Output;
use crate::parts::Parts;

/// Days for which what our model has learnt is used.
const REFIT_DAYS: usize = 7;

#[derive(Debug, Serialize)]
struct Figures {
    bench: &'static str,
    /// Evenings times items times policies.
    rows: u64,
    seconds: f64,
    cpu_seconds: f64,
    rows_per_cpu_second: f64,
    peak_rss_mb: f64,
    #[serde(flatten)]
    results: Results,
}

/// What does not depend on the machine.
#[derive(Debug, PartialEq, Serialize)]
struct Results {
    seed: u64,
    items: BTreeMap<&'static str, usize>,
    days: usize,
    /// Pieces wanted on a day by an item: the median, and the largest mean.
    pieces_a_day_median: f64,
    pieces_a_day_max: f64,
    /// Our cost over the cost of the document's rule, by class.
    cost_ratio_to_document_rule: BTreeMap<&'static str, f64>,
    /// The same of fresh goods by the days for which they keep.
    cost_ratio_by_life_days: BTreeMap<u32, f64>,
    /// By policy, then class.
    policies: BTreeMap<String, BTreeMap<&'static str, Judged>>,
    /// By policy: pieces, over all items and days. `initial + bought = sold + thrown_away + left + under_way`.
    ledger: BTreeMap<String, Ledger>,
    /// Names what every policy met: demand, lead times, terms and prices.
    met: String,
}

#[derive(Debug, PartialEq, Serialize)]
struct Judged {
    cost_fen: i64,
    /// Of it.
    lost_fen: i64,
    waste_fen: i64,
    holding_fen: i64,
    /// Fen a piece that was wanted.
    cost_fen_a_piece: f64,
    fill_rate: f64,
    /// Thrown away against wanted.
    waste_share: f64,
    /// Pieces on hand at the close against pieces wanted on a day.
    stock_days: f64,
    orders: i64,
    /// Of these, a person would have been asked about.
    orders_to_ask: i64,
}

#[derive(Debug, PartialEq, Serialize)]
struct Ledger {
    initial: i64,
    bought: i64,
    sold: i64,
    thrown_away: i64,
    left: i64,
    under_way: i64,
    wanted: i64,
    lost: i64,
}

pub fn run(parts: &Parts, args: &BenchRestockArgs, output: &Output) -> Outcome {
    let started_ms = parts.clock.now_ms();
    reset_peak();
    let before = fine_cpu_seconds();
    let progress = output.progress(3 * args.days as u64, "evenings");
    let results = simulate(args, parts.zone, || progress.inc(1))?;
    progress.finish_and_clear();
    let cpu_seconds = fine_cpu_seconds() - before;
    let rows = (results.items.values().sum::<usize>() * args.days * results.policies.len()) as u64;
    let figures = Figures {
        bench: "restock",
        rows,
        seconds: seconds_since(&*parts.clock, started_ms),
        cpu_seconds,
        rows_per_cpu_second: rows as f64 / cpu_seconds.max(1e-9),
        peak_rss_mb: Process::Own.peak_rss_mb(),
        results,
    };
    output.result(&figures, text);
    Ok(())
}

/// Plays every policy on the same shop; `on_evening` is called after each evening of each.
fn simulate(args: &BenchRestockArgs, zone: Zone, on_evening: impl Fn()) -> Outcome<Results> {
    let scenario = scenario::build(args, zone)?;
    let plays = contenders(&scenario)?
        .iter_mut()
        .map(|contender| play(&scenario, contender, &on_evening))
        .collect::<Result<Vec<Play>, _>>()?;
    compare(&plays)?;
    Ok(results(args.seed, &scenario, &plays))
}

fn contenders(scenario: &Scenario) -> Outcome<Vec<Contender>> {
    let horizon = scenario.horizon();
    Ok(vec![
        Contender { policy: Policy::newsvendor(), forecaster: Box::new(ModelForecaster::new(horizon, REFIT_DAYS)?) },
        Contender { policy: Policy::document(), forecaster: Box::new(DocumentForecaster::new()?) },
        Contender { policy: Policy::naive(), forecaster: Box::new(NaiveForecaster) },
    ])
}

fn results(seed: u64, scenario: &Scenario, plays: &[Play]) -> Results {
    let class = |at: usize| Class::of(scenario.items[at].life_days);
    let mut means: Vec<f64> =
        scenario.items.iter().map(|item| item.demand.iter().sum::<i64>() as f64 / item.demand.len() as f64).collect();
    means.sort_by(f64::total_cmp);
    let mut results = Results {
        seed,
        items: BTreeMap::new(),
        days: scenario.days,
        pieces_a_day_median: means[means.len() / 2],
        pieces_a_day_max: means[means.len() - 1],
        cost_ratio_to_document_rule: BTreeMap::new(),
        cost_ratio_by_life_days: BTreeMap::new(),
        policies: BTreeMap::new(),
        ledger: BTreeMap::new(),
        met: plays.first().map(|play| format!("{:016x}", play.met)).unwrap_or_default(),
    };
    for of in Class::ALL {
        results.items.insert(of.name(), (0..scenario.items.len()).filter(|at| class(*at) == of).count());
        if let Some(ratio) = cost_ratio(plays, |at| class(at) == of) {
            results.cost_ratio_to_document_rule.insert(of.name(), ratio);
        }
    }
    for days in 1..=Class::FRESH_DAYS {
        if let Some(ratio) = cost_ratio(plays, |at| scenario.items[at].life_days == Some(days)) {
            results.cost_ratio_by_life_days.insert(days, ratio);
        }
    }
    for play in plays {
        let by_class = Class::ALL.map(|of| (of.name(), Judged::of(&play.total(|at| class(at) == of))));
        results.policies.insert(play.policy.clone(), BTreeMap::from(by_class));
        results.ledger.insert(play.policy.clone(), Ledger::of(&play.total(|_| true)));
    }
    results
}

/// Our cost over that of the document's rule, of the items that are wanted; `None` where the rule cost nothing.
fn cost_ratio(plays: &[Play], wanted: impl Fn(usize) -> bool + Copy) -> Option<f64> {
    let cost = |policy: Policy| {
        let play = plays.iter().find(|play| play.policy == policy.name)?;
        Some(play.total(wanted).cost_e4() as f64)
    };
    let (ours, rule) = (cost(Policy::newsvendor())?, cost(Policy::document())?);
    (rule > 0.0).then(|| ours / rule)
}

impl Judged {
    fn of(books: &Books) -> Judged {
        let fen = |e4: i128| i64::try_from((e4 + E4 / 2) / E4).unwrap_or(i64::MAX);
        let wanted = books.wanted.max(1) as f64;
        Judged {
            cost_fen: fen(books.cost_e4()),
            lost_fen: fen(books.cost_of_lost_e4),
            waste_fen: fen(books.cost_of_waste_e4),
            holding_fen: fen(books.cost_of_holding_e4),
            cost_fen_a_piece: books.cost_e4() as f64 / E4 as f64 / wanted,
            fill_rate: books.sold as f64 / wanted,
            waste_share: books.thrown_away as f64 / wanted,
            stock_days: books.held as f64 / wanted,
            orders: books.orders,
            orders_to_ask: books.orders_to_ask,
        }
    }
}

impl Ledger {
    fn of(books: &Books) -> Ledger {
        Ledger {
            initial: books.initial,
            bought: books.bought,
            sold: books.sold,
            thrown_away: books.thrown_away,
            left: books.left,
            under_way: books.under_way,
            wanted: books.wanted,
            lost: books.lost,
        }
    }
}

fn text(figures: &Figures) -> String {
    let results = &figures.results;
    let mut lines = vec![format!(
        "{} items, {} days: {:.1} s, {:.1} CPU s, {:.0} MB at the peak; {:.1} pieces a day (median), at most {:.0}",
        results.items.values().sum::<usize>(),
        results.days,
        figures.seconds,
        figures.cpu_seconds,
        figures.peak_rss_mb,
        results.pieces_a_day_median,
        results.pieces_a_day_max,
    )];
    lines.push(format!(
        "{:8} {:11} {:>12} {:>8} {:>10} {:>10} {:>10} {:>7} {:>7} {:>7}",
        "class", "policy", "cost (yuan)", "fen/pc", "lost", "waste", "holding", "fill", "waste", "stock d"
    ));
    for class in Class::ALL.map(Class::name) {
        for (policy, by_class) in &results.policies {
            let Some(judged) = by_class.get(class) else { continue };
            let yuan = |fen: i64| fen as f64 / 100.0;
            lines.push(format!(
                "{class:8} {policy:11} {:>12.0} {:>8.2} {:>10.0} {:>10.0} {:>10.0} {:>6.1}% {:>6.1}% {:>7.2}",
                yuan(judged.cost_fen),
                judged.cost_fen_a_piece,
                yuan(judged.lost_fen),
                yuan(judged.waste_fen),
                yuan(judged.holding_fen),
                100.0 * judged.fill_rate,
                100.0 * judged.waste_share,
                judged.stock_days
            ));
        }
        if let Some(ratio) = results.cost_ratio_to_document_rule.get(class) {
            lines.push(format!("{class:8} our cost is {:.1} % of the document's rule", 100.0 * ratio));
        }
    }
    let by_life = results.cost_ratio_by_life_days.iter();
    let by_life: Vec<String> = by_life.map(|(days, ratio)| format!("{days}: {:.1} %", 100.0 * ratio)).collect();
    lines.push(format!("of fresh goods by the days for which they keep: {}", by_life.join(", ")));
    lines.join("\n")
}

impl From<linli_restock::simulation::Error> for Failure {
    fn from(error: linli_restock::simulation::Error) -> Failure {
        use linli_restock::simulation::Error;
        let kind = match error {
            Error::Unbalanced { .. } | Error::Unequal { .. } => Kind::Internal,
            Error::Forecast { ref source, .. } => {
                return Failure::new(Kind::Input, format!("{error}: {source}")).hint(source.hint());
            }
            Error::Shape { .. } | Error::Range { .. } => Kind::Config,
        };
        Failure::new(kind, error.to_string()).hint(error.hint())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{BenchCommand, Cli, Command};

    fn zone() -> Zone {
        Zone::parse("Asia/Shanghai").expect("a zone")
    }

    fn small(further: &[&str]) -> BenchRestockArgs {
        let size = ["linli", "bench", "restock", "--skus", "40", "--orders-per-day", "400", "--days", "35"];
        let line = Cli::try_parse_from(size.iter().chain(further)).expect("a command line");
        let Command::Bench(BenchCommand::Restock(args)) = line.command else { panic!("another command") };
        args
    }

    #[test]
    fn our_policy_costs_less_than_the_documents_rule_and_the_books_balance() {
        let simulated = || simulate(&small(&[]), zone(), || ()).expect("it runs");
        let results = simulated();
        for class in Class::ALL.map(Class::name) {
            assert!(results.items[class] > 0, "{class}");
            let ratio = results.cost_ratio_to_document_rule[class];
            assert!(ratio > 0.0 && ratio < 0.9, "{class}: {ratio}");
            let [ours, naive] = ["newsvendor", "naive"].map(|policy| &results.policies[policy][class]);
            assert!(ours.cost_fen < naive.cost_fen && ours.fill_rate > naive.fill_rate, "{class}");
        }
        assert_eq!(results.ledger.len(), 3);
        for (policy, of) in &results.ledger {
            assert_eq!(of.initial + of.bought, of.sold + of.thrown_away + of.left + of.under_way, "{policy}");
            assert_eq!(of.wanted, of.sold + of.lost, "{policy}");
            assert_eq!(of.wanted, results.ledger["document"].wanted, "{policy}");
        }
        assert_eq!(results, simulated(), "the same seed, the same figures");
    }

    #[test]
    fn another_seed_is_another_shop_and_so_is_one_without_offers_or_holidays() {
        let of = |further: &[&str]| scenario::build(&small(further), zone()).expect("a shop");
        let first = of(&[]);
        assert_eq!(first, of(&["--seed", "1"]));
        for further in [&["--seed", "2"][..], &["--without-promotions"], &["--without-holidays"], &["--lead-days", "3"]]
        {
            assert_ne!(first, of(further), "{further:?}");
        }
        assert_eq!(of(&["--lead-days", "3"]).horizon(), 10);
    }
}
