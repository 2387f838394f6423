//! Writes the events of the tests as seeds: `cargo run --example seeds` in `fuzz/`, to `corpus/TARGET/`.

use std::fs;
use std::path::Path;

use linli_binlog::{Checksum, HEADER_LEN, kind};
use linli_binlog_fuzz::{build, samples};

fn main() -> std::io::Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut count = 0;
    let mut write = |target: &str, bytes: &[u8]| {
        count += 1;
        let dir = corpus.join(target);
        fs::create_dir_all(&dir)?;
        fs::write(dir.join(format!("seed-{count:03}")), bytes)
    };
    let (table, cells) = samples::everything();
    let map = build::event(kind::TABLE_MAP, &build::table_map(&table), Checksum::None);
    for event in samples::sound_events(&table, &cells) {
        write("log", &[map.as_slice(), &event].concat())?;
        if [kind::QUERY, kind::MARIADB_QUERY_COMPRESSED].contains(&event[4]) {
            write("statement", &[&[45], &event[HEADER_LEN..]].concat())?;
        }
    }
    for (column, value) in cells.into_iter().flatten().flatten().enumerate() {
        write("value", &[&[column as u8], value.as_slice()].concat())?;
    }
    for kind in ["enum('a','b''c')", "decimal(10,2) unsigned zerofill", "timestamp(6)", "varchar(255)", "set('x')"] {
        write("statement", &[&[45], kind.as_bytes()].concat())?;
    }
    println!("{count} seeds in {}", corpus.display());
    Ok(())
}
