//! The same code compiled for the instructions that the processor has.
#![allow(unsafe_code)] // each use states why it is sound

use super::batch::arma::Block;
use super::batch::solve::{Free, Solution, solve};
use super::lanes::Lanes;
use super::likelihood::{Likelihood, Regression};

/// A function compiled for each instruction set, and the choice among them at run time. The result is the same bit for
/// bit, since nothing is fused.
macro_rules! compiled_for_each {
    ($(#[$doc:meta])* $name:ident, $code:ident, ($($argument:ident: $type:ty),*) -> $result:ty) => {
        $(#[$doc])*
        pub fn $name($($argument: $type),*) -> $result {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512dq,avx512vl")]
                fn with_avx512($($argument: $type),*) -> $result {
                    $code($($argument),*)
                }
                #[target_feature(enable = "avx2")]
                fn with_avx2($($argument: $type),*) -> $result {
                    $code($($argument),*)
                }
                let avx512 = std::arch::is_x86_feature_detected!("avx512f")
                    && std::arch::is_x86_feature_detected!("avx512dq")
                    && std::arch::is_x86_feature_detected!("avx512vl");
                if avx512 {
                    // SAFETY: the features that the function was compiled for were just found.
                    return unsafe { with_avx512($($argument),*) };
                }
                if std::arch::is_x86_feature_detected!("avx2") {
                    // SAFETY: as above.
                    return unsafe { with_avx2($($argument),*) };
                }
            }
            $code($($argument),*)
        }
    };
}

compiled_for_each!(
    /// [`solve`] with the widest vectors at hand.
    solve_best,
    solve,
    (block: &Block<'_>, free: Free) -> Solution
);

compiled_for_each!(
    /// [`Likelihood::evaluate`] of eight points, the regression concentrated out, with the widest vectors at hand.
    evaluate_best,
    evaluate,
    (likelihood: &mut Likelihood<Lanes>, coefficients: &[Lanes], gradient: Option<&mut [Lanes]>) -> Lanes
);

#[inline(always)]
fn evaluate(likelihood: &mut Likelihood<Lanes>, coefficients: &[Lanes], gradient: Option<&mut [Lanes]>) -> Lanes {
    likelihood.evaluate(coefficients, Regression::Concentrated, gradient)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arima::lanes::{LANES, Lanes};

    #[test]
    fn every_instruction_set_gives_the_same_bits() {
        let steps: Vec<Lanes> = (0..40)
            .map(|t| Lanes(std::array::from_fn(|lane| (f64::from(t) * (0.3 + lane as f64 * 0.37)).sin())))
            .collect();
        let block = Block { steps: &steps };
        let free = Free { phi: true, theta: true };
        let (plain, best) = (solve(&block, free), solve_best(&block, free));
        for lane in 0..LANES {
            assert_eq!(plain.phi.0[lane].to_bits(), best.phi.0[lane].to_bits());
            assert_eq!(plain.theta.0[lane].to_bits(), best.theta.0[lane].to_bits());
            assert_eq!(plain.value.deviance.0[lane].to_bits(), best.value.deviance.0[lane].to_bits());
        }
    }
}
