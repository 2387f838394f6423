//! Minima without derivatives: of one number by golden section, of a few by Nelder and Mead.

const GOLDEN: f64 = 0.618_033_988_749_894_9;

/// The minimum of a function of one number between two ends (golden section after a grid; Kiefer 1953).
pub(super) fn golden(loss: impl Fn(f64) -> f64, low: f64, high: f64) -> f64 {
    const GRID: usize = 20;
    let at = |index: usize| low + (high - low) * index as f64 / GRID as f64;
    let best = (0..=GRID).min_by(|a, b| loss(at(*a)).total_cmp(&loss(at(*b)))).unwrap_or(0);
    let (mut left, mut right) = (at(best.saturating_sub(1)), at((best + 1).min(GRID)));
    for _ in 0..40 {
        let (a, b) = (right - GOLDEN * (right - left), left + GOLDEN * (right - left));
        if loss(a) <= loss(b) { right = b } else { left = a }
    }
    0.5 * (left + right)
}

/// The best of a simplex that crawled downhill (Nelder and Mead 1965), all coordinates kept within [0, 1]; ends
/// where the corners differ by no more than `near`.
pub(super) fn simplex(loss: impl Fn(&[f64]) -> f64, start: &[f64], rounds: usize, near: f64) -> Vec<f64> {
    let size = start.len();
    let bounded = |point: Vec<f64>| -> (f64, Vec<f64>) {
        let point: Vec<f64> = point.into_iter().map(|x| x.clamp(0.0, 1.0)).collect();
        let value = loss(&point);
        (if value.is_nan() { f64::INFINITY } else { value }, point)
    };
    let mut corners = vec![bounded(start.to_vec())];
    for index in 0..size {
        let mut corner = start.to_vec();
        corner[index] += if corner[index] > 0.6 { -0.25 } else { 0.25 };
        corners.push(bounded(corner));
    }
    for _ in 0..rounds {
        corners.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (best, worst) = (corners[0].0, corners[size].0);
        // Equal infinities have no difference.
        if (worst - best).is_nan() || worst - best <= near {
            break;
        }
        let centre: Vec<f64> =
            (0..size).map(|i| corners[..size].iter().map(|corner| corner.1[i]).sum::<f64>() / size as f64).collect();
        let along = |far: f64| -> Vec<f64> {
            centre.iter().zip(&corners[size].1).map(|(centre, worst)| centre + far * (worst - centre)).collect()
        };
        let mirrored = bounded(along(-1.0));
        if mirrored.0 < best {
            let further = bounded(along(-2.0));
            corners[size] = if further.0 < mirrored.0 { further } else { mirrored };
        } else if mirrored.0 < corners[size - 1].0 {
            corners[size] = mirrored;
        } else {
            let nearer = if mirrored.0 < worst { bounded(along(-0.5)) } else { bounded(along(0.5)) };
            if nearer.0 < worst.min(mirrored.0) {
                corners[size] = nearer;
            } else {
                let anchor = corners[0].1.clone();
                for corner in corners.iter_mut().skip(1) {
                    let shrunk = corner.1.iter().zip(&anchor).map(|(x, anchor)| 0.5 * (x + anchor)).collect();
                    *corner = bounded(shrunk);
                }
            }
        }
    }
    corners.sort_by(|a, b| a.0.total_cmp(&b.0));
    corners.swap_remove(0).1
}
