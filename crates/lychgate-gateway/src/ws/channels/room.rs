//! Room for answers: what one client may have asked for and not read yet.
//!
//! **Invariant:** an answer is at most a quarter of the queue, and a command is begun only while half of the queue is
//! free. So nobody who reads is closed as slow for what they have asked, however many commands a message holds.

use std::time::Duration;

use lychgate_service::ports::broker::{Author, Kept, KeptAuthor};
use tokio::time::sleep;

use super::client::Client;

/// Replies that are put together before they go out.
const REPLIES_BYTES: usize = 16 * 1024;

const KIB: usize = 1024;

/// How often it is looked whether the client has read.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// What a publication or a client costs in an answer, beside its own bytes.
const OVERHEAD_BYTES: usize = 128;

impl Client {
    /// The longest answer, in bytes.
    pub(super) fn answer_bytes_max(&self) -> usize {
        self.gate.limits.queue_bytes_max / 4
    }

    /// Waits until the next answer finds room; false when the connection is closing and nobody reads any more.
    ///
    /// A client that does not read ends as slow, as everywhere, and so this ends.
    ///
    /// # Cancel safety
    ///
    /// A dropped call has queued what there was.
    pub(super) async fn has_room(&mut self) -> bool {
        if self.unsent_bytes() >= REPLIES_BYTES {
            self.settle();
        }
        let session = self.entry.session.clone();
        let queue_bytes_max = self.gate.limits.queue_bytes_max;
        // What was published in one message comes back in one answer, however long it is.
        let message_bytes_max = self.entry.socket.endpoint().settings.message_bytes_max;
        let least_room = (queue_bytes_max / 2).max(message_bytes_max + KIB);
        while session.queued_bytes() > queue_bytes_max.saturating_sub(least_room) && !session.is_finished() {
            sleep(LOOK_EVERY).await;
        }
        !session.is_finished()
    }
}

/// What all of `kept` take in an answer, about.
pub(super) fn cost<'a>(kept: impl IntoIterator<Item = &'a Kept>) -> usize {
    kept.into_iter().map(of_kept).sum()
}

/// How many of `kept` fit into one answer of so many bytes; one at least, if there is one.
pub(super) fn fitting<'a>(kept: impl IntoIterator<Item = &'a Kept>, bytes_max: usize) -> usize {
    let mut bytes = 0;
    let fits = |kept: &&Kept| {
        bytes += of_kept(kept);
        bytes <= bytes_max
    };
    kept.into_iter().take_while(fits).count().max(1)
}

/// Whether a list of `clients` fits into one answer of so many bytes.
pub(super) fn fit(clients: &[KeptAuthor], bytes_max: usize) -> bool {
    // Each is named twice: as the key of its place, and in it.
    let of = |client: &KeptAuthor| OVERHEAD_BYTES + of_author(client.author()) + client.author().client.len();
    clients.iter().map(of).sum::<usize>() <= bytes_max
}

fn of_kept(kept: &Kept) -> usize {
    let author = kept.author.as_deref().map_or(0, |author| of_author(author.author()));
    OVERHEAD_BYTES + kept.payload.len() + kept.tags.bytes() + author
}

fn of_author(author: Author<'_>) -> usize {
    let optional = |text: Option<&str>| text.map_or(0, str::len);
    author.user.len() + author.client.len() + optional(author.connection_info) + optional(author.channel_info)
}
