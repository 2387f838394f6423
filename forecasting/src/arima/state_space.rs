//! The Kalman filter on levels, gaps and all, with an exact diffuse start.
//!
//! State `(α ; yₜ₋₁ … yₜ₋ₖ)` of R's `makeARIMA`, `k = d + D·s`: `α` the ARMA state of [`super::stationary`], then the
//! levels that differencing needs, `yₜ = αₜ,₁ + Σ δⱼ yₜ₋ⱼ`. The levels start diffuse: `P₁ = P∗ + κ P∞`, `κ → ∞` taken
//! exactly (Koopman 1997; Durbin and Koopman 2012, §5.2) where R takes `κ = 10⁶`. All covariances are in units of σ².

/// A diffuse variance below this is none: the parts of `P∞` are integers and their ratios.
const DIFFUSE_NONE: f64 = 1e-8;

/// Transition and noise of the state.
#[derive(Clone, Debug, PartialEq)]
pub struct StateSpace {
    /// `φ`, padded to the length of the ARMA state.
    phi: Vec<f64>,
    /// `(1, θ₁, …)`, as long.
    noise: Vec<f64>,
    /// `δ` of the levels.
    delta: Vec<f64>,
}

/// What is known of the state one step ahead.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    pub mean: Vec<f64>,
    /// Row by row.
    pub covariance: Vec<f64>,
    /// `P∞`, empty once the start is forgotten.
    diffuse: Vec<f64>,
}

/// What a filter saw.
#[derive(Clone, Debug, PartialEq)]
pub struct Filtered {
    /// One step past the end.
    pub state: State,
    /// `vₜ / √Fₜ`; `NaN` at gaps and where the value only settled the diffuse start.
    pub residuals: Vec<f64>,
    pub sum_of_squares: f64,
    /// `Σ log Fₜ` over the residuals.
    pub log_variances: f64,
    /// `Σ log F∞,ₜ` over the values that settled the start: 0 without gaps among them; R leaves it out.
    pub log_diffuse: f64,
    /// Residuals, the effective number of observations.
    pub used: usize,
}

impl State {
    /// The state of an ARMA(p,1) or of an AR(1) one step ahead: the expected value, its variance, and `θ`.
    pub fn of_two(mean: f64, variance: f64, theta: f64, moving_average: bool) -> State {
        if moving_average {
            State {
                mean: vec![mean, 0.0],
                covariance: vec![variance, theta, theta, theta * theta],
                diffuse: Vec::new(),
            }
        } else {
            State { mean: vec![mean], covariance: vec![variance], diffuse: Vec::new() }
        }
    }
}

impl StateSpace {
    pub fn new(phi: &[f64], theta: &[f64], delta: &[f64]) -> StateSpace {
        let r = phi.len().max(theta.len() + 1);
        let mut padded = phi.to_vec();
        padded.resize(r, 0.0);
        let mut noise = vec![1.0];
        noise.extend_from_slice(theta);
        noise.resize(r, 0.0);
        StateSpace { phi: padded, noise, delta: delta.to_vec() }
    }

    pub fn size(&self) -> usize {
        self.phi.len() + self.delta.len()
    }

    /// The stationary start with the levels diffuse; `column` as of [`super::stationary::Stationary`].
    ///
    /// `P∗ = T P∗ Tᵀ + R Rᵀ` is solved from its first column, by rows from the last.
    pub fn start(&self, column: &[f64]) -> State {
        let (r, size) = (self.phi.len(), self.size());
        let mut covariance = vec![0.0; size * size];
        let at = |column: &[f64], i: usize| column.get(i).copied().unwrap_or(0.0);
        for i in (0..r).rev() {
            for j in (i..r).rev() {
                let corner = if i + 1 < r && j + 1 < r { covariance[(i + 1) * size + j + 1] } else { 0.0 };
                let value = self.phi[i] * self.phi[j] * column[0]
                    + self.phi[i] * at(column, j + 1)
                    + self.phi[j] * at(column, i + 1)
                    + corner
                    + self.noise[i] * self.noise[j];
                covariance[i * size + j] = value;
                covariance[j * size + i] = value;
            }
        }
        let mut diffuse = Vec::new();
        if !self.delta.is_empty() {
            diffuse = vec![0.0; size * size];
            (r..size).for_each(|i| diffuse[i * size + i] = 1.0);
        }
        State { mean: vec![0.0; size], covariance, diffuse }
    }

    /// Puts the state of the differenced series into one of levels whose last values are known, newest first.
    pub fn with_levels(&self, differenced: &State, levels: &[f64]) -> State {
        let (r, size) = (self.phi.len(), self.size());
        let mut mean = differenced.mean.clone();
        mean.extend_from_slice(&levels[..self.delta.len()]);
        let mut covariance = vec![0.0; size * size];
        for i in 0..r {
            covariance[i * size..i * size + r].copy_from_slice(&differenced.covariance[i * r..(i + 1) * r]);
        }
        State { mean, covariance, diffuse: Vec::new() }
    }

    /// `Z x`: the value that a state stands for.
    pub fn observe(&self, x: &[f64]) -> f64 {
        let r = self.phi.len();
        x[0] + self.delta.iter().zip(&x[r..]).map(|(delta, level)| delta * level).sum::<f64>()
    }

    /// `T x`, in place.
    pub fn advance(&self, x: &mut [f64]) {
        let (r, size) = (self.phi.len(), self.size());
        let (first, observed) = (x[0], self.observe(x));
        for i in 0..r {
            x[i] = self.phi[i] * first + if i + 1 < r { x[i + 1] } else { 0.0 };
        }
        if size > r {
            x.copy_within(r..size - 1, r + 1);
            x[r] = observed;
        }
    }

    /// `P Zᵀ`.
    pub fn covariance_with_value(&self, covariance: &[f64]) -> Vec<f64> {
        covariance.chunks_exact(self.size()).map(|row| self.observe(row)).collect()
    }

    /// `T P Tᵀ`, in place.
    fn advance_covariance(&self, covariance: &mut [f64]) {
        let (r, size) = (self.phi.len(), self.size());
        covariance.chunks_exact_mut(size).for_each(|row| self.advance(row));
        // Now by columns, as combinations of rows.
        let first = covariance[..size].to_vec();
        let mut observed = first.clone();
        for (delta, row) in self.delta.iter().zip(covariance[r * size..].chunks_exact(size)) {
            observed.iter_mut().zip(row).for_each(|(to, value)| *to += delta * value);
        }
        for i in 0..r {
            for j in 0..size {
                let next = if i + 1 < r { covariance[(i + 1) * size + j] } else { 0.0 };
                covariance[i * size + j] = self.phi[i] * first[j] + next;
            }
        }
        if size > r {
            covariance.copy_within(r * size..(size - 1) * size, (r + 1) * size);
            covariance[r * size..(r + 1) * size].copy_from_slice(&observed);
        }
    }

    /// `T P Tᵀ + R Rᵀ`, in place.
    pub fn predict_covariance(&self, covariance: &mut [f64]) {
        self.advance_covariance(covariance);
        let size = self.size();
        for (i, a) in self.noise.iter().enumerate() {
            for (j, b) in self.noise.iter().enumerate() {
                covariance[i * size + j] += a * b;
            }
        }
    }

    /// Filters a series; `NaN` is a gap.
    pub fn filter(&self, series: &[f64], start: State) -> Filtered {
        let mut seen = Filtered {
            state: start,
            residuals: Vec::with_capacity(series.len()),
            sum_of_squares: 0.0,
            log_variances: 0.0,
            log_diffuse: 0.0,
            used: 0,
        };
        for &value in series {
            let residual = if value.is_nan() { f64::NAN } else { self.update(value, &mut seen) };
            seen.residuals.push(residual);
            let state = &mut seen.state;
            self.advance(&mut state.mean);
            self.predict_covariance(&mut state.covariance);
            if !state.diffuse.is_empty() {
                self.advance_covariance(&mut state.diffuse);
            }
        }
        seen
    }

    /// Takes a value in; its scaled residual, or `NaN` where it settled a part of the diffuse start.
    fn update(&self, value: f64, seen: &mut Filtered) -> f64 {
        let state = &mut seen.state;
        let innovation = value - self.observe(&state.mean);
        let known = self.covariance_with_value(&state.covariance);
        let variance = self.observe(&known);
        if !state.diffuse.is_empty() {
            let unknown = self.covariance_with_value(&state.diffuse);
            let diffuse = self.observe(&unknown);
            if diffuse > DIFFUSE_NONE {
                add(&mut state.mean, innovation / diffuse, &unknown);
                add_outer(&mut state.covariance, variance / (diffuse * diffuse), &unknown, &unknown);
                add_outer(&mut state.covariance, -1.0 / diffuse, &known, &unknown);
                add_outer(&mut state.covariance, -1.0 / diffuse, &unknown, &known);
                add_outer(&mut state.diffuse, -1.0 / diffuse, &unknown, &unknown);
                if state.diffuse.iter().all(|value| value.abs() < DIFFUSE_NONE) {
                    state.diffuse = Vec::new();
                }
                seen.log_diffuse += diffuse.ln();
                return f64::NAN;
            }
        }
        add(&mut state.mean, innovation / variance, &known);
        add_outer(&mut state.covariance, -1.0 / variance, &known, &known);
        let residual = innovation / variance.sqrt();
        seen.sum_of_squares += residual * residual;
        seen.log_variances += variance.ln();
        seen.used += 1;
        residual
    }
}

/// `x += s a`.
fn add(x: &mut [f64], s: f64, a: &[f64]) {
    x.iter_mut().zip(a).for_each(|(x, a)| *x += s * a);
}

/// `X += s a bᵀ`.
fn add_outer(matrix: &mut [f64], s: f64, a: &[f64], b: &[f64]) {
    for (row, a) in matrix.chunks_exact_mut(b.len()).zip(a) {
        add(row, s * a, b);
    }
}
