use linli_binlog::{ColumnType, Query, Table};

use super::*;
use crate::cdc::options::CdcOptions;

struct Shop {
    catalog: Arc<Catalog>,
    router: Router,
    lost: Vec<String>,
}

impl Shop {
    fn new() -> Shop {
        let router = Router::new(Arc::new(CdcOptions::default())).unwrap();
        Shop { catalog: Arc::new(Catalog::default()), router, lost: Vec::new() }
    }

    fn run(&mut self, sql: &str) -> &mut Shop {
        let query = Query {
            thread_id: 1,
            db: "shop_0".to_owned(),
            sql: sql.as_bytes().into(),
            error: 0,
            session: Session::default(),
        };
        for effect in apply(sql, &query, &self.catalog, &self.router, false) {
            match effect {
                Effect::Defined(catalog) => self.catalog = catalog,
                Effect::Lost { table, why, .. } => self.lost.push(format!("{table}: {why}")),
                Effect::Truncated { table, .. } => self.lost.push(format!("{table} truncated")),
                Effect::Renamed { table, .. } => self.lost.push(format!("{table} renamed")),
                Effect::Unlogged(written) => {
                    self.lost.extend(written.tables.iter().map(|(db, table)| format!("{db}.{table}")));
                    self.lost.extend(written.calls.iter().map(|name| format!("{name}()")));
                    self.lost.extend(written.any_function.then(|| "any()".to_owned()));
                    self.lost.extend(written.any_table.then(|| "any".to_owned()));
                }
                Effect::Held { .. } => {}
                Effect::OpensTransaction => self.lost.push("opens".to_owned()),
            }
        }
        self
    }

    fn table(&self, name: &str) -> Table {
        self.catalog.get("shop_0", name).unwrap_or_else(|| panic!("{name} is known")).table.clone()
    }

    fn columns(&self, name: &str) -> String {
        let table = self.table(name);
        let key: Vec<&str> = table.primary_key.iter().map(|index| table.columns[*index].name.as_str()).collect();
        let names: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
        format!("{} key {}", names.join(" "), key.join(" "))
    }
}

#[test]
fn columns_are_followed_through_every_kind_of_change() {
    let mut shop = Shop::new();
    shop.run(
        "CREATE TABLE t (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT, `a b` VARCHAR(20) DEFAULT 'x,y', c DECIMAL(12,2) NULL, \
         d ENUM('p','q''r') COMMENT 'primary key', e INT AS (c * 2) VIRTUAL, KEY k (c), PRIMARY KEY (id), \
         CONSTRAINT f FOREIGN KEY (c) REFERENCES u (c) ON DELETE SET NULL, CHECK (c > 0)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4",
    );
    assert_eq!(shop.columns("t"), "id a b c d e key id");
    assert_eq!(shop.table("t").columns[3].kind, ColumnType::Enum { values: vec!["p".into(), "q'r".into()] });
    assert!(shop.table("t").columns[4].generated && !shop.table("t").columns[3].generated);
    for (sql, expected) in [
        (
            "ALTER TABLE t ADD COLUMN f DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3) AFTER id, ADD g JSON FIRST",
            "g id f a b c d e key id",
        ),
        ("alter table shop_0.t drop g, drop column e, drop index k, add unique key u (c)", "id f a b c d key id"),
        (
            "ALTER TABLE t RENAME COLUMN `a b` TO ab, MODIFY c BIGINT FIRST, CHANGE d d2 TEXT AFTER id",
            "c id d2 f ab key id",
        ),
        (
            "ALTER TABLE t DROP PRIMARY KEY, ADD PRIMARY KEY (ab(10), id DESC), ALGORITHM=INPLACE, LOCK=NONE",
            "c id d2 f ab key ab id",
        ),
        ("ALTER TABLE t CHANGE ab aa VARCHAR(10) FIRST", "aa c id d2 f key aa id"),
        (
            "ALTER TABLE t ADD (x INT, y SET('a','b') CHARACTER SET utf8mb4), COMMENT='add z int'",
            "aa c id d2 f x y key aa id",
        ),
        ("ALTER TABLE t PARTITION BY HASH(id) PARTITIONS 4", "aa c id d2 f x y key aa id"),
        ("/*!50100 ALTER */ TABLE t ADD COLUMN IF NOT EXISTS x INT", "aa c id d2 f x y key aa id"),
        (
            "ALTER TABLE t ALTER COLUMN x SET DEFAULT 5, RENAME INDEX u TO v, ADD INDEX i (x), DISABLE KEYS",
            "aa c id d2 f x y key aa id",
        ),
    ] {
        shop.run(sql);
        assert_eq!(shop.columns("t"), expected, "{sql}");
    }
    assert!(shop.lost.is_empty(), "{:?}", shop.lost);
}

#[test]
fn a_swap_of_tables_brings_the_new_definition() {
    let mut shop = Shop::new();
    shop.run("CREATE TABLE orders_1 (id INT PRIMARY KEY, a INT)")
        .run("CREATE TABLE _orders_1_gho LIKE orders_1")
        .run("ALTER TABLE _orders_1_gho ADD b VARCHAR(5) AFTER id")
        .run("RENAME TABLE `shop_0`.`orders_1` TO `shop_0`.`_orders_1_del`, `shop_0`.`_orders_1_gho` TO `shop_0`.`orders_1`")
        .run("DROP TABLE IF EXISTS `_orders_1_del`");
    assert_eq!(shop.columns("orders_1"), "id b a key id");
    assert!(shop.catalog.get("shop_0", "_orders_1_del").is_none());
    shop.run("ALTER TABLE orders_1 RENAME TO shop_0.orders_2, ADD c INT");
    assert_eq!(shop.columns("orders_2"), "id b a c key id");
    shop.run("TRUNCATE TABLE orders_2").run("TRUNCATE other.t").run("DROP DATABASE shop_0");
    assert!(shop.catalog.is_empty());
    // what is put in place by a swap holds the rows that were there; what gets another name does not
    assert_eq!(shop.lost, ["orders_2 renamed", "orders_2 truncated"]);
}

#[test]
fn what_is_not_understood_loses_its_table_and_no_other() {
    for sql in [
        "ALTER TABLE t ADD COLUMN z HYPERCUBE(3)",
        "ALTER TABLE t DROP COLUMN nowhere",
        "ALTER TABLE t MODIFY nowhere INT",
        "CREATE OR REPLACE TABLE t SELECT * FROM u",
        "RENAME TABLE unknown TO t",
    ] {
        let mut shop = Shop::new();
        shop.run("CREATE TABLE t (a INT)").run("CREATE TABLE u (a INT)").run(sql);
        // what got its name of another table is read anew, which cures it too
        shop.lost.retain(|what| what != "t renamed");
        assert_eq!(shop.lost.len(), 1, "{sql}: {:?}", shop.lost);
        assert_eq!(shop.columns("u"), "a key ");
    }
}

#[test]
fn statements_that_define_nothing_change_nothing() {
    let mut shop = Shop::new();
    shop.run("CREATE TABLE t (a INT)");
    let before = Arc::clone(&shop.catalog);
    for sql in [
        "CREATE INDEX i ON t (a)",
        "CREATE TEMPORARY TABLE t (b INT)",
        "DROP TEMPORARY TABLE t",
        "CREATE VIEW t2 AS SELECT 1",
        "ANALYZE TABLE t",
        "GRANT ALL ON t TO x",
        "SAVEPOINT s",
        "",
        "ALTER",
        "ALTER TABLE",
        "RENAME TABLE",
        "DROP TABLE",
        "(((",
        "CREATE TABLE IF NOT EXISTS t (b INT)",
        "ALTER TABLE t ENGINE=InnoDB",
        "ALTER TABLE mysql.user ADD x INT",
        "FLUSH TABLES",
    ] {
        shop.run(sql);
        assert_eq!(shop.catalog, before, "{sql}");
        assert!(shop.lost.is_empty(), "{sql}: {:?}", shop.lost);
    }
}

#[test]
fn types_are_read_as_servers_write_them() {
    use linli_binlog::Charset;
    let integer = |bytes, unsigned| ColumnType::Integer { bytes, unsigned };
    for (text, expected) in [
        ("int(10) unsigned zerofill", integer(4, true)),
        ("tinyint(1)", integer(1, false)),
        ("BOOLEAN", integer(1, false)),
        ("double precision", ColumnType::Double),
        ("float(7,3)", ColumnType::Float),
        ("float(25)", ColumnType::Double),
        ("decimal(65,30)", ColumnType::Decimal { precision: 65, scale: 30 }),
        ("numeric", ColumnType::Decimal { precision: 10, scale: 0 }),
        ("bit(7)", ColumnType::Bit { length: 7 }),
        ("timestamp(6)", ColumnType::Timestamp { fsp: 6 }),
        ("binary(8)", ColumnType::Binary { length: 8 }),
        ("char(3) byte", ColumnType::Binary { length: 3 }),
        ("varchar(9) character set binary", ColumnType::Bytes),
        ("character varying(9) charset gbk", ColumnType::Text { charset: Charset::Gbk }),
        ("text collate latin1_swedish_ci", ColumnType::Text { charset: Charset::Latin1 }),
        ("set('x','y','红','z')", ColumnType::Set { values: ["x", "y", "红", "z"].map(str::to_owned).to_vec() }),
        ("enum('with,comma','it''s')", ColumnType::Enum { values: vec!["with,comma".into(), "it's".into()] }),
        ("multipolygon", ColumnType::Geometry),
        ("json", ColumnType::Json),
    ] {
        assert_eq!(types::from_information_schema(text, None, false), Some(expected), "{text}");
    }
    assert_eq!(
        types::from_information_schema("json", None, true),
        Some(ColumnType::Text { charset: Charset::Utf8mb4 })
    );
    assert_eq!(types::from_information_schema("hypercube", None, true), None);
}

#[test]
fn defaults_are_followed() {
    use linli_binlog::ColumnDefault::{Null, Text, Unknown};
    let text = |text: &str| Text(text.to_owned());
    let mut shop = Shop::new();
    shop.run(
        "CREATE TABLE t (a INT DEFAULT -7 NOT NULL, b VARCHAR(9) DEFAULT 'x' COMMENT 'default 5', c DATETIME(3) DEFAULT CURRENT_TIMESTAMP(3) \
         ON UPDATE CURRENT_TIMESTAMP(3), d INT, e DECIMAL(5,2) NOT NULL DEFAULT 1.5, f INT DEFAULT (1 + 1), g BIT(3) DEFAULT b'101', \
         h TINYINT DEFAULT TRUE, i VARBINARY(4) DEFAULT 0x6162, j DOUBLE DEFAULT 1e3, k INT NOT NULL, l ENUM('p','q') DEFAULT _utf8mb4'Q', \
         m CHAR(3) DEFAULT NULL, PRIMARY KEY (a))",
    );
    let defaults =
        |shop: &Shop| -> Vec<_> { shop.table("t").columns.into_iter().map(|column| column.default).collect() };
    let bits = linli_binlog::ColumnDefault::of_cell(Some(&[5]));
    assert_eq!(
        defaults(&shop),
        [
            text("-7"),
            text("x"),
            Unknown,
            Null,
            text("1.50"),
            Unknown,
            bits,
            text("1"),
            text("ab"),
            text("1e3"),
            text("0"),
            text("q"),
            Null
        ]
    );
    shop.run("ALTER TABLE t ALTER a SET DEFAULT 8, ALTER COLUMN k SET DEFAULT 9, ALTER b DROP DEFAULT, ALTER INDEX x INVISIBLE")
        .run("ALTER TABLE t MODIFY d BIGINT DEFAULT 4, CHANGE h hh INT NOT NULL, RENAME COLUMN e TO ee");
    let now = defaults(&shop);
    assert_eq!(
        [&now[0], &now[10], &now[1], &now[3], &now[7], &now[4]],
        [&text("8"), &text("9"), &Null, &text("4"), &text("0"), &text("1.50")]
    );
    assert!(shop.lost.is_empty());
}

#[test]
fn tables_that_keep_old_rows_and_sequences_are_told_from_others() {
    let mut shop = Shop::new();
    shop.run("CREATE TABLE v (id INT PRIMARY KEY, a INT) WITH SYSTEM VERSIONING");
    assert_eq!(shop.columns("v"), "id a row_start row_end key id");
    shop.run("ALTER TABLE v ADD b INT, ADD c INT FIRST");
    assert_eq!(shop.columns("v"), "c id a b row_start row_end key id");
    shop.run("ALTER TABLE v DROP SYSTEM VERSIONING").run("ALTER TABLE v ADD d INT");
    assert_eq!((shop.columns("v").as_str(), history(&shop, "v")), ("c id a b d key id", None));
    shop.run("ALTER TABLE v ADD SYSTEM VERSIONING, DROP COLUMN d");
    assert_eq!((shop.columns("v").as_str(), history(&shop, "v")), ("c id a b row_start row_end key id", Some(true)));
    shop.run(
        "CREATE TABLE w (id INT, s TIMESTAMP(6) GENERATED ALWAYS AS ROW START, e TIMESTAMP(6) GENERATED ALWAYS AS ROW END, \
         PRIMARY KEY (id, e), PERIOD FOR SYSTEM_TIME (s, e)) WITH SYSTEM VERSIONING PARTITION BY SYSTEM_TIME (PARTITION p CURRENT)",
    );
    assert_eq!((shop.columns("w").as_str(), history(&shop, "w")), ("id s e key id", Some(false)));
    shop.run("CREATE TABLE x (id INT PRIMARY KEY)").run(
        "ALTER TABLE x ADD s TIMESTAMP(6) AS ROW START, ADD e TIMESTAMP(6) AS ROW END, ADD PERIOD FOR SYSTEM_TIME(s, e), \
         ADD SYSTEM VERSIONING",
    );
    assert_eq!((shop.columns("x").as_str(), history(&shop, "x")), ("id s e key id", Some(false)));
    shop.run("CREATE SEQUENCE IF NOT EXISTS seq START WITH 5").run("RENAME TABLE seq TO seq2");
    assert!(shop.catalog.is_sequence("shop_0", "seq2") && !shop.catalog.is_sequence("shop_0", "seq"));
    shop.run("DROP SEQUENCE seq2");
    assert!(!shop.catalog.is_sequence("shop_0", "seq2"));
    assert_eq!(shop.lost, Vec::<String>::new());
}

fn history(shop: &Shop, table: &str) -> Option<bool> {
    shop.catalog.get("shop_0", table).and_then(|known| known.history.as_ref()).map(|history| history.hidden)
}

#[test]
fn statements_that_change_rows_are_found_by_their_tables() {
    for (sql, expected) in [
        ("INSERT INTO t VALUES (1)", &["shop_0.t", "values()"][..]),
        ("insert ignore `shop_0`.`t` select * from other.u where u.a = 't'", &["shop_0.t"]),
        ("UPDATE t SET a = f(1) WHERE b IN (2)", &["shop_0.t", "f()", "in()"]),
        ("DELETE FROM u WHERE a = 1", &["shop_0.u"]),
        (
            "UPDATE (t, `o`.b JOIN shop_0.u ON f(t.a, u.b) = g(1, c)) SET a = 1",
            &["shop_0.t", "shop_0.u", "f()", "g()", "update()"],
        ),
        (
            "DELETE t FROM t LEFT JOIN u PARTITION (p, q) USING (a, b)",
            &["shop_0.t", "shop_0.u", "partition()", "using()"],
        ),
        ("UPDATE t JOIN (SELECT a, b FROM u) c SET t.a = 1", &["shop_0.t", "join()"]),
        ("LOAD DATA INFILE 'x' IGNORE INTO TABLE t", &["shop_0.t"]),
        ("SET STATEMENT max_statement_time=1 FOR DELETE FROM t", &["shop_0.t"]),
        ("UPDATE t, u SET t.a = u.a", &["shop_0.t", "shop_0.u"]),
        ("DELETE FROM u WHERE a IN (SELECT a FROM t)", &["shop_0.u", "in()"]),
        ("DELETE QUICK x FROM t AS x JOIN u", &["shop_0.t", "shop_0.u", "shop_0.x"]),
        ("WITH c AS (SELECT a FROM u) DELETE FROM t WHERE a = 1", &["shop_0.t", "as()"]),
        ("REPLACE INTO percona.checksums SELECT 1 FROM shop_0.t", &[]),
        ("REPLACE INTO other.t SET a = 1", &[]),
        ("SELECT * FROM t", &[]),
        ("SELECT `shop_0`.`Do_It`(1)", &["do_it()"]),
    ] {
        let mut shop = Shop::new();
        shop.run("CREATE TABLE t (a INT)").run("CREATE TABLE u (a INT)").run(sql);
        assert_eq!(shop.lost, expected, "{sql}");
    }
}

#[test]
fn statements_of_many_megabytes_are_not_read_whole() {
    let values = "(f(1),'x'),".repeat(50_000);
    let mut shop = Shop::new();
    shop.run(&format!("INSERT INTO t VALUES {values}(0,'')"));
    assert_eq!(shop.lost, ["shop_0.t", "f()", "values()", "any()"]);
    for (sql, expected) in [
        (format!("UPDATE t SET a = {}1", "1 + ".repeat(50_000)), &["shop_0.t", "any()"][..]),
        (format!("DELETE FROM {}t", "u JOIN ".repeat(50_000)), &["any()", "any"]),
    ] {
        let mut shop = Shop::new();
        shop.run(&sql);
        assert_eq!(shop.lost, expected, "{:.40}", sql);
    }
}

/// No text makes the parser panic or run on.
#[test]
fn damaged_statements_are_never_more_than_not_understood() {
    const SOUND: [&str; 12] = [
        "CREATE TABLE t (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT, `a b` VARCHAR(20) DEFAULT 'x,y', d ENUM('p','q''r'), PRIMARY KEY (id)) CHARSET=utf8mb4",
        "CREATE TABLE v (id INT PRIMARY KEY, s TIMESTAMP(6) GENERATED ALWAYS AS ROW START, e TIMESTAMP(6) AS ROW END, PERIOD FOR SYSTEM_TIME (s, e)) WITH SYSTEM VERSIONING",
        "ALTER TABLE t ADD COLUMN f DATETIME(3) DEFAULT CURRENT_TIMESTAMP(3) AFTER id, ADD (g JSON, h INT), DROP KEY k, RENAME TO o.u",
        "ALTER TABLE v DROP SYSTEM VERSIONING, CHANGE a b DECIMAL(10,2) FIRST, ADD PRIMARY KEY (id, b(3) DESC)",
        "ALTER TABLE t CONVERT TO CHARACTER SET gbk COLLATE gbk_bin, ALTER COLUMN d SET DEFAULT 0x6d, DROP PRIMARY KEY",
        "RENAME TABLE t TO _t_old, _t_new WAIT 3 TO t, o.p NOWAIT TO o.q",
        "DROP TABLE IF EXISTS t, `o`.`p` /* generated */ -- end\n",
        "CREATE OR REPLACE SEQUENCE IF NOT EXISTS s START WITH 5",
        "SET STATEMENT a=1, b='x' FOR UPDATE t JOIN (SELECT 1) u SET t.a = (1 + f(2))",
        "WITH RECURSIVE c AS (SELECT 1 UNION ALL SELECT 2) DELETE x FROM t x USING (a) WHERE /*!50100 1 */ LIMIT 3",
        "CREATE DATABASE shop_9 DEFAULT CHARACTER SET = latin1 # x",
        "LOAD DATA LOCAL INFILE 'x' REPLACE INTO TABLE `t` (a, @b) SET c = b'101'",
    ];
    let mut state = 0x2026_0601_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below.max(1) as u64) as usize
    };
    let mut shop = Shop::new();
    for _ in 0..20_000 {
        let mut chars: Vec<char> = SOUND[random(SOUND.len())].chars().collect();
        for _ in 0..random(5) {
            let at = random(chars.len());
            match random(4) {
                0 if chars.len() > 1 => drop(chars.remove(at)),
                1 => chars.insert(at, ['\'', '(', ')', '`', '"', ',', '.', '\\', '/', '*', '邻', '0'][random(12)]),
                2 => chars.truncate(at + 1),
                _ => {
                    let other: Vec<char> = SOUND[random(SOUND.len())].chars().collect();
                    chars.splice(at.., other.into_iter().skip(random(60)));
                }
            }
        }
        shop.run(&chars.into_iter().collect::<String>());
        shop.lost.clear();
    }
    assert!(shop.catalog.tables().count() > 2);
}
