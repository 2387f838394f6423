//! `linli simulate`: services of the simulated shop.

use linli_schemas::shop::Shards;
use linli_simulator::buyer::{Bought, Buyer, BuyerOptions, Until};

use super::shutdown_on_signal;
use crate::args::BuyerArgs;
use crate::failure::Outcome;
use crate::output::Output;
use crate::parts::Parts;

pub async fn buyer(args: &BuyerArgs, parts: &Parts, output: &Output) -> Outcome {
    let options = BuyerOptions {
        server: parts.shop_server()?,
        database: Shards::default().database(0),
        zone: parts.zone,
        partitions: parts.config.partitions,
    };
    let log = parts.log_with_topics().await?;
    let buyer = Buyer::new(options, log, parts.clock.clone());
    let bought = match args.receive_on {
        Some(date) => buyer.receive_on(date).await?,
        None => {
            let until = if args.until_caught_up { Until::CaughtUp } else { Until::Told };
            buyer.run(until, shutdown_on_signal()).await?
        }
    };
    output.result(&bought, text);
    Ok(())
}

fn text(bought: &Bought) -> String {
    format!(
        "{} purchase orders of {} runs, {} answers booked, {} orders received",
        bought.purchase_orders, bought.runs, bought.answers, bought.received
    )
}
