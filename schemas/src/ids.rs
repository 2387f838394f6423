//! Newtypes for the identifiers, amounts and instants of the records.

use serde::{Deserialize, Deserializer, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<$name, D::Error> {
                crate::strict::int(deserializer).map($name)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(/// An order; `BIGINT UNSIGNED` in the shop.
    OrderId(u64));
id!(/// A registered buyer.
    UserId(i64));
id!(/// A neighbourhood (社区).
    CommunityId(i64));
id!(/// Who runs a community's pick-up point (团长).
    LeaderId(i64));
id!(/// What is sold: one specification of a product.
    SkuId(i64));
id!(/// A category of products; 0 where the sale does not name one.
    CategoryId(i64));
id!(/// Who delivers a SKU.
    SupplierId(i64));
id!(/// An amount in fen (分), a hundredth of a yuan.
    Money(i64));
id!(/// Milliseconds since the Unix epoch, UTC: when a thing happened in the business.
    EventTime(i64));
