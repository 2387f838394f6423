//! Words of SQL: as much of its grammar as statements that define tables need.

/// A word of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// A keyword or a name that stands bare.
    Word(String),
    /// A name in backticks (or double quotes under ANSI_QUOTES).
    Name(String),
    Text(String),
    Number(String),
    Symbol(char),
}

/// How quotes are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quoting {
    pub ansi_quotes: bool,
    pub no_backslash_escapes: bool,
}

impl Token {
    /// Whether it is this keyword.
    pub fn is(&self, keyword: &str) -> bool {
        matches!(self, Token::Word(word) if word.eq_ignore_ascii_case(keyword))
    }

    pub fn is_symbol(&self, symbol: char) -> bool {
        *self == Token::Symbol(symbol)
    }

    /// The name that it may be.
    pub fn name(&self) -> Option<&str> {
        match self {
            Token::Word(name) | Token::Name(name) => Some(name),
            _ => None,
        }
    }
}

/// The words of a statement. Comments are left out, except those that the server runs (`/*! … */`).
pub fn tokens(sql: &str, quoting: Quoting) -> Vec<Token> {
    first_tokens(sql, quoting, usize::MAX)
}

/// As [`tokens`], of those the first `max`.
pub fn first_tokens(sql: &str, quoting: Quoting, max: usize) -> Vec<Token> {
    let mut chars = Chars { text: sql, at: 0 };
    let mut out = Vec::new();
    while let Some(c) = chars.peek()
        && out.len() < max
    {
        match c {
            c if c.is_whitespace() => chars.skip(1),
            '#' => chars.skip_line(),
            '-' if chars.rest().starts_with("--") && chars.third_is_space() => chars.skip_line(),
            '/' if chars.rest().starts_with("/*") => comment(&mut chars),
            '*' if chars.rest().starts_with("*/") => chars.skip(2), // the end of one that is run
            '`' => out.push(Token::Name(chars.quoted('`', false))),
            '"' if quoting.ansi_quotes => out.push(Token::Name(chars.quoted('"', false))),
            '\'' | '"' => out.push(Token::Text(chars.quoted(c, !quoting.no_backslash_escapes))),
            c if c.is_ascii_digit() => {
                let word = chars.word(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '$'));
                let number = word.chars().all(|c| c.is_ascii_digit() || c == '.');
                out.push(if number { Token::Number(word) } else { Token::Word(word) });
            }
            c if c.is_alphabetic() || matches!(c, '_' | '$' | '@') || !c.is_ascii() => {
                out.push(Token::Word(
                    chars.word(|c| c.is_alphanumeric() || matches!(c, '_' | '$' | '@') || !c.is_ascii()),
                ));
            }
            c => {
                out.push(Token::Symbol(c));
                chars.skip(c.len_utf8());
            }
        }
    }
    out
}

/// `/* … */` is skipped; of `/*!50100 … */` and `/*M! … */` only the head is.
fn comment(chars: &mut Chars<'_>) {
    let rest = chars.rest();
    let head = match rest {
        _ if rest.starts_with("/*M!") => 4,
        _ if rest.starts_with("/*!") => 3,
        _ => {
            let end = rest.find("*/").map_or(rest.len(), |end| end + 2);
            return chars.skip(end);
        }
    };
    chars.skip(head);
    chars.word(|c| c.is_ascii_digit());
}

struct Chars<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Chars<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn third_is_space(&self) -> bool {
        self.rest().chars().nth(2).is_none_or(char::is_whitespace)
    }

    fn skip(&mut self, bytes: usize) {
        self.at += bytes;
        while !self.text.is_char_boundary(self.at.min(self.text.len())) {
            self.at += 1;
        }
    }

    fn skip_line(&mut self) {
        let rest = self.rest();
        self.at += rest.find('\n').map_or(rest.len(), |end| end + 1);
    }

    fn word(&mut self, belongs: impl Fn(char) -> bool) -> String {
        let rest = self.rest();
        let end = rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default().to_owned()
    }

    /// The inside of quotes: doubled ones are one, and a backslash may escape.
    fn quoted(&mut self, quote: char, backslash: bool) -> String {
        self.at += 1;
        let mut out = String::new();
        let mut chars = self.rest().char_indices().peekable();
        let mut end = self.rest().len();
        while let Some((at, c)) = chars.next() {
            if c == quote {
                if chars.peek().is_some_and(|(_, next)| *next == quote) {
                    chars.next();
                    out.push(quote);
                    continue;
                }
                end = at + 1;
                break;
            }
            match (c, backslash) {
                ('\\', true) => match chars.next() {
                    Some((_, 'n')) => out.push('\n'),
                    Some((_, 't')) => out.push('\t'),
                    Some((_, 'r')) => out.push('\r'),
                    Some((_, '0')) => out.push('\0'),
                    Some((_, 'b')) => out.push('\u{8}'),
                    Some((_, 'Z')) => out.push('\u{1a}'),
                    Some((_, other)) => out.push(other),
                    None => {}
                },
                _ => out.push(c),
            }
        }
        self.at += end;
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_names_and_texts_are_told_apart() {
        let sql =
            "ALTER TABLE `a``b`.c /* x */ ADD d ENUM('it''s','\\'q') -- end\n DEFAULT 'x' /*!50100 PARTITION */ # y";
        let words: Vec<String> = tokens(sql, Quoting::default()).iter().map(|token| format!("{token:?}")).collect();
        assert_eq!(
            words.join(" "),
            "Word(\"ALTER\") Word(\"TABLE\") Name(\"a`b\") Symbol('.') Word(\"c\") Word(\"ADD\") Word(\"d\") Word(\"ENUM\") \
             Symbol('(') Text(\"it's\") Symbol(',') Text(\"'q\") Symbol(')') Word(\"DEFAULT\") Text(\"x\") Word(\"PARTITION\")"
        );
        let ansi = Quoting { ansi_quotes: true, no_backslash_escapes: true };
        assert_eq!(tokens(r#""a" 'b\'"#, ansi), [Token::Name("a".into()), Token::Text("b\\".into())]);
        for odd in ["'", "`x", "/*", "/*!", "\\", "é-", "--", "'a\\", "*/", "1e", "@@x"] {
            tokens(odd, Quoting::default());
        }
    }
}
