//! Models that were compared, and the best of them.

use std::collections::HashSet;

use super::{AutoArima, Selected};
use crate::arima::polynomial::roots_lie_outside;
use crate::arima::search_parts::{Design, Shape, corrected, maximise, maximise_near};
use crate::arima::{Arima, Effort, FittedArima, Order, Seasonal};
use crate::{Error, Regressors, Result, Series};

/// Roots nearer to the unit circle than this make a model too doubtful to be chosen; R's `auto.arima`.
const ROOT_MIN: f64 = 1.01;

/// What distinguishes candidates of one search.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Candidate {
    pub p: usize,
    pub q: usize,
    pub seasonal_p: usize,
    pub seasonal_q: usize,
    /// A mean or a drift.
    pub constant: bool,
}

/// The upper limits of a search.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub p: usize,
    pub q: usize,
    pub seasonal_p: usize,
    pub seasonal_q: usize,
    pub coefficients: usize,
    /// Whether a constant can be estimated at all.
    pub constant: bool,
}

/// Fits candidates of one series and keeps the best.
pub struct Candidates {
    d: usize,
    seasonal_d: usize,
    period: usize,
    pub bounds: Bounds,
    /// Without and with the constant.
    designs: [Option<Design>; 2],
    observed: usize,
    seen: HashSet<Candidate>,
    best: Option<Best>,
}

struct Best {
    candidate: Candidate,
    criterion: f64,
    coefficients: Vec<f64>,
}

impl Candidates {
    pub fn new(limits: &AutoArima, series: &Series, d: usize, seasonal_d: usize) -> Result<Candidates> {
        let third = series.observed() / 3;
        let seasonal_third = if limits.period > 1 { third / limits.period } else { 0 };
        let bounds = Bounds {
            p: limits.p_max.min(third),
            q: limits.q_max.min(third),
            seasonal_p: limits.seasonal_p_max.min(seasonal_third),
            seasonal_q: limits.seasonal_q_max.min(seasonal_third),
            coefficients: limits.order_max,
            constant: d + seasonal_d < 2,
        };
        let mut candidates = Candidates {
            d,
            seasonal_d,
            period: limits.period,
            bounds,
            designs: [None, None],
            observed: series.observed(),
            seen: HashSet::new(),
            best: None,
        };
        let none = Candidate { p: 0, q: 0, seasonal_p: 0, seasonal_q: 0, constant: false };
        let design =
            |candidate: Candidate, of: &Candidates| Design::new(&of.model(candidate), series, &Regressors::none());
        let plain = design(none, &candidates)?;
        if bounds.constant {
            // An exact line leaves nothing to a model with its slope; without it, there is something to fit.
            candidates.designs[1] = design(Candidate { constant: true, ..none }, &candidates).ok();
            candidates.bounds.constant = candidates.designs[1].is_some();
        }
        candidates.designs[0] = Some(plain);
        Ok(candidates)
    }

    /// The specification of a candidate.
    fn model(&self, candidate: Candidate) -> Arima {
        let mut model = Arima::new(Order::new(candidate.p, self.d, candidate.q));
        if candidate.seasonal_p + candidate.seasonal_q + self.seasonal_d > 0 {
            let seasonal = Seasonal::new(candidate.seasonal_p, self.seasonal_d, candidate.seasonal_q, self.period);
            model = model.with_seasonal(seasonal);
        }
        match (candidate.constant, self.d + self.seasonal_d) {
            (true, 0) => model.with_mean(),
            (true, _) => model.with_drift(),
            (false, _) => model,
        }
    }

    pub fn seen(&self, candidate: Candidate) -> bool {
        self.seen.contains(&candidate)
    }

    pub const fn observed(&self) -> usize {
        self.observed
    }

    pub fn count(&self) -> usize {
        self.seen.len()
    }

    /// Fits a candidate that was not seen; whether it is the best so far.
    pub fn try_out(&mut self, candidate: Candidate) -> bool {
        let found = self.criterion(candidate);
        self.seen.insert(candidate);
        match found {
            Some((criterion, coefficients)) if self.best.as_ref().is_none_or(|best| criterion < best.criterion) => {
                self.best = Some(Best { candidate, criterion, coefficients });
                true
            }
            _ => false,
        }
    }

    /// The corrected criterion and the ARMA coefficients; `None` where the model cannot be fitted or has a root too near
    /// to the unit circle.
    fn criterion(&self, candidate: Candidate) -> Option<(f64, Vec<f64>)> {
        let model = self.model(candidate);
        let design = self.designs[usize::from(candidate.constant)].as_ref()?;
        let parameters = model.arma_coefficients() + design.columns.len() + 1;
        corrected(0.0, parameters, design.effective())?;
        let optimum = maximise(&model, design, Effort::Quick, None).ok()?;
        if !stable(&model, &optimum.coefficients) {
            return None;
        }
        let criterion = corrected(optimum.log_likelihood(design), parameters, design.effective())?;
        Some((criterion, optimum.coefficients))
    }

    /// Fits the best candidate with all effort.
    pub fn best(self, series: &Series) -> Result<Selected> {
        let compared = self.count();
        let Some(best) = &self.best else {
            let (observed, needed) = (series.observed(), self.d + self.seasonal_d * self.period + 3);
            return Err(Error::TooShort { model: "any".to_owned(), observed, needed });
        };
        let model = self.model(best.candidate);
        let design = self.designs[usize::from(best.candidate.constant)].as_ref();
        let design = design.ok_or_else(|| Error::NoOptimum { model: model.to_string() })?;
        let mut optimum = maximise(&model, design, Effort::Thorough, Some(&best.coefficients))?;
        if !stable(&model, &optimum.coefficients) {
            // A higher peak at the edge: the model was chosen for the one inside.
            optimum = maximise_near(&model, design, &best.coefficients)?;
        }
        let fitted = FittedArima::new(&model, series, &Regressors::none(), design, &optimum)?;
        Ok(Selected { fitted, compared })
    }
}

/// Whether all roots of all factors lie clear of the unit circle.
fn stable(model: &Arima, coefficients: &[f64]) -> bool {
    let shape = Shape::of(model);
    let [ar, ma, sar, sma] = shape.factors().map(|(range, _)| &coefficients[range]);
    let negative = |factor: &[f64]| factor.iter().map(|value| -value).collect::<Vec<f64>>();
    let seasonal_min = ROOT_MIN.powi(shape.period as i32);
    roots_lie_outside(ar, ROOT_MIN)
        && roots_lie_outside(&negative(ma), ROOT_MIN)
        && roots_lie_outside(sar, seasonal_min)
        && roots_lie_outside(&negative(sma), seasonal_min)
}
