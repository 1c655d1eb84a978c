//! The room where passwords are hashed: its places, its queue and its wait.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use lychgate_service::accounts::{Busy, Hashing, HashingLimits};
use tokio::sync::oneshot;

fn limits(permits: usize, queue_max: usize) -> HashingLimits {
    HashingLimits { permits: NonZeroUsize::new(permits).expect("a test has places"), queue_max, wait_ms: 2_000 }
}

/// A computation that holds its place until it is told to end.
struct Held {
    end: SyncSender<()>,
}

impl Held {
    /// Starts it; the future is what a request would wait on.
    async fn start(hashing: &Hashing) -> (Self, impl Future<Output = Result<(), Busy>> + use<>) {
        let (end, ended) = sync_channel(1);
        let (started, is_started) = oneshot::channel();
        let hashing = hashing.clone();
        let mut request = Box::pin(async move {
            hashing
                .run(move |_| {
                    started.send(()).expect("the test waits for the start");
                    let _ = ended.recv();
                })
                .await
        });
        assert_eq!(request.as_mut().now_or_never(), None, "it has begun and has not ended");
        is_started.await.expect("it starts");
        (Self { end }, request)
    }

    fn end(self) {
        self.end.send(()).expect("it is still running");
    }
}

#[test]
fn the_defaults_are_the_published_ones() {
    let defaults = HashingLimits::default();
    assert!((1..=4).contains(&defaults.permits.get()), "{defaults:?}");
    assert_eq!((defaults.queue_max, defaults.wait_ms), (64, 2_000));
}

#[tokio::test]
async fn a_dropped_request_keeps_its_place_until_its_computation_ends() {
    let hashing = Hashing::new(limits(1, 0));
    let (held, request) = Held::start(&hashing).await;
    drop(request);
    assert_eq!(hashing.run(|_| ()).await, Err(Busy), "the computation goes on");
    assert_eq!((hashing.load().running, hashing.load().refused), (1, 1));
    held.end();
    hashing.stop().await;
    assert_eq!(hashing.load().running, 0, "ended, it has left its place");
}

#[tokio::test]
async fn an_ended_computation_leaves_its_place() {
    let hashing = Hashing::new(limits(1, 0));
    let (held, request) = Held::start(&hashing).await;
    held.end();
    assert_eq!(request.await, Ok(()));
    assert_eq!(hashing.run(|_| 7).await, Ok(7));
}

#[tokio::test(start_paused = true)]
async fn a_caller_waits_two_seconds_and_no_longer() {
    let hashing = Hashing::new(limits(1, 64));
    let (held, request) = Held::start(&hashing).await;
    let mut waiting = Box::pin(hashing.run(|_| ()));
    assert_eq!(waiting.as_mut().now_or_never(), None);
    assert_eq!(hashing.load().waiting, 1);
    tokio::time::advance(Duration::from_millis(1_999)).await;
    assert_eq!(waiting.as_mut().now_or_never(), None, "not yet");
    tokio::time::advance(Duration::from_millis(2)).await;
    assert_eq!(waiting.as_mut().now_or_never(), Some(Err(Busy)));
    assert_eq!(hashing.load().waiting, 0, "it has left the queue");

    let next = hashing.run(|_| 7);
    held.end();
    assert_eq!(request.await, Ok(()));
    assert_eq!(next.await, Ok(7), "a place that comes free in time is taken");
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_refuses_at_once() {
    let hashing = Hashing::new(limits(1, 2));
    let (held, request) = Held::start(&hashing).await;
    let mut waiting: Vec<_> = (0..2).map(|_| Box::pin(hashing.run(|_| ()))).collect();
    for caller in &mut waiting {
        assert_eq!(caller.as_mut().now_or_never(), None);
    }
    assert_eq!(hashing.run(|_| ()).now_or_never(), Some(Err(Busy)), "the third does not wait");
    drop(waiting.pop());
    assert_eq!(hashing.load().waiting, 1, "who hangs up leaves the queue");
    assert_eq!(Box::pin(hashing.run(|_| ())).as_mut().now_or_never(), None, "so another may wait");
    held.end();
    assert_eq!(request.await, Ok(()));
    assert_eq!(join_all(waiting).await, [Ok(())]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_run_at_once_than_there_are_places() {
    let hashing = Hashing::new(limits(2, 64));
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let computations = (0..60).map(|_| {
        let (running, most) = (Arc::clone(&running), Arc::clone(&most));
        hashing.run(move |_| {
            most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            std::thread::yield_now();
            running.fetch_sub(1, Ordering::SeqCst);
        })
    });
    assert!(join_all(computations).await.iter().all(Result::is_ok));
    assert!((1..=2).contains(&most.load(Ordering::SeqCst)), "{most:?} ran at once");
}

#[tokio::test]
async fn a_panic_reaches_its_caller_and_frees_the_place() {
    let hashing = Hashing::new(limits(1, 0));
    let panicked = std::panic::AssertUnwindSafe(hashing.run(|_| panic!("on purpose"))).catch_unwind().await;
    assert!(panicked.is_err());
    assert_eq!(hashing.run(|_| 7).await, Ok(7));
}

#[tokio::test]
async fn stopping_waits_for_the_last_computation() {
    let hashing = Hashing::new(limits(1, 64));
    let (held, request) = Held::start(&hashing).await;
    let mut stop = Box::pin(hashing.stop());
    assert_eq!(stop.as_mut().now_or_never(), None, "one is running");
    assert_eq!(hashing.run(|_| ()).await, Err(Busy), "nobody else gets in");
    held.end();
    stop.await;
    assert_eq!(request.await, Ok(()), "who was in got an answer");
}
