//! Quarantine as the stream keeps it: what is held of a table is applied between live changes, on demand.

use std::sync::Arc;

use bytes::Bytes;
use linli_connectors::blobs::SharedBlobs;
use linli_connectors::{Error, ErrorKind};

use super::apply::Applier;
use super::catalog::Known;
use super::kept::{self, Front, Kept};
use super::quarantine::{Applying, Quarantines, split};
use super::store::Store;
use super::stream::Stream;

/// Bytes of records that are published at once, and batches before live changes get their turn.
const PUBLISH_BYTES: usize = 4 << 20;
const TURN_BATCHES: usize = 2;

/// What is being applied.
pub(super) struct Cure {
    pub(super) table: String,
    applier: Applier,
    /// The object that is being read: its key, and what is left of it.
    object: Option<(String, Bytes)>,
}

/// How far a step came.
enum Applied {
    Some,
    All,
    /// At an event that cannot be applied.
    Stopped(String),
}

/// The content of an object of what is held.
pub(super) async fn object(blobs: &SharedBlobs, server: &str, key: &str) -> Result<Bytes, Error> {
    let key = format!("{}/{key}", Store::prefix_of(server));
    blobs.get(&key).await?.ok_or_else(|| {
        Error::new(ErrorKind::Corrupt, format!("object {key}"), "is missing: it holds changes of a table in quarantine")
            .hint("restore the blob store, or read the table anew by `linli ingest cdc snapshot`")
    })
}

/// Takes up, in each of these copies, that what is held of a table is to be applied; whether it can be.
pub(super) fn ask(quarantines: &mut Arc<Quarantines>, table: &str, definition: Option<&String>) -> bool {
    match Arc::make_mut(quarantines).get_mut(table) {
        Some(quarantine) if quarantine.gap.is_none() => {
            quarantine.applying = Some(Applying { definition: definition.cloned() });
            true
        }
        _ => false,
    }
}

impl Stream<'_> {
    /// Takes up that what is held of a table is to be applied.
    pub(super) fn ask_to_apply(&mut self, table: &str, definition: Option<&String>) {
        if !ask(&mut self.follower.quarantines, table, definition) {
            let gap = self.follower.quarantines.get(table).and_then(|quarantine| quarantine.gap.as_deref());
            let gap = gap.unwrap_or("it is not in quarantine");
            tracing::error!(
                table,
                reason = gap,
                "what is held of a table cannot be applied: read it anew by `linli ingest cdc snapshot {table}`"
            );
            return;
        }
        tracing::info!(table, "what is held of a table is applied");
        // What is on its way to the log, and what is there, say so too: else one of them would take it back.
        if let Some((_, mark)) = &mut self.appending {
            ask(&mut mark.quarantines, table, definition);
        }
        ask(&mut self.state.quarantines, table, definition);
        self.cure = None;
    }

    fn to_cure(&self) -> Option<&String> {
        let applying = self.follower.quarantines.iter().find(|(_, quarantine)| quarantine.applying.is_some());
        applying.map(|(table, _)| table)
    }

    pub(super) fn is_curing(&self) -> bool {
        self.to_cure().is_some()
    }

    /// Whether the stream stands still, for held events to be applied.
    pub(super) fn waits_for_cure(&self) -> bool {
        self.cure_is_due && !self.follower.in_transaction()
    }

    /// Whether the next held events can be applied now: all that was read before is on the log.
    pub(super) fn can_cure(&self) -> bool {
        self.waits_for_cure() && self.appending.is_none() && self.follower.batch.is_empty()
    }

    /// Applies some of what is held. Once all is, the quarantine is over: the stream stands still meanwhile.
    pub(super) async fn apply_held(&mut self) -> Result<(), Error> {
        let Some(table) = self.to_cure().cloned() else {
            (self.cure, self.cure_is_due) = (None, false);
            return Ok(());
        };
        self.cure_is_due = true;
        if !self.can_cure() {
            return Ok(());
        }
        let mut cure = match self.cure.take().filter(|cure| cure.table == table) {
            Some(cure) => cure,
            None => match self.begin_cure(&table) {
                Ok(cure) => cure,
                Err(why) => {
                    self.give_up(&table, &why);
                    return self.stand_here().await;
                }
            },
        };
        for _ in 0..TURN_BATCHES {
            match self.apply_some(&mut cure).await? {
                Applied::Some => {}
                Applied::All => {
                    self.end_cure(&cure);
                    return Ok(());
                }
                Applied::Stopped(why) => {
                    self.has_come_to(&cure, &why);
                    self.give_up(&table, &why);
                    return self.stand_here().await;
                }
            }
        }
        let reason =
            self.follower.quarantines.get(&table).map_or(String::new(), |quarantine| quarantine.reason.clone());
        self.has_come_to(&cure, &reason);
        (self.cure, self.cure_is_due) = (Some(cure), false);
        self.stand_here().await
    }

    fn begin_cure(&self, table: &str) -> Result<Cure, String> {
        let quarantine = self.follower.quarantines.get(table).ok_or("it is not in quarantine")?;
        if let Some(gap) = &quarantine.gap {
            return Err(gap.clone());
        }
        let reader = self.reader;
        let (router, options) = (Arc::clone(&reader.router), Arc::clone(&reader.options));
        let mut applier = Applier::new(self.follower.catalog(), table, &reader.address.name, router, options)
            .ok_or("the table is gone")?;
        if let Some(sql) = quarantine.applying.as_ref().and_then(|applying| applying.definition.as_ref()) {
            applier.define(sql)?;
        }
        Ok(Cure { table: table.to_owned(), applier, object: None })
    }

    /// Publishes a batch of what is held.
    async fn apply_some(&mut self, cure: &mut Cure) -> Result<Applied, Error> {
        let outcome = self.make_records(cure).await?;
        let records = cure.applier.take();
        let prefix = Store::prefix_of(&self.reader.address.name);
        let records = self.reader.publisher.set_aside(&self.reader.parts.blobs, &prefix, records).await?;
        if !records.is_empty() {
            self.reader.publisher.append(records).await?;
        }
        Ok(outcome)
    }

    /// Makes records of held events until they are enough for a batch.
    async fn make_records(&mut self, cure: &mut Cure) -> Result<Applied, Error> {
        let reader = self.reader;
        while cure.applier.bytes() < PUBLISH_BYTES {
            let Some(quarantine) = self.follower.quarantines.get(&cure.table) else {
                return Ok(Applied::All);
            };
            let (front, mut done) = quarantine.kept.front();
            let (mut events, mut at) = match front {
                Front::Empty => return Ok(Applied::All),
                Front::Rest(rest) => (rest, 0),
                Front::Object(key) => match cure.object.take().filter(|(open, _)| *open == key) {
                    Some((_, left)) => (left, done),
                    None => (object(&reader.parts.blobs, &reader.address.name, &key).await?, 0),
                },
            };
            let now_ms = reader.parts.clock.now_ms();
            let mut stopped = None;
            let mut applied = (0, 0);
            while cure.applier.bytes() < PUBLISH_BYTES && stopped.is_none() {
                let Some(read) = kept::next(&mut events) else { break };
                stopped = read
                    .and_then(|(head, event)| {
                        if at < done {
                            return cure.applier.pass(&head);
                        }
                        cure.applier.event(&head, &event, now_ms)?;
                        (done, applied) = (done + 1, (applied.0 + 1, applied.1 + event.len() as u64));
                        Ok(())
                    })
                    .err();
                at += 1;
            }
            self.note_applied(cure, events, done, applied, stopped.is_none());
            if let Some(why) = stopped {
                return Ok(Applied::Stopped(why));
            }
        }
        Ok(Applied::Some)
    }

    /// What was applied of the oldest is no more to be applied.
    fn note_applied(&mut self, cure: &mut Cure, left: Bytes, done: u64, (events, bytes): (u64, u64), whole: bool) {
        let Some(quarantine) = Arc::make_mut(&mut self.follower.quarantines).get_mut(&cure.table) else {
            return;
        };
        quarantine.events = quarantine.events.saturating_sub(events);
        quarantine.bytes = quarantine.bytes.saturating_sub(bytes);
        let kept: &mut Kept = &mut quarantine.kept;
        if left.is_empty() && whole {
            self.follower.garbage.extend(kept.pop());
            return;
        }
        kept.applied(done);
        if let (Front::Object(key), _) = kept.front() {
            cure.object = Some((key, left));
        }
    }

    /// How the table is behind what was applied is where it goes on from.
    fn has_come_to(&mut self, cure: &Cure, reason: &str) {
        if let Some(known) = cure.applier.known() {
            self.follower.redefine(|catalog| catalog.put(Known { lost: Some(reason.to_owned()), ..known }));
        }
        if let Some(quarantine) = Arc::make_mut(&mut self.follower.quarantines).get_mut(&cure.table)
            && let Some(applying) = &mut quarantine.applying
            && cure.applier.is_defined()
        {
            applying.definition = None;
        }
    }

    /// What is held is on its topic: from here on the table's changes go there themselves.
    fn end_cure(&mut self, cure: &Cure) {
        let (db, name) = split(&cure.table);
        let known = cure.applier.known();
        self.follower.redefine(|catalog| match known {
            Some(known) => catalog.put(known),
            None => drop(catalog.remove(db, name)),
        });
        self.follower.end_quarantine(&cure.table);
        if cure.applier.was_altered() {
            self.follower.reread.push(cure.table.clone());
        }
        self.cure_is_due = false;
    }

    /// The quarantine stays, from the event on that could not be applied.
    fn give_up(&mut self, table: &str, why: &str) {
        tracing::error!(
            table,
            reason = why,
            "what is held of a table cannot be applied: give the table's definition of then by \
             `linli ingest cdc quarantine apply {table} --definition FILE`, or read it anew by `linli ingest cdc snapshot {table}`"
        );
        if let Some(quarantine) = Arc::make_mut(&mut self.follower.quarantines).get_mut(table) {
            quarantine.applying = None;
            quarantine.reason = why.to_owned();
        }
        self.cure_is_due = false;
    }
}
