//! Channels whose newest publication says all that there is to know.

use std::time::Duration;

use lychgate_service::ports::broker::{Broker as _, Retention, Since};
use tokio::time::{Instant, advance};

use super::{World, channel, retention};

#[tokio::test(start_paused = true)]
async fn who_comes_back_gets_the_newest_alone() {
    let world = World::new(Retention { newest_alone: true, ..retention(3) }, usize::MAX, usize::MAX);
    let nowhere = Some(Since { epoch: "", offset: 0 });
    assert_eq!(world.enter("kept:a", nowhere, 10), (Some(0), Some(false), vec![]), "there is none yet");
    for payload in ["1", "2", "3", "4", "5"] {
        world.publish("kept:a", payload).expect("it is taken");
    }
    let epoch = world.page("kept:a").expect("it keeps something").top.epoch;
    let since = |epoch, offset| Some(Since { epoch, offset });
    for (since, missed) in [
        (nowhere, vec![5]),
        (since(epoch.as_str(), 4), vec![5]),
        (since(epoch.as_str(), 1), vec![5]),
        (since(epoch.as_str(), 9), vec![5]),
        (since("notthis1", 5), vec![5]),
        (since(epoch.as_str(), 5), vec![]),
    ] {
        assert_eq!(world.enter("kept:a", since, 10), (Some(5), Some(true), missed), "{since:?}");
    }
    assert_eq!(world.enter("kept:a", None, 10), (Some(5), None, vec![]), "nobody asked");
    world.broker.forget(&channel("kept:a")).await.expect("memory does not fail");
    assert_eq!(world.enter("kept:a", nowhere, 10), (Some(5), Some(false), vec![]), "it is not here any more");
    world.publish("kept:a", "6").expect("it is taken");
    advance(Duration::from_secs(60)).await;
    world.broker.sweep(Instant::now());
    assert_eq!(
        world.enter("kept:a", nowhere, 10),
        (Some(6), Some(false), vec![]),
        "nor is it when its time has passed"
    );
}
