//! The real servers start, say what they are, survive a restart, and are gone when dropped.

use std::net::TcpStream;

use linli_tests::stack::{Kafka, Mysql, Redis};

fn listens(url: &str) -> bool {
    let address = url.rsplit(['/', '@']).next().expect("a URL with a host");
    TcpStream::connect(address).is_ok()
}

#[test]
fn kafka_starts_and_restarts() {
    let mut kafka = Kafka::start();
    assert_eq!(kafka.version().as_deref(), Some("4.1.0"));
    kafka.kill();
    assert!(!listens(&kafka.url()));
    kafka.run().expect("Kafka starts again on its data");
    let url = kafka.url();
    assert!(listens(&url));
    drop(kafka);
    assert!(!listens(&url));
}

#[test]
fn redis_starts_and_restarts() {
    let mut redis = Redis::start();
    assert!(redis.version().is_some_and(|version| version.starts_with(|c: char| c.is_ascii_digit())));
    assert!(redis.flush());
    redis.kill();
    assert!(!listens(&redis.url()));
    redis.run().expect("Redis starts again");
    assert!(listens(&redis.url()));
}

#[test]
fn mysql_starts_and_restarts() {
    let mut mysql = Mysql::start();
    assert_eq!(mysql.version().as_deref(), Some("8.0.15"));
    mysql.kill();
    assert!(!listens(&mysql.url()));
    mysql.run().expect("MySQL starts again on its data");
    assert!(listens(&mysql.url()));
}
