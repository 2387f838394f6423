//! Lines that a person releases, as they are named on the command line.

use std::collections::BTreeMap;

use linli_restock::books::Shelf;
use linli_restock::plan::Plan;
use linli_restock::{PIECES_MAX, Release};

use crate::failure::{Failure, Kind, Outcome};

/// Characters of a name.
const NAME_CHARS_MAX: usize = 60;

/// `1/5` (warehouse and SKU), or `1/5=120` with the pieces that are to be ordered.
pub fn parse(texts: &[String], by: Option<&str>) -> Outcome<BTreeMap<Shelf, Release>> {
    let by = by.map(str::trim).unwrap_or_default();
    let named = !by.is_empty() && by.chars().count() <= NAME_CHARS_MAX && !by.chars().any(char::is_control);
    if !texts.is_empty() && !named {
        return Err(Failure::new(Kind::Config, "--by: a release is somebody's")
            .hint(format!("say who releases, in up to {NAME_CHARS_MAX} characters, as in --by \"Li Wei\"")));
    }
    let mut releases = BTreeMap::new();
    for text in texts {
        let (shelf, pieces) = one(text).ok_or_else(|| {
            Failure::new(Kind::Config, format!("--release {text}: it names no line"))
                .hint("write warehouse and SKU as in 1/5, with the pieces that are to be ordered as in 1/5=120")
        })?;
        if releases.insert(shelf, Release { by: by.to_owned(), pieces }).is_some() {
            return Err(Failure::new(Kind::Config, format!("--release {text}: the line is named twice")));
        }
    }
    Ok(releases)
}

fn one(text: &str) -> Option<(Shelf, Option<i64>)> {
    let (shelf, pieces) = match text.split_once('=') {
        Some((shelf, pieces)) => (shelf, Some(pieces.parse().ok().filter(|pieces| (0..=PIECES_MAX).contains(pieces))?)),
        None => (text, None),
    };
    let (warehouse_id, sku_id) = shelf.split_once('/')?;
    Some(((warehouse_id.parse().ok()?, sku_id.parse().ok()?), pieces))
}

/// Refuses what releases no line of the plan: a number may be mistyped.
pub fn found(releases: &BTreeMap<Shelf, Release>, plan: &Plan) -> Outcome {
    let mut missing = releases.clone();
    for planned in &plan.lines {
        missing.remove(&(planned.line.place.warehouse_id, planned.line.sku_id));
    }
    match missing.keys().next() {
        None => Ok(()),
        Some((warehouse_id, sku_id)) => {
            let cause = format!("--release {warehouse_id}/{sku_id}: the run has no such line; nothing is published");
            Err(Failure::new(Kind::Input, cause).hint("a run without --release lists the lines that wait"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn lines_are_named_by_warehouse_and_sku() {
        let releases = parse(&texts(&["1/5", "2/9000000001=120", "1/6=0"]), Some(" Li Wei ")).expect("releases");
        let of = |pieces| Release { by: "Li Wei".to_owned(), pieces };
        let expected = [((1, 5), of(None)), ((2, 9_000_000_001), of(Some(120))), ((1, 6), of(Some(0)))];
        assert_eq!(releases, expected.into());
        assert_eq!(parse(&[], None).expect("none"), BTreeMap::new());
    }

    #[test]
    fn what_names_no_line_or_nobody_is_refused() {
        for text in ["5", "1/", "/5", "1/5=", "1/5=-1", "1/5=1.5", "1/5=1000000001", "a/b", "1/5=1=2"] {
            let error = parse(&texts(&[text]), Some("Li Wei")).expect_err(text);
            assert!(error.message.contains(text) && error.hint.is_some(), "{error:?}");
        }
        for by in [None, Some(" "), Some("a\nb"), Some("长".repeat(61).as_str())] {
            let error = parse(&texts(&["1/5"]), by).expect_err("nobody");
            assert!(error.message.contains("--by") && error.hint.is_some(), "{error:?}");
        }
        assert!(parse(&texts(&["1/5", "1/5=3"]), Some("Li Wei")).is_err());
    }
}
