//! Eight numbers side by side: arithmetic on arrays that the compiler turns into vector instructions.
//!
//! Lanes are series of a batch, or points that one likelihood is evaluated at. Every operation is that of one number
//! alone, in the same order: a lane's result does not depend on its neighbours, nor on which instructions the processor
//! has (nothing is fused).

use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub, SubAssign};

/// A number, or [`LANES`] of them: what the likelihood is written in.
pub trait Number:
    Copy
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Mul<f64, Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
{
    const COUNT: usize;
    const ZERO: Self;
    fn splat(value: f64) -> Self;
    fn lane(self, lane: usize) -> f64;
    fn set_lane(&mut self, lane: usize, value: f64);
    fn sqrt(self) -> Self;
    /// The natural logarithm of positive, normal numbers.
    fn ln(self) -> Self;
    fn abs(self) -> Self;
    /// Whether this holds in every lane; false where either is not a number.
    fn all_below(self, bound: Self) -> bool;
    /// Ends a turn of a loop over numbers. Of lanes each turn is a few vector instructions as it stands; without this the
    /// compiler takes eight turns at a time, one lane after the other, and gathers.
    fn end_turn();
}

impl Number for f64 {
    const COUNT: usize = 1;
    const ZERO: f64 = 0.0;
    #[inline(always)]
    fn splat(value: f64) -> f64 {
        value
    }
    #[inline(always)]
    fn lane(self, _: usize) -> f64 {
        self
    }
    #[inline(always)]
    fn set_lane(&mut self, _: usize, value: f64) {
        *self = value;
    }
    #[inline(always)]
    fn sqrt(self) -> f64 {
        f64::sqrt(self)
    }
    #[inline(always)]
    fn ln(self) -> f64 {
        f64::ln(self)
    }
    #[inline(always)]
    fn abs(self) -> f64 {
        f64::abs(self)
    }
    #[inline(always)]
    fn all_below(self, bound: f64) -> bool {
        self < bound
    }
    #[inline(always)]
    fn end_turn() {}
}

impl Number for Lanes {
    const COUNT: usize = LANES;
    const ZERO: Lanes = Lanes::ZERO;
    #[inline(always)]
    fn splat(value: f64) -> Lanes {
        Lanes::splat(value)
    }
    #[inline(always)]
    fn lane(self, lane: usize) -> f64 {
        self.0[lane]
    }
    #[inline(always)]
    fn set_lane(&mut self, lane: usize, value: f64) {
        self.0[lane] = value;
    }
    #[inline(always)]
    fn sqrt(self) -> Lanes {
        self.map(f64::sqrt)
    }
    #[inline(always)]
    fn ln(self) -> Lanes {
        Lanes::ln(self)
    }
    #[inline(always)]
    fn abs(self) -> Lanes {
        Lanes::abs(self)
    }
    #[inline(always)]
    fn all_below(self, bound: Lanes) -> bool {
        self.if_less(bound, Lanes::ZERO, Lanes::ONE) == Lanes::ZERO
    }
    #[inline(always)]
    fn end_turn() {
        // No instruction: it only keeps turns apart.
        std::sync::atomic::compiler_fence(std::sync::atomic::Ordering::SeqCst);
    }
}

/// Numbers in one block.
pub const LANES: usize = 8;

/// One number a lane.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[repr(align(64))]
pub struct Lanes(pub [f64; LANES]);

impl Lanes {
    pub const ZERO: Lanes = Lanes([0.0; LANES]);
    pub const ONE: Lanes = Lanes([1.0; LANES]);

    #[inline(always)]
    pub const fn splat(value: f64) -> Lanes {
        Lanes([value; LANES])
    }

    #[inline(always)]
    pub fn map(self, f: impl Fn(f64) -> f64) -> Lanes {
        let mut to = self;
        for i in 0..LANES {
            to.0[i] = f(self.0[i]);
        }
        to
    }

    #[inline(always)]
    pub fn zip(self, other: Lanes, f: impl Fn(f64, f64) -> f64) -> Lanes {
        let mut to = self;
        for i in 0..LANES {
            to.0[i] = f(self.0[i], other.0[i]);
        }
        to
    }

    #[inline(always)]
    pub fn abs(self) -> Lanes {
        self.map(f64::abs)
    }

    /// The larger of two; the second where the first is not a number.
    #[inline(always)]
    pub fn max(self, other: Lanes) -> Lanes {
        self.zip(other, |a, b| if a > b { a } else { b })
    }

    /// The smaller of two; the second where the first is not a number.
    #[inline(always)]
    pub fn min(self, other: Lanes) -> Lanes {
        self.zip(other, |a, b| if a < b { a } else { b })
    }

    /// `then` where `self < bound`, else `other`; `other` where either is not a number.
    #[inline(always)]
    pub fn if_less(self, bound: Lanes, then: Lanes, other: Lanes) -> Lanes {
        let mut to = other;
        for i in 0..LANES {
            to.0[i] = if self.0[i] < bound.0[i] { then.0[i] } else { other.0[i] };
        }
        to
    }

    /// The natural logarithm of positive, normal numbers; absolute error below 1e-15 near 1, relative elsewhere.
    ///
    /// `m · 2ᵉ` with `m` in [√½, √2), `log m = 2 atanh((m−1)/(m+1))` by its series.
    #[inline(always)]
    pub fn ln(self) -> Lanes {
        self.map(ln)
    }
}

#[inline(always)]
fn ln(x: f64) -> f64 {
    const MANTISSA: u64 = (1 << 52) - 1;
    /// 2⁵² as bits: an integer put under it reads as that integer plus 2⁵².
    const TO_FLOAT: u64 = 0x4330_0000_0000_0000;
    const HALF_BIAS: u64 = 0x3fe0_0000_0000_0000;
    const ROOT_HALF: f64 = std::f64::consts::FRAC_1_SQRT_2;
    let bits = x.to_bits();
    let exponent = f64::from_bits(TO_FLOAT | (bits >> 52)) - (4_503_599_627_370_496.0 + 1022.0);
    let mantissa = f64::from_bits(HALF_BIAS | (bits & MANTISSA));
    let low = if mantissa < ROOT_HALF { 1.0 } else { 0.0 };
    let mantissa = mantissa + mantissa * low;
    let exponent = exponent - low;
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let q = s * s;
    let series = 1.0 / 19.0;
    let series = series * q + 1.0 / 17.0;
    let series = series * q + 1.0 / 15.0;
    let series = series * q + 1.0 / 13.0;
    let series = series * q + 1.0 / 11.0;
    let series = series * q + 1.0 / 9.0;
    let series = series * q + 1.0 / 7.0;
    let series = series * q + 0.2;
    let series = series * q + 1.0 / 3.0;
    let series = series * q + 1.0;
    exponent * std::f64::consts::LN_2 + 2.0 * s * series
}

macro_rules! operator {
    ($trait:ident, $name:ident, $op:tt) => {
        impl $trait for Lanes {
            type Output = Lanes;
            #[inline(always)]
            fn $name(self, other: Lanes) -> Lanes {
                self.zip(other, |a, b| a $op b)
            }
        }

        impl $trait<f64> for Lanes {
            type Output = Lanes;
            #[inline(always)]
            fn $name(self, other: f64) -> Lanes {
                self.map(|a| a $op other)
            }
        }
    };
}

operator!(Add, add, +);
operator!(Sub, sub, -);
operator!(Mul, mul, *);
operator!(Div, div, /);

impl Neg for Lanes {
    type Output = Lanes;
    #[inline(always)]
    fn neg(self) -> Lanes {
        self.map(|a| -a)
    }
}

impl AddAssign for Lanes {
    #[inline(always)]
    fn add_assign(&mut self, other: Lanes) {
        *self = *self + other;
    }
}

impl SubAssign for Lanes {
    #[inline(always)]
    fn sub_assign(&mut self, other: Lanes) {
        *self = *self - other;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms_are_those_of_the_library() {
        for i in -2000..2000 {
            let x = (f64::from(i) * 0.31).exp2();
            if x.is_normal() {
                let (found, exact) = (Lanes::splat(x).ln().0[0], x.ln());
                assert!((found - exact).abs() <= 4e-16 * exact.abs().max(1.0), "{x}: {found} {exact}");
            }
        }
        for i in 1..4000 {
            let x = f64::from(i) / 1000.0;
            assert!((Lanes::splat(x).ln().0[3] - x.ln()).abs() < 1e-15, "{x}");
        }
    }
}
