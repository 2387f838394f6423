//! Reading a body within bounds: of its own size, inflated or not, and of the memory of all requests together.

use std::io::Read as _;
use std::sync::Arc;

use axum::body::Body;
use flate2::bufread::MultiGzDecoder;
use futures::StreamExt as _;
use prometheus::IntGauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::problem::Problem;

/// The budget counts in units of so many bytes.
const UNIT_BYTES: usize = 1024;

/// How much is inflated before the budget is asked again.
const INFLATE_STEP_BYTES: usize = 256 << 10;

/// The memory of all requests that are not answered yet.
#[derive(Clone)]
pub(super) struct Budget {
    units: Arc<Semaphore>,
    used: IntGauge,
}

/// A request's share. It must live as long as the request's bytes do.
pub(super) struct Share {
    budget: Budget,
    permit: Option<OwnedSemaphorePermit>,
    bytes: usize,
    units: usize,
}

/// No more memory is to be had.
pub(super) struct Exhausted;

impl Budget {
    pub fn new(bytes_max: usize, used: IntGauge) -> Budget {
        let units = (bytes_max / UNIT_BYTES).clamp(1, Semaphore::MAX_PERMITS);
        Budget { units: Arc::new(Semaphore::new(units)), used }
    }

    pub fn share(&self) -> Share {
        Share { budget: self.clone(), permit: None, bytes: 0, units: 0 }
    }
}

impl Share {
    /// Takes so many bytes more, at once or not at all.
    pub fn grow(&mut self, bytes: usize) -> Result<(), Exhausted> {
        self.bytes = self.bytes.saturating_add(bytes);
        let missing = self.bytes.div_ceil(UNIT_BYTES) - self.units;
        if missing == 0 {
            return Ok(());
        }
        let wanted = u32::try_from(missing).map_err(|_| Exhausted)?;
        let more = Arc::clone(&self.budget.units).try_acquire_many_owned(wanted).map_err(|_| Exhausted)?;
        self.units += missing;
        self.budget.used.add((missing * UNIT_BYTES) as i64);
        match &mut self.permit {
            Some(permit) => permit.merge(more),
            None => self.permit = Some(more),
        }
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.used.sub((self.units * UNIT_BYTES) as i64);
    }
}

/// Why a body could not be read.
pub(super) enum Unread {
    Exhausted,
    Problem(Problem),
}

impl From<Exhausted> for Unread {
    fn from(_: Exhausted) -> Unread {
        Unread::Exhausted
    }
}

impl From<Problem> for Unread {
    fn from(problem: Problem) -> Unread {
        Unread::Problem(problem)
    }
}

/// Reads a body as it was sent.
pub(super) async fn read(body: Body, max: usize, share: &mut Share) -> Result<Vec<u8>, Unread> {
    let mut bytes = Vec::new();
    let mut pieces = body.into_data_stream();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|_| Problem::CutBody)?;
        if bytes.len() + piece.len() > max {
            return Err(Problem::TooLarge { max }.into());
        }
        share.grow(piece.len())?;
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// Inflates a body, and stops as soon as it is longer than `max`: a small body can hold a large bomb.
pub(super) fn inflate(packed: &[u8], max: usize, share: &mut Share) -> Result<Vec<u8>, Unread> {
    let mut decoder = MultiGzDecoder::new(packed);
    let mut bytes = Vec::new();
    loop {
        share.grow(INFLATE_STEP_BYTES)?;
        let before = bytes.len();
        let mut step = (&mut decoder).take(INFLATE_STEP_BYTES as u64);
        step.read_to_end(&mut bytes).map_err(|error| Problem::BadGzip { cause: error.to_string() })?;
        if bytes.len() > max {
            return Err(Problem::TooLarge { max }.into());
        }
        if bytes.len() - before < INFLATE_STEP_BYTES {
            return Ok(bytes);
        }
    }
}
