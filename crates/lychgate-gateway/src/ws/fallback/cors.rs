//! Which pages may read these answers, and what browsers ask before they send.
//!
//! **Absent on purpose:** cookies without a list of origins. A page that nobody listed may connect with a token of its
//! own, as it may by WebSocket, and is not sent what a browser knows of its user.

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::layers::origin::Origins;
use crate::layers::request_id;

/// How long a browser may remember that it was allowed to ask.
const REMEMBERED: Duration = Duration::from_secs(300);

/// Tells a browser that the page may read `response`, if one of `origins` says so.
pub fn allow<'a>(origins: impl IntoIterator<Item = &'a Origins> + Clone, asked: &HeaderMap, response: &mut Response) {
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    let Some(origin) = asked.get(header::ORIGIN) else { return };
    if !origins.clone().into_iter().any(|origins| origins.allow_upgrade(asked)) {
        return;
    }
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    if origins.into_iter().any(|origins| origins.allow(origin)) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
    if let Ok(exposed) = HeaderValue::from_str(&format!("{}, retry-after", request_id::HEADER)) {
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
}

/// The answer to a browser that asks whether it may send `methods`.
#[must_use]
pub fn preflight(methods: &'static str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(methods));
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("content-type, authorization"));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from(REMEMBERED.as_secs()));
    response
}
