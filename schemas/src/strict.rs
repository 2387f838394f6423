//! Reading JSON exactly as the schemas describe it, where what serde derives is laxer or stricter:
//! an object is no array, an enumeration is text, and `1.0` is the integer 1.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Unexpected, Visitor};

/// The last millisecond of the year 9999; no record is later.
pub const TIME_MS_MAX: i64 = 253_402_300_799_999;

/// A JSON object, and not the array of its values that a derived struct would take too.
pub(crate) struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Object<T>, D::Error> {
        struct Fields<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = Object<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }
        deserializer.deserialize_map(Fields(PhantomData))
    }
}

pub(crate) fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Object::deserialize(deserializer).map(|object| object.0)
}

pub(crate) fn optional_object<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::<Object<T>>::deserialize(deserializer)?.map(|object| object.0))
}

/// An integer type of a field.
pub(crate) trait Integer: Sized {
    /// Range, for the words of the error.
    const EXPECTED: &'static str;
    fn from_wide(value: i128) -> Option<Self>;
}

macro_rules! integer {
    ($($name:ty: $words:literal),*) => {$(
        impl Integer for $name {
            const EXPECTED: &'static str = $words;
            fn from_wide(value: i128) -> Option<$name> {
                <$name>::try_from(value).ok()
            }
        }
    )*};
}

integer!(i32: "an integer of 32 bits", u32: "an unsigned integer of 32 bits", i64: "an integer of 64 bits", u64: "an unsigned integer of 64 bits");

/// A whole number, however it is written.
pub(crate) struct Int<T>(pub T);

impl<'de, T: Integer> Deserialize<'de> for Int<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Int<T>, D::Error> {
        struct Number<T>(PhantomData<T>);
        impl<T: Integer> Visitor<'_> for Number<T> {
            type Value = Int<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(T::EXPECTED)
            }
            fn visit_i64<E: Error>(self, value: i64) -> Result<Int<T>, E> {
                T::from_wide(value.into()).map(Int).ok_or_else(|| E::invalid_value(Unexpected::Signed(value), &self))
            }
            fn visit_u64<E: Error>(self, value: u64) -> Result<Int<T>, E> {
                T::from_wide(value.into()).map(Int).ok_or_else(|| E::invalid_value(Unexpected::Unsigned(value), &self))
            }
            fn visit_f64<E: Error>(self, value: f64) -> Result<Int<T>, E> {
                // Whole numbers beyond 2^64 are out of every range; below, the conversion is exact.
                let whole = (value.fract() == 0.0 && value.abs() < 2e19).then_some(value as i128);
                whole.and_then(T::from_wide).map(Int).ok_or_else(|| E::invalid_value(Unexpected::Float(value), &self))
            }
        }
        deserializer.deserialize_i64(Number(PhantomData))
    }
}

pub(crate) fn int<'de, D: Deserializer<'de>, T: Integer>(deserializer: D) -> Result<T, D::Error> {
    Int::deserialize(deserializer).map(|int| int.0)
}

pub(crate) fn optional_int<'de, D: Deserializer<'de>, T: Integer>(deserializer: D) -> Result<Option<T>, D::Error> {
    Ok(Option::<Int<T>>::deserialize(deserializer)?.map(|int| int.0))
}

/// Counts by name.
pub(crate) fn optional_counts<'de, D>(deserializer: D) -> Result<Option<BTreeMap<String, u32>>, D::Error>
where
    D: Deserializer<'de>,
{
    let counts = Option::<Object<BTreeMap<String, Int<u32>>>>::deserialize(deserializer)?;
    Ok(counts.map(|counts| counts.0.into_iter().map(|(name, count)| (name, count.0)).collect()))
}

/// The value of an INT column.
pub(crate) fn int_column<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    int::<D, i32>(deserializer).map(i64::from)
}

/// Epoch milliseconds, 1970 to 9999.
pub(crate) fn time_ms<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let value: i64 = int(deserializer)?;
    if (0..=TIME_MS_MAX).contains(&value) {
        return Ok(value);
    }
    Err(D::Error::invalid_value(Unexpected::Signed(value), &"milliseconds since 1970, up to the year 9999"))
}

pub(crate) fn optional_time_ms<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    struct Time(i64);
    impl<'de> Deserialize<'de> for Time {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
            time_ms(deserializer).map(Time)
        }
    }
    Ok(Option::<Time>::deserialize(deserializer)?.map(|time| time.0))
}

/// Reads an enumeration of plain names from text alone.
macro_rules! named {
    ($type:ty { $($name:literal => $variant:expr),* $(,)? }) => {
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<$type, D::Error> {
                struct Name;
                impl serde::de::Visitor<'_> for Name {
                    type Value = $type;
                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("one of the known names")
                    }
                    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<$type, E> {
                        match name {
                            $($name => Ok($variant),)*
                            other => Err(E::unknown_variant(other, &[$($name),*])),
                        }
                    }
                }
                deserializer.deserialize_str(Name)
            }
        }
    };
}

pub(crate) use named;
