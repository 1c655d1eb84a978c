//! For those who run the server: metrics and health.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use futures_util::future::{join, join_all};
use http::{StatusCode, header};
use lychgate_hub::Drain;
use lychgate_service::ports::readiness::Readiness;
use tokio_util::sync::CancellationToken;

use crate::metrics::{Live, Metrics};

/// What these routes look at.
pub struct Operations {
    /// The counters.
    pub metrics: Arc<Metrics>,
    /// The hub's own counters.
    pub drain: Drain,
    /// What keeps count of itself.
    pub live: Live,
    /// What must be there for the server to be ready.
    pub readiness: Vec<Arc<dyn Readiness>>,
    /// What the server goes on without: it is told and takes nobody out.
    pub copies: Vec<Arc<dyn Readiness>>,
    /// Set once the server should get no new connections.
    pub not_ready: CancellationToken,
}

/// `/metrics`, `/health/live` and `/health/ready`.
pub fn router(operations: Arc<Operations>) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .with_state(operations)
}

async fn metrics(State(operations): State<Arc<Operations>>) -> Response {
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, content_type)], operations.metrics.encode(&operations.drain, &operations.live))
        .into_response()
}

/// The process runs and answers. Nothing else is asked: a restart would not mend a database.
async fn live() -> Response {
    Json(serde_json::json!({ "status": "ok" })).into_response()
}

async fn ready(State(operations): State<Arc<Operations>>) -> Response {
    let mut checks = serde_json::Map::new();
    let (readiness, copies) = join(look(&operations.readiness), look(&operations.copies)).await;
    let mut is_ready = readiness.iter().all(|(_, works)| *works);
    let is_whole = copies.iter().all(|(_, works)| *works);
    for (name, works) in readiness.into_iter().chain(copies) {
        // Of several with one name, the one that fails is told.
        let check = checks.entry(name).or_insert_with(|| "ok".into());
        if !works {
            *check = "failing".into();
        }
    }
    if operations.not_ready.is_cancelled() {
        is_ready = false;
        checks.insert("server".to_owned(), "stopping".into());
    }
    let (status, word) = match (is_ready, is_whole) {
        (true, true) => (StatusCode::OK, "ok"),
        (true, false) => (StatusCode::OK, "degraded"),
        (false, _) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
    };
    (status, Json(serde_json::json!({ "status": word, "checks": checks }))).into_response()
}

async fn look(parts: &[Arc<dyn Readiness>]) -> Vec<(&'static str, bool)> {
    join_all(parts.iter().map(async |part| (part.name(), part.is_ready().await))).await
}
