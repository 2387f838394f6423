//! The fields of one event as they came: names decoded, values left as text.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

/// More fields than any page sends.
const FIELDS_MAX: usize = 200;

/// What a field of ours must hold.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Integer,
    Text { bytes_max: usize, empty: bool },
    Type,
    Object,
}

const ID: Kind = Kind::Text { bytes_max: 512, empty: false };
const ADDRESS: Kind = Kind::Text { bytes_max: 4096, empty: true };

/// Our fields, and whether they must be there. `null` is as absent.
pub(super) const OWN: [(&str, Kind, bool); 12] = [
    ("type", Kind::Type, true),
    ("community_id", Kind::Integer, true),
    ("event_id", ID, false),
    ("user_id", Kind::Integer, false),
    ("anonymous_id", Kind::Text { bytes_max: 512, empty: true }, false),
    ("session_id", Kind::Text { bytes_max: 512, empty: true }, false),
    ("sku_id", Kind::Integer, false),
    ("ts", Kind::Integer, false),
    ("platform", Kind::Text { bytes_max: 64, empty: true }, false),
    ("page", ADDRESS, false),
    ("referrer", ADDRESS, false),
    ("properties", Kind::Object, false),
];

pub(super) struct Fields<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Fields<'a> {
    /// A field that is there and not `null`.
    pub fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, value)| *value).filter(|value| value.get() != "null")
    }

    pub fn all(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), *value))
    }

    /// Fields that are not ours.
    pub fn others(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.all().filter(|(name, _)| OWN.iter().all(|(own, _, _)| own != name))
    }

    /// About how long they are together.
    pub fn bytes(&self) -> usize {
        self.0.iter().map(|(name, value)| name.len() + value.get().len() + 4).sum()
    }
}

/// An integer of 64 bits, written as one.
pub(super) fn integer(value: &RawValue) -> Option<i64> {
    serde_json::from_str(value.get()).ok()
}

struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Name<'de>, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Name<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a field's name")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Fields<'de>, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Fields<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                let mut fields: Vec<(Cow<'de, str>, &'de RawValue)> = Vec::with_capacity(16);
                while let Some((Name(name), value)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
                    if fields.iter().any(|(known, _)| *known == name) {
                        return Err(A::Error::custom(format_args!("duplicate field `{name}`")));
                    }
                    if fields.len() == FIELDS_MAX {
                        return Err(A::Error::custom(format_args!("more than {FIELDS_MAX} fields")));
                    }
                    fields.push((name, value));
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Object)
    }
}
