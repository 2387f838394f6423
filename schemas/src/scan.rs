//! A reader of plain JSON for the records that flow by the million.
//!
//! It reads what programs write: objects of known fields, integers, strings without escapes. Whatever else JSON allows
//! (and whatever it does not) makes it give up with `None`, and the caller asks serde, whose answer then holds.
//! So it may never accept what serde refuses, nor read it differently: a property test compares the two.

/// How deep a value that is skipped may nest.
const DEPTH_MAX: u32 = 16;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Scan<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scan<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Option<Scan<'a>> {
        std::str::from_utf8(bytes).ok().map(|text| Scan { text, at: 0 })
    }

    /// The next byte that is no white space, which stays.
    #[inline]
    fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        loop {
            let byte = *bytes.get(self.at)?;
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(byte);
            }
            self.at += 1;
        }
    }

    #[inline]
    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    #[inline]
    fn literal(&mut self, word: &str) -> Option<()> {
        self.text.as_bytes()[self.at..].starts_with(word.as_bytes()).then(|| self.at += word.len())
    }

    /// Nothing but white space is left.
    pub(crate) fn end(&mut self) -> Option<()> {
        self.peek().is_none().then_some(())
    }

    /// Reads an object: `field` gets each key, and reads the value.
    #[inline]
    pub(crate) fn object(&mut self, mut field: impl FnMut(&'a str, &mut Self) -> Option<()>) -> Option<()> {
        self.expect(b'{')?;
        if self.peek()? == b'}' {
            self.at += 1;
            return Some(());
        }
        loop {
            let key = self.string()?;
            self.expect(b':')?;
            field(key, self)?;
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Some(());
                }
                _ => return None,
            }
        }
    }

    /// A string without escapes.
    #[inline]
    pub(crate) fn string(&mut self) -> Option<&'a str> {
        self.expect(b'"')?;
        let start = self.at;
        let bytes = self.text.as_bytes();
        while let Some(word) = bytes.get(self.at..).and_then(|rest| rest.first_chunk::<8>()) {
            let special = special_bytes(u64::from_le_bytes(*word));
            if special != 0 {
                self.at += special.trailing_zeros() as usize / 8;
                break;
            }
            self.at += 8;
        }
        // The last bytes of the record, and what ended the search above.
        loop {
            match *bytes.get(self.at)? {
                b'"' => break,
                b'\\' | 0..0x20 => return None,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        self.text.get(start..self.at - 1)
    }

    #[inline]
    fn digits(&mut self) -> Option<u64> {
        let rest = self.text.as_bytes().get(self.at..)?;
        let mut value = 0u64;
        let mut len = 0;
        while let Some(digit) = rest.get(len).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10) {
            value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
            len += 1;
        }
        self.at += len;
        // 19 digits always fit; what has more is left to serde.
        let plain = len == 1 || (len > 1 && len <= 19 && rest[0] != b'0');
        let whole = !matches!(rest.get(len), Some(b'.' | b'e' | b'E'));
        (plain && whole).then_some(value)
    }

    #[inline]
    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.peek()?;
        self.digits()
    }

    #[inline]
    pub(crate) fn i64(&mut self) -> Option<i64> {
        let negative = self.peek()? == b'-';
        self.at += usize::from(negative);
        let value = i64::try_from(self.digits()?).ok()?;
        // Minus nought is a float to some readers.
        if negative && value == 0 {
            return None;
        }
        Some(if negative { -value } else { value })
    }

    pub(crate) fn bool(&mut self) -> Option<bool> {
        match self.peek()? {
            b't' => self.literal("true").map(|()| true),
            _ => self.literal("false").map(|()| false),
        }
    }

    /// `null` is none; anything else is read by `read`.
    #[inline]
    pub(crate) fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        if self.peek()? == b'n' { self.literal("null").map(|()| None) } else { read(self).map(Some) }
    }

    /// Whether a string comes next.
    pub(crate) fn at_string(&mut self) -> bool {
        self.peek() == Some(b'"')
    }

    pub(crate) fn skip(&mut self) -> Option<()> {
        self.skip_within(DEPTH_MAX)
    }

    fn skip_within(&mut self, depth: u32) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        match self.peek()? {
            b'"' => self.string().map(drop),
            b'{' => self.object(|_, scan| scan.skip_within(depth)),
            b'[' => self.skip_array(depth),
            b'n' => self.literal("null"),
            b't' | b'f' => self.bool().map(drop),
            _ => self.i64().map(drop),
        }
    }

    fn skip_array(&mut self, depth: u32) -> Option<()> {
        self.expect(b'[')?;
        if self.peek()? == b']' {
            self.at += 1;
            return Some(());
        }
        loop {
            self.skip_within(depth)?;
            match self.peek()? {
                b',' => self.at += 1,
                b']' => {
                    self.at += 1;
                    return Some(());
                }
                _ => return None,
            }
        }
    }
}

/// The high bit of the first byte that is a quote, a backslash or a control character, and of some bytes after it.
#[inline]
fn special_bytes(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    // A byte less than n (n <= 128) borrows into its high bit; a byte that has it set itself is none of these.
    // Borrows go upwards only, so the lowest of the bits is right.
    let quotes = word ^ (ONES * b'"' as u64);
    let backslashes = word ^ (ONES * b'\\' as u64);
    let found = quotes.wrapping_sub(ONES) & !quotes
        | backslashes.wrapping_sub(ONES) & !backslashes
        | word.wrapping_sub(ONES * 0x20) & !word;
    found & HIGHS
}

/// A field that stands once: a second time makes the reader give up.
#[inline]
pub(crate) fn once<T>(field: &mut Option<T>, value: Option<T>) -> Option<()> {
    if field.is_some() {
        return None;
    }
    *field = Some(value?);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::Scan;

    #[test]
    fn strings_end_where_they_end() {
        for length in 0..40 {
            for filler in ["a", "é", "\u{7f}", "社"] {
                let text = filler.repeat(length);
                for rest in ["", ",", ",\"more\":1", "\\\""] {
                    let json = format!("\"{text}\"{rest}");
                    let mut scan = Scan::new(json.as_bytes()).expect("text");
                    assert_eq!(scan.string(), Some(text.as_str()), "{json}");
                }
                for bad in ["\\", "\n", "\u{0}", "\u{1f}"] {
                    let json = format!("\"{text}{bad}\"      ");
                    assert_eq!(Scan::new(json.as_bytes()).expect("text").string(), None, "{json}");
                }
                let open = format!("\"{text}");
                assert_eq!(Scan::new(open.as_bytes()).expect("text").string(), None, "{open}");
            }
        }
    }
}
