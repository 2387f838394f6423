//! Prints the rows of a binlog file as JSON, one change a line.
//!
//!     cargo run --release -p linli-binlog --example dump -- FILE [DB.TABLE]
//!
//! It needs `binlog_row_metadata = FULL`. With `--count` it decodes and prints counts alone.

use std::collections::HashMap;
use std::io::Write;

use linli_binlog::{
    Checksum, Event, FormatDescription, HEADER_LEN, Header, MAGIC, Payload, RowDecoder, Rows, TableMap, frame, parse,
    verify,
};

type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Fallible<()> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or("usage: dump FILE [DB.TABLE | --count]")?;
    let wanted = arguments.next();
    let bytes = std::fs::read(&file)?;
    let mut rest = bytes.strip_prefix(&MAGIC).ok_or("this is no binlog file")?;
    let mut dump = Dump {
        format: FormatDescription::assumed(Checksum::Crc32),
        count_only: wanted.as_deref() == Some("--count"),
        wanted: wanted.filter(|name| name != "--count"),
        ..Dump::default()
    };
    while rest.len() >= HEADER_LEN {
        let size = Header::parse(rest)?.size as usize;
        let (event, behind) = rest.split_at_checked(size).ok_or("the file ends within an event")?;
        rest = behind;
        verify(event, dump.format.checksum)?;
        dump.event(event, dump.format.checksum)?;
    }
    dump.out.flush()?;
    eprintln!("{} rows, {} bytes of JSON", dump.rows, dump.bytes);
    Ok(())
}

struct Dump {
    format: FormatDescription,
    wanted: Option<String>,
    count_only: bool,
    /// By table id: the table map's bytes, and what was made of them.
    tables: HashMap<u64, (Vec<u8>, Option<Table>)>,
    out: std::io::BufWriter<std::io::Stdout>,
    line: Vec<u8>,
    rows: u64,
    bytes: u64,
}

struct Table {
    name: String,
    decoder: RowDecoder,
}

impl Default for Dump {
    fn default() -> Dump {
        Dump {
            format: FormatDescription::assumed(Checksum::Crc32),
            wanted: None,
            count_only: false,
            tables: HashMap::new(),
            out: std::io::BufWriter::new(std::io::stdout()),
            line: Vec::new(),
            rows: 0,
            bytes: 0,
        }
    }
}

impl Dump {
    fn event(&mut self, event: &[u8], checksum: Checksum) -> Fallible<()> {
        let (header, body) = frame(event, checksum)?;
        match parse(&header, body, &self.format)? {
            Event::FormatDescription(format) => self.format = format,
            Event::TableMap(map) => self.table_map(&map)?,
            Event::Rows(rows) => self.rows(&rows)?,
            Event::TransactionPayload(payload) => self.payload(&payload)?,
            _ => {}
        }
        Ok(())
    }

    fn payload(&mut self, payload: &Payload<'_>) -> Fallible<()> {
        let mut events = payload.events()?;
        while let Some(event) = events.next_event() {
            self.event(event?, Checksum::None)?;
        }
        Ok(())
    }

    fn table_map(&mut self, map: &TableMap<'_>) -> Fallible<()> {
        if self.tables.get(&map.table_id).is_some_and(|(bytes, _)| bytes == map.bytes()) {
            return Ok(());
        }
        let name = format!("{}.{}", map.db, map.name);
        let table = if self.wanted.as_ref().is_some_and(|wanted| *wanted != name) {
            None
        } else {
            let layout = map.layout()?;
            let table = layout.table().ok_or_else(|| format!("{name}: the binlog does not name its columns"))?;
            Some(Table { name, decoder: RowDecoder::new(&layout, &table, &[])? })
        };
        self.tables.insert(map.table_id, (map.bytes().to_vec(), table));
        Ok(())
    }

    fn rows(&mut self, rows: &Rows<'_>) -> Fallible<()> {
        let Some((_, table)) = self.tables.get(&rows.table_id) else {
            return Err("rows without a table map".into());
        };
        let Some(table) = table else { return Ok(()) };
        let mut cursor = table.decoder.rows(rows)?;
        let mut warnings = Vec::new();
        while let Some(images) = cursor.next_row() {
            let images = images?;
            self.line.clear();
            for (label, image) in [("{\"before\":", images.before), (",\"after\":", images.after)] {
                self.line.extend_from_slice(label.as_bytes());
                match image {
                    Some(image) => image.write_json(&mut self.line, &mut warnings)?,
                    None => self.line.extend_from_slice(b"null"),
                }
            }
            self.rows += 1;
            self.bytes += self.line.len() as u64;
            if !self.count_only {
                self.out.write_all(&self.line)?;
                writeln!(self.out, ",\"table\":\"{}\"}}", table.name)?;
            }
            for warning in warnings.drain(..) {
                if !self.count_only {
                    eprintln!("{}: column {}: {:?}", table.name, warning.column, warning.kind);
                }
            }
        }
        Ok(())
    }
}
