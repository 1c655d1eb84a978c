//! An answer that is always the same: what a page has to know before it can connect.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header;

/// Answers with the JSON text that the configuration holds.
pub async fn show(State(body): State<Bytes>) -> Response {
    ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-cache")], body).into_response()
}
