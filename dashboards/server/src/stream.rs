//! The live stream: one connection a tab carries all it shows.
//!
//! Events `live`, `minutes`, `top`, whenever they change; the last one of a reading carries its version as id, so that
//! after a reconnect with `Last-Event-ID` only what is newer is sent. The first `minutes` is whole, later ones replace
//! the end from `from` on. `alerts` is of no view and has no id: it comes at the beginning and whenever it changes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use futures::Stream;
use linli_schemas::EventTime;
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio_util::sync::CancellationToken;

use crate::alert_log::AlertsState;
use crate::api::{Alerts, Live, Minutes, TopList};
use crate::hub::{Frame, Hub, ViewState};
use crate::meters::Meters;
use crate::problem::Problem;
use crate::scope::Permitted;
use crate::source::{Minute, Names, View};

const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What one reader has been sent and waits for.
struct Reader {
    hub: Arc<Hub>,
    view: View,
    states: watch::Receiver<ViewState>,
    alerts: watch::Receiver<AlertsState>,
    names: watch::Receiver<Arc<Names>>,
    /// Nothing of this version or an older one is sent.
    seen: u64,
    last: Option<(Arc<Frame>, Live, TopList)>,
    pending: VecDeque<Event>,
    shutdown: CancellationToken,
    _open: Open,
}

/// Counts the stream as open while it lives.
struct Open {
    meters: Arc<Meters>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.meters.streams.dec();
    }
}

pub fn open(
    hub: Arc<Hub>,
    mut alerts: watch::Receiver<AlertsState>,
    meters: Arc<Meters>,
    view: Permitted,
    last_event_id: Option<u64>,
    permit: OwnedSemaphorePermit,
    shutdown: CancellationToken,
) -> Result<Sse<impl Stream<Item = Result<Event, std::convert::Infallible>>>, Problem> {
    let view = view.view();
    let mut states = hub.follow(view)?;
    // What stands there already is news to this reader.
    states.mark_changed();
    alerts.mark_changed();
    meters.streams.inc();
    let reader = Reader {
        names: hub.follow_names(),
        hub,
        view,
        states,
        alerts,
        seen: last_event_id.unwrap_or(0),
        last: None,
        pending: VecDeque::new(),
        shutdown,
        _open: Open { meters, _permit: permit },
    };
    let events = futures::stream::unfold(reader, |mut reader| async move {
        let event = reader.next().await?;
        Some((Ok(event), reader))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE).text("")))
}

impl Reader {
    /// The next event; none when the server stops.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.pending.pop_front() {
                return Some(event);
            }
            tokio::select! {
                () = self.shutdown.cancelled() => return None,
                changed = self.states.changed() => {
                    changed.ok()?;
                    let state = self.states.borrow_and_update().clone();
                    if let ViewState::Read(frame) = state
                        && frame.version > self.seen
                    {
                        self.read(frame);
                    }
                }
                changed = self.alerts.changed() => {
                    changed.ok()?;
                    let state = self.alerts.borrow_and_update().clone();
                    if state != AlertsState::Starting {
                        self.pending.extend(event("alerts", &Alerts::of(&state)));
                    }
                }
                changed = self.names.changed() => {
                    changed.ok()?;
                    if let Some(frame) = self.last.as_ref().map(|(frame, _, _)| frame.clone()) {
                        self.read(frame);
                    }
                }
            }
        }
    }

    /// Queues what has changed since the last reading.
    fn read(&mut self, frame: Arc<Frame>) {
        let live = Live::of(&frame, self.view, self.hub.now_ms());
        let top = TopList::of(&frame, self.view, &self.names.borrow());
        let mut events = Vec::new();
        let from = match &self.last {
            Some((last, _, _)) if last.snapshot.day_start == frame.snapshot.day_start => {
                first_difference(&last.snapshot.minutes, &frame.snapshot.minutes)
            }
            _ => Some(frame.snapshot.day_start),
        };
        if let Some(from) = from {
            events.extend(event("minutes", &Minutes::of(&frame, self.view, from)));
        }
        let known = |known: &TopList| TopList { version: top.version, ..known.clone() } == top;
        if !self.last.as_ref().is_some_and(|(_, _, last)| known(last)) {
            events.extend(event("top", &top));
        }
        let known =
            |known: &Live| Live { version: live.version, server_time: live.server_time, ..known.clone() } == live;
        if !self.last.as_ref().is_some_and(|(_, last, _)| known(last)) {
            events.extend(event("live", &live));
        }
        if let Some(last) = events.pop() {
            events.push(last.id(frame.version.to_string()));
        }
        self.pending.extend(events);
        self.last = Some((frame, live, top));
    }
}

fn event(name: &str, body: &impl Serialize) -> Option<Event> {
    match Event::default().event(name).json_data(body) {
        Ok(event) => Some(event),
        Err(error) => {
            tracing::error!(error = %error, event = name, "event not encoded");
            None
        }
    }
}

/// Where two days' minutes part; none when they are the same.
fn first_difference(old: &[Minute], new: &[Minute]) -> Option<EventTime> {
    let same = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    match (old.get(same), new.get(same)) {
        (None, None) => None,
        (Some(a), Some(b)) => Some(a.start.min(b.start)),
        (Some(only), None) | (None, Some(only)) => Some(only.start),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use linli_schemas::Money;

    fn minute(start: i64, gmv: i64) -> Minute {
        Minute { start: EventTime(start), gmv: Money(gmv), orders: 1 }
    }

    #[test]
    fn days_part_at_the_first_minute_that_differs() {
        let old = [minute(0, 1), minute(1, 2)];
        assert_eq!(first_difference(&old, &old), None);
        assert_eq!(first_difference(&old, &[minute(0, 1), minute(1, 3)]), Some(EventTime(1)));
        assert_eq!(first_difference(&old, &[minute(0, 1), minute(1, 2), minute(5, 1)]), Some(EventTime(5)));
        assert_eq!(first_difference(&old, &[minute(0, 1)]), Some(EventTime(1)));
        assert_eq!(first_difference(&[minute(4, 1)], &[minute(2, 1), minute(4, 1)]), Some(EventTime(2)));
    }
}
