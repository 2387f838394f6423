//! A fitted model: its coefficients, how good it is, and what it expects.

use super::design::{Design, differenced};
use super::fit::Optimum;
use super::forecast::Forecast;
use super::hessian;
use super::order::{Arima, Term};
use super::polynomial::difference;
use super::shape::Shape;
use super::state_space::{Filtered, State, StateSpace};
use super::stationary::Stationary;
use crate::diagnostics::{LjungBox, ljung_box};
use crate::{Error, Regressors, Result, Series};

/// A coefficient with its standard error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    pub term: Term,
    pub value: f64,
    /// From the observed information; `None` at the boundary and where the likelihood is flat.
    pub standard_error: Option<f64>,
}

/// How the maximum was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SearchReport {
    /// Evaluations of the likelihood.
    pub evaluations: usize,
    /// Points that were searched from.
    pub starts: usize,
    /// Largest derivative of the log-likelihood per observation at the end, with respect to an angle.
    pub gradient: f64,
    /// Whether that is zero to the tolerance.
    pub converged: bool,
}

/// An [`Arima`] that was fitted to a series; made by [`Arima::fit`].
#[derive(Clone, Debug, PartialEq)]
pub struct FittedArima {
    model: Arima,
    estimates: Vec<Estimate>,
    covariance: Option<Vec<f64>>,
    log_likelihood: f64,
    sigma2: f64,
    effective: usize,
    periods: usize,
    residuals: Vec<f64>,
    space: StateSpace,
    state: State,
    regressors: usize,
    search: SearchReport,
}

impl FittedArima {
    pub(crate) fn new(
        model: &Arima,
        series: &Series,
        regressors: &Regressors,
        design: &Design,
        optimum: &Optimum,
    ) -> Result<FittedArima> {
        let shape = Shape::of(model);
        let covariance = hessian::covariance(design, shape, optimum);
        let regression = design.coefficients(&optimum.regression);
        let arma_terms = shape_terms(shape).into_iter().zip(optimum.coefficients.iter().copied());
        let all = arma_terms.chain(design.terms.iter().copied().zip(regression.iter().copied()));
        let size = shape.coefficients() + regression.len();
        let estimates = all
            .enumerate()
            .map(|(i, (term, value))| {
                let variance = covariance.as_ref().map(|covariance| covariance[i * size + i]);
                Estimate { term, value, standard_error: variance.map(f64::sqrt) }
            })
            .collect();
        let cleaned: Vec<f64> = series
            .values()
            .iter()
            .enumerate()
            .map(|(t, value)| value - regression_at(&design.terms, &regression, t + 1, |x| regressors.columns()[x][t]))
            .collect();
        let (space, filtered) = filtered(model, shape, &optimum.coefficients, &cleaned)
            .ok_or_else(|| Error::NoOptimum { model: model.to_string() })?;
        let effective = design.effective();
        // The scale goes in twice, so that nothing overflows on the way.
        let sigma2 = optimum.sum_of_squares / effective as f64 * design.scale * design.scale;
        Ok(FittedArima {
            model: *model,
            estimates,
            covariance,
            log_likelihood: optimum.log_likelihood(design) + 0.5 * filtered.log_diffuse,
            sigma2,
            effective,
            periods: series.len(),
            residuals: filtered.residuals,
            space,
            state: filtered.state,
            regressors: regressors.columns().len(),
            search: SearchReport {
                evaluations: optimum.evaluations,
                starts: optimum.starts,
                gradient: optimum.minimum.gradient,
                converged: optimum.minimum.converged,
            },
        })
    }

    /// What was fitted.
    pub const fn model(&self) -> &Arima {
        &self.model
    }

    /// Coefficients in R's order: ar, ma, sar, sma, mean, drift, regressors.
    pub fn estimates(&self) -> &[Estimate] {
        &self.estimates
    }

    /// The value of one coefficient.
    pub fn coefficient(&self, term: Term) -> Option<f64> {
        self.estimates.iter().find(|estimate| estimate.term == term).map(|estimate| estimate.value)
    }

    /// Covariance of two estimates, numbered as in [`FittedArima::estimates`]; `None` as for standard errors.
    pub fn covariance(&self, a: usize, b: usize) -> Option<f64> {
        let size = self.estimates.len();
        if a >= size || b >= size {
            return None;
        }
        self.covariance.as_ref().map(|covariance| covariance[a * size + b])
    }

    /// The exact log-likelihood at the maximum, a density of the differenced observations (R's `loglik`).
    ///
    /// With gaps it is the diffuse likelihood of the levels, without `½ Σ log F∞`, as R leaves it out.
    pub const fn log_likelihood(&self) -> f64 {
        self.log_likelihood
    }

    /// The maximum-likelihood estimate `S / n_eff` of the innovations' variance.
    pub const fn sigma2(&self) -> f64 {
        self.sigma2
    }

    /// `S / (n_eff − coefficients)`: what predictions take as the variance (R's package forecast).
    pub fn sigma2_adjusted(&self) -> f64 {
        self.sigma2 * self.effective as f64 / (self.effective - self.estimates.len()) as f64
    }

    /// Observations less differences, `n − d − D·s`, gaps not counted.
    pub const fn effective_observations(&self) -> usize {
        self.effective
    }

    /// Coefficients and σ².
    pub fn parameters(&self) -> usize {
        self.estimates.len() + 1
    }

    /// `−2ℓ + 2k`.
    pub fn aic(&self) -> f64 {
        -2.0 * self.log_likelihood + 2.0 * self.parameters() as f64
    }

    /// `AIC + 2k(k+1) / (n_eff − k − 1)` (Hurvich and Tsai 1989); `None` where `n_eff ≤ k + 1`.
    pub fn aicc(&self) -> Option<f64> {
        corrected(self.log_likelihood, self.parameters(), self.effective)
    }

    /// `−2ℓ + k log n_eff`.
    pub fn bic(&self) -> f64 {
        -2.0 * self.log_likelihood + self.parameters() as f64 * (self.effective as f64).ln()
    }

    /// One-step errors over the square root of their relative variance `Fₜ`, in the unit of the series (R's `residuals`);
    /// `NaN` at gaps and at the first `d + D·s` values.
    pub fn residuals(&self) -> &[f64] {
        &self.residuals
    }

    /// The test of Ljung and Box on the residuals, its degrees of freedom less the ARMA coefficients.
    pub fn ljung_box(&self, lags: usize) -> Option<LjungBox> {
        ljung_box(&self.residuals, lags, self.model.arma_coefficients())
    }

    pub(super) const fn space(&self) -> &StateSpace {
        &self.space
    }

    pub(super) const fn state(&self) -> &State {
        &self.state
    }

    pub const fn search(&self) -> SearchReport {
        self.search
    }

    /// The prediction of the next steps.
    ///
    /// # Errors
    /// [`Error::Horizon`]; [`Error::RegressorShape`] where the model has regressors.
    pub fn forecast(&self, horizon: usize) -> Result<Forecast> {
        self.predict(horizon, &Regressors::none())
    }

    /// As [`FittedArima::forecast`], over the periods that the future regressors cover.
    ///
    /// # Errors
    /// [`Error::Horizon`]; [`Error::RegressorShape`] where the number of columns is not that of the fit.
    pub fn forecast_with(&self, future: &Regressors) -> Result<Forecast> {
        self.predict(future.periods(), future)
    }

    fn predict(&self, horizon: usize, future: &Regressors) -> Result<Forecast> {
        let given = future.columns().len();
        if given != self.regressors {
            return Err(Error::RegressorShape { what: "columns", given, needed: self.regressors });
        }
        let mut forecast = Forecast::new(&self.space, &self.state, self.sigma2_adjusted(), horizon)?;
        let regression = &self.estimates[self.model.arma_coefficients()..];
        let terms: Vec<Term> = regression.iter().map(|estimate| estimate.term).collect();
        let values: Vec<f64> = regression.iter().map(|estimate| estimate.value).collect();
        for step in 1..=horizon {
            let column = |x: usize| future.columns()[x][step - 1];
            forecast.add(step, regression_at(&terms, &values, self.periods + step, column));
        }
        Ok(forecast)
    }
}

/// The corrected criterion of Akaike from its parts; `None` where the correction has no positive denominator.
pub fn corrected(log_likelihood: f64, parameters: usize, effective: usize) -> Option<f64> {
    let (k, n) = (parameters as f64, effective as f64);
    let denominator = n - k - 1.0;
    (denominator > 0.0).then(|| -2.0 * log_likelihood + 2.0 * k + 2.0 * k * (k + 1.0) / denominator)
}

fn shape_terms(shape: Shape) -> Vec<Term> {
    let ar = (1..=shape.p).map(Term::Ar);
    let ma = (1..=shape.q).map(Term::Ma);
    let seasonal_ar = (1..=shape.seasonal_p).map(Term::SeasonalAr);
    let seasonal_ma = (1..=shape.seasonal_q).map(Term::SeasonalMa);
    ar.chain(ma).chain(seasonal_ar).chain(seasonal_ma).collect()
}

/// The regression part of period `t`, from 1.
fn regression_at(terms: &[Term], values: &[f64], t: usize, regressor: impl Fn(usize) -> f64) -> f64 {
    let parts = terms.iter().zip(values).map(|(term, value)| match term {
        Term::Mean => *value,
        Term::Drift => value * t as f64,
        Term::Regressor(number) => value * regressor(number - 1),
        Term::Ar(_) | Term::Ma(_) | Term::SeasonalAr(_) | Term::SeasonalMa(_) => 0.0,
    });
    parts.sum()
}

/// Residuals and the state after the end: on differences where nothing is missing, on levels otherwise.
fn filtered(model: &Arima, shape: Shape, coefficients: &[f64], levels: &[f64]) -> Option<(StateSpace, Filtered)> {
    let (mut phi, mut theta) = (vec![0.0; shape.phi_len()], vec![0.0; shape.theta_len()]);
    shape.expand(coefficients, &mut phi, &mut theta);
    let mut stationary = Stationary::default();
    if !stationary.compute(&phi, &theta) {
        return None;
    }
    let delta = difference(model.order().d, model.seasonal().d, model.seasonal().period);
    let space = StateSpace::new(&phi, &theta, &delta);
    if levels.iter().any(|value| value.is_nan()) {
        let filtered = space.filter(levels, space.start(&stationary.column));
        return Some((space, filtered));
    }
    let short = StateSpace::new(&phi, &theta, &[]);
    let mut filtered = short.filter(&differenced(model, levels), short.start(&stationary.column));
    let newest_first: Vec<f64> = levels.iter().rev().take(delta.len()).copied().collect();
    filtered.state = space.with_levels(&filtered.state, &newest_first);
    filtered.residuals.splice(0..0, std::iter::repeat_n(f64::NAN, delta.len()));
    Some((space, filtered))
}
