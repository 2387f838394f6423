//! The order in which models are compared.

use super::MODELS_MAX;
use super::candidates::{Candidate, Candidates};

/// Changes of `(p, q, P, Q)` in the order of R's `auto.arima`.
const MOVES: [(isize, isize, isize, isize); 16] = [
    (0, 0, -1, 0),
    (0, 0, 0, -1),
    (0, 0, 1, 0),
    (0, 0, 0, 1),
    (0, 0, -1, -1),
    (0, 0, -1, 1),
    (0, 0, 1, -1),
    (0, 0, 1, 1),
    (-1, 0, 0, 0),
    (0, -1, 0, 0),
    (1, 0, 0, 0),
    (0, 1, 0, 0),
    (-1, -1, 0, 0),
    (-1, 1, 0, 0),
    (1, -1, 0, 0),
    (1, 1, 0, 0),
];

/// Below this many observations the walk starts from smaller models.
const SHORT: usize = 10;

/// Hyndman and Khandakar's walk: four starts, then neighbours of the best until none is better.
pub fn stepwise(candidates: &mut Candidates) {
    let bounds = candidates.bounds;
    let start = if candidates.observed() < SHORT { 1 } else { 2 };
    let seasonal_start = usize::from(candidates.observed() >= SHORT);
    let at = |p: usize, q: usize, seasonal_p: usize, seasonal_q: usize, constant: bool| Candidate {
        p: p.min(bounds.p),
        q: q.min(bounds.q),
        seasonal_p: seasonal_p.min(bounds.seasonal_p),
        seasonal_q: seasonal_q.min(bounds.seasonal_q),
        constant,
    };
    let constant = bounds.constant;
    let starts = [
        at(start, start, seasonal_start, seasonal_start, constant),
        at(0, 0, 0, 0, constant),
        at(1, 0, 1, 0, constant),
        at(0, 1, 0, 1, constant),
        at(0, 0, 0, 0, false),
    ];
    let mut here = starts[0];
    for candidate in starts {
        if !candidates.seen(candidate) && candidates.try_out(candidate) {
            here = candidate;
        }
    }
    while let Some(next) = better_neighbour(candidates, here) {
        here = next;
    }
}

/// The first neighbour that is better than all before.
fn better_neighbour(candidates: &mut Candidates, here: Candidate) -> Option<Candidate> {
    let bounds = candidates.bounds;
    let moved = |value: usize, by: isize, max: usize| value.checked_add_signed(by).filter(|value| *value <= max);
    let neighbours = MOVES.iter().filter_map(|&(p, q, seasonal_p, seasonal_q)| {
        Some(Candidate {
            p: moved(here.p, p, bounds.p)?,
            q: moved(here.q, q, bounds.q)?,
            seasonal_p: moved(here.seasonal_p, seasonal_p, bounds.seasonal_p)?,
            seasonal_q: moved(here.seasonal_q, seasonal_q, bounds.seasonal_q)?,
            constant: here.constant,
        })
    });
    let toggled = Candidate { constant: !here.constant, ..here };
    let toggled = std::iter::once(toggled).filter(|toggled| bounds.constant || !toggled.constant);
    // Beyond R: a factor left out whole, since the way there by ones may be barred by a root near the unit circle.
    let without = [
        Candidate { p: 0, ..here },
        Candidate { q: 0, ..here },
        Candidate { seasonal_p: 0, ..here },
        Candidate { seasonal_q: 0, ..here },
    ];
    for neighbour in neighbours.chain(toggled).chain(without) {
        if candidates.count() >= MODELS_MAX {
            return None;
        }
        if !candidates.seen(neighbour) && candidates.try_out(neighbour) {
            return Some(neighbour);
        }
    }
    None
}

/// Every model within the bounds.
pub fn exhaustive(candidates: &mut Candidates) {
    let bounds = candidates.bounds;
    for constant in [false, true] {
        if constant && !bounds.constant {
            continue;
        }
        for p in 0..=bounds.p {
            for q in 0..=bounds.q {
                for seasonal_p in 0..=bounds.seasonal_p {
                    for seasonal_q in 0..=bounds.seasonal_q {
                        if p + q + seasonal_p + seasonal_q <= bounds.coefficients {
                            candidates.try_out(Candidate { p, q, seasonal_p, seasonal_q, constant });
                        }
                    }
                }
            }
        }
    }
}
