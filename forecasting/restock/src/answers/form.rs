//! The form of the page: what was entered, and what it means.

use std::collections::BTreeMap;

use linli_schemas::forecast::AnswerKind;

use super::store::{NewAnswer, Sheet};
use crate::mail::texts::Text;
use crate::mail::{OrderLine, SupplierOrder};

/// Characters of a note.
pub(super) const NOTE_CHARS_MAX: usize = 200;
/// As many times the ordered packs may be offered.
const OFFER_FACTOR: i64 = 10;
/// Fields of a form: more than the page has lines for.
const FIELDS_MAX: usize = 1_000;

/// What was entered for a line, as it was entered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Entered {
    pub answer: String,
    pub packs: String,
    pub note: String,
}

/// A form as it was sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Form {
    pub token: String,
    /// The version that the supplier saw.
    pub seen: u64,
    pub page: usize,
    pub accept_rest: bool,
    pub lines: BTreeMap<usize, Entered>,
}

/// What is wrong with a line, with the bound that it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub text: Text,
    pub most: i64,
}

/// The most packs of a line that can be offered.
pub(super) fn packs_max(line: &OrderLine) -> i64 {
    line.quantity.div_euclid(line.pack).max(1).saturating_mul(OFFER_FACTOR)
}

/// Reads a body of `application/x-www-form-urlencoded`; `None` for what the page's form cannot have sent: a field that it
/// does not have or twice, or a line that is not the order's.
pub(super) fn read(body: &[u8], order_lines: usize) -> Option<Form> {
    let mut form = Form { page: 1, ..Form::default() };
    let mut seen = std::collections::BTreeSet::new();
    for (key, value) in url::form_urlencoded::parse(body) {
        if seen.len() >= FIELDS_MAX || !seen.insert(key.clone().into_owned()) {
            return None;
        }
        match &*key {
            "token" => form.token = value.into_owned(),
            "version" => form.seen = value.parse().ok()?,
            "page" => form.page = value.parse().ok()?,
            "all" => form.accept_rest = value == "accepted",
            "save" => {}
            key => {
                let (field, at) = key.split_at_checked(1)?;
                let at: usize = at.parse().ok().filter(|at| *at < order_lines)?;
                let entered = form.lines.entry(at).or_default();
                match field {
                    "a" => entered.answer = value.into_owned(),
                    "q" => entered.packs = value.into_owned(),
                    "n" => entered.note = value.into_owned(),
                    _ => return None,
                }
            }
        }
    }
    Some(form)
}

/// What the form says of each line that it answers, or what is wrong with it.
pub(super) fn answers(
    form: &Form,
    order: &SupplierOrder,
    sheet: &Sheet,
) -> Result<BTreeMap<usize, NewAnswer>, BTreeMap<usize, Fault>> {
    let (mut answers, mut faults) = (BTreeMap::new(), BTreeMap::new());
    for (at, entered) in &form.lines {
        let Some(line) = order.lines.get(*at) else { continue };
        match answer(line, entered) {
            Ok(Some(answer)) => {
                answers.insert(*at, answer);
            }
            Ok(None) => {}
            Err(fault) => {
                faults.insert(*at, fault);
            }
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    if form.accept_rest {
        for (at, line) in order.lines.iter().enumerate().filter(|(at, _)| !sheet.answers.contains_key(at)) {
            let accepted = NewAnswer { answer: AnswerKind::Accepted, quantity: line.quantity, note: None };
            answers.entry(at).or_insert(accepted);
        }
    }
    Ok(answers)
}

/// `None`: nothing is said of it.
fn answer(line: &OrderLine, entered: &Entered) -> Result<Option<NewAnswer>, Fault> {
    let note = note(&entered.note)?;
    let of = |answer, quantity| Ok(Some(NewAnswer { answer, quantity, note: note.clone() }));
    match entered.answer.as_str() {
        "accepted" => of(AnswerKind::Accepted, line.quantity),
        "refused" => of(AnswerKind::Refused, 0),
        "changed" => match packs(line, &entered.packs)? * line.pack {
            // Said in its own word, however it was entered.
            0 => of(AnswerKind::Refused, 0),
            quantity if quantity == line.quantity => of(AnswerKind::Accepted, quantity),
            quantity => of(AnswerKind::Changed, quantity),
        },
        _ => Ok(None),
    }
}

fn packs(line: &OrderLine, text: &str) -> Result<i64, Fault> {
    let most = packs_max(line);
    // Input methods write digits in full width.
    let digits: String = text
        .trim()
        .chars()
        .map(|c| match c {
            '０'..='９' => char::from_digit(u32::from(c) - u32::from('０'), 10).unwrap_or(c),
            c => c,
        })
        .collect();
    if digits.is_empty() {
        return Err(Fault { text: Text::MissingPacks, most });
    }
    let whole = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<i64>().ok()).flatten();
    whole.filter(|packs| *packs <= most).ok_or(Fault { text: Text::WrongPacks, most })
}

fn note(text: &str) -> Result<Option<String>, Fault> {
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let plain = plain.trim();
    if plain.chars().count() > NOTE_CHARS_MAX {
        return Err(Fault { text: Text::LongNote, most: NOTE_CHARS_MAX as i64 });
    }
    Ok((!plain.is_empty()).then(|| plain.to_owned()))
}
