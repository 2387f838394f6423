//! A real Kafka broker: one node, KRaft.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::process::{Server, prepare};
use super::{Result, fetch, free_port, io};

/// Any fixed id does: each broker has a folder of its own.
const CLUSTER_ID: &str = "bGlubGktdGVzdHMtMDAwMQ";

pub struct Kafka {
    server: Option<Server>,
    port: u16,
    jars: PathBuf,
    dir: TempDir,
}

impl Kafka {
    /// A broker without topics, ready for requests.
    ///
    /// # Panics
    /// With the reason, when the server cannot be had: a test that needs it must fail.
    pub fn start() -> Kafka {
        Kafka::try_start().unwrap_or_else(|error| panic!("{error}"))
    }

    pub fn try_start() -> Result<Kafka> {
        let jars = fetch("kafka")?.join("jars");
        let dir = tempfile::tempdir().map_err(io("make a folder for Kafka"))?;
        let (port, controller) = (free_port()?, free_port()?);
        fs::write(dir.path().join("server.properties"), properties(port, controller, dir.path()))
            .and_then(|()| fs::write(dir.path().join("log4j2.properties"), LOGGING))
            .map_err(io("configure Kafka"))?;
        let mut kafka = Kafka { server: None, port, jars, dir };
        let mut format = kafka.java("kafka.tools.StorageTool");
        format.args(["format", "--cluster-id", CLUSTER_ID, "--config"]).arg(kafka.dir.path().join("server.properties"));
        prepare("kafka", &mut format)?;
        kafka.run()?;
        Ok(kafka)
    }

    /// Kills the broker, as a crash would. What it has acknowledged stays.
    pub fn kill(&mut self) {
        self.server = None;
    }

    /// Starts the broker again after [`Kafka::kill`]: same port, same data.
    pub fn run(&mut self) -> Result<()> {
        self.kill();
        let mut broker = self.java("kafka.Kafka");
        broker.arg(self.dir.path().join("server.properties"));
        let port = self.port;
        let server = Server::start("kafka", &broker, &self.dir.path().join("kafka.log"), |log| {
            log.contains("Kafka Server started") && TcpStream::connect(("127.0.0.1", port)).is_ok()
        })?;
        self.server = Some(server);
        Ok(())
    }

    /// `kafka://127.0.0.1:PORT`
    pub fn url(&self) -> String {
        format!("kafka://{}", self.address())
    }

    /// `127.0.0.1:PORT`
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// As the broker reports it, such as `4.1.0`.
    pub fn version(&self) -> Option<String> {
        let log = self.server.as_ref()?.log_text();
        let (_, rest) = log.split_once("Kafka version: ")?;
        rest.split_whitespace().next().map(str::to_owned)
    }

    fn java(&self, class: &str) -> Command {
        let mut command = Command::new("java");
        command
            .args(["-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-cp"])
            .arg(self.jars.join("*"))
            .arg(format!("-Dlog4j2.configurationFile={}", self.dir.path().join("log4j2.properties").display()))
            .arg(class);
        command
    }
}

fn properties(port: u16, controller: u16, dir: &Path) -> String {
    format!(
        "process.roles=broker,controller\n\
         node.id=1\n\
         controller.quorum.voters=1@127.0.0.1:{controller}\n\
         listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n\
         controller.listener.names=CONTROLLER\n\
         listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\n\
         log.dirs={}\n\
         auto.create.topics.enable=false\n\
         offsets.topic.num.partitions=4\n\
         offsets.topic.replication.factor=1\n\
         transaction.state.log.num.partitions=2\n\
         transaction.state.log.replication.factor=1\n\
         transaction.state.log.min.isr=1\n\
         share.coordinator.state.topic.replication.factor=1\n\
         share.coordinator.state.topic.min.isr=1\n\
         group.initial.rebalance.delay.ms=0\n\
         group.min.session.timeout.ms=1000\n\
         group.consumer.min.session.timeout.ms=1000\n\
         group.consumer.min.heartbeat.interval.ms=300\n",
        dir.join("data").display(),
    )
}

const LOGGING: &str = "\
rootLogger.level=INFO
rootLogger.appenderRef.out.ref=out
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{ISO8601} %p %c{1} %m%n
";
