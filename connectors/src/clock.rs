//! The clock port: the system's, and a simulated one that follows tokio's paused time.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// The time of day and the passing of time.
pub trait Clock: Send + Sync {
    /// Milliseconds since the Unix epoch.
    fn now_ms(&self) -> i64;

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

pub type SharedClock = Arc<dyn Clock>;

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods)] // the one place that asks the machine
    fn now_ms(&self) -> i64 {
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
    }

    #[allow(clippy::disallowed_methods)] // the one place that sleeps
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// A clock for simulation: starts at `start_ms` and moves with tokio's time, which a test pauses.
#[derive(Clone, Debug)]
pub struct SimulatedClock {
    start_ms: i64,
    started: tokio::time::Instant,
}

impl SimulatedClock {
    #[allow(clippy::disallowed_methods)] // tokio's own clock, paused by the simulation
    pub fn starting_at(start_ms: i64) -> SimulatedClock {
        SimulatedClock { start_ms, started: tokio::time::Instant::now() }
    }
}

impl Clock for SimulatedClock {
    fn now_ms(&self) -> i64 {
        self.start_ms + i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    #[allow(clippy::disallowed_methods)] // tokio's own clock, paused by the simulation
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(tokio::time::sleep(duration))
    }
}
