//! What keeping the contract of [`Messages`] means.

use std::sync::Arc;

use futures_util::future::join_all;
use lychgate_protocol::channel::ChannelName;

use super::memory::new_user;
use crate::ports::clock::UnixMicros;
use crate::ports::messages::{
    AppendRefused, Author, MessageId, Messages, NewMessage, REACTIONS_MAX, Reacted, Reaction, StoredMessage,
};
use crate::ports::users::{UserId, Users};

/// Runs the suite; `make` returns an empty store of its own at each call, and where its users are.
///
/// # Panics
///
/// Panics at the first rule that is broken.
pub async fn messages_conformance<F, Fut>(make: F)
where
    F: Fn() -> Fut,
    Fut: Future<Output = (Arc<dyn Messages>, Arc<dyn Users>)>,
{
    let (messages, users) = make().await;
    what_is_stored_comes_back(&*messages, &*users).await;
    let (messages, users) = make().await;
    an_unknown_author_is_refused_alone(&*messages, &*users).await;
    absence_is_no_failure(&*make().await.0).await;
    history_goes_back_page_by_page(&*make().await.0).await;
    trimming_keeps_the_newest(&*make().await.0).await;
    reactions_come_once_and_in_order(&*make().await.0).await;
    reactions_belong_to_their_channel(&*make().await.0).await;
    reactions_are_limited(&*make().await.0).await;
    of_many_who_react_alike_one_changes_it(&*make().await.0).await;
    appends_at_once_keep_their_order(&*make().await.0).await;
}

fn channel(name: &str) -> ChannelName {
    ChannelName::new(name).expect("a channel for a test is one")
}

fn message(channel_name: &str, n: u64) -> NewMessage {
    NewMessage {
        channel: channel(channel_name),
        kind: "message".into(),
        author: Author { user_id: None, subject: "ada".into(), name: "Ada".into() },
        payload: format!(r#"{{"content":"'no {n}\""}}"#),
        at: UnixMicros(1_700_000_000_000_000 + n),
    }
}

async fn store(messages: &dyn Messages, new: &NewMessage) -> MessageId {
    let stored = messages.append(std::slice::from_ref(new)).await.expect("storing works");
    match stored[..] {
        [Ok(id)] => id,
        _ => panic!("one message has one answer, and it is stored: {stored:?}"),
    }
}

async fn history(messages: &dyn Messages, name: &str) -> Vec<StoredMessage> {
    messages.history(&channel(name), None, 10_000).await.expect("reading works")
}

fn reaction(subject: &str, emoji: &str) -> Reaction {
    Reaction { subject: subject.into(), emoji: emoji.into() }
}

async fn react(messages: &dyn Messages, name: &str, id: MessageId, reaction: &Reaction) -> Reacted {
    messages.react(&channel(name), id, reaction).await.expect("storing works")
}

async fn unreact(messages: &dyn Messages, name: &str, id: MessageId, reaction: &Reaction) -> Reacted {
    messages.unreact(&channel(name), id, reaction).await.expect("storing works")
}

async fn what_is_stored_comes_back(messages: &dyn Messages, users: &dyn Users) {
    let ada = users.insert(&new_user("ada")).await.expect("ada is stored").id;
    let author = Author { user_id: Some(ada), subject: "auth0|ada".into(), name: "Ada 🦀".into() };
    let own = NewMessage { author, kind: "whisper".into(), ..message("chat:5", 1) };
    let foreign = message("chat:5", 2);
    let ids = messages.append(&[own.clone(), foreign.clone()]).await.expect("storing works");
    let [Ok(first), Ok(second)] = ids[..] else { panic!("both are stored: {ids:?}") };
    assert!(first.0 > 0 && second > first, "{ids:?}");
    let stored = |id, message| StoredMessage { id, message, reactions: vec![] };
    assert_eq!(history(messages, "chat:5").await, [stored(second, foreign), stored(first, own)], "newest first");
}

async fn an_unknown_author_is_refused_alone(messages: &dyn Messages, users: &dyn Users) {
    let ada = users.insert(&new_user("ada")).await.expect("ada is stored").id;
    let by = |id, n| NewMessage {
        author: Author { user_id: id, subject: "s".into(), name: "n".into() },
        ..message("chat:5", n)
    };
    let nobody = Some(UserId(ada.0 + 1_000));
    let batch = [by(nobody, 0), by(Some(ada), 1), by(nobody, 2), by(None, 3), by(nobody, 4)];
    let answers = messages.append(&batch).await.expect("storing works");
    let refused: Vec<_> = answers.iter().map(|answer| *answer == Err(AppendRefused::UnknownAuthor)).collect();
    assert_eq!(refused, [true, false, true, false, true]);
    let kept: Vec<_> =
        history(messages, "chat:5").await.into_iter().map(|stored| (Ok(stored.id), stored.message)).collect();
    assert_eq!(kept, [(answers[3], batch[3].clone()), (answers[1], batch[1].clone())], "answers keep their places");
    assert_eq!(
        messages.append(&[by(nobody, 5)]).await.expect("asking works"),
        [Err(AppendRefused::UnknownAuthor)],
        "alone as well"
    );
}

async fn absence_is_no_failure(messages: &dyn Messages) {
    assert_eq!(messages.append(&[]).await.expect("nothing is stored"), []);
    assert!(history(messages, "chat:5").await.is_empty());
    assert_eq!(messages.trim(&channel("chat:5"), 0).await.expect("nothing goes"), 0);
    for id in [0, 1, -1, i64::MAX] {
        assert_eq!(react(messages, "chat:5", MessageId(id), &reaction("ada", "x")).await, Reacted::NoMessage);
        assert_eq!(unreact(messages, "chat:5", MessageId(id), &reaction("ada", "x")).await, Reacted::NoMessage);
    }
}

async fn history_goes_back_page_by_page(messages: &dyn Messages) {
    let mut ids = Vec::new();
    for n in 0..7 {
        ids.push(store(messages, &message("chat:5", n)).await);
        store(messages, &message("chat:55", n)).await;
    }
    ids.reverse();
    let page = async |before, limit| -> Vec<MessageId> {
        let page = messages.history(&channel("chat:5"), before, limit).await.expect("reading works");
        page.into_iter().map(|stored| stored.id).collect()
    };
    assert_eq!(page(None, 100).await, ids);
    assert_eq!(page(None, 3).await, ids[..3]);
    assert_eq!(page(Some(ids[2]), 3).await, ids[3..6]);
    assert_eq!(page(Some(MessageId(ids[2].0 + 1)), 1).await, ids[2..3], "what it is older than may be elsewhere");
    assert!(page(Some(ids[6]), 3).await.is_empty() && page(None, 0).await.is_empty());
}

async fn trimming_keeps_the_newest(messages: &dyn Messages) {
    let mut last = MessageId(0);
    for n in 0..6 {
        store(messages, &message("chat:6", n)).await;
        last = store(messages, &message("chat:5", n)).await;
    }
    react(messages, "chat:5", last, &reaction("ada", "x")).await;
    let trim = async |keep| messages.trim(&channel("chat:5"), keep).await.expect("trimming works");
    assert_eq!((trim(10).await, trim(6).await), (0, 0));
    let before = history(messages, "chat:5").await;
    assert_eq!(trim(2).await, 4);
    assert_eq!(history(messages, "chat:5").await, before[..2]);
    assert_eq!(trim(0).await, 2, "messages are counted, and not their reactions");
    assert!(history(messages, "chat:5").await.is_empty());
    assert_eq!(history(messages, "chat:6").await.len(), 6, "another channel keeps its own");
    assert!(store(messages, &message("chat:5", 9)).await > last, "no number is given out twice");
    assert_eq!(react(messages, "chat:5", last, &reaction("ada", "x")).await, Reacted::NoMessage);
}

async fn reactions_come_once_and_in_order(messages: &dyn Messages) {
    let id = store(messages, &message("chat:5", 1)).await;
    let other = store(messages, &message("chat:5", 2)).await;
    let came = [reaction("eve", "👍"), reaction("ada", "👍"), reaction("ada", "'; --"), reaction("bob", "a")];
    for reaction in &came {
        assert_eq!(react(messages, "chat:5", id, reaction).await, Reacted::Changed);
        assert_eq!(react(messages, "chat:5", id, reaction).await, Reacted::Unchanged);
    }
    assert_eq!(react(messages, "chat:5", other, &came[0]).await, Reacted::Changed);
    let of = async |id| -> Vec<Reaction> {
        let found = history(messages, "chat:5").await.into_iter().find(|stored| stored.id == id);
        found.expect("it is there").reactions
    };
    assert_eq!(of(id).await, came);
    assert_eq!(unreact(messages, "chat:5", id, &came[0]).await, Reacted::Changed);
    assert_eq!(unreact(messages, "chat:5", id, &came[0]).await, Reacted::Unchanged);
    assert_eq!(unreact(messages, "chat:5", id, &reaction("EVE", "a")).await, Reacted::Unchanged);
    assert_eq!(of(id).await, came[1..]);
    assert_eq!(react(messages, "chat:5", id, &came[0]).await, Reacted::Changed);
    assert_eq!(of(id).await.last(), Some(&came[0]), "what comes again comes last");
    assert_eq!(of(other).await, came[..1]);
}

async fn reactions_belong_to_their_channel(messages: &dyn Messages) {
    let id = store(messages, &message("chat:5", 1)).await;
    let theirs = reaction("ada", "x");
    assert_eq!(react(messages, "chat:6", id, &theirs).await, Reacted::NoMessage, "it is another channel's");
    assert_eq!(react(messages, "chat:5", id, &theirs).await, Reacted::Changed);
    assert_eq!(unreact(messages, "chat:6", id, &theirs).await, Reacted::NoMessage);
    assert_eq!(history(messages, "chat:5").await[0].reactions, [theirs]);
}

async fn reactions_are_limited(messages: &dyn Messages) {
    let id = store(messages, &message("chat:5", 1)).await;
    let nth = |n: u32| reaction(&format!("user {n}"), "x");
    for n in 0..REACTIONS_MAX {
        assert_eq!(react(messages, "chat:5", id, &nth(n)).await, Reacted::Changed, "reaction {n}");
    }
    assert_eq!(react(messages, "chat:5", id, &nth(REACTIONS_MAX)).await, Reacted::TooMany);
    assert_eq!(react(messages, "chat:5", id, &nth(0)).await, Reacted::Unchanged, "one that is there stays there");
    assert_eq!(unreact(messages, "chat:5", id, &nth(7)).await, Reacted::Changed);
    assert_eq!(react(messages, "chat:5", id, &nth(REACTIONS_MAX)).await, Reacted::Changed, "there is room again");
    assert_eq!(history(messages, "chat:5").await[0].reactions.len(), REACTIONS_MAX as usize);
}

async fn of_many_who_react_alike_one_changes_it(messages: &dyn Messages) {
    let id = store(messages, &message("chat:5", 1)).await;
    let same = reaction("ada", "x");
    let answers = join_all((0..16).map(|_| react(messages, "chat:5", id, &same))).await;
    assert_eq!(answers.iter().filter(|answer| **answer == Reacted::Changed).count(), 1, "{answers:?}");
    let answers = join_all((0..16).map(|_| unreact(messages, "chat:5", id, &same))).await;
    assert_eq!(answers.iter().filter(|answer| **answer == Reacted::Changed).count(), 1, "{answers:?}");
}

async fn appends_at_once_keep_their_order(messages: &dyn Messages) {
    let batches: Vec<Vec<_>> = (0..8).map(|batch| (0..4).map(|n| message("chat:5", batch * 4 + n)).collect()).collect();
    let answers = join_all(batches.iter().map(|batch| messages.append(batch))).await;
    let mut stored = history(messages, "chat:5").await;
    stored.reverse();
    assert_eq!(stored.len(), 32);
    for (batch, answer) in batches.iter().zip(answers) {
        let ids: Vec<_> = answer.expect("storing works").into_iter().map(|id| id.expect("it is stored")).collect();
        let start = stored.iter().position(|stored| stored.id == ids[0]).expect("it is there");
        let together: Vec<_> = stored[start..start + 4].iter().map(|stored| (stored.id, &stored.message)).collect();
        assert_eq!(together, ids.into_iter().zip(batch).collect::<Vec<_>>(), "a batch stays together and in order");
    }
}
