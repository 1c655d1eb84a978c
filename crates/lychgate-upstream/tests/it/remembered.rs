//! Several who ask the same, and those who ask again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use lychgate_service::ports::rights::{Answer, Parameter, Question, Relation, Rights, RightsError};
use lychgate_upstream::remembered::{MemoryLimits, Remembered};
use lychgate_upstream::rights::ApplicationRights;
use serde_json::Map;
use tokio::time::advance;

use crate::peer::{Peer, application, call_settings, within};
use crate::rights::question;

const YES: &str = r#"{"allowed": true}"#;
const TTL: Duration = Duration::from_secs(10);

/// Rights that the application behind `peer` knows.
fn remembered(peer: &Peer, ttl: Duration) -> Remembered {
    let application = Arc::new(application(&call_settings(peer.url())));
    let limits = MemoryLimits { ttl, ..MemoryLimits::default() };
    Remembered::new(Arc::new(ApplicationRights::new(application)), limits)
}

fn is_granted(heard: &Result<Answer, RightsError>) -> bool {
    matches!(heard, Ok(Answer::Granted(_)))
}

#[tokio::test]
async fn fifty_who_ask_at_once_cost_one_call() {
    let peer = Peer::bind().await;
    let rights = remembered(&peer, Duration::ZERO);
    let question = question("entry:5");
    let asking = join_all((0..50).map(|_| rights.ask(&question)));
    let (heard, _) = within(async { tokio::join!(asking, peer.answer(200, YES)) }).await;
    assert!(heard.len() == 50 && heard.iter().all(is_granted));
    assert!(peer.is_left_alone().await);
    // Nothing is remembered without a time to live.
    let (heard, _) = within(async { tokio::join!(rights.ask(&question), peer.answer(403, "")) }).await;
    assert_eq!(heard.unwrap(), Answer::Foreign);
}

#[tokio::test]
async fn whoever_leaves_takes_nothing_from_the_others() {
    let peer = Peer::bind().await;
    let rights = remembered(&peer, Duration::ZERO);
    let question = question("entry:5");
    let (mut first, mut second, mut third) = (rights.ask(&question), rights.ask(&question), rights.ask(&question));
    // The first one has begun and driven the call when it leaves.
    let mut exchange = within(async {
        tokio::select! {
            _ = &mut first => unreachable!("there is no answer"),
            _ = &mut second => unreachable!("there is no answer"),
            exchange = peer.accept() => exchange,
        }
    })
    .await;
    assert!(third.as_mut().now_or_never().is_none());
    drop(first);
    drop(second);
    exchange.answer(200, YES).await;
    assert!(is_granted(&within(third).await));
    assert!(peer.is_left_alone().await);
}

#[tokio::test]
async fn the_last_who_leaves_hangs_up_and_the_next_asks_anew() {
    let peer = Peer::bind().await;
    let rights = remembered(&peer, TTL);
    let question = question("entry:5");
    let mut exchange = within(async {
        tokio::select! {
            _ = join_all((0..3).map(|_| rights.ask(&question))) => unreachable!("there is no answer"),
            exchange = peer.accept() => exchange,
        }
    })
    .await;
    within(exchange.gone()).await;
    let (heard, _) = within(async { tokio::join!(rights.ask(&question), peer.answer(200, YES)) }).await;
    assert!(is_granted(&heard));
}

#[tokio::test]
async fn an_error_is_for_all_who_asked_and_for_nobody_else() {
    let peer = Peer::bind().await;
    let rights = remembered(&peer, TTL);
    let question = question("entry:5");
    for (status, body) in [(500, ""), (200, "{}")] {
        let asking = join_all((0..3).map(|_| rights.ask(&question)));
        let (heard, _) = within(async { tokio::join!(asking, peer.answer(status, body)) }).await;
        for heard in heard {
            match heard {
                Err(RightsError::Unavailable(cause)) if status == 500 => {
                    assert_eq!(cause.to_string(), "the application answered with status 500");
                }
                Err(RightsError::Broken(cause)) if status == 200 => {
                    assert!(cause.to_string().contains("allowed"), "{cause}");
                }
                heard => panic!("{status}: {heard:?}"),
            }
        }
    }
    let (heard, _) = within(async { tokio::join!(rights.ask(&question), peer.answer(200, YES)) }).await;
    assert!(is_granted(&heard), "it was asked again");
    assert!(is_granted(&within(rights.ask(&question)).await), "and a good answer is remembered");
    assert!(peer.is_left_alone().await);
}

/// Rights that count how often they are asked, and wait before they answer.
#[derive(Default)]
struct Counted {
    asked: AtomicUsize,
    wait: Duration,
}

#[async_trait]
impl Rights for Counted {
    async fn ask(&self, _: &Question) -> Result<Answer, RightsError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if !self.wait.is_zero() {
            tokio::time::sleep(self.wait).await;
        }
        Ok(Answer::Granted(Map::new()))
    }
}

fn counted(limits: MemoryLimits, wait: Duration) -> (Remembered, Arc<Counted>) {
    let counted = Arc::new(Counted { wait, ..Counted::default() });
    (Remembered::new(Arc::<Counted>::clone(&counted), limits), counted)
}

/// How often it comes to a question when these are asked, all at once or one after the other.
async fn count(limits: MemoryLimits, wait: Duration, questions: &[Question]) -> (usize, usize) {
    let (rights, together) = counted(limits, wait);
    join_all(questions.iter().map(|question| rights.ask(question))).await;
    let (rights, in_turn) = counted(limits, wait);
    for question in questions {
        rights.ask(question).await.unwrap();
    }
    (together.asked.load(Ordering::Relaxed), in_turn.asked.load(Ordering::Relaxed))
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_remembered_from_the_moment_of_asking() {
    let limits = MemoryLimits { ttl: TTL, ..MemoryLimits::default() };
    let (rights, counted) = counted(limits, Duration::from_secs(4));
    let question = question("entry:5");
    for (wait_ms, expected) in [(0, 1), (5_999, 1), (1, 2), (5_999, 2), (1, 3)] {
        advance(Duration::from_millis(wait_ms)).await;
        rights.ask(&question).await.unwrap();
        assert_eq!(counted.asked.load(Ordering::Relaxed), expected, "{wait_ms}");
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_comes_after_the_answer_asks_anew() {
    let (rights, counted) = counted(MemoryLimits::default(), Duration::from_secs(1));
    let question = question("entry:5");
    let (first, mut slow) = (rights.ask(&question), rights.ask(&question));
    assert!(slow.as_mut().now_or_never().is_none(), "it waits, and does not look for the answer yet");
    first.await.unwrap();
    rights.ask(&question).await.unwrap();
    assert_eq!(counted.asked.load(Ordering::Relaxed), 2);
    slow.await.unwrap();
    assert_eq!(counted.asked.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn a_question_that_all_have_left_takes_no_place() {
    let limits = MemoryLimits { entries_max: 1, ..MemoryLimits::default() };
    let (rights, counted) = counted(limits, Duration::from_secs(1));
    let (left, question) = (question("entry:5"), question("entry:6"));
    assert!(rights.ask(&left).now_or_never().is_none());
    join_all((0..3).map(|_| rights.ask(&question))).await;
    assert_eq!(counted.asked.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn only_equal_questions_share_an_answer() {
    let limits = MemoryLimits { ttl: TTL, ..MemoryLimits::default() };
    let wait = Duration::from_secs(1);
    let one = question("entry:5");
    assert_eq!(count(limits, wait, &[one.clone(), one.clone()]).await, (1, 1), "the control");
    for other in [
        Question { relation: Relation::Member, ..one.clone() },
        Question { resource: "entry:6".to_owned(), ..one.clone() },
        Question { user: "8".to_owned(), ..one.clone() },
        Question { parameters: Vec::new(), ..one.clone() },
        Question {
            parameters: vec![("entry".to_owned(), Parameter::Text("5".to_owned())), one.parameters[1].clone()],
            ..one.clone()
        },
    ] {
        assert_eq!(count(limits, wait, &[one.clone(), other.clone()]).await, (2, 2), "{other:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn memory_is_bounded_and_off_at_first() {
    let questions: Vec<_> = (0..5).map(|number| question(&format!("entry:{}", number % 4))).collect();
    let wait = Duration::from_secs(1);
    let remembering = MemoryLimits { ttl: TTL, ..MemoryLimits::default() };
    for (name, limits, expected) in [
        ("all of them", remembering, (4, 4)),
        ("three of them", MemoryLimits { entries_max: 3, ..remembering }, (4, 5)),
        ("none by weight", MemoryLimits { bytes_max: 10, ..remembering }, (4, 5)),
        ("none by number", MemoryLimits { entries_max: 0, ..remembering }, (5, 5)),
        ("none by default", MemoryLimits::default(), (4, 5)),
    ] {
        assert_eq!(count(limits, wait, &questions).await, expected, "{name}");
    }
}
