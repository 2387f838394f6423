//! The mail itself: text, HTML with a chart that needs no picture, and the workbook.

use std::fmt::Write as _;
use std::time::{Duration, UNIX_EPOCH};

use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Attachment, Mailbox, MultiPart, SinglePart};
use lettre::{Address, Message};
use linli_schemas::zone::Zone;
use sha2::{Digest, Sha256};

use super::address::{one_line, parse};
use super::order::{SupplierOrder, grouped, yuan};
use super::texts::Text;
use super::workbook::{item_name, workbook};
use super::{Error, instant_text};

/// Lines that the body shows; the file has all.
const LINES_SHOWN: usize = 40;
const ITEMS_CHARTED: usize = 10;
const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// Which mail of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Order,
    Reminder,
    /// The order does not hold any more.
    Withdrawal,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Order => "order",
            Kind::Reminder => "reminder",
            Kind::Withdrawal => "withdrawal",
        }
    }
}

/// Who sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    from: Address,
    name: Option<String>,
    reply_to: Option<Address>,
}

impl Sender {
    /// `from` as in `orders@example.com` or `"Linli Orders" <orders@example.com>`; `reply_to` is an address or empty.
    pub fn parse(from: &str, reply_to: &str) -> Result<Sender, Error> {
        let bad = |text: &str| Error::Address { text: super::address::shown(text) };
        let mailbox: Mailbox = from.trim().parse().map_err(|_| bad(from))?;
        let from = parse(mailbox.email.as_ref()).ok_or_else(|| bad(from))?;
        let reply_to = match reply_to.trim() {
            "" => None,
            text => Some(parse(text).ok_or_else(|| bad(text))?),
        };
        Ok(Sender { from, name: mailbox.name.map(|name| one_line(&name)), reply_to })
    }
}

/// The complete mail to one supplier.
#[derive(Clone, PartialEq, Eq)]
pub struct Letter {
    /// With its brackets: `<…@…>`.
    pub message_id: String,
    pub from: String,
    pub to: String,
    pub bytes: Vec<u8>,
}

/// What a letter is made of besides the order.
#[derive(Clone, Copy, Debug)]
pub struct Writing<'a> {
    pub kind: Kind,
    pub namespace: &'a str,
    pub sender: &'a Sender,
    /// The page on which the supplier answers.
    pub link: Option<&'a str>,
    /// The mail's date, epoch milliseconds.
    pub at: i64,
    pub zone: Zone,
}

/// The same for the same namespace, run, supplier and kind, whenever it is asked for: what is sent again after a crash is
/// the same message.
pub fn message_id(writing: &Writing<'_>, order: &SupplierOrder) -> String {
    let hash = digest(writing, writing.kind, order);
    format!("<{hash}@{}>", writing.sender.from.domain())
}

fn digest(writing: &Writing<'_>, kind: Kind, order: &SupplierOrder) -> String {
    let mut hash = Sha256::new();
    for part in ["linli mail", writing.namespace, order.run.as_str(), &order.supplier_id.to_string(), kind.name()] {
        // With its length: no two lists of parts give the same bytes.
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize()[..16].iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Writes the mail; the same bytes for the same arguments.
pub fn letter(order: &SupplierOrder, writing: &Writing<'_>) -> Result<Letter, Error> {
    let language = order.language;
    let to =
        order.email.as_deref().and_then(parse).ok_or_else(|| Error::Address {
            text: super::address::shown(order.email.as_deref().unwrap_or_default()),
        })?;
    let (date, by) = (order.business_date.to_string(), instant_text(order.must_order_by, writing.zone));
    let lines = grouped(order.lines.len() as i64);
    let subject = match writing.kind {
        Kind::Order => Text::Subject,
        Kind::Reminder => Text::ReminderSubject,
        Kind::Withdrawal => Text::WithdrawalSubject,
    };
    let subject = subject.with(language, &[("date", &date), ("by", &by), ("lines", &lines)]);
    let id = message_id(writing, order);
    let hash = digest(writing, writing.kind, order);
    let body = Body { order, writing, date, by };
    let name = one_line(order.name.in_language(language));
    let mut builder = Message::builder()
        .message_id(Some(id.clone()))
        .date(UNIX_EPOCH + Duration::from_millis(u64::try_from(writing.at).unwrap_or(0)))
        .from(Mailbox::new(writing.sender.name.clone(), writing.sender.from.clone()))
        .to(Mailbox::new((!name.is_empty()).then_some(name), to.clone()))
        .subject(one_line(&subject))
        .header(AutoSubmitted);
    if let Some(reply_to) = &writing.sender.reply_to {
        builder = builder.reply_to(Mailbox::new(None, reply_to.clone()));
    }
    if writing.kind != Kind::Order {
        let first = format!("<{}@{}>", digest(writing, Kind::Order, order), writing.sender.from.domain());
        builder = builder.in_reply_to(first.clone()).references(first);
    }
    // lettre would draw boundaries at random.
    let alternative = MultiPart::alternative()
        .boundary(format!("linli-a-{hash}"))
        .singlepart(SinglePart::plain(body.text()))
        .singlepart(SinglePart::html(body.html()));
    let failed = |_| Error::Message { supplier_id: order.supplier_id };
    let message = if writing.kind == Kind::Withdrawal {
        // no file that could be taken for an order
        builder.multipart(alternative).map_err(failed)?
    } else {
        let content_type = ContentType::parse(XLSX).map_err(|_| Error::Message { supplier_id: order.supplier_id })?;
        let file = format!("{}-{}-{}.xlsx", Text::FileName.get(language), order.business_date, order.supplier_id);
        let mixed = MultiPart::mixed()
            .boundary(format!("linli-m-{hash}"))
            .multipart(alternative)
            .singlepart(Attachment::new(file).body(workbook(order, writing.zone)?, content_type));
        builder.multipart(mixed).map_err(failed)?
    };
    Ok(Letter { message_id: id, from: writing.sender.from.to_string(), to: to.to_string(), bytes: message.formatted() })
}

/// Out-of-office robots do not answer it (RFC 3834).
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(AutoSubmitted)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

struct Body<'a> {
    order: &'a SupplierOrder,
    writing: &'a Writing<'a>,
    date: String,
    by: String,
}

impl Body<'_> {
    fn say(&self, text: Text) -> String {
        let order = self.order;
        let name = one_line(order.name.in_language(order.language));
        let hidden = grouped(order.lines.len().saturating_sub(LINES_SHOWN) as i64);
        let values = [
            ("name", name.as_str()),
            ("date", &self.date),
            ("by", &self.by),
            ("run", order.run.as_str()),
            ("lines", &hidden),
        ];
        text.with(order.language, &values)
    }

    fn intro(&self) -> Text {
        match self.writing.kind {
            Kind::Order => Text::Intro,
            Kind::Reminder => Text::ReminderIntro,
            Kind::Withdrawal => Text::WithdrawalIntro,
        }
    }

    fn totals(&self) -> [(Text, String); 3] {
        [
            (Text::Lines, grouped(self.order.lines.len() as i64)),
            (Text::Pieces, grouped(self.order.pieces())),
            (Text::Amount, yuan(self.order.amount_fen())),
        ]
    }

    fn text(&self) -> String {
        let language = self.order.language;
        if self.writing.kind == Kind::Withdrawal {
            let said = [Text::Greeting, Text::WithdrawalIntro, Text::AutomaticMail].map(|text| self.say(text));
            return format!("{}\n", said.join("\n\n"));
        }
        let mut text =
            format!("{}\n\n{}\n{}\n\n", self.say(Text::Greeting), self.say(self.intro()), self.say(Text::ConfirmBy));
        match self.writing.link {
            Some(link) => {
                let _ = write!(text, "{}:\n{link}\n{}\n\n", self.say(Text::OpenLink), self.say(Text::LinkIsYours));
            }
            None => {
                let _ = write!(text, "{}\n\n", self.say(Text::NoLink));
            }
        }
        for (label, value) in self.totals() {
            let _ = writeln!(text, "{}: {value}", label.get(language));
        }
        text.push('\n');
        for line in self.order.lines.iter().take(LINES_SHOWN) {
            let code =
                if line.supplier_code.is_empty() { line.sku_id.to_string() } else { one_line(&line.supplier_code) };
            let _ = writeln!(
                text,
                "- {code}  {}  {} {} × {} = {}  {} {}",
                item_name(line, language),
                Text::Packs.get(language),
                packs_text(line),
                line.pack,
                grouped(line.quantity),
                Text::NeededBy.get(language),
                line.needed_by
            );
        }
        if self.order.lines.len() > LINES_SHOWN {
            let _ = writeln!(text, "{}", self.say(Text::MoreLines));
        }
        let _ = write!(text, "\n{}\n", self.say(Text::AutomaticMail));
        text
    }

    fn html(&self) -> String {
        let language = self.order.language;
        let mut html = format!(
            "<!DOCTYPE html>\n<html lang=\"{}\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width\"></head>\n\
             <body style=\"margin:0;padding:16px;font:15px/1.5 sans-serif;color:#222;background:#fff\">\n",
            language.tag()
        );
        let said: &[Text] = match self.writing.kind {
            Kind::Withdrawal => &[Text::Greeting, Text::WithdrawalIntro],
            Kind::Order | Kind::Reminder => &[Text::Greeting, self.intro(), Text::ConfirmBy],
        };
        for text in said {
            let _ = writeln!(html, "<p>{}</p>", escape(&self.say(*text)));
        }
        if self.writing.kind != Kind::Withdrawal {
            self.html_order(&mut html);
        }
        let _ =
            write!(html, "<p style=\"color:#666\">{}</p>\n</body></html>\n", escape(&self.say(Text::AutomaticMail)));
        html
    }

    fn html_order(&self, html: &mut String) {
        match self.writing.link {
            Some(link) => {
                let _ = writeln!(
                    html,
                    "<p><a href=\"{}\" style=\"display:inline-block;padding:10px 18px;background:#1f4e79;color:#fff;\
                     text-decoration:none;border-radius:4px\">{}</a><br><span style=\"color:#666\">{}</span></p>",
                    escape(link),
                    escape(&self.say(Text::OpenLink)),
                    escape(&self.say(Text::LinkIsYours))
                );
            }
            None => {
                let _ = writeln!(html, "<p>{}</p>", escape(&self.say(Text::NoLink)));
            }
        }
        self.html_totals(html);
        self.html_chart(html);
        self.html_lines(html);
    }

    fn html_totals(&self, html: &mut String) {
        html.push_str("<table role=\"presentation\" cellpadding=\"0\" cellspacing=\"0\"><tr>\n");
        for (label, value) in self.totals() {
            let _ = writeln!(
                html,
                "<td style=\"padding-right:28px\"><div style=\"color:#666\">{}</div><div style=\"font-size:20px\">{}</div></td>",
                escape(label.get(self.order.language)),
                escape(&value)
            );
        }
        html.push_str("</tr></table>\n");
    }

    /// Bars are cells with a width: they need neither pictures nor styles that mail clients drop.
    fn html_chart(&self, html: &mut String) {
        let language = self.order.language;
        let items = self.order.by_item();
        let most = items.first().map_or(1, |(_, pieces)| (*pieces).max(1));
        let _ = write!(
            html,
            "<h3 style=\"margin:20px 0 6px\">{}</h3>\n<table role=\"presentation\" width=\"100%\" cellpadding=\"0\" \
             cellspacing=\"0\" style=\"max-width:640px\">\n",
            escape(Text::TopItems.get(language))
        );
        for (line, pieces) in items.into_iter().take(ITEMS_CHARTED) {
            // Whole percents, and at least one.
            let width = ((i128::from(pieces) * 100 / i128::from(most)) as i64).clamp(1, 100);
            let _ = writeln!(
                html,
                "<tr><td width=\"40%\" style=\"padding:2px 8px 2px 0\">{}</td><td><table role=\"presentation\" \
                 width=\"100%\" cellpadding=\"0\" cellspacing=\"0\"><tr><td width=\"{width}%\" bgcolor=\"#2e75b6\" \
                 height=\"14\" style=\"font-size:1px;line-height:14px\">&nbsp;</td><td></td></tr></table></td>\
                 <td width=\"70\" align=\"right\">{}</td></tr>",
                escape(&item_name(line, language)),
                grouped(pieces)
            );
        }
        html.push_str("</table>\n");
    }

    fn html_lines(&self, html: &mut String) {
        let language = self.order.language;
        html.push_str(
            "<table width=\"100%\" cellpadding=\"4\" cellspacing=\"0\" style=\"border-collapse:collapse;margin-top:16px\">\n<tr>",
        );
        for heading in [Text::YourCode, Text::Item, Text::DeliverTo, Text::NeededBy, Text::Packs, Text::Pieces] {
            let _ = write!(
                html,
                "<th align=\"left\" style=\"border-bottom:2px solid #1f4e79\">{}</th>",
                escape(heading.get(language))
            );
        }
        html.push_str("</tr>\n");
        for line in self.order.lines.iter().take(LINES_SHOWN) {
            let to = match line.community_id {
                0 => line.warehouse.in_language(language).to_owned(),
                _ => format!("{} · {}", line.warehouse.in_language(language), line.community.in_language(language)),
            };
            let cells = [
                (one_line(&line.supplier_code), "left"),
                (item_name(line, language), "left"),
                (one_line(&to), "left"),
                (line.needed_by.to_string(), "left"),
                (format!("{} × {}", packs_text(line), line.pack), "right"),
                (grouped(line.quantity), "right"),
            ];
            html.push_str("<tr>");
            for (text, align) in cells {
                let _ =
                    write!(html, "<td align=\"{align}\" style=\"border-bottom:1px solid #ddd\">{}</td>", escape(&text));
            }
            html.push_str("</tr>\n");
        }
        html.push_str("</table>\n");
        if self.order.lines.len() > LINES_SHOWN {
            let _ = writeln!(html, "<p>{}</p>", escape(&self.say(Text::MoreLines)));
        }
    }
}

/// Packs, with a fraction where they are not whole.
pub(crate) fn packs_text(line: &super::OrderLine) -> String {
    if line.is_whole_packs() {
        grouped(line.packs())
    } else {
        format!("{:.2}", line.quantity as f64 / line.pack as f64)
    }
}

/// Text for HTML, in content and in quoted attributes.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}
