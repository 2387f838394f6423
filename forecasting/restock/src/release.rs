//! What a person decides of a line that waits.

use serde::{Deserialize, Serialize};

use crate::line::{Hold, Line};
use crate::terms::PIECES_MAX;

/// A person's word on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// Who says so.
    pub by: String,
    /// How many pieces are to be ordered, whatever the sum says; `None`: what it says.
    pub pieces: Option<i64>,
}

/// A line that a person released, and what it waited for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Released {
    pub by: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pieces: Option<i64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<Hold>,
}

impl Line {
    /// The line as it may be acted on. What a person says stands over every bound; the sum tells by how much.
    pub fn release(&mut self, release: &Release) {
        self.terms.released = Some(Released {
            by: release.by.clone(),
            pieces: release.pieces.map(|pieces| pieces.clamp(0, PIECES_MAX)),
            holds: std::mem::take(&mut self.holds),
        });
        let sum = self.terms.sum();
        (self.quantity, self.sum) = (sum.quantity, sum.addends);
    }
}
