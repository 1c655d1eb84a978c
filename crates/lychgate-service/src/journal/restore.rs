//! What durable channels kept before the process began.

use std::time::Duration;

use super::JournalParts;
use crate::local_broker::Before;
use crate::ports::StoreError;
use crate::ports::publications::ReadLimit;

/// Brings it back, as much of it as all channels together may keep; the channels that were last used come first.
pub(super) async fn restore(parts: &JournalParts) -> Result<(), StoreError> {
    let JournalParts { local, publications, rules, clock } = parts;
    let now = clock.now();
    let channels_max = local.channels_max();
    let mut channels = 0_usize;
    // One more than there may be, so that it is known whether some are left out.
    for stored in publications.positions(now, channels_max.saturating_add(1)).await? {
        let Some(retention) = rules.retention(&stored.channel).filter(|retention| retention.is_durable) else {
            continue;
        };
        let limit = ReadLimit { publications: retention.publications_max, bytes: local.room() };
        let kept = publications.newest(&stored.channel, now, limit).await?;
        let left = |until: u64| Duration::from_micros(until.saturating_sub(now.0)).min(retention.time_to_live);
        let kept = kept.into_iter().map(|stored| (left(stored.expires_at.0), stored.kept)).collect();
        if !local
            .restore(stored.channel, Before { position: stored.position, version: stored.version, retention, kept })
        {
            tracing::warn!("more channels are stored than limits.history_channels_max: those not used last begin anew");
            break;
        }
        channels += 1;
    }
    tracing::debug!("{channels} durable channels are as they were");
    Ok(())
}
