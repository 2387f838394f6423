//! The whole runtime with real jobs on twins that fail, by a seed: thousands of schedules, each judged by an auditor.
//!
//! Replay one: `LINLI_SIM_SEED=17 cargo test -p linli-stream-runtime --test main every_schedule`

mod auditor;
mod chaos;
mod shop;
mod world;

use linli_stream_runtime::options::Mutation;
use world::{Outcome, simulate};

const SCHEDULES: u64 = 3000;
/// A mutant that survives so many is a hole in the auditor.
const SCHEDULES_FOR_A_MUTANT: u64 = 300;
const THREADS: u64 = 2;

/// Runs seeds on a few threads and returns what came of them, by seed.
fn outcomes(seeds: std::ops::Range<u64>) -> Vec<(u64, Outcome)> {
    let mut all: Vec<(u64, Outcome)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS)
            .map(|worker| {
                let mine = seeds.clone().filter(move |seed| seed % THREADS == worker);
                scope.spawn(move || mine.map(|seed| (seed, simulate(seed, None))).collect::<Vec<_>>())
            })
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("a schedule panicked")).collect()
    });
    all.sort_by_key(|(seed, _)| *seed);
    all
}

#[test]
fn every_schedule_ends_with_the_plain_folds_answers() {
    let one: Option<u64> = std::env::var("LINLI_SIM_SEED").ok().and_then(|seed| seed.parse().ok());
    let seeds = one.map_or(0..SCHEDULES, |seed| seed..seed + 1);
    let schedules = seeds.end - seeds.start;
    let all = outcomes(seeds);
    let failed: Vec<_> = all.iter().filter(|(_, outcome)| !outcome.violations.is_empty()).collect();
    if let Some((seed, outcome)) = failed.first() {
        panic!(
            "{} of {schedules} schedules failed; seed {seed}:\n  {}\nreplay: LINLI_SIM_SEED={seed} cargo test -p linli-stream-runtime --test main every_schedule",
            failed.len(),
            outcome.violations.join("\n  "),
        );
    }
    if one.is_none() {
        let deaths: u64 = all.iter().map(|(_, outcome)| outcome.deaths).sum();
        let in_between = all.iter().filter(|(_, outcome)| outcome.deaths_in_between > 0).count();
        let strays: u64 = all.iter().map(|(_, outcome)| outcome.strays).sum();
        println!(
            "{schedules} schedules, {deaths} crashes, {in_between} schedules with one between publish and delivery, \
             {strays} takeovers at a freed number"
        );
        assert!(in_between > SCHEDULES as usize / 20, "only {in_between} schedules met the state that matters most");
    }
}

#[test]
fn the_same_seed_is_the_same_schedule() {
    for seed in [1, 7, 42, 1234] {
        let first = simulate(seed, None);
        assert_eq!(first, simulate(seed, None), "seed {seed}");
        assert!(first.trace.1 > 50, "seed {seed} did next to nothing");
        assert_ne!(first.trace, simulate(seed + 1, None).trace);
    }
}

#[track_caller]
fn is_found(mutation: Mutation) {
    let found = (0..SCHEDULES_FOR_A_MUTANT).find(|seed| !simulate(*seed, Some(mutation)).violations.is_empty());
    assert!(found.is_some(), "{mutation:?} survived {SCHEDULES_FOR_A_MUTANT} schedules");
}

#[test]
fn a_runner_without_fence_is_found() {
    is_found(Mutation::FencingOff);
}

#[test]
fn a_runner_without_deduplication_is_found() {
    is_found(Mutation::DeduplicationOff);
}

#[test]
fn a_runner_that_delivers_before_it_publishes_is_found() {
    is_found(Mutation::DeliverBeforePublish);
}

#[test]
fn a_takeover_that_forgets_positions_is_found() {
    is_found(Mutation::PositionsForgotten);
}

#[test]
fn a_takeover_that_forgets_the_outbox_is_found() {
    is_found(Mutation::OutboxForgotten);
}
