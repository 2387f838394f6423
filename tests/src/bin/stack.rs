//! `cargo run -p linli-tests --bin stack -- kafka redis mysql`: starts real servers, prints their URLs on stdout,
//! and keeps them until its standard input ends or it is interrupted.

use std::process::ExitCode;

use linli_tests::stack::{Kafka, Mysql, Redis, Result};

fn main() -> ExitCode {
    let names: Vec<String> = std::env::args().skip(1).collect();
    if names.is_empty() {
        eprintln!("usage: stack kafka|redis|mysql …");
        return ExitCode::from(2);
    }
    let mut running: Vec<Box<dyn std::any::Any>> = Vec::new();
    for name in &names {
        match start(name) {
            Ok(Some((url, server))) => {
                println!("{url}");
                running.push(server);
            }
            Ok(None) => {
                eprintln!("unknown server {name:?}: one of kafka, redis, mysql");
                return ExitCode::from(2);
            }
            Err(error) => {
                eprintln!("{error}");
                return ExitCode::FAILURE;
            }
        }
    }
    eprintln!("running until standard input ends (press Ctrl-D or Ctrl-C)");
    match std::io::copy(&mut std::io::stdin(), &mut std::io::sink()) {
        Ok(_) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn start(name: &str) -> Result<Option<(String, Box<dyn std::any::Any>)>> {
    Ok(match name {
        "kafka" => Kafka::try_start().map(|server| Some((server.url(), Box::new(server) as Box<dyn std::any::Any>)))?,
        "redis" => Redis::try_start().map(|server| Some((server.url(), Box::new(server) as Box<dyn std::any::Any>)))?,
        "mysql" => Mysql::try_start().map(|server| Some((server.url(), Box::new(server) as Box<dyn std::any::Any>)))?,
        _ => None,
    })
}
