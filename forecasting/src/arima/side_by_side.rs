//! Many points of one likelihood at a time, a lane each: grids and several searches.

use super::design::Design;
use super::dispatch::evaluate_best;
use super::lanes::{LANES, Lanes};
use super::likelihood::Likelihood;
use super::search::{Climb, Limits, Minimum};
use super::shape::Shape;

/// A likelihood evaluated [`LANES`] points at a time.
pub struct SideBySide {
    shape: Shape,
    likelihood: Likelihood<Lanes>,
    coefficients: Vec<Lanes>,
    gradient: Vec<Lanes>,
    lane: Vec<f64>,
    evaluations: usize,
}

impl SideBySide {
    pub fn new(designs: &[&Design], shape: Shape) -> SideBySide {
        SideBySide {
            shape,
            likelihood: Likelihood::new(designs, shape),
            coefficients: vec![Lanes::ZERO; shape.coefficients()],
            gradient: vec![Lanes::ZERO; shape.coefficients()],
            lane: vec![0.0; shape.coefficients()],
            evaluations: 0,
        }
    }

    /// Points that were evaluated so far.
    pub const fn evaluations(&self) -> usize {
        self.evaluations
    }

    fn place(&mut self, lane: usize, angles: &[f64]) {
        self.shape.coefficients_at(angles, &mut self.lane);
        for (to, value) in self.coefficients.iter_mut().zip(&self.lane) {
            to.0[lane] = *value;
        }
    }

    fn use_lanes(&mut self, count: usize) {
        self.likelihood.active = count;
        self.evaluations += count;
    }

    /// The values at these angles; not a number where there is none.
    pub fn values(&mut self, points: &[Vec<f64>]) -> Vec<f64> {
        let mut values = Vec::with_capacity(points.len());
        for some in points.chunks(LANES) {
            for (lane, angles) in some.iter().enumerate() {
                self.place(lane, angles);
            }
            self.use_lanes(some.len());
            let found = evaluate_best(&mut self.likelihood, &self.coefficients, None);
            values.extend_from_slice(&found.0[..some.len()]);
        }
        values
    }

    /// Searches from each start; a lane whose search has ended takes the next start. Ends in the order of the starts,
    /// those without a finite value left out.
    pub fn climb(&mut self, starts: &[Vec<f64>], limits: Limits) -> Vec<Minimum> {
        let mut climbs: Vec<Climb> = starts.iter().map(|start| Climb::new(start, limits)).collect();
        loop {
            let asking: Vec<usize> = (0..climbs.len()).filter(|&i| climbs[i].asks().is_some()).take(LANES).collect();
            if asking.is_empty() {
                break;
            }
            for (lane, of) in asking.iter().enumerate() {
                let angles = climbs[*of].asks().map(<[f64]>::to_vec).unwrap_or_default();
                self.place(lane, &angles);
            }
            self.use_lanes(asking.len());
            let values = evaluate_best(&mut self.likelihood, &self.coefficients, Some(&mut self.gradient));
            for (lane, of) in asking.iter().enumerate() {
                let climb = &mut climbs[*of];
                let Some(angles) = climb.asks().map(<[f64]>::to_vec) else { continue };
                for (to, from) in self.lane.iter_mut().zip(&self.gradient) {
                    *to = from.0[lane];
                }
                self.shape.coefficients_at_adjoint(&angles, &mut self.lane);
                climb.tell(values.0[lane], &self.lane);
            }
        }
        climbs.into_iter().filter_map(Climb::end).collect()
    }
}
