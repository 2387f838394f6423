//! Which rows a reader may see: decided here and nowhere else.
//!
//! The hub answers only to a [`Permitted`] view, and only [`permit`] makes one.

use crate::problem::Problem;
use crate::source::View;

/// The rows a reader may see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RowScope {
    /// Every community, every category.
    #[default]
    Everything,
}

/// A view that has passed [`permit`].
#[derive(Clone, Copy, Debug)]
pub struct Permitted(View);

impl Permitted {
    pub fn view(&self) -> View {
        self.0
    }
}

/// Holds a view against the reader's scope.
pub fn permit(scope: RowScope, view: View) -> Result<Permitted, Problem> {
    match scope {
        RowScope::Everything => Ok(Permitted(view)),
    }
}
