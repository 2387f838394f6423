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

/// Minimises `objective(point, gradient) -> value` from `start`; `None` where the start has no finite value. Points where
/// the objective is `None` are stepped back from.
pub fn minimise(
    start: &[f64],
    limits: Limits,
    mut objective: impl FnMut(&[f64], &mut [f64]) -> Option<f64>,
) -> Option<Minimum> {
    let size = start.len();
    let mut point = start.to_vec();
    let mut gradient = vec![0.0; size];
    let mut value = objective(&point, &mut gradient)?;
    let mut evaluations = 1;
    let mut metric = Metric::identity(size);
    let (mut next, mut next_gradient) = (vec![0.0; size], vec![0.0; size]);
    let mut converged = largest(&gradient) <= limits.gradient_tolerance;
    while !converged && evaluations < limits.evaluations_max {
        let mut direction = metric.descent(&gradient);
        let mut slope = dot(&direction, &gradient);
        if slope.is_nan() || slope >= 0.0 {
            metric = Metric::identity(size);
            direction = gradient.iter().map(|value| -value).collect();
            slope = -dot(&gradient, &gradient);
        }
        let mut step = 1.0_f64.min(STEP_MAX / largest(&direction));
        let mut accepted = None;
        for _ in 0..BACKTRACKS_MAX {
            for i in 0..size {
                next[i] = point[i] + step * direction[i];
            }
            let found = objective(&next, &mut next_gradient);
            evaluations += 1;
            match found {
                Some(found) if found <= value + SUFFICIENT * step * slope => {
                    accepted = Some(found);
                    break;
                }
                Some(found) => step = shortened(step, slope, found - value),
                None => step *= 0.2,
            }
            if evaluations >= limits.evaluations_max {
                break;
            }
        }
        let Some(found) = accepted else {
            // Along a descent direction nothing decreases: the value is flat to rounding, or the metric misleads.
            if metric.fresh {
                break;
            }
            metric = Metric::identity(size);
            continue;
        };
        let moved: Vec<f64> = next.iter().zip(&point).map(|(a, b)| a - b).collect();
        let bent: Vec<f64> = next_gradient.iter().zip(&gradient).map(|(a, b)| a - b).collect();
        metric.update(&moved, &bent);
        let decrease = value - found;
        point.copy_from_slice(&next);
        gradient.copy_from_slice(&next_gradient);
        value = found;
        converged = largest(&gradient) <= limits.gradient_tolerance;
        if decrease <= limits.decrease_tolerance && largest(&gradient) <= limits.gradient_tolerance.sqrt() {
            converged = true;
        }
    }
    Some(Minimum { gradient: largest(&gradient), point, value, converged })
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
            Some(a * a + 100.0 * b * b)
        })
        .expect("finite");
        assert!(minimum.converged);
        assert!(minimum.point.iter().all(|x| (x - 1.0).abs() < 1e-6), "{:?}", minimum.point);
    }

    #[test]
    fn nothing_to_search_is_found_at_once() {
        let limits = Limits { evaluations_max: 10, gradient_tolerance: 1e-8, decrease_tolerance: 0.0 };
        let minimum = minimise(&[], limits, |_, _| Some(2.0)).expect("finite");
        assert!(minimum.converged && minimum.value == 2.0);
        assert!(minimise(&[1.0], limits, |_, _| None).is_none());
    }
}
