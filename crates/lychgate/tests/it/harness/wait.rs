//! Bounded waits: a test that hangs says what it was waiting for.

use std::time::Duration;

use tokio::time::{sleep, timeout};

/// How long anything may take before a test gives up. Generous, since the machine may be busy with other things.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// How often something that can only be asked for is asked for.
const ASK_EVERY: Duration = Duration::from_millis(20);

/// What `future` gives, or the end of the test.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited {PATIENCE:?} in vain: {what}"),
    }
}

/// Asks until the answer is `Ok`, for what announces itself nowhere, such as a counter.
pub(crate) async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Result<T, String>) -> T {
    let mut last = String::new();
    let asking = async {
        loop {
            match ask().await {
                Ok(value) => return value,
                Err(answer) => last = answer,
            }
            sleep(ASK_EVERY).await;
        }
    };
    match timeout(PATIENCE, asking).await {
        Ok(value) => value,
        Err(_) => panic!("waited {PATIENCE:?} in vain: {what}; the last answer was {last}"),
    }
}
