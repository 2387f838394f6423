//! What the buyer remembers, in a database of its own beside the shop's, in the same transactions.

/// Makes what is missing; one statement each.
pub const TABLES: [&str; 8] = [
    "create database if not exists linli_buyer character set utf8mb4",
    // up to where the topics are in the tables below
    "create table if not exists linli_buyer.positions (
        topic varchar(200) character set ascii not null, part int not null, next_offset bigint unsigned not null,
        primary key (topic, part))",
    // state: open, ordering, ordered, stale, superseded, overtaken, withdrawn
    "create table if not exists linli_buyer.runs (
        run varchar(40) character set ascii collate ascii_bin not null, state varchar(20) not null,
        business_date date, published_ms bigint, line_count bigint unsigned, primary key (run), key (state))",
    "create table if not exists linli_buyer.ends (
        run varchar(40) character set ascii collate ascii_bin not null, part int not null,
        line_count bigint unsigned not null, primary key (run, part))",
    // purchase orders that a run knew of, by the run that they came of; of_run '': all are told
    "create table if not exists linli_buyer.orders_known (
        run varchar(40) character set ascii collate ascii_bin not null, of_run varchar(40) not null,
        orders int unsigned not null, primary key (run, of_run))",
    "create table if not exists linli_buyer.lines_in (
        run varchar(40) character set ascii collate ascii_bin not null, supplier_id int not null,
        warehouse_id int not null, community_id int not null, sku_id bigint not null, part int not null,
        quantity int not null, ready tinyint not null, needed_by date not null,
        primary key (run, supplier_id, warehouse_id, community_id, sku_id), key (run, part))",
    // state: open, booked, refused
    "create table if not exists linli_buyer.answers (
        run varchar(40) character set ascii collate ascii_bin not null, supplier_id int not null,
        warehouse_id int not null, community_id int not null, sku_id bigint not null,
        purchase_order_id bigint unsigned not null, answer varchar(10) not null, quantity int not null,
        state varchar(10) not null, version bigint unsigned not null,
        primary key (run, supplier_id, warehouse_id, community_id, sku_id), key (state))",
    // lines of a run that could not be ordered, for a person
    "create table if not exists linli_buyer.refused (
        run varchar(40) character set ascii collate ascii_bin not null, supplier_id int not null,
        warehouse_id int not null, community_id int not null, sku_id bigint not null, cause varchar(80) not null,
        primary key (run, supplier_id, warehouse_id, community_id, sku_id))",
];
