//! The shop's MySQL tables, spread over its databases: what is followed, and what is read back.

/// How the shop's data is spread: databases `shop_0`, `shop_1`, …, with the tables of orders split over all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shards {
    /// Before the number of a database; `shop_`.
    pub prefix: String,
    pub databases: u32,
    /// Physical tables of `orders` and of `order_items`, over all databases.
    pub tables: u32,
}

impl Default for Shards {
    fn default() -> Shards {
        Shards { prefix: "shop_".to_owned(), databases: 2, tables: 16 }
    }
}

impl Shards {
    /// The name of a database.
    pub fn database(&self, number: u32) -> String {
        format!("{}{number}", self.prefix)
    }

    /// The number of the database that holds physical table `table`: the first share in the first database, and so on.
    pub fn database_of(&self, table: u32) -> u32 {
        let per_database = self.tables.div_ceil(self.databases.max(1)).max(1);
        (table / per_database).min(self.databases.saturating_sub(1))
    }
}

/// Where a table is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the first database alone.
    First,
    /// In every database: rows lie beside their orders.
    Each,
    /// Split into numbered tables over all databases.
    Split,
}

/// Who writes a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    Shop,
    /// What the shop reads back; left out of change capture, so that it does not come back as the shop's doing.
    Linli,
}

/// A logical table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShopTable {
    pub name: &'static str,
    pub place: Place,
    pub owner: Owner,
    /// With `{table}` where the name of a physical table goes.
    template: &'static str,
}

const fn table(name: &'static str, place: Place, template: &'static str) -> ShopTable {
    ShopTable { name, place, owner: Owner::Shop, template }
}

const fn read_back(name: &'static str, template: &'static str) -> ShopTable {
    ShopTable { name, place: Place::First, owner: Owner::Linli, template }
}

/// Reads purchase orders by the restock run that they came of: all of each run of which one is still under way. `{db}` is
/// the first database with its dot.
pub const ORDERS_BY_RUN: &str = "SELECT CAST(restock_run AS CHAR), COUNT(*) FROM {db}purchase_orders WHERE restock_run IN \
     (SELECT restock_run FROM {db}purchase_orders WHERE status IN ('draft', 'sent', 'confirmed')) GROUP BY restock_run";

/// Every table of the shop, and those that it reads back.
pub const TABLES: [ShopTable; 32] = [
    table("categories", Place::First, include_str!("../shop/categories.sql")),
    table("brands", Place::First, include_str!("../shop/brands.sql")),
    table("suppliers", Place::First, include_str!("../shop/suppliers.sql")),
    table("warehouses", Place::First, include_str!("../shop/warehouses.sql")),
    table("communities", Place::First, include_str!("../shop/communities.sql")),
    table("leaders", Place::First, include_str!("../shop/leaders.sql")),
    table("products", Place::First, include_str!("../shop/products.sql")),
    table("skus", Place::First, include_str!("../shop/skus.sql")),
    table("users", Place::First, include_str!("../shop/users.sql")),
    table("orders", Place::Split, include_str!("../shop/orders.sql")),
    table("order_items", Place::Split, include_str!("../shop/order_items.sql")),
    table("payments", Place::Each, include_str!("../shop/payments.sql")),
    table("refunds", Place::Each, include_str!("../shop/refunds.sql")),
    table("deliveries", Place::Each, include_str!("../shop/deliveries.sql")),
    table("complaints", Place::Each, include_str!("../shop/complaints.sql")),
    table("stock", Place::First, include_str!("../shop/stock.sql")),
    table("stock_movements", Place::First, include_str!("../shop/stock_movements.sql")),
    table("stock_batches", Place::First, include_str!("../shop/stock_batches.sql")),
    table("coupons", Place::First, include_str!("../shop/coupons.sql")),
    table("coupon_grants", Place::First, include_str!("../shop/coupon_grants.sql")),
    table("promotions", Place::First, include_str!("../shop/promotions.sql")),
    table("promotion_skus", Place::First, include_str!("../shop/promotion_skus.sql")),
    table("purchase_orders", Place::First, include_str!("../shop/purchase_orders.sql")),
    table("purchase_order_lines", Place::First, include_str!("../shop/purchase_order_lines.sql")),
    table("supplier_terms", Place::First, include_str!("../shop/supplier_terms.sql")),
    table("supply_terms", Place::First, include_str!("../shop/supply_terms.sql")),
    read_back("restock_runs", include_str!("../shop/restock_runs.sql")),
    read_back("restock_current", include_str!("../shop/restock_current.sql")),
    read_back("demand_forecast_rows", include_str!("../shop/demand_forecast_rows.sql")),
    read_back("restock_suggestion_rows", include_str!("../shop/restock_suggestion_rows.sql")),
    read_back("community_profile", include_str!("../shop/community_profile.sql")),
    read_back("user_segment", include_str!("../shop/user_segment.sql")),
];

/// What the shop reads instead of a table: in the first database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    pub name: &'static str,
    /// With `{table}` where its name goes, and `{database}`.
    template: &'static str,
}

/// The views of [`TABLES`] that show one run, whole.
pub const VIEWS: [View; 2] = [
    View { name: "demand_forecast", template: include_str!("../shop/demand_forecast.sql") },
    View { name: "restock_suggestion", template: include_str!("../shop/restock_suggestion.sql") },
];

impl View {
    /// Makes it in a database, or replaces it.
    pub fn statement(&self, database: &str) -> String {
        expanded(self.template, database, self.name)
    }
}

/// A template of a file, without the comment of its first line: that stays with the file, old servers warn about it.
fn expanded(template: &str, database: &str, physical: &str) -> String {
    let sql = template.lines().skip(1).collect::<Vec<_>>().join("\n");
    sql.replace("{table}", &format!("`{database}`.`{physical}`")).replace("{database}", &format!("`{database}`"))
}

/// A statement, and the number of the database (and so the server) it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    pub database: u32,
    pub sql: String,
}

/// Makes all databases, tables and views that are missing. Names are qualified: no database need be selected.
pub fn statements(shards: &Shards) -> Vec<Statement> {
    let mut statements: Vec<Statement> = (0..shards.databases)
        .map(|database| Statement {
            database,
            sql: format!("CREATE DATABASE IF NOT EXISTS `{}` CHARACTER SET utf8mb4", shards.database(database)),
        })
        .collect();
    for table in TABLES {
        match table.place {
            Place::First => statements.push(table.statement(shards, 0, table.name)),
            Place::Each => statements.extend((0..shards.databases).map(|d| table.statement(shards, d, table.name))),
            Place::Split => statements.extend((0..shards.tables).map(|number| {
                table.statement(shards, shards.database_of(number), &format!("{}_{number}", table.name))
            })),
        }
    }
    let database = shards.database(0);
    statements.extend(VIEWS.iter().map(|view| Statement { database: 0, sql: view.statement(&database) }));
    statements
}

impl ShopTable {
    fn statement(&self, shards: &Shards, database: u32, physical: &str) -> Statement {
        Statement { database, sql: self.create(&shards.database(database), physical) }
    }

    /// Makes it in a database under a physical name, where it is missing.
    pub fn create(&self, database: &str, physical: &str) -> String {
        expanded(self.template, database, physical)
    }

    /// The names of its columns, in their order.
    pub fn columns(&self) -> impl Iterator<Item = &'static str> {
        self.template
            .lines()
            .skip(2)
            .map(str::trim_start)
            .take_while(|line| !line.starts_with(')'))
            .filter(|line| {
                !line.starts_with("PRIMARY KEY") && !line.starts_with("UNIQUE KEY") && !line.starts_with("KEY")
            })
            .filter_map(|line| line.split(' ').next())
    }
}
