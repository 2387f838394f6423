//! What suppliers answer, behind the signed link of their mail.

mod link;

pub use link::{Key, Keys, Links, Refusal, Ticket};

use linli_connectors::blobs::Blobs;
use linli_schemas::forecast::RunId;

/// Whether a supplier has answered anything of a run.
pub async fn answered(blobs: &dyn Blobs, run: &RunId, supplier_id: i64) -> linli_connectors::Result<bool> {
    Ok(!blobs.list(&format!("restock/answers/{run}/{supplier_id}")).await?.is_empty())
}
