//! `linli forecast answers`: the page on which suppliers answer.

use std::sync::Arc;

use linli_restock::answers::{Answers, serve};
use tokio::net::TcpListener;

use super::mail::keys;
use crate::commands::{listen_address, shutdown_on_signal};
use crate::failure::{Failure, Kind, Outcome};
use crate::output::Output;
use crate::parts::Parts;

pub async fn run(parts: &Parts, output: &Output) -> Outcome {
    let listen = listen_address(&parts.config.mail.listen)?;
    let keys = keys(parts)?;
    let failed = |error: std::io::Error| {
        Failure::new(Kind::Config, format!("cannot listen on {listen}: {error}"))
            .hint("choose another address with --listen")
    };
    let listener = TcpListener::bind(listen).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let (blobs, log) = (parts.blobs().await?, parts.log_with_topics().await?);
    let answers = Answers::new(blobs, log, parts.config.partitions, keys, parts.clock.clone(), parts.zone);
    output.note(format!("suppliers answer at http://{address}/answers/"));
    serve(listener, Arc::new(answers), shutdown_on_signal())
        .await
        .map_err(|error| Failure::new(Kind::Unavailable, format!("the page of answers ended: {error}")))
}
