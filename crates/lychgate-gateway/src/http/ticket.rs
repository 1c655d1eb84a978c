//! A one-time ticket for the bearer of a token.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use ipnet::IpNet;
use lychgate_service::revocations::NotAdmissible;
use lychgate_service::ticket_office::{Ticket, TicketOffice, TicketRefused};
use lychgate_token::{Refusal, Token};
use serde::Serialize;

use crate::accept::Peer;
use crate::error::HttpError;
use crate::layers::address;
use crate::layers::bearer::bearer;
use crate::layers::request_id::RequestId;
use crate::metrics::Metrics;

/// What this route needs.
pub struct Tickets {
    /// Who gives them.
    pub office: Arc<TicketOffice>,
    /// The counters.
    pub metrics: Arc<Metrics>,
    /// Proxies whose forwarding headers are believed.
    pub trusted_proxies: Vec<IpNet>,
}

#[derive(Serialize)]
struct Answer<'a> {
    ticket: &'a str,
    expires_in: u64,
}

/// Gives a ticket for the token in `Authorization`.
pub async fn give(
    State(tickets): State<Arc<Tickets>>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
) -> Response {
    let client = address::client(peer.address, &headers, &tickets.trusted_proxies);
    let issued = match bearer(&headers) {
        Ok(token) => tickets.office.issue(token.map(Token::from).as_ref()).await,
        Err(refusal) => Err(refusal.into()),
    };
    match issued {
        Ok((ticket, expires_in)) => {
            tickets.metrics.ticket("ok");
            given(&ticket, expires_in)
        }
        Err(refused) => {
            let error = refusal(&refused, client);
            tickets.metrics.ticket(error.code());
            error.into_response()
        }
    }
}

fn given(ticket: &Ticket, expires_in: u64) -> Response {
    let answer = Answer { ticket: ticket.expose(), expires_in };
    ([(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")], Json(answer)).into_response()
}

fn refusal(refused: &TicketRefused, client: IpAddr) -> HttpError {
    let request_id = RequestId::fresh();
    match refused {
        TicketRefused::Credential(refusal) => {
            tracing::info!(address = %client, %request_id, reason = refusal.code(), "no ticket: {refusal}");
            match refusal {
                Refusal::Missing => HttpError::unauthorized("missing", "Send a token as Authorization: Bearer."),
                Refusal::Expired { .. } => HttpError::unauthorized("expired", "The token has expired."),
                _ => HttpError::unauthorized("invalid", "The token is not accepted."),
            }
        }
        TicketRefused::NotAdmissible(why @ NotAdmissible::Revoked) => {
            tracing::info!(address = %client, %request_id, reason = why.code(), "no ticket: {why}");
            HttpError::unauthorized("invalid", "The token is not accepted.")
        }
        TicketRefused::NotAdmissible(NotAdmissible::Stale) | TicketRefused::Store(_) | TicketRefused::NoRandomness => {
            let cause: &dyn std::error::Error = refused;
            tracing::error!(address = %client, %request_id, cause, "no ticket");
            HttpError::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Tickets are not to be had now. Try again.")
        }
    }
}
