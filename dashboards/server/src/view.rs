//! What a reader asks to see, parsed once from the query string.

use linli_schemas::{CategoryId, CommunityId};
use serde::Deserialize;

use crate::problem::Problem;
use crate::source::{TopQuery, TopScope, TopWindow, View};

/// The query string as it arrives.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct ViewQuery {
    pub community: Option<String>,
    pub window: Option<String>,
    pub scope: Option<String>,
}

impl ViewQuery {
    pub fn parse(&self) -> Result<View, Problem> {
        let community = match present(self.community.as_deref()) {
            None => None,
            Some(text) => Some(CommunityId(id("community", text)?)),
        };
        let window = match present(self.window.as_deref()) {
            None | Some("day") => TopWindow::Day,
            Some("hour") => TopWindow::Hour,
            Some(other) => return Err(Problem::bad("window", other, "day or hour")),
        };
        let scope = match present(self.scope.as_deref()) {
            None | Some("all") => TopScope::All,
            Some(text) => match text.split_once(':') {
                Some(("category", number)) => TopScope::Category(CategoryId(id("scope", number)?)),
                Some(("community", number)) => TopScope::Community(CommunityId(id("scope", number)?)),
                _ => return Err(Problem::bad("scope", text, "all, category:ID or community:ID")),
            },
        };
        Ok(View { community, top: TopQuery { window, scope } })
    }
}

fn present(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

fn id(parameter: &'static str, text: &str) -> Result<i64, Problem> {
    text.parse().map_err(|_| Problem::bad(parameter, text, "a whole number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(community: &str, window: &str, scope: &str) -> Result<View, Problem> {
        let text = |t: &str| Some(t.to_owned());
        ViewQuery { community: text(community), window: text(window), scope: text(scope) }.parse()
    }

    #[test]
    fn empty_parameters_mean_the_whole_shop_today() {
        let view = parse("", "", "").unwrap();
        assert_eq!(view, View::default());
    }

    #[test]
    fn ids_are_64_bit() {
        let view = parse("9007199254740993", "hour", "category:-1").unwrap();
        assert_eq!(view.community, Some(CommunityId(9_007_199_254_740_993)));
        assert_eq!(view.top.scope, TopScope::Category(CategoryId(-1)));
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        for (community, window, scope) in
            [("x", "", ""), ("", "week", ""), ("", "", "sku:1"), ("", "", "category:"), ("1e3", "", "")]
        {
            assert!(parse(community, window, scope).is_err(), "{community}/{window}/{scope}");
        }
    }
}
