//! Refusals in the protocol's words, and the lines in the log that go with them.

use lychgate_protocol::centrifuge::Malformed;
use lychgate_protocol::centrifuge::code::ErrorCode;
use lychgate_service::channels::{NotEntered, VouchRefused};
use lychgate_service::policy::Denied;
use lychgate_service::ports::broker::{BrokerError, HistoryRefused};
use lychgate_service::revocations::NotAdmissible;
use lychgate_token::Refusal;

use super::turn::End;
use crate::ws::endpoint::Endpoint;
use crate::ws::profile::Event;

/// A message that cannot be read.
pub(super) fn malformed(endpoint: &Endpoint, fault: Malformed) {
    endpoint.metrics.message_refused("malformed");
    tracing::info!(endpoint = endpoint.settings.name, reason = fault.code(), "closing: {fault}");
}

/// What somebody is told who does not come into a channel: an error, or the end.
pub(super) fn not_entered(endpoint: &Endpoint, refused: &NotEntered) -> Result<ErrorCode, End> {
    let name = &endpoint.settings.name;
    match refused {
        NotEntered::Unknown => Ok(ErrorCode::UNKNOWN_CHANNEL),
        NotEntered::BadName => Ok(ErrorCode::BAD_REQUEST),
        NotEntered::Denied(Denied::Unknown(cause)) => {
            tracing::error!(endpoint = name, reason = "lookup", "a right to a channel cannot be asked about: {cause}");
            Ok(ErrorCode::INTERNAL)
        }
        // One answer for what is absent and what is somebody else's: a stranger learns nothing of what exists.
        NotEntered::Denied(Denied::NotFound | Denied::NotOwner | Denied::Forbidden) => Ok(ErrorCode::PERMISSION_DENIED),
        NotEntered::Token(refused) => {
            tracing::info!(endpoint = name, reason = code_of(refused), "a token for a channel is refused: {refused}");
            match refused {
                VouchRefused::Token(Refusal::Expired { .. } | Refusal::NotYetValid { .. }) => {
                    Ok(ErrorCode::TOKEN_EXPIRED)
                }
                VouchRefused::NotAdmissible(NotAdmissible::Stale) => Ok(ErrorCode::INTERNAL),
                VouchRefused::Token(_)
                | VouchRefused::NotAdmissible(_)
                | VouchRefused::NoChannel
                | VouchRefused::Option(_) => Ok(ErrorCode::PERMISSION_DENIED),
                VouchRefused::Other => Err(End::Event(Event::Invalid, false)),
            }
        }
    }
}

fn code_of(refused: &VouchRefused) -> &'static str {
    match refused {
        VouchRefused::Token(refusal) => refusal.code(),
        VouchRefused::NotAdmissible(why) => why.code(),
        VouchRefused::NoChannel => "no_channel",
        VouchRefused::Other => "other_channel",
        VouchRefused::Option(_) => "payload_claim_shape",
    }
}

/// What somebody is told whose publication was not taken.
pub(super) const fn not_published(fault: BrokerError) -> ErrorCode {
    match fault {
        BrokerError::Unavailable => ErrorCode::TOO_MANY_REQUESTS,
        BrokerError::NotStored => ErrorCode::INTERNAL,
    }
}

/// What somebody is told who cannot read what a channel keeps.
pub(super) const fn no_history(refused: HistoryRefused) -> ErrorCode {
    match refused {
        HistoryRefused::NotKept => ErrorCode::NOT_AVAILABLE,
        HistoryRefused::OtherEpoch => ErrorCode::UNRECOVERABLE_POSITION,
    }
}
