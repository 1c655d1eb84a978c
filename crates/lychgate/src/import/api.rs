//! The server API.

use super::Group;
use super::ours::{Ours, Section, quoted};
use super::picture::Picture;
use super::report::Report;

/// Writes `[api]`, where there was a key to use it with.
pub(super) fn write(picture: &Picture, report: &mut Report<'_>, ours: &mut Ours) {
    let is_disabled = picture.flag("http_api.disabled");
    let is_external = picture.flag("http_api.external");
    let path = picture.text("http_api.handler_prefix");
    picture.settle("http_api.error_mode");
    if picture.flag("http_api.insecure") {
        let text = "The server API for everybody, without a key. It is not carried over: a key is always asked for.";
        report.note(Group::Decide, "http_api.insecure", text);
    }
    let has_key = picture.text("http_api.key").is_some();
    if is_disabled || !has_key {
        picture.settle("http_api.key");
        return;
    }
    let text = "The key is not carried over. Make one that is good for what your backend does, and give it to your backend: lychgate apikey create backend --scope channels:publish --scope channels:read --scope channels:manage";
    report.note(Group::ToDo, "http_api.key", text);
    let was_internal = picture.has("http_server.internal_port") && !is_external;
    let mut api = Section::new("api");
    if was_internal {
        let text = "The server API was on the internal port. It is on the public one here, so it is not served: write api.enabled = true once your proxy keeps its path from strangers.";
        report.note(Group::Decide, "http_server.internal_port", text);
    }
    api.put("enabled", if was_internal { "false" } else { "true" });
    if let Some(path) = path {
        match path_of(&path) {
            Some(path) => api.put("path", quoted(&path)),
            None => report.note(Group::Decide, "http_api.handler_prefix", "This is no path here. The API is at /api."),
        }
    }
    ours.push(api);
}

/// A path as it is written here, if it can be.
pub(super) fn path_of(path: &str) -> Option<String> {
    let path = format!("/{}", path.trim_matches('/'));
    let is_path = path.len() > 1
        && path.len() <= 255
        && !path.contains("//")
        && path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte));
    is_path.then_some(path)
}
