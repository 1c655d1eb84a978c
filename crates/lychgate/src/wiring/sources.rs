//! Places outside, made ready to be asked: a query to a database, a call to the application, a language model.

use std::sync::Arc;

use lychgate_service::ports::application::Application;
use lychgate_service::ports::clock::SystemClock;
use lychgate_service::ports::rights::Rights;
use lychgate_service::ports::text_source::TextSource;
use lychgate_store::application;
use lychgate_upstream::callback::{BreakerLimits, CallLimits, CallSettings, RetryRules, SignedApplication};
use lychgate_upstream::models::{self, ModelSource, SourceLimits};
use lychgate_upstream::remembered::{MemoryLimits, Remembered};
use lychgate_upstream::rights::ApplicationRights;
use secrecy::ExposeSecret as _;

use crate::config::{Config, Source, SourceKind, StreamFormat};

/// How a source is put to use.
pub(super) struct Uses<'a> {
    /// The query, for a database.
    pub(super) query: Option<&'a str>,
    /// What it may use beside `:user` and `:resource`.
    pub(super) parameters: Vec<String>,
}

/// Whoever answers questions about rights under this name. `key` is the section that asks.
///
/// # Errors
///
/// A sentence on why it cannot be asked: it does not exist, cannot be reached, or does not take the query.
pub(super) async fn rights(config: &Config, name: &str, key: &str, uses: Uses<'_>) -> Result<Arc<dyn Rights>, String> {
    let source = find(config, name, key)?;
    let rights: Arc<dyn Rights> = match (source.kind(), uses.query) {
        (SourceKind::Http, None) => Arc::new(ApplicationRights::new(signed(name, source)?)),
        (SourceKind::Http, Some(_)) => {
            return Err(format!("{key}.query: source.{name} is the application, which takes no query: remove it"));
        }
        (SourceKind::Database, None) => {
            return Err(format!("{key}.query: source.{name} is a database, so a query has to be written"));
        }
        (SourceKind::Database, Some(query)) => {
            let limits = application::Limits {
                timeout: source.settings.timeout,
                connections_max: source.settings.connections_max,
                ..application::Limits::default()
            };
            let parameters: Vec<&str> = uses.parameters.iter().map(String::as_str).collect();
            let opened = application::open(source.url.expose_secret(), query, &parameters, limits).await;
            Arc::new(opened.map_err(|fault| format!("{key}.query: source.{name}: {fault}"))?)
        }
    };
    // Without a time to live it still joins equal questions that are asked at once.
    let memory = MemoryLimits { ttl: source.settings.cache, ..MemoryLimits::default() };
    Ok(Arc::new(Remembered::new(rights, memory)))
}

/// The application under this name. `key` is the setting that names it.
///
/// # Errors
///
/// A sentence on why it cannot be called.
pub(super) fn application(config: &Config, name: &str, key: &str) -> Result<Arc<dyn Application>, String> {
    let source = find(config, name, key)?;
    match source.kind() {
        SourceKind::Http => signed(name, source),
        SourceKind::Database => Err(format!("{key}: source.{name} is a database, and no application")),
    }
}

/// The language model under this name. `key` is the setting that names it.
///
/// # Errors
///
/// A sentence on why it cannot be asked.
pub(super) fn model(
    config: &Config,
    name: &str,
    key: &str,
    format: StreamFormat,
    text_bytes_max: usize,
) -> Result<Arc<dyn TextSource>, String> {
    let source = find(config, name, key)?;
    if source.kind() != SourceKind::Http {
        return Err(format!("{key}: source.{name} is a database, and no language model"));
    }
    let settings = models::SourceSettings {
        url: source.url.expose_secret().to_owned(),
        kind: match format {
            StreamFormat::Ollama => models::SourceKind::Ollama,
            StreamFormat::OpenAi => models::SourceKind::OpenAi,
        },
        bearer: source.bearer.clone(),
        headers: Vec::new(),
        limits: SourceLimits {
            first_byte_timeout: source.settings.first_byte_timeout,
            idle_timeout: source.settings.idle_timeout,
            event_bytes_max: source.settings.piece_bytes_max,
            text_bytes_max,
            ..SourceLimits::default()
        },
    };
    Ok(Arc::new(ModelSource::new(&settings).map_err(|fault| format!("source.{name}: {fault}"))?))
}

fn find<'a>(config: &'a Config, name: &str, key: &str) -> Result<&'a Source, String> {
    config.sources.get(name).ok_or_else(|| format!("{key}: there is no [source.{name}]"))
}

fn signed(name: &str, source: &Source) -> Result<Arc<dyn Application>, String> {
    let secret = source.secret.clone().ok_or_else(|| {
        format!("source.{name}.secret: calls to the application are signed; set secret_env or secret_file")
    })?;
    let settings = CallSettings {
        url: source.url.expose_secret().to_owned(),
        secret,
        headers: Vec::new(),
        limits: CallLimits { timeout: source.settings.timeout, ..CallLimits::default() },
        breaker: BreakerLimits::default(),
        retries: RetryRules {
            retries_max: source.settings.retries,
            statuses: source.settings.retry_statuses.as_slice().into(),
            acts: source.settings.retry_acts,
        },
    };
    let application = SignedApplication::new(&settings, Arc::new(SystemClock));
    Ok(Arc::new(application.map_err(|fault| format!("source.{name}: {fault}"))?))
}
