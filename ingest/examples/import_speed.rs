//! How fast lines become records: `cargo run --release -p linli-ingest --example import_speed FILE`. Measure with `time`.

use std::path::PathBuf;

use linli_ingest::import::{ImportOptions, Importer, Lines};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = PathBuf::from(std::env::args().nth(1).ok_or("give a file")?);
    let options = ImportOptions { partitions: 8, received_at_ms: 4_102_444_800_000, ahead_ms: 0 };
    let mut importer = Importer::new(options);
    let mut lines = Lines::open(&path, 0, 1 << 20)?;
    let mut out = Vec::new();
    let (mut good, mut bad, mut records, mut bytes) = (0_u64, 0_u64, 0_u64, 0_u64);
    while let Some(chunk) = lines.next_chunk()? {
        out.clear();
        for line in chunk.lines() {
            match importer.raw_line(&line, &mut out) {
                Ok(_) => good += 1,
                Err(_) => bad += 1,
            }
        }
        records += out.len() as u64;
        bytes += out.iter().map(|r| r.value.as_ref().map_or(0, |v| v.len() as u64)).sum::<u64>();
    }
    println!("{good} good lines, {bad} bad ones, {records} records of {bytes} bytes");
    Ok(())
}
