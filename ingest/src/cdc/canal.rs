//! Canal's flat JSON messages, for consumers that read them today: every value is text.

use linli_binlog::{DecodeError, Image, Table, Warning};

use super::envelope::{At, number, quoted};

/// `{"data":[{…}],"old":[{…}],"database":…,"table":…,"type":"INSERT",…}`
pub fn write(
    table: &Table,
    op: u8,
    before: Option<&Image<'_>>,
    after: Option<&Image<'_>>,
    at: &At<'_>,
    out: &mut Vec<u8>,
    warnings: &mut Vec<Warning>,
) -> Result<(), DecodeError> {
    let (kind, row) = match op {
        b'c' => ("INSERT", after),
        b'd' => ("DELETE", before),
        _ => ("UPDATE", after),
    };
    out.extend_from_slice(br#"{"data":["#);
    row.map_or(Ok(()), |row| texts(row, out, warnings))?;
    out.extend_from_slice(br#"],"old":"#);
    match (op, before) {
        (b'u', Some(before)) => {
            out.push(b'[');
            texts(before, out, warnings)?;
            out.push(b']');
        }
        _ => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(br#","database":"#);
    quoted(&table.db, out);
    out.extend_from_slice(br#","table":"#);
    quoted(&table.name, out);
    out.extend_from_slice(br#","type":""#);
    out.extend_from_slice(kind.as_bytes());
    out.extend_from_slice(br#"","isDdl":false,"sql":"","pkNames":["#);
    for (index, column) in table.primary_key.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        quoted(table.columns.get(*column).map_or("", |column| &column.name), out);
    }
    out.extend_from_slice(br#"],"es":"#);
    number(at.ts_ms, out);
    out.extend_from_slice(br#","ts":"#);
    number(at.now_ms, out);
    out.extend_from_slice(br#","id":"#);
    number(at.pos, out);
    out.push(b'}');
    Ok(())
}

/// The columns of an image, values as texts.
fn texts(image: &Image<'_>, out: &mut Vec<u8>, warnings: &mut Vec<Warning>) -> Result<(), DecodeError> {
    let mut json = Vec::new();
    image.write_json(&mut json, warnings)?;
    let Ok(serde_json::Value::Object(row)) = serde_json::from_slice(&json) else {
        out.extend_from_slice(&json);
        return Ok(());
    };
    out.push(b'{');
    for (index, (name, value)) in row.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        quoted(name, out);
        out.push(b':');
        match value {
            serde_json::Value::Null => out.extend_from_slice(b"null"),
            serde_json::Value::String(text) => quoted(text, out),
            other => quoted(&other.to_string(), out),
        }
    }
    out.push(b'}');
    Ok(())
}
