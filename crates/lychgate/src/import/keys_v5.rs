//! The keys of version 5 at the top of its file, each with its name in version 6.

mod rows;

pub(super) use self::rows::ROWS;

/// Keys at the top that are those of channels without a namespace.
pub(super) const OPTIONS: &[&str] = &[
    "presence",
    "join_leave",
    "force_push_join_leave",
    "history_size",
    "history_ttl",
    "history_meta_ttl",
    "force_positioning",
    "allow_positioning",
    "force_recovery",
    "allow_recovery",
    "force_recovery_mode",
    "allowed_delta_types",
    "delta_publish",
    "allow_subscribe_for_client",
    "allow_subscribe_for_anonymous",
    "allow_publish_for_client",
    "allow_publish_for_subscriber",
    "allow_publish_for_anonymous",
    "allow_presence_for_client",
    "allow_presence_for_subscriber",
    "allow_presence_for_anonymous",
    "allow_history_for_client",
    "allow_history_for_subscriber",
    "allow_history_for_anonymous",
    "allow_user_limited_channels",
    "channel_regex",
    "subscribe_proxy_name",
    "publish_proxy_name",
    "sub_refresh_proxy_name",
    "subscribe_stream_proxy_name",
    "subscribe_cel",
    "publish_cel",
    "presence_cel",
    "history_cel",
    "keep_latest_publication",
    "shared_position_sync",
    "state_events",
    "cache_empty_proxy_name",
    "state_proxy_name",
    "broker_name",
    "presence_manager_name",
];

/// Keys of a namespace, and of channels without one, that have another name.
pub(super) const RENAMED: &[(&str, &str)] = &[
    ("proxy_subscribe", "subscribe_proxy_enabled"),
    ("proxy_publish", "publish_proxy_enabled"),
    ("proxy_sub_refresh", "sub_refresh_proxy_enabled"),
    ("proxy_subscribe_stream", "subscribe_stream_proxy_enabled"),
    ("proxy_stream_subscribe", "subscribe_stream_proxy_enabled"),
    ("proxy_cache_empty", "cache_empty_proxy_enabled"),
];

/// Where options of channels without a namespace are in version 6.
const WITHOUT_NAMESPACE: &str = "channel.without_namespace";

/// The name in version 6 of a key at the top.
pub(super) fn path(key: &str) -> Option<String> {
    if let Some((_, path)) = ROWS.iter().find(|(row, _)| *row == key) {
        return Some((*path).to_owned());
    }
    if OPTIONS.contains(&key) {
        return Some(format!("{WITHOUT_NAMESPACE}.{key}"));
    }
    renamed(key).map(|key| format!("{WITHOUT_NAMESPACE}.{key}"))
}

/// The name in version 6 of a key in the table at `path`, if it is another one.
pub(super) fn below(path: &str, key: &str) -> Option<&'static str> {
    let is_namespace = path.starts_with("channel.namespaces[") && path.ends_with(']');
    let is_rpc = path.starts_with("rpc.namespaces[") && path.ends_with(']');
    match key {
        "rpc_proxy_name" if is_rpc => Some("proxy_name"),
        "static_http_headers" if path.starts_with("proxies[") => Some("http.static_headers"),
        "http_status_code_transforms" if path.starts_with("proxies[") => Some("http.status_to_code_transforms"),
        _ if is_namespace => renamed(key),
        _ => None,
    }
}

fn renamed(key: &str) -> Option<&'static str> {
    RENAMED.iter().find(|(row, _)| *row == key).map(|(_, name)| *name)
}
