//! Regression with seasonal ARIMA errors: exact maximum likelihood, forecasts, diagnostics.
//!
//! [`Arima`] says what to fit; [`Arima::fit`] gives a [`FittedArima`], and only that can forecast.
//!
//! How it is done, each in a module of its own:
//! 1. `design`: the series and its regressors are differenced; missing values become columns of the regression.
//! 2. `stationary`, `innovations`: the exact Kalman filter in `O(r)` a step, and its derivative in reverse mode.
//! 3. `likelihood`: σ² and the regression are concentrated out.
//! 4. `shape`: stationarity and invertibility by partial autocorrelations, `r = sin u`.
//! 5. `conditional`, `search`, `fit`: starts from the conditional sum of squares and a grid; BFGS from the best of them.
//! 6. `state_space`, `forecast`: the filter on levels with an exact diffuse start, for residuals and predictions.

pub mod batch;
mod conditional;
mod design;
mod dispatch;
#[cfg(test)]
mod exactness;
mod fit;
mod fitted;
mod forecast;
mod hessian;
mod innovations;
mod lanes;
mod likelihood;
mod order;
pub mod polynomial;
mod search;
mod shape;
mod side_by_side;
mod state_space;
mod stationary;

pub use fit::Effort;
pub use fitted::{Estimate, FittedArima, SearchReport};
pub use forecast::{Forecast, HORIZON_MAX, Prediction};
pub use order::{Arima, COEFFICIENTS_MAX, DIFFERENCES_MAX, LAG_MAX, Order, Seasonal, Term};

/// What the choice of orders needs of the fit.
pub(crate) mod search_parts {
    pub use super::design::Design;
    pub use super::fit::{maximise, maximise_near};
    pub use super::fitted::corrected;
    pub use super::shape::Shape;
}
