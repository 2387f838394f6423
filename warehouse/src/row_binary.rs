//! ClickHouse's RowBinary: values one after the other, little-endian, no separators.

/// Appends values to a block.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub bytes: Vec<u8>,
    pub count: u64,
}

impl Rows {
    /// Ends a row. Its values must have been appended in the order of the block's columns.
    pub fn end(&mut self) {
        self.count += 1;
    }

    pub fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    pub fn u16(&mut self, value: u16) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    pub fn u32(&mut self, value: u32) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    pub fn i32(&mut self, value: i32) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    pub fn u64(&mut self, value: u64) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    pub fn i64(&mut self, value: i64) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    pub fn u128(&mut self, value: u128) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// A `Nullable(Int64)` or `Nullable(DateTime64)`.
    pub fn optional_i64(&mut self, value: Option<i64>) {
        match value {
            Some(value) => {
                self.u8(0);
                self.i64(value);
            }
            None => self.u8(1),
        }
    }

    pub fn text(&mut self, value: &[u8]) {
        self.length(value.len());
        self.bytes.extend_from_slice(value);
    }

    /// An `Array(Int64)`.
    pub fn array(&mut self, values: &[i64]) {
        self.length(values.len());
        for value in values {
            self.i64(*value);
        }
    }

    /// LEB128, as ClickHouse writes the lengths of strings and arrays.
    fn length(&mut self, mut n: usize) {
        while n >= 0x80 {
            self.bytes.push(n as u8 | 0x80);
            n >>= 7;
        }
        self.bytes.push(n as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_leb128_and_nulls_take_one_byte() {
        let mut rows = Rows::default();
        rows.text(&[b'x'; 300]);
        assert_eq!(&rows.bytes[..3], &[0xAC, 0x02, b'x']);
        rows.bytes.clear();
        rows.optional_i64(None);
        rows.optional_i64(Some(-1));
        assert_eq!(rows.bytes, [1, 0, 255, 255, 255, 255, 255, 255, 255, 255]);
    }
}
