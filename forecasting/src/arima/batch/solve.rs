//! The maximum of the likelihood of eight series in lock step: a grid, then BFGS from its best valleys.

use super::arma::{Block, Last, Value};
use crate::arima::lanes::{LANES, Lanes};
use crate::arima::shape::PARTIAL_MAX;

/// Points of the grid over `φ`; one pass over the series serves all of them.
const PHI_POINTS: usize = 13;
/// Most points of the grid over `θ`.
const THETA_POINTS_MAX: usize = 27;
/// Above every deviance.
const HIGH: f64 = 1e300;
/// A valley whose deviance on the grid is this much above the lowest is not searched.
const MARGIN: f64 = 10.0;
/// Valleys of the grid that are searched, of one series.
const VALLEYS: usize = 4;
/// Steps of one search.
const STEPS_MAX: usize = 40;
/// Largest derivative per observation at the end: the likelihood is then exact to about 1e-7.
const TOLERANCE: f64 = 2e-5;
/// A smaller decrease of the deviance ends the search of a lane.
const DECREASE: f64 = 1e-9;
/// Longest step, in coordinates.
const STRIDE: f64 = 0.35;
const SUFFICIENT: f64 = 1e-4;
/// Less curvature than this over a step is none.
const BENT: f64 = 1e-14;
/// Growth of the metric where the curvature is negative.
const LONGER: f64 = 4.0;

/// Which of the two coefficients are estimated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Free {
    pub phi: bool,
    pub theta: bool,
}

/// Where the search ended.
pub struct Solution {
    pub phi: Lanes,
    pub theta: Lanes,
    pub value: Value,
    pub last: Last,
}

/// Coordinate to `φ`, `x (3 − x²) / 2`: odd, onto [−1, 1], with slope zero at the ends, and nearly of constant Fisher
/// information, as the sine of the single fit, but without a library call. `θ` is its own coordinate: the likelihood
/// meets an uninvertible one with slope zero, and goes on as a mirror image.
#[inline(always)]
fn coefficient(x: Lanes) -> Lanes {
    x * (Lanes::splat(3.0) - x * x) * (0.5 * PARTIAL_MAX)
}

#[inline(always)]
fn coefficient_slope(x: Lanes) -> Lanes {
    (Lanes::ONE - x * x) * (1.5 * PARTIAL_MAX)
}

/// Past an end the coordinate comes back.
#[inline(always)]
fn reflected(x: Lanes) -> Lanes {
    let over = x.map(|x| if x > 1.0 { 2.0 - x } else { x });
    over.map(|x| if x < -1.0 { -2.0 - x } else { x })
}

/// Points of the grid over `φ`, inside of both ends, where the likelihood has none.
fn phi_points(free: bool) -> impl Iterator<Item = f64> + Clone {
    let count = if free { PHI_POINTS } else { 1 };
    (0..count).map(move |i| (2.0 * i as f64 + 1.0) / count as f64 - 1.0)
}

/// Points of the grid over `θ`, dense towards both ends: long series tell a root of one from a root near one.
fn theta_points(steps: usize, free: bool) -> impl Iterator<Item = f64> + Clone {
    let count = match steps {
        _ if !free => 1,
        ..20 => 15,
        20..100 => 19,
        _ => THETA_POINTS_MAX,
    };
    (0..count).map(move |i| (2.0 * i as f64 + 1.0) / count as f64 - 1.0).map(|y| 0.5 * y * (3.0 - y * y))
}

/// `φ` by its coordinate `x`, and `θ`.
#[derive(Clone, Copy)]
struct Point {
    x: Lanes,
    theta: Lanes,
}

#[inline(always)]
pub fn solve(block: &Block<'_>, free: Free) -> Solution {
    let mut best = [(HIGH, 0.0, 0.0); LANES];
    let valleys = valleys(block, free);
    // Lanes have one valley or more: they are searched packed, eight at a time, whosever they are.
    let mut steps = vec![Lanes::ZERO; block.steps.len()];
    for jobs in valleys.chunks(LANES) {
        let job = |lane: usize| jobs[if lane < jobs.len() { lane } else { 0 }];
        let owner: [usize; LANES] = std::array::from_fn(|lane| job(lane).lane);
        for (to, from) in steps.iter_mut().zip(block.steps) {
            *to = Lanes(std::array::from_fn(|lane| from.0[owner[lane]]));
        }
        let start = Point {
            x: Lanes(std::array::from_fn(|lane| job(lane).x)),
            theta: Lanes(std::array::from_fn(|lane| job(lane).theta)),
        };
        let (point, value) = search(&Block { steps: &steps }, free, start);
        for lane in 0..jobs.len() {
            let best = &mut best[owner[lane]];
            if value.0[lane] < best.0 {
                *best = (value.0[lane], point.x.0[lane], point.theta.0[lane]);
            }
        }
    }
    let phi = coefficient(Lanes(best.map(|(_, x, _)| x)));
    let theta = Lanes(best.map(|(_, _, theta)| theta));
    let sums = block.sums(theta);
    Solution { phi, theta, value: block.value(&sums, phi, theta), last: sums.last }
}

/// A place to search from, for the series of one lane.
#[derive(Clone, Copy)]
struct Valley {
    lane: usize,
    x: f64,
    theta: f64,
}

/// The lowest point of a row with its neighbours.
struct Trough {
    x: Lanes,
    value: Lanes,
    before: Lanes,
    after: Lanes,
    previous: Lanes,
    /// 1 where the previous point was the lowest so far.
    fresh: Lanes,
}

impl Trough {
    #[inline(always)]
    fn new() -> Trough {
        let high = Lanes::splat(HIGH);
        Trough { x: Lanes::ZERO, value: high, before: high, after: high, previous: high, fresh: Lanes::ZERO }
    }

    #[inline(always)]
    fn add(&mut self, x: Lanes, value: Lanes) {
        self.after = Lanes::ZERO.if_less(self.fresh, value, self.after);
        self.after = value.if_less(self.value, Lanes::splat(HIGH), self.after);
        self.before = value.if_less(self.value, self.previous, self.before);
        self.x = value.if_less(self.value, x, self.x);
        self.fresh = value.if_less(self.value, Lanes::ONE, Lanes::ZERO);
        self.value = value.min(self.value);
        self.previous = value;
    }

    /// Value and place of the lowest point of the parabola through the three; rows compare by it, since the grid is wide.
    #[inline(always)]
    fn bottom(&self) -> (Lanes, Lanes) {
        let bent = self.before - self.value - self.value + self.after;
        let lean = self.before - self.after;
        let share = lean / bent * 0.5;
        let inner = self.before.max(self.after).if_less(Lanes::splat(HIGH), Lanes::ONE, Lanes::ZERO);
        let inner = Lanes::ZERO.if_less(bent, inner, Lanes::ZERO);
        let half = Lanes::splat(0.5);
        let value = half.if_less(inner, self.value - lean * share * 0.25, self.value);
        let x = half.if_less(inner, self.x + share * (2.0 / PHI_POINTS as f64), self.x);
        (value, x)
    }
}

/// The best points of the grid, one a row of `θ`, that are better than the rows beside them; at least one a lane.
#[inline(always)]
fn valleys(block: &Block<'_>, free: Free) -> Vec<Valley> {
    let mut rows = [(Lanes::splat(HIGH), Lanes::ZERO); THETA_POINTS_MAX + 2];
    let mut count = 0;
    for (row, theta) in theta_points(block.steps.len(), free.theta).enumerate() {
        let theta = Lanes::splat(theta);
        let sums = block.sums(theta);
        let mut trough = Trough::new();
        for x in phi_points(free.phi) {
            let deviance = block.value(&sums, coefficient(Lanes::splat(x)), theta).deviance;
            trough.add(Lanes::splat(x), deviance);
        }
        rows[row + 1] = trough.bottom();
        count = row + 1;
    }
    let mut found = Vec::with_capacity(2 * LANES);
    for lane in 0..LANES {
        let at = |row: usize| rows[row].0.0[lane];
        let mut lowest = [(HIGH, 0.0, 0.0); VALLEYS];
        for (row, theta) in theta_points(block.steps.len(), free.theta).enumerate() {
            let row = row + 1;
            if at(row) <= at(row - 1) && (row == count || at(row) <= at(row + 1)) {
                let mut next = (at(row), rows[row].1.0[lane], theta);
                for place in &mut lowest {
                    if next.0 < place.0 {
                        std::mem::swap(place, &mut next);
                    }
                }
            }
        }
        let bound = lowest[0].0 + MARGIN;
        let (_, x, theta) = lowest[0];
        found.push(Valley { lane, x, theta });
        let others = lowest[1..].iter().filter(|(value, _, _)| *value < bound);
        found.extend(others.map(|&(_, x, theta)| Valley { lane, x, theta }));
    }
    found
}

/// Derivatives with respect to the coordinates, per two observations, so that the curvature is near one.
#[inline(always)]
fn evaluate(block: &Block<'_>, free: Free, point: Point) -> (Lanes, Point) {
    let (deviance, to_phi, to_theta) = block.slopes(coefficient(point.x), point.theta);
    let part = 0.5 / block.steps.len() as f64;
    let to_x = if free.phi { to_phi * coefficient_slope(point.x) * part } else { Lanes::ZERO };
    let to_theta = if free.theta { to_theta * part } else { Lanes::ZERO };
    (deviance * part, Point { x: to_x, theta: to_theta })
}

/// BFGS in lock step. A lane that has converged keeps its point, whatever the others do.
#[inline(always)]
fn search(block: &Block<'_>, free: Free, start: Point) -> (Point, Lanes) {
    let mut point = start;
    let (mut value, mut slope) = evaluate(block, free, point);
    let curvature = Lanes::splat(0.4);
    let (mut hxx, mut hxy, mut hyy) = (curvature, Lanes::ZERO, curvature);
    let mut length = Lanes::ONE;
    // 1 while a lane moves, 0 once it has converged.
    let mut moving = Lanes::ONE;
    for _ in 0..STEPS_MAX {
        let steep = slope.x.abs().max(slope.theta.abs());
        moving = steep.if_less(Lanes::splat(TOLERANCE), Lanes::ZERO, moving);
        if moving == Lanes::ZERO {
            break;
        }
        let dx = -(hxx * slope.x + hxy * slope.theta);
        let dy = -(hxy * slope.x + hyy * slope.theta);
        let longest = dx.abs().max(dy.abs()).max(Lanes::splat(1e-300));
        let scale = length * moving * (Lanes::splat(STRIDE) / longest).min(Lanes::ONE);
        let next = Point { x: reflected(point.x + dx * scale), theta: reflected(point.theta + dy * scale) };
        let (found, found_slope) = evaluate(block, free, next);
        let enough = value + (dx * slope.x + dy * slope.theta) * scale * SUFFICIENT;
        // A lane that rests compares equal and takes its own point again.
        let accepted = found.if_less(enough, Lanes::ONE, Lanes::ZERO);
        let half = Lanes::splat(0.5);
        let (sx, sy) = (next.x - point.x, next.theta - point.theta);
        let bx = half.if_less(accepted, found_slope.x - slope.x, Lanes::ZERO);
        let by = half.if_less(accepted, found_slope.theta - slope.theta, Lanes::ZERO);
        let bent = sx * bx + sy * by;
        let inverse = Lanes::splat(BENT).if_less(bent, Lanes::ONE / bent, Lanes::ZERO);
        let (ix, iy) = (hxx * bx + hxy * by, hxy * bx + hyy * by);
        let factor = (Lanes::ONE + (bx * ix + by * iy) * inverse) * inverse;
        hxx += factor * sx * sx - (ix * sx + ix * sx) * inverse;
        hxy += factor * sx * sy - (ix * sy + iy * sx) * inverse;
        hyy += factor * sy * sy - (iy * sy + iy * sy) * inverse;
        // Downhill and bent the wrong way, as on the brink of an end: the next step is longer.
        let longer = bent.if_less(Lanes::splat(BENT), Lanes::splat(LONGER), Lanes::ONE);
        let longer = half.if_less(accepted, longer, Lanes::ONE);
        (hxx, hxy, hyy) = (hxx * longer, hxy * longer, hyy * longer);
        let small = (value - found).if_less(Lanes::splat(DECREASE), Lanes::ZERO, moving);
        let small = bent.if_less(Lanes::splat(BENT), moving, small);
        moving = half.if_less(accepted, small, moving);
        point.x = half.if_less(accepted, next.x, point.x);
        point.theta = half.if_less(accepted, next.theta, point.theta);
        slope.x = half.if_less(accepted, found_slope.x, slope.x);
        slope.theta = half.if_less(accepted, found_slope.theta, slope.theta);
        value = half.if_less(accepted, found, value);
        length = half.if_less(accepted, Lanes::ONE, length * 0.3);
        // A step that has become nothing will not find a lower point.
        moving = length.if_less(Lanes::splat(1e-6), Lanes::ZERO, moving);
    }
    (point, value)
}
