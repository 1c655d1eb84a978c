//! Sessions and revocations: the fakes against the suites.

use std::sync::Arc;

use lychgate_service::ports::revocations::RevocationLog;
use lychgate_service::ports::users::UserId;
use lychgate_service::testing::{MemorySessions, SessionsWorld, revocations_conformance, sessions_conformance};

#[tokio::test]
async fn sessions_in_memory_keep_the_contract() {
    sessions_conformance(async || {
        let store = Arc::new(MemorySessions::default());
        SessionsWorld { sessions: Arc::clone(&store) as _, revocations: store, ann: UserId(1), bob: UserId(2) }
    })
    .await;
}

#[tokio::test]
async fn revocations_in_memory_keep_the_contract() {
    revocations_conformance(async || Arc::new(MemorySessions::default()) as Arc<dyn RevocationLog>).await;
}
