//! A token for trials, in development alone. It was minted at start and is verified like any other.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header;
use serde_json::json;

use crate::settings::TestTokenRoute;

/// Answers with the token.
pub async fn show(State(route): State<TestTokenRoute>) -> Response {
    let note = format!(
        "This token is for testing only. It is valid for the '{}' account and does not expire while this server runs.",
        route.user
    );
    let body = json!({ "test_token": route.token.expose(), "note": note });
    ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}
