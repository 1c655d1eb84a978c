//! One run: its text so far, who watches it, and what each of its ends leaves behind.
//!
//! **Invariant:** everything that a watcher can see happens under the run's lock: the text grows and is published in one
//! step, a watcher gets the text so far and joins in one step, and the end is published and ends the channel in one step.
//! A run that is over is off the list before its lock is released.
//!
//! **Absent on purpose:** the source. The [relay](super::relay) owns it, so that dropping the task drops the request.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;
use lychgate_hub::{Class, Encode, EndCode, Session, Subscription};
use lychgate_protocol::channel::ChannelName;
use lychgate_protocol::ws::encode;
use parking_lot::Mutex;
use smallvec::SmallVec;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::policy::Permit;
use crate::ports::text_source::SourceFault;
use crate::streams::form::StreamForm;
use crate::streams::{COMPLETED, Opening, Shared, UPSTREAM_FAILED, WatchRefused, relay};

/// The text so far goes to a watcher in frames of at most this many bytes of text.
const STRETCH_BYTES_MAX: usize = 65_536;

/// One text on its way to those who watch it.
pub(crate) struct Run {
    pub(super) shared: Arc<Shared>,
    channel: ChannelName,
    state: Mutex<State>,
    /// The last watcher has left.
    pub(super) deserted: Notify,
}

struct State {
    stage: Stage,
    text: String,
    /// Of the last frame published.
    offset: u64,
    watchers: usize,
    /// Since when nobody watches.
    deserted_at: Option<Instant>,
    forms: SmallVec<[(Class, Arc<dyn StreamForm>); 1]>,
}

/// How far a run has come.
enum Stage {
    /// On the list, without a task.
    Made,
    /// Its task reads the source.
    Running,
    /// The text is whole, or never will be; kept for those who come late.
    Finished(Result<(), SourceFault>),
    /// Off the list. Whoever finds it looks again.
    Retired,
}

/// One session's watching of a run: dropping it is its leaving, however the connection ends.
#[must_use = "a watcher leaves when this is dropped"]
pub struct Watch {
    permit: Permit,
    run: Arc<Run>,
    subscription: Option<Subscription>,
}

impl Watch {
    /// What it rests on.
    #[must_use]
    pub const fn permit(&self) -> &Permit {
        &self.permit
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.run.leave(self.subscription.take());
    }
}

impl Run {
    pub(super) fn new(shared: Arc<Shared>, channel: ChannelName) -> Self {
        let state = State {
            stage: Stage::Made,
            text: String::new(),
            offset: 0,
            watchers: 0,
            deserted_at: None,
            forms: SmallVec::new(),
        };
        Self { shared, channel, state: Mutex::new(state), deserted: Notify::new() }
    }

    /// Lets `session` watch; nothing if the run has been retired.
    pub(super) fn join(
        self: &Arc<Self>,
        permit: &Permit,
        session: &Session,
        opening: &Opening,
        queue: &mut dyn FnMut(Bytes),
    ) -> Option<Result<Watch, WatchRefused>> {
        // Declared before the lock, so that a panic of a form or of `queue` gives up the lock and then the watch.
        let watch;
        let mut state = self.state.lock();
        if matches!(state.stage, Stage::Retired) {
            return None;
        }
        // First, so that who is refused got nothing; no piece can come between this and the text so far.
        let subscription = match self.shared.registrar.subscribe(session, &self.channel, opening.class) {
            Ok(subscription) => subscription,
            Err(refused) => {
                if matches!(state.stage, Stage::Made) {
                    self.retire(&mut state);
                }
                return Some(Err(refused.into()));
            }
        };
        state.watchers += 1;
        state.deserted_at = None;
        watch = Watch { permit: permit.clone(), run: Arc::clone(self), subscription: Some(subscription) };
        let form = state.form(opening.class, &opening.form);
        for stretch in stretches(&state.text) {
            queue(text_frame(&form.piece(stretch)));
        }
        match &state.stage {
            Stage::Made => {
                relay::start(Arc::clone(self), opening);
                state.stage = Stage::Running;
                count(&self.shared.counters.started);
            }
            Stage::Finished(outcome) => {
                if let Some(last) = last_words(&*form, outcome) {
                    queue(text_frame(&last));
                }
                // The others have had their end, so this one is the only member.
                self.shared.registrar.end_channel(&self.channel, end_code(outcome));
            }
            Stage::Running | Stage::Retired => {}
        }
        drop(state);
        Some(Ok(watch))
    }

    fn leave(&self, subscription: Option<Subscription>) {
        let mut state = self.state.lock();
        if let Some(subscription) = subscription {
            let _ = self.shared.registrar.unsubscribe(subscription);
        }
        state.watchers -= 1;
        if state.watchers == 0 {
            if matches!(state.stage, Stage::Made) {
                self.retire(&mut state);
            }
            state.deserted_at = Some(Instant::now());
            self.deserted.notify_one();
        }
    }

    /// Adds a piece to the text and gives it to all who watch.
    ///
    /// # Errors
    ///
    /// [`SourceFault::TooLarge`] when the text would pass its limit; nobody gets the piece then.
    pub(super) fn publish(&self, piece: &str) -> Result<(), SourceFault> {
        if piece.is_empty() {
            return Ok(());
        }
        let mut state = self.state.lock();
        if state.text.len() + piece.len() > self.shared.limits.text_bytes_max {
            return Err(SourceFault::TooLarge);
        }
        state.text.push_str(piece);
        self.publish_each(&mut state, |form, out| encode::text(form.piece(piece).as_bytes(), out));
        Ok(())
    }

    /// Says how the text ended and ends everybody who watches; whether the run is kept for those who come late.
    pub(super) fn finish(&self, outcome: Result<(), SourceFault>) -> bool {
        let counters = &self.shared.counters;
        let mut state = self.state.lock();
        self.publish_each(&mut state, |form, out| {
            if let Some(last) = last_words(form, &outcome) {
                encode::text(last.as_bytes(), out);
            }
        });
        self.shared.registrar.end_channel(&self.channel, end_code(&outcome));
        count(if outcome.is_ok() { &counters.completed } else { &counters.failed });
        let is_kept = !self.shared.limits.keep.is_zero();
        if is_kept {
            state.stage = Stage::Finished(outcome);
        } else {
            self.retire(&mut state);
        }
        is_kept
    }

    /// The time of keeping is over.
    pub(super) fn forget(&self) {
        self.retire(&mut self.state.lock());
    }

    /// When a run that nobody watches is cancelled; nothing while somebody does.
    pub(super) fn cancels_at(&self) -> Option<Instant> {
        self.state.lock().deserted_at.and_then(|since| since.checked_add(self.shared.limits.grace))
    }

    /// Cancels the run if nobody came back in time; whether it did.
    pub(super) fn cancel_if_deserted(&self) -> bool {
        let mut state = self.state.lock();
        let grace = self.shared.limits.grace;
        let cancels = state.deserted_at.is_some_and(|since| since.elapsed() >= grace);
        if cancels {
            self.cancel(&mut state);
        }
        cancels
    }

    /// The server stops.
    pub(super) fn stop(&self) {
        self.cancel(&mut self.state.lock());
    }

    /// The task ended without an outcome: whoever watches is told that the source failed, as far as that is still possible.
    pub(super) fn abandon(&self) {
        let mut state = self.state.lock();
        if !matches!(state.stage, Stage::Retired) {
            self.shared.registrar.end_channel(&self.channel, UPSTREAM_FAILED);
            if matches!(state.stage, Stage::Running) {
                count(&self.shared.counters.failed);
            }
            self.retire(&mut state);
        }
    }

    fn cancel(&self, state: &mut State) {
        if matches!(state.stage, Stage::Running) {
            count(&self.shared.counters.cancelled);
        }
        self.retire(state);
    }

    fn retire(&self, state: &mut State) {
        if !matches!(state.stage, Stage::Retired) {
            state.stage = Stage::Retired;
            // Watchers hold the run until they leave, and need the text no more.
            state.text = String::new();
            self.shared.runs.lock().remove(&self.channel);
        }
    }

    /// Publishes one frame, written down in the form of each class. A form that writes nothing says nothing.
    fn publish_each(&self, state: &mut State, write: impl Fn(&dyn StreamForm, &mut Vec<u8>)) {
        state.offset += 1;
        let forms = &state.forms;
        let frame = InEachForm { forms, write };
        self.shared.registrar.publish(&self.channel, state.offset, &frame, None);
    }
}

impl State {
    fn form(&mut self, class: Class, form: &Arc<dyn StreamForm>) -> Arc<dyn StreamForm> {
        if let Some((_, known)) = self.forms.iter().find(|(known, _)| *known == class) {
            return Arc::clone(known);
        }
        self.forms.push((class, Arc::clone(form)));
        Arc::clone(form)
    }
}

struct InEachForm<'a, F> {
    forms: &'a [(Class, Arc<dyn StreamForm>)],
    write: F,
}

impl<F: Fn(&dyn StreamForm, &mut Vec<u8>)> Encode for InEachForm<'_, F> {
    fn encode(&self, class: Class, _offset: u64, out: &mut Vec<u8>) {
        if let Some((_, form)) = self.forms.iter().find(|(known, _)| *known == class) {
            (self.write)(&**form, out);
        }
    }
}

/// `text` cut at characters.
fn stretches(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (stretch, after) = rest.split_at(rest.floor_char_boundary(STRETCH_BYTES_MAX));
        rest = after;
        (!stretch.is_empty()).then_some(stretch)
    })
}

fn text_frame(payload: &str) -> Bytes {
    let mut frame = Vec::new();
    encode::text(payload.as_bytes(), &mut frame);
    frame.into()
}

fn last_words(form: &dyn StreamForm, outcome: &Result<(), SourceFault>) -> Option<String> {
    match outcome {
        Ok(()) => form.done(),
        Err(fault) => form.failed(fault),
    }
}

const fn end_code(outcome: &Result<(), SourceFault>) -> EndCode {
    match outcome {
        Ok(()) => COMPLETED,
        Err(_) => UPSTREAM_FAILED,
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}
