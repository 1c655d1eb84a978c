//! Whether the things that the server stands on are there.

use async_trait::async_trait;

/// Something that can be asked whether it works.
#[async_trait]
pub trait Readiness: Send + Sync {
    /// What it is called in the health report, such as `database`.
    fn name(&self) -> &'static str;

    /// Whether it answers now. Takes a second at most; a longer silence is a no.
    async fn is_ready(&self) -> bool;
}
