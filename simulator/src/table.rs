//! The shop's tables as the simulator fills them.

use std::sync::Arc;

use linli_schemas::EventTime;

/// How a column's values are written, on the log as CDC does and in SQL as parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Any signed integer type.
    Int,
    /// BIGINT UNSIGNED.
    UInt,
    /// DECIMAL(12,2), held in fen.
    Money,
    /// DECIMAL(9,6), held in millionths.
    Degrees,
    /// DATETIME(3) in the shop's zone.
    DateTime,
    /// DATE, as days since 1970-01-01.
    Date,
    Text,
    /// Text that names a person: masked before it reaches the log.
    Personal,
    /// JSON about a person: it does not reach the log.
    PersonalJson,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    pub name: &'static str,
    pub kind: Type,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Int(i64),
    UInt(u64),
    Fen(i64),
    Micro(i64),
    Instant(EventTime),
    Day(i32),
    Word(&'static str),
    Text(Arc<str>),
}

impl Value {
    pub fn int(&self) -> Option<i64> {
        match self {
            Value::Int(n) | Value::Fen(n) | Value::Micro(n) => Some(*n),
            Value::UInt(n) => i64::try_from(*n).ok(),
            Value::Instant(at) => Some(at.0),
            Value::Day(day) => Some(i64::from(*day)),
            Value::Null | Value::Word(_) | Value::Text(_) => None,
        }
    }

    pub fn text(&self) -> Option<&str> {
        match self {
            Value::Word(word) => Some(word),
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// The values of a table's columns, in their order.
pub type Row = Vec<Value>;

/// A logical table: the parts of a split one share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    Categories,
    Brands,
    Suppliers,
    Warehouses,
    Leaders,
    Communities,
    Products,
    Skus,
    Users,
    Coupons,
    Promotions,
    PromotionSkus,
    CouponGrants,
    Stock,
    StockBatches,
    StockMovements,
    Orders,
    OrderItems,
    Payments,
    Deliveries,
    Refunds,
    Complaints,
}

macro_rules! columns {
    ($($name:ident $kind:ident),* $(,)?) => { &[$(Column { name: stringify!($name), kind: Type::$kind }),*] };
}

impl Table {
    pub const ALL: [Table; 22] = [
        Table::Categories,
        Table::Brands,
        Table::Suppliers,
        Table::Warehouses,
        Table::Leaders,
        Table::Communities,
        Table::Products,
        Table::Skus,
        Table::Users,
        Table::Coupons,
        Table::Promotions,
        Table::PromotionSkus,
        Table::CouponGrants,
        Table::Stock,
        Table::StockBatches,
        Table::StockMovements,
        Table::Orders,
        Table::OrderItems,
        Table::Payments,
        Table::Deliveries,
        Table::Refunds,
        Table::Complaints,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Table::Categories => "categories",
            Table::Brands => "brands",
            Table::Suppliers => "suppliers",
            Table::Warehouses => "warehouses",
            Table::Leaders => "leaders",
            Table::Communities => "communities",
            Table::Products => "products",
            Table::Skus => "skus",
            Table::Users => "users",
            Table::Coupons => "coupons",
            Table::Promotions => "promotions",
            Table::PromotionSkus => "promotion_skus",
            Table::CouponGrants => "coupon_grants",
            Table::Stock => "stock",
            Table::StockBatches => "stock_batches",
            Table::StockMovements => "stock_movements",
            Table::Orders => "orders",
            Table::OrderItems => "order_items",
            Table::Payments => "payments",
            Table::Deliveries => "deliveries",
            Table::Refunds => "refunds",
            Table::Complaints => "complaints",
        }
    }

    /// The topic of its changes.
    pub fn topic(self) -> String {
        format!("shop.{}", self.name())
    }

    /// How many columns, from the first, are the primary key.
    pub const fn key_columns(self) -> usize {
        match self {
            Table::Stock | Table::PromotionSkus => 2,
            _ => 1,
        }
    }

    /// The column by which changes of a table about an order are routed.
    pub fn routing_column(self) -> Option<usize> {
        match self {
            Table::Orders
            | Table::OrderItems
            | Table::Payments
            | Table::Deliveries
            | Table::Refunds
            | Table::Complaints => self.column("community_id"),
            _ => None,
        }
    }

    pub fn column(self, name: &str) -> Option<usize> {
        self.columns().iter().position(|c| c.name == name)
    }

    pub const fn columns(self) -> &'static [Column] {
        match self {
            Table::Categories => columns!(category_id Int, code Text, name Text, name_en Text, parent_id Int),
            Table::Brands => columns!(brand_id Int, name Text, name_en Text),
            Table::Suppliers => columns!(supplier_id Int, name Text, name_en Text, email Text, lead_days Int),
            Table::Warehouses => columns!(
                warehouse_id Int, name Text, name_en Text, latitude Degrees, longitude Degrees, coordinate_system Text
            ),
            Table::Leaders => columns!(leader_id Int, community_id Int, name Text, name_en Text, phone Personal),
            Table::Communities => columns!(
                community_id Int, name Text, name_en Text, city Text, city_en Text, district Text, district_en Text,
                latitude Degrees, longitude Degrees, coordinate_system Text, households Int, leader_id Int,
                warehouse_id Int
            ),
            Table::Products => columns!(
                product_id Int, category_id Int, brand_id Int, title Text, title_en Text, updated_at DateTime
            ),
            Table::Users => columns!(
                user_id Int, community_id Int, name Personal, phone Personal, level Int, points Int,
                created_at DateTime, updated_at DateTime
            ),
            Table::Skus => columns!(
                sku_id Int, product_id Int, category_id Int, brand_id Int, supplier_id Int, title Text, title_en Text, spec Text,
                price Money, cost Money, shelf_days Int, updated_at DateTime
            ),
            Table::Coupons => columns!(
                coupon_id Int, name Text, name_en Text, threshold Money, discount Money, valid_days Int
            ),
            Table::Promotions => columns!(
                promotion_id Int, kind Text, name Text, name_en Text, percent_off Int, status Text, starts_at DateTime,
                ends_at DateTime
            ),
            Table::PromotionSkus => columns!(promotion_id Int, sku_id Int, price Money),
            Table::CouponGrants => columns!(
                grant_id UInt, coupon_id Int, user_id Int, order_id UInt, granted_at DateTime, expires_at DateTime,
                used_at DateTime
            ),
            Table::Stock => columns!(
                warehouse_id Int, sku_id Int, on_hand Int, reserved Int, min_stock Int, updated_at DateTime
            ),
            Table::StockBatches => columns!(
                batch_id UInt, warehouse_id Int, sku_id Int, supplier_id Int, quantity Int, produced_on Date,
                expires_on Date, received_at DateTime
            ),
            Table::StockMovements => columns!(
                movement_id UInt, warehouse_id Int, sku_id Int, kind Text, quantity Int, moved_at DateTime
            ),
            Table::Orders => columns!(
                order_id UInt, user_id Int, community_id Int, leader_id Int, status Int, pay_amount Money,
                discount Money, address PersonalJson, note Text, phone Personal, created_at DateTime, paid_at DateTime,
                accepted_at DateTime, sorted_at DateTime, delivered_at DateTime, updated_at DateTime
            ),
            Table::OrderItems => columns!(
                item_id UInt, order_id UInt, community_id Int, sku_id Int, category_id Int, supplier_id Int, qty Int,
                price Money, amount Money, title Text, weight_kg Int, refunded Int
            ),
            Table::Payments => columns!(
                payment_id UInt, order_id UInt, community_id Int, user_id Int, gateway Text, amount Money,
                refunded Money, status Text, paid_at DateTime, updated_at DateTime
            ),
            Table::Deliveries => columns!(
                delivery_id UInt, order_id UInt, community_id Int, leader_id Int, warehouse_id Int, tracking_no Text,
                status Text, shipped_at DateTime, promised_at DateTime, delivered_at DateTime
            ),
            Table::Refunds => columns!(
                refund_id UInt, order_id UInt, community_id Int, user_id Int, item_id UInt, amount Money, reason Text,
                status Text, requested_at DateTime, refunded_at DateTime
            ),
            Table::Complaints => columns!(
                complaint_id UInt, order_id UInt, community_id Int, leader_id Int, user_id Int, reason Text,
                status Text, created_at DateTime, resolved_at DateTime
            ),
        }
    }
}
