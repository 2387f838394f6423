//! What is to be fitted: orders, season, mean and drift.

use std::fmt;

use crate::{Error, Result};

/// Autoregressive or moving-average coefficients of one polynomial.
pub const COEFFICIENTS_MAX: usize = 30;
/// Times a series is differenced, with and without season together.
pub const DIFFERENCES_MAX: usize = 3;
/// The longest lag that a multiplied-out polynomial or difference may reach.
pub const LAG_MAX: usize = 800;

/// `(p, d, q)`: autoregressive order, differences, moving-average order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Order {
    pub p: usize,
    pub d: usize,
    pub q: usize,
}

impl Order {
    pub const fn new(p: usize, d: usize, q: usize) -> Order {
        Order { p, d, q }
    }
}

/// `(P, D, Q)s`: the same at multiples of the period `s` (periods a season; 7 for days of a week).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Seasonal {
    pub p: usize,
    pub d: usize,
    pub q: usize,
    pub period: usize,
}

impl Seasonal {
    pub const fn new(p: usize, d: usize, q: usize, period: usize) -> Seasonal {
        Seasonal { p, d, q, period }
    }

    const fn used(self) -> bool {
        self.p + self.d + self.q > 0
    }
}

/// A regression with SARIMA errors, in R's convention:
///
/// `yₜ = mean + drift·t + Σ βⱼ xₜⱼ + nₜ`, `t = 1, 2, …`
///
/// `φ(B) Φ(Bˢ) (1−B)ᵈ (1−Bˢ)ᴰ nₜ = θ(B) Θ(Bˢ) εₜ`, `εₜ ~ N(0, σ²)` independent,
///
/// with `φ(B) = 1 − φ₁B − … − φₚBᵖ` and `θ(B) = 1 + θ₁B + … + θ_qB^q` (Box, Jenkins, Reinsel, Ljung 2016, §9;
/// the signs of `stats::arima`).
///
/// A specification: it is fitted by [`Arima::fit`], and only the [`FittedArima`](super::FittedArima) can forecast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Arima {
    order: Order,
    seasonal: Seasonal,
    mean: bool,
    drift: bool,
}

impl Arima {
    pub const fn new(order: Order) -> Arima {
        Arima { order, seasonal: Seasonal::new(0, 0, 0, 1), mean: false, drift: false }
    }

    /// Adds a seasonal part.
    pub const fn with_seasonal(self, seasonal: Seasonal) -> Arima {
        Arima { seasonal, ..self }
    }

    /// Adds a mean ("intercept" in R); only of a series that is not differenced.
    pub const fn with_mean(self) -> Arima {
        Arima { mean: true, ..self }
    }

    /// Adds a drift per period; only of a series that is differenced at most once.
    pub const fn with_drift(self) -> Arima {
        Arima { drift: true, ..self }
    }

    pub const fn order(&self) -> Order {
        self.order
    }

    pub const fn seasonal(&self) -> Seasonal {
        self.seasonal
    }

    pub const fn has_mean(&self) -> bool {
        self.mean
    }

    pub const fn has_drift(&self) -> bool {
        self.drift
    }

    /// Periods that differencing consumes, `d + D·s`.
    pub const fn differenced(&self) -> usize {
        self.order.d + self.seasonal.d * self.seasonal.period
    }

    /// ARMA coefficients, `p + q + P + Q`.
    pub const fn arma_coefficients(&self) -> usize {
        self.order.p + self.order.q + self.seasonal.p + self.seasonal.q
    }

    /// Polynomial orders, mean and drift that can be estimated at all.
    ///
    /// # Errors
    /// [`Error::InvalidModel`] with the reason.
    pub fn check(&self) -> Result<()> {
        let (order, seasonal) = (self.order, self.seasonal);
        let too_many = |count: usize| count > COEFFICIENTS_MAX;
        let reason = if too_many(order.p) || too_many(order.q) || too_many(seasonal.p) || too_many(seasonal.q) {
            Some("a polynomial has more than 30 coefficients")
        } else if order.d > DIFFERENCES_MAX || seasonal.d > DIFFERENCES_MAX || order.d + seasonal.d > DIFFERENCES_MAX {
            Some("it differences more than three times")
        } else if seasonal.used() && seasonal.period < 2 {
            Some("a seasonal part needs a period of at least 2")
        } else if seasonal.used()
            && seasonal.period.saturating_mul(seasonal.p.max(seasonal.q).max(seasonal.d)) > LAG_MAX
        {
            Some("its longest lag is more than 800 periods")
        } else if self.mean && order.d + seasonal.d > 0 {
            Some("a mean has no effect on a differenced series")
        } else if self.drift && order.d + seasonal.d > 1 {
            Some("a drift has no effect on a series differenced twice")
        } else {
            None
        };
        reason.map_or(Ok(()), |reason| Err(Error::InvalidModel { model: self.to_string(), reason }))
    }
}

impl fmt::Display for Arima {
    /// As R writes it: `ARIMA(1,1,1)(0,1,1)[7] with drift`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Order { p, d, q } = self.order;
        write!(f, "ARIMA({p},{d},{q})")?;
        if self.seasonal.used() {
            let Seasonal { p, d, q, period } = self.seasonal;
            write!(f, "({p},{d},{q})[{period}]")?;
        }
        match (self.mean, self.drift) {
            (true, true) => write!(f, " with mean and drift"),
            (true, false) => write!(f, " with mean"),
            (false, true) => write!(f, " with drift"),
            (false, false) => Ok(()),
        }
    }
}

/// The name of a coefficient, in R's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Term {
    Ar(usize),
    Ma(usize),
    SeasonalAr(usize),
    SeasonalMa(usize),
    Mean,
    Drift,
    /// The regressor of this number, from 1.
    Regressor(usize),
}

impl fmt::Display for Term {
    /// `ar1`, `ma1`, `sar1`, `sma1`, `intercept`, `drift`, `x1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Term::Ar(lag) => write!(f, "ar{lag}"),
            Term::Ma(lag) => write!(f, "ma{lag}"),
            Term::SeasonalAr(lag) => write!(f, "sar{lag}"),
            Term::SeasonalMa(lag) => write!(f, "sma{lag}"),
            Term::Mean => write!(f, "intercept"),
            Term::Drift => write!(f, "drift"),
            Term::Regressor(number) => write!(f, "x{number}"),
        }
    }
}
