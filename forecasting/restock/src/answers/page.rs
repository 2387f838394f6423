//! The page as HTML: works without scripts, on a phone, in both languages.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use linli_schemas::forecast::AnswerKind;
use linli_schemas::zone::Zone;

use super::form::{Entered, Fault, NOTE_CHARS_MAX, packs_max};
use super::store::{Given, Sheet};
use crate::mail::texts::Text;
use crate::mail::{Language, OrderLine, SupplierOrder, escape, grouped, instant_text, item_name, packs_text};

/// Lines of a page.
pub(super) const LINES_PAGE: usize = 50;

pub(super) const STYLE: &str = include_str!("style.css");

/// What a page shows.
pub(super) struct Page<'a> {
    pub order: &'a SupplierOrder,
    pub sheet: &'a Sheet,
    pub token: &'a str,
    pub language: Language,
    pub zone: Zone,
    /// From 1.
    pub number: usize,
    /// Past the cut-off nothing can be answered.
    pub closed: bool,
    /// At the top, with whether it is good news.
    pub message: Option<(Text, bool)>,
    /// What was entered and could not be stored.
    pub entered: BTreeMap<usize, Entered>,
    pub faults: BTreeMap<usize, Fault>,
    /// Lines that were answered elsewhere.
    pub conflicts: std::collections::BTreeSet<usize>,
}

/// Pages of an order.
pub(super) fn pages(order: &SupplierOrder) -> usize {
    order.lines.len().div_ceil(LINES_PAGE).max(1)
}

/// A page that says one thing.
pub(super) fn notice(language: Language, title: Text, body: Text) -> String {
    let mut html = head(language, title.get(language));
    let _ = writeln!(
        html,
        "<main><h1>{}</h1><p>{}</p></main></body></html>",
        escape(title.get(language)),
        escape(body.get(language))
    );
    html
}

fn head(language: Language, title: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"{}\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"robots\" content=\"noindex\"><title>{}</title>\
         <link rel=\"stylesheet\" href=\"style.css\"></head>\n<body>\n",
        language.tag(),
        escape(title)
    )
}

impl Page<'_> {
    fn say(&self, text: Text, values: &[(&str, &str)]) -> String {
        escape(&text.with(self.language, values))
    }

    pub(super) fn html(&self) -> String {
        let order = self.order;
        let (date, by) = (order.business_date.to_string(), instant_text(order.must_order_by, self.zone));
        let title = Text::PageTitle.with(self.language, &[("date", &date)]);
        let mut html = head(self.language, &title);
        let intro = if self.closed { Text::PageClosed } else { Text::PageIntro };
        let (done, lines) = (grouped(self.sheet.answers.len() as i64), grouped(order.lines.len() as i64));
        let _ = write!(
            html,
            "<main>\n<h1>{}</h1>\n<p>{}</p>\n<p class=\"progress\">{}</p>\n",
            escape(&title),
            self.say(intro, &[("name", order.name.in_language(self.language)), ("by", &by)]),
            self.say(Text::Progress, &[("done", &done), ("lines", &lines)])
        );
        if let Some((text, good)) = self.message {
            let class = if good { "good" } else { "bad" };
            let _ =
                writeln!(html, "<p class=\"message {class}\" role=\"status\">{}</p>", self.say(text, &[("by", &by)]));
        }
        if self.closed {
            self.lines(&mut html);
        } else {
            // To the same address: it works behind any prefix.
            let _ = write!(
                html,
                "<form method=\"post\" accept-charset=\"utf-8\">\n\
                 <input type=\"hidden\" name=\"token\" value=\"{}\">\
                 <input type=\"hidden\" name=\"version\" value=\"{}\">\
                 <input type=\"hidden\" name=\"page\" value=\"{}\">\n",
                escape(self.token),
                self.sheet.version,
                self.number
            );
            self.lines(&mut html);
            let _ = writeln!(
                html,
                "<div class=\"buttons\"><button type=\"submit\" name=\"save\" value=\"1\">{}</button>\
                 <button type=\"submit\" name=\"all\" value=\"accepted\" class=\"second\">{}</button></div>\n</form>",
                self.say(Text::Save, &[]),
                self.say(Text::AcceptRest, &[])
            );
        }
        self.turning(&mut html);
        html.push_str("</main></body></html>\n");
        html
    }

    fn lines(&self, html: &mut String) {
        let first = (self.number - 1) * LINES_PAGE;
        for (at, line) in self.order.lines.iter().enumerate().skip(first).take(LINES_PAGE) {
            self.line(html, at, line);
        }
    }

    fn line(&self, html: &mut String, at: usize, line: &OrderLine) {
        let language = self.language;
        let class = if self.faults.contains_key(&at) || self.conflicts.contains(&at) { " class=\"fault\"" } else { "" };
        let code = if line.supplier_code.is_empty() { line.sku_id.to_string() } else { line.supplier_code.clone() };
        let _ = writeln!(
            html,
            "<fieldset{class}><legend>{} <small>{}</small></legend>",
            escape(&item_name(line, language)),
            escape(&code)
        );
        let place = match line.community_id {
            0 => line.warehouse.in_language(language).to_owned(),
            _ => format!("{} · {}", line.warehouse.in_language(language), line.community.in_language(language)),
        };
        let (packs, pack, pieces) = (packs_text(line), grouped(line.pack), grouped(line.quantity));
        let ordered = Text::PacksOf.with(language, &[("packs", &packs), ("pack", &pack), ("pieces", &pieces)]);
        let facts = [(Text::Ordered, ordered), (Text::NeededBy, line.needed_by.to_string()), (Text::DeliverTo, place)];
        html.push_str("<dl>");
        for (label, value) in facts {
            let _ = write!(html, "<dt>{}</dt><dd>{}</dd>", self.say(label, &[]), escape(&value));
        }
        html.push_str("</dl>\n");
        self.given(html, at);
        if let Some(fault) = self.faults.get(&at) {
            let most = grouped(fault.most);
            let _ = writeln!(html, "<p class=\"bad\">{}</p>", self.say(fault.text, &[("most", &most)]));
        }
        if !self.closed {
            self.fields(html, at, line);
        }
        html.push_str("</fieldset>\n");
    }

    /// What was answered.
    fn given(&self, html: &mut String, at: usize) {
        let _ = match self.sheet.answers.get(&at) {
            None => writeln!(html, "<p class=\"given\">{}</p>", self.say(Text::Unanswered, &[])),
            Some(given) => {
                let answer = word(given.answer).get(self.language);
                let pieces = grouped(given.quantity);
                let note = given.note.as_deref().unwrap_or_default();
                let text = self.say(Text::Answered, &[("answer", answer), ("pieces", &pieces)]);
                writeln!(html, "<p class=\"given\">{text} <span class=\"note\">{}</span></p>", escape(note))
            }
        };
    }

    fn fields(&self, html: &mut String, at: usize, line: &OrderLine) {
        let shown = match self.entered.get(&at) {
            Some(entered) => entered.clone(),
            None => self.sheet.answers.get(&at).map(|given| as_entered(given, line)).unwrap_or_default(),
        };
        html.push_str("<div class=\"choices\">");
        for kind in [AnswerKind::Accepted, AnswerKind::Changed, AnswerKind::Refused] {
            let value = value_of(kind);
            let checked = if shown.answer == value { " checked" } else { "" };
            let _ = write!(
                html,
                "<label><input type=\"radio\" name=\"a{at}\" value=\"{value}\"{checked}> {}</label>",
                self.say(word(kind), &[])
            );
        }
        let most = packs_max(line);
        let (pack, most_text) = (grouped(line.pack), grouped(most));
        let _ = writeln!(
            html,
            "</div>\n<label class=\"field\">{} <input type=\"number\" inputmode=\"numeric\" name=\"q{at}\" min=\"0\" \
             max=\"{most}\" step=\"1\" value=\"{}\"></label>\n\
             <label class=\"field\">{} <input type=\"text\" name=\"n{at}\" maxlength=\"{NOTE_CHARS_MAX}\" value=\"{}\"></label>",
            self.say(Text::PacksWanted, &[("pack", &pack), ("most", &most_text)]),
            escape(&shown.packs),
            self.say(Text::Note, &[]),
            escape(&shown.note)
        );
    }

    /// Links to the pages before and behind.
    fn turning(&self, html: &mut String) {
        let pages = pages(self.order);
        if pages == 1 {
            return;
        }
        html.push_str("<nav>");
        if self.number > 1 {
            let _ = write!(html, "<a href=\"?page={}\">{}</a> ", self.number - 1, self.say(Text::Previous, &[]));
        }
        let (number, of) = (self.number.to_string(), pages.to_string());
        html.push_str(&self.say(Text::PagePlace, &[("page", &number), ("pages", &of)]));
        if self.number < pages {
            let _ = write!(html, " <a href=\"?page={}\">{}</a>", self.number + 1, self.say(Text::Next, &[]));
        }
        html.push_str("</nav>\n");
    }
}

fn word(kind: AnswerKind) -> Text {
    match kind {
        AnswerKind::Accepted => Text::Accept,
        AnswerKind::Changed => Text::Change,
        AnswerKind::Refused => Text::Refuse,
    }
}

fn value_of(kind: AnswerKind) -> &'static str {
    match kind {
        AnswerKind::Accepted => "accepted",
        AnswerKind::Changed => "changed",
        AnswerKind::Refused => "refused",
    }
}

fn as_entered(given: &Given, line: &OrderLine) -> Entered {
    let packs = match given.answer {
        AnswerKind::Changed => (given.quantity / line.pack).to_string(),
        AnswerKind::Accepted | AnswerKind::Refused => String::new(),
    };
    Entered { answer: value_of(given.answer).to_owned(), packs, note: given.note.clone().unwrap_or_default() }
}
