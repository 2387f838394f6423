//! Unconstrained minimisation: BFGS with a backtracking line search.
//!
//! The objective is a negative log-likelihood per observation in coordinates in which its curvature is near one
//! ([`super::shape::Shape::coefficients_at`]), so that the identity is a good first metric (Nocedal and Wright 2006, §6.1).

/// When to stop, and how far to go in one step.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub evaluations_max: usize,
    /// Largest component of the gradient at a minimum.
    pub gradient_tolerance: f64,
    /// A smaller decrease of the value ends the search.
    pub decrease_tolerance: f64,
}

/// Radians; a longer step is shortened.
const STEP_MAX: f64 = 1.0;
/// Armijo's constant.
const SUFFICIENT: f64 = 1e-4;
/// Halvings within one line search.
const BACKTRACKS_MAX: usize = 25;

/// Growth of the metric where the curvature is negative.
const LONGER: f64 = 4.0;

/// Where a search ended.
#[derive(Clone, Debug)]
pub struct Minimum {
    pub point: Vec<f64>,
    pub value: f64,
    /// Largest component of the gradient.
    pub gradient: f64,
    pub converged: bool,
}

/// One search, which asks for the objective at a point and is told: so that several can be evaluated at a time.
#[derive(Clone, Debug)]
pub struct Climb {
    limits: Limits,
    evaluations: usize,
    point: Vec<f64>,
    gradient: Vec<f64>,
    /// Infinite until the start was told.
    value: f64,
    metric: Metric,
    direction: Vec<f64>,
    slope: f64,
    step: f64,
    backtracks: usize,
    /// Where the objective is asked for.
    next: Vec<f64>,
    outcome: Option<Outcome>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Converged,
    Stopped,
}

impl Climb {
    pub fn new(start: &[f64], limits: Limits) -> Climb {
        let size = start.len();
        Climb {
            limits,
            evaluations: 0,
            point: start.to_vec(),
            gradient: vec![0.0; size],
            value: f64::INFINITY,
            metric: Metric::identity(size),
            direction: vec![0.0; size],
            slope: 0.0,
            step: 0.0,
            backtracks: 0,
            next: start.to_vec(),
            outcome: None,
        }
    }

    /// Where the objective is wanted next; `None` once the search has ended.
    pub fn asks(&self) -> Option<&[f64]> {
        self.outcome.is_none().then_some(&self.next)
    }

    /// Takes in the objective at the point that was asked for; a value or gradient that is not finite is stepped back from.
    pub fn tell(&mut self, value: f64, gradient: &[f64]) {
        self.evaluations += 1;
        let finite = value.is_finite() && gradient.iter().all(|value| value.is_finite());
        if self.value == f64::INFINITY {
            if !finite {
                self.outcome = Some(Outcome::Stopped);
                return;
            }
            self.value = value;
            self.gradient.copy_from_slice(gradient);
            self.conclude(f64::INFINITY);
            return;
        }
        if finite && value <= self.value + SUFFICIENT * self.step * self.slope {
            let decrease = self.value - value;
            let moved: Vec<f64> = self.next.iter().zip(&self.point).map(|(a, b)| a - b).collect();
            let bent: Vec<f64> = gradient.iter().zip(&self.gradient).map(|(a, b)| a - b).collect();
            self.metric.update(&moved, &bent);
            self.point.copy_from_slice(&self.next);
            self.gradient.copy_from_slice(gradient);
            self.value = value;
            self.conclude(decrease);
            return;
        }
        self.step = if finite { shortened(self.step, self.slope, value - self.value) } else { 0.2 * self.step };
        self.backtracks += 1;
        if self.evaluations >= self.limits.evaluations_max {
            self.outcome = Some(Outcome::Stopped);
        } else if self.backtracks < BACKTRACKS_MAX {
            self.propose();
        } else if self.metric.fresh {
            // Along the steepest descent nothing decreases: the value is flat to rounding.
            self.outcome = Some(Outcome::Stopped);
        } else {
            self.metric = Metric::identity(self.point.len());
            self.turn();
        }
    }

    /// After a step: the end, or a new direction.
    fn conclude(&mut self, decrease: f64) {
        let steepest = largest(&self.gradient);
        let flat = decrease <= self.limits.decrease_tolerance && steepest <= self.limits.gradient_tolerance.sqrt();
        if flat || steepest <= self.limits.gradient_tolerance {
            self.outcome = Some(Outcome::Converged);
        } else if self.evaluations >= self.limits.evaluations_max {
            self.outcome = Some(Outcome::Stopped);
        } else {
            self.turn();
        }
    }

    fn turn(&mut self) {
        self.direction = self.metric.descent(&self.gradient);
        self.slope = dot(&self.direction, &self.gradient);
        if self.slope.is_nan() || self.slope >= 0.0 {
            self.metric = Metric::identity(self.point.len());
            self.direction = self.gradient.iter().map(|value| -value).collect();
            self.slope = -dot(&self.gradient, &self.gradient);
        }
        self.step = 1.0_f64.min(STEP_MAX / largest(&self.direction));
        self.backtracks = 0;
        self.propose();
    }

    fn propose(&mut self) {
        for ((next, point), direction) in self.next.iter_mut().zip(&self.point).zip(&self.direction) {
            *next = point + self.step * direction;
        }
    }

    /// Where the search ended; `None` where its start had no finite value.
    pub fn end(self) -> Option<Minimum> {
        let gradient = largest(&self.gradient);
        let converged = self.outcome == Some(Outcome::Converged);
        self.value.is_finite().then_some(Minimum { point: self.point, value: self.value, gradient, converged })
    }
}

/// Minimises `objective(point, gradient) -> value` from `start`; `None` where the start has no finite value.
pub fn minimise(
    start: &[f64],
    limits: Limits,
    mut objective: impl FnMut(&[f64], &mut [f64]) -> f64,
) -> Option<Minimum> {
    let mut climb = Climb::new(start, limits);
    let mut gradient = vec![0.0; start.len()];
    while let Some(point) = climb.asks() {
        let value = objective(point, &mut gradient);
        climb.tell(value, &gradient);
    }
    climb.end()
}

/// The minimum of the parabola through both values and the slope, kept within sane bounds.
fn shortened(step: f64, slope: f64, increase: f64) -> f64 {
    let best = -slope * step * step / (2.0 * (increase - slope * step));
    if best.is_finite() { best.clamp(0.1 * step, 0.6 * step) } else { 0.5 * step }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |largest, value| largest.max(value.abs()))
}

/// The inverse Hessian as far as the search knows it.
#[derive(Clone, Debug)]
struct Metric {
    size: usize,
    values: Vec<f64>,
    fresh: bool,
}

impl Metric {
    fn identity(size: usize) -> Metric {
        let mut values = vec![0.0; size * size];
        (0..size).for_each(|i| values[i * size + i] = 1.0);
        Metric { size, values, fresh: true }
    }

    fn times(&self, vector: &[f64]) -> Vec<f64> {
        self.values.chunks_exact(self.size.max(1)).map(|row| dot(row, vector)).collect()
    }

    fn descent(&self, gradient: &[f64]) -> Vec<f64> {
        self.times(gradient).iter().map(|value| -value).collect()
    }

    /// BFGS; the metric stays positive definite, since steps without positive curvature only lengthen it.
    fn update(&mut self, moved: &[f64], bent: &[f64]) {
        const CURVATURE_MIN: f64 = 1e-10;
        let curvature = dot(moved, bent);
        if curvature <= CURVATURE_MIN * (dot(moved, moved) * dot(bent, bent)).sqrt() {
            // Downhill and bent the wrong way, as on the brink of a boundary: the next step is longer.
            self.values.iter_mut().for_each(|value| *value *= LONGER);
            self.fresh = false;
            return;
        }
        let image = self.times(bent);
        let factor = (1.0 + dot(bent, &image) / curvature) / curvature;
        for i in 0..self.size {
            for j in 0..self.size {
                self.values[i * self.size + j] +=
                    factor * moved[i] * moved[j] - (image[i] * moved[j] + moved[i] * image[j]) / curvature;
            }
        }
        self.fresh = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bent_valley_is_followed_to_its_end() {
        let limits = Limits { evaluations_max: 500, gradient_tolerance: 1e-10, decrease_tolerance: 0.0 };
        let minimum = minimise(&[-1.2, 1.0], limits, |x, gradient| {
            let (a, b) = (1.0 - x[0], x[1] - x[0] * x[0]);
            gradient[0] = -2.0 * a - 400.0 * x[0] * b;
            gradient[1] = 200.0 * b;
            a * a + 100.0 * b * b
        })
        .expect("finite");
        assert!(minimum.converged);
        assert!(minimum.point.iter().all(|x| (x - 1.0).abs() < 1e-6), "{:?}", minimum.point);
    }

    #[test]
    fn nothing_to_search_is_found_at_once() {
        let limits = Limits { evaluations_max: 10, gradient_tolerance: 1e-8, decrease_tolerance: 0.0 };
        let minimum = minimise(&[], limits, |_, _| 2.0).expect("finite");
        assert!(minimum.converged && minimum.value == 2.0);
        assert!(minimise(&[1.0], limits, |_, _| f64::NAN).is_none());
    }
}
