//! When what is held for the horizon may be forgotten: two generations, the older of which is dropped whole.

use crate::codec::{Damaged, Reader, Writer};

/// Decides when a pair of generations turns.
///
/// Everything that enters a generation bears a time no later than `newest`, the highest mark at the moment the
/// generation is replaced as the current one. It is dropped at the next turn, and that comes only when `mark`, the
/// *lowest* of the marks, has reached `newest + horizon`. A repetition of an entry bears the entry's time `t`; after
/// the drop `t <= newest <= mark - horizon <= high - horizon`, and the horizon is longer than lateness and
/// out-of-orderness bound together, so the repetition is late before anybody looks for its original.
/// Hence a repetition in time always finds its original.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rotation {
    /// The mark at which the current generation began.
    begin: Option<i64>,
    /// The newest time that the previous generation can hold.
    previous_newest: Option<i64>,
}

impl Rotation {
    /// Whether the previous generation is to be dropped, the current one to become the previous.
    pub(crate) fn turns(&mut self, mark: Option<i64>, newest: Option<i64>, horizon: i64) -> bool {
        let (Some(mark), Some(newest)) = (mark, newest) else { return false };
        let begin = *self.begin.get_or_insert(mark);
        let previous_obsolete = self.previous_newest.is_none_or(|t| mark >= t.saturating_add(horizon));
        if mark < begin.saturating_add(horizon) || !previous_obsolete {
            return false;
        }
        self.begin = Some(mark);
        self.previous_newest = Some(newest);
        true
    }

    pub(crate) fn save(&self, out: &mut Writer) {
        out.option(self.begin);
        out.option(self.previous_newest);
    }

    pub(crate) fn load(reader: &mut Reader<'_>) -> Result<Rotation, Damaged> {
        Ok(Rotation { begin: reader.option()?, previous_newest: reader.option()? })
    }
}
