//! Tells an insert's statement from the data behind it.
//!
//! The engine silently cuts data that stands in the SQL text, so data always goes by the streamed insert.

/// An `INSERT` whose data the client brings.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Insert {
    /// The length of the statement before `FORMAT` or `VALUES`.
    pub head: usize,
    pub format: String,
    /// Where the data begins, in the same text.
    pub data: usize,
}

/// The insert that `text` begins with; `None` for every other statement, `INSERT … SELECT` among them.
pub(super) fn insert(text: &[u8]) -> Option<Insert> {
    let mut words = Words { text, at: 0, depth: 0 };
    if !words.next()?.is("INSERT") {
        return None;
    }
    let mut named = false;
    let mut after_into = false;
    while let Some(word) = words.next() {
        // The word after INTO (or TABLE, FUNCTION) is a name, whatever it spells.
        if after_into {
            after_into = word.is("TABLE") || word.is("FUNCTION");
            named = !after_into;
            continue;
        }
        if word.is("INTO") {
            after_into = true;
        } else if ["SELECT", "WITH", "FROM", "WATCH"].iter().any(|keyword| word.is(keyword)) {
            return None;
        } else if named && word.is("VALUES") {
            return Some(Insert { head: word.start, format: "Values".to_owned(), data: words.at });
        } else if named && word.is("FORMAT") {
            let format = words.next()?;
            let format = String::from_utf8_lossy(&text[format.start..format.end]).into_owned();
            let spaces = text[words.at..].iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | 0x0c)).count();
            let mut data = words.at + spaces;
            if text.get(data) == Some(&b'\n') {
                data += 1;
            }
            return Some(Insert { head: word.start, format, data });
        }
    }
    let head = text.trim_ascii_end();
    let head = head.strip_suffix(b";").unwrap_or(head).len();
    named.then(|| Insert { head, format: "Values".to_owned(), data: text.len() })
}

struct Word<'t> {
    text: &'t [u8],
    start: usize,
    end: usize,
}

impl Word<'_> {
    fn is(&self, keyword: &str) -> bool {
        self.text[self.start..self.end].eq_ignore_ascii_case(keyword.as_bytes())
    }
}

/// The words and quoted names outside brackets, strings and comments.
struct Words<'t> {
    text: &'t [u8],
    at: usize,
    depth: usize,
}

impl<'t> Words<'t> {
    fn next(&mut self) -> Option<Word<'t>> {
        loop {
            let rest = self.text.get(self.at..)?;
            let start = self.at;
            match *rest.first()? {
                b'\'' => self.at += quoted(rest),
                b'"' | b'`' => {
                    self.at += quoted(rest);
                    if self.depth == 0 {
                        return Some(Word { text: self.text, start, end: self.at });
                    }
                }
                b'-' if rest.starts_with(b"--") => self.at += line(rest),
                b'#' => self.at += line(rest),
                b'/' if rest.starts_with(b"/*") => self.at += comment(rest),
                b'(' | b'[' | b'{' => {
                    self.depth += 1;
                    self.at += 1;
                }
                b')' | b']' | b'}' => {
                    self.depth = self.depth.saturating_sub(1);
                    self.at += 1;
                }
                byte if is_word(byte) => {
                    // A qualified name (`db.table`) is one word.
                    self.at += rest.iter().take_while(|byte| is_word(**byte) || **byte == b'.').count();
                    if self.depth == 0 {
                        return Some(Word { text: self.text, start, end: self.at });
                    }
                }
                _ => self.at += 1,
            }
        }
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// The length of a quoted text with its quotes; of all the rest when the end is missing.
fn quoted(text: &[u8]) -> usize {
    let quote = text[0];
    let mut at = 1;
    while at < text.len() {
        match text[at] {
            b'\\' => at += 2,
            byte if byte == quote && text.get(at + 1) == Some(&quote) => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    text.len()
}

fn line(text: &[u8]) -> usize {
    text.iter().position(|byte| *byte == b'\n').map_or(text.len(), |end| end + 1)
}

fn comment(text: &[u8]) -> usize {
    text.windows(2).position(|two| two == b"*/").map_or(text.len(), |end| end + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The statement, the format and the data of an insert.
    fn parts(sql: &str) -> Option<(&str, String, &str)> {
        insert(sql.as_bytes()).map(|found| (sql[..found.head].trim_end(), found.format, &sql[found.data..]))
    }

    #[test]
    fn data_is_told_from_the_statement() {
        let check =
            |sql, head, format: &str, data| assert_eq!(parts(sql), Some((head, format.to_owned(), data)), "{sql}");
        check("INSERT INTO t FORMAT RowBinary\n\n\u{1}", "INSERT INTO t", "RowBinary", "\n\u{1}");
        check(
            "insert into `a b`.t(`format`, values) format CSV 1,2",
            "insert into `a b`.t(`format`, values)",
            "CSV",
            "1,2",
        );
        check("INSERT INTO t VALUES (1, 'FORMAT x')", "INSERT INTO t", "Values", " (1, 'FORMAT x')");
        check("INSERT INTO t(a)VALUES(1);", "INSERT INTO t(a)", "Values", "(1);");
        check(
            "INSERT INTO t SETTINGS a = 1, b='VALUES' FORMAT Native\r\nx",
            "INSERT INTO t SETTINGS a = 1, b='VALUES'",
            "Native",
            "x",
        );
        check(
            "/* SELECT */ -- x\nINSERT INTO TABLE values FORMAT TSV\n",
            "/* SELECT */ -- x\nINSERT INTO TABLE values",
            "TSV",
            "",
        );
        check("INSERT INTO format VALUES (1)", "INSERT INTO format", "Values", " (1)");
        check("INSERT INTO t (a, b);", "INSERT INTO t (a, b)", "Values", "");
        check("INSERT INTO 订单 FORMAT TSV\n1", "INSERT INTO 订单", "TSV", "1");
    }

    #[test]
    fn other_statements_are_none() {
        for sql in [
            "",
            "  ",
            "SELECT 1",
            "INSERT",
            "INSERT INTO",
            "INSERT INTO t SELECT 1",
            "INSERT INTO t (a) WITH 1 AS x SELECT x",
            "WITH 1 AS x INSERT INTO t SELECT x",
            "'INSERT INTO t VALUES (1)'",
            "INSERT INTO t FORMAT",
            "INSERT INTO t FROM INFILE 'f' FORMAT CSV",
            "'never ends \\",
            "/* never ends",
        ] {
            assert_eq!(parts(sql), None, "{sql}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_taken(words in proptest::collection::vec(proptest::sample::select(PIECES), 0..12)) {
            let text: Vec<u8> = words.concat();
            if let Some(found) = insert(&text) {
                proptest::prop_assert!(found.head <= found.data && found.data <= text.len());
            }
        }
    }

    const PIECES: &[&[u8]] = &[
        b"INSERT ",
        b"INTO ",
        b"t",
        b" VALUES",
        b" FORMAT ",
        b"CSV",
        b"\n",
        b"'",
        b"\\",
        b"`",
        b"\"",
        b"/*",
        b"*/",
        b"--",
        b"(",
        b")",
        b";",
        b"\xff\xfe",
        b".",
        b" ",
        b"#",
    ];
}
