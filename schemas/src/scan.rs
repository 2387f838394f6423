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
        let bytes = self.text.as_bytes();
        let start = self.at;
        let mut value = 0u64;
        while let Some(digit) = bytes.get(self.at).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10) {
            // 19 digits always fit.
            if self.at - start == 19 {
                return None;
            }
            value = value * 10 + u64::from(digit);
            self.at += 1;
        }
        let len = self.at - start;
        let plain = len > 0 && (len == 1 || bytes[start] != b'0');
        let whole = !matches!(bytes.get(self.at), Some(b'.' | b'e' | b'E'));
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

/// A field that stands once: a second time makes the reader give up.
#[inline]
pub(crate) fn once<T>(field: &mut Option<T>, value: Option<T>) -> Option<()> {
    if field.is_some() {
        return None;
    }
    *field = Some(value?);
    Some(())
}
