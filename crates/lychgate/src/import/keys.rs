//! The keys of version 6, and what becomes of each. A name that ends in `.*` is everything below it.
//!
//! A proxy has the same keys wherever it stands; their rows begin with `proxy.`.

mod options;

pub(super) use self::options::OPTIONS;

/// What becomes of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Its meaning is in ours.
    Here,
    /// There is nothing like it: what it meant, and what to do.
    Gone(&'static str),
}

use Fate::{Gone, Here};

/// Where proxies stand.
const PROXIES: [&str; 8] = [
    "client.proxy.connect",
    "client.proxy.refresh",
    "channel.proxy.subscribe_stream",
    "channel.proxy.subscribe",
    "channel.proxy.publish",
    "channel.proxy.sub_refresh",
    "rpc.proxy",
    "proxies[]",
];

const ONE_MACHINE: &str = "Several nodes over a broker. One machine serves all; what a namespace keeps outlives it with history_durable = true.";
const TLS: &str = "TLS of its own. There is none: put a proxy that ends TLS in front.";
const UNIDIRECTIONAL: &str = "A transport on which the server alone speaks. There is none.";
const GRPC: &str = "The GRPC API. There is none; the HTTP API has the same methods.";
const ADMIN: &str =
    "The admin page. There is none: lychgate channels, presence and history show the same, and metrics the rest.";
const MAP: &str = "Keyed channels. There are none.";
const DEBUG: &str = "Endpoints for developers of the server. There are none.";
const TUNING: &str = "A buffer or a delay of the server. Nothing here depends on it.";
const COMPRESSION: &str = "Compression of frames. There is none: it costs memory for each connection.";
const HEADERS: &str = "Headers that went along with calls to your backend. They go along with on_connect alone; a call is signed instead.";
const GRPC_CALLS: &str = "How a backend was called over GRPC. Calls are HTTP alone.";
const BODY: &str =
    "The largest body of a client's request. limits.message_bytes_max holds for messages whichever way they come.";
const TRACING: &str = "Tracing. There is none; logs and metrics say what happens.";
const PRO: &str = "A feature of the commercial edition. There is none here.";
const PRESENCE_TIMES: &str =
    "How often presence is renewed in a store. It lives in memory and ends with its connection.";
const POSITIONS: &str = "How often positions were compared. They cannot drift apart on one machine.";

/// One row for each key.
pub(super) const ROWS: &[(&str, Fate)] = &[
    ("http_server.address", Here),
    ("http_server.port", Here),
    ("http_server.internal_address", Here),
    ("http_server.internal_port", Here),
    ("http_server.tls.enabled", Here),
    ("http_server.tls.*", Gone(TLS)),
    ("http_server.tls_autocert.enabled", Here),
    ("http_server.tls_autocert.*", Gone(TLS)),
    ("http_server.tls_external", Gone(TLS)),
    ("http_server.internal_tls.*", Gone(TLS)),
    ("http_server.http3.*", Gone("HTTP/3. There is none; a proxy in front may speak it.")),
    ("log.level", Here),
    ("log.file", Gone("Logs in a file. They go to standard error; let the system put them somewhere.")),
    ("engine.type", Here),
    ("engine.*", Gone(ONE_MACHINE)),
    ("broker.enabled", Gone(ONE_MACHINE)),
    ("broker.*", Gone(ONE_MACHINE)),
    ("brokers.*", Gone(PRO)),
    ("presence_manager.*", Gone(ONE_MACHINE)),
    ("presence_managers.*", Gone(PRO)),
    ("redis.*", Gone(ONE_MACHINE)),
    ("map_broker.*", Gone(MAP)),
    ("map_brokers.*", Gone(MAP)),
    ("controller.*", Gone(ONE_MACHINE)),
    ("client.allowed_origins", Here),
    ("client.token.hmac_secret_key", Here),
    ("client.token.rsa_public_key", Here),
    ("client.token.ecdsa_public_key", Here),
    ("client.token.audience", Here),
    ("client.token.issuer", Here),
    ("client.token.audience_regex", Here),
    ("client.token.issuer_regex", Here),
    ("client.token.user_id_claim", Here),
    ("client.token.jwks_public_endpoint", Here),
    ("client.token.hmac_previous_secret_key", Here),
    ("client.token.hmac_previous_secret_key_valid_until", Here),
    (
        "client.token.jwks.*",
        Gone("How keys are fetched from an address. They are not: write the public key into a file."),
    ),
    ("client.subscription_token.enabled", Here),
    ("client.subscription_token.*", Here),
    ("client.allow_anonymous_connect_without_token", Here),
    ("client.disallow_anonymous_connection_tokens", Here),
    ("client.insecure", Here),
    ("client.insecure_skip_token_signature_verify", Here),
    ("client.user_id_http_header", Here),
    ("client.ping_interval", Here),
    ("client.pong_timeout", Here),
    ("client.stale_close_delay", Here),
    ("client.channel_limit", Here),
    ("client.queue_max_size", Here),
    ("client.connection_limit", Here),
    ("client.user_connection_limit", Here),
    ("client.history_max_publication_limit", Here),
    ("client.recovery_max_publication_limit", Here),
    ("client.subscribe_to_user_personal_channel.enabled", Here),
    ("client.subscribe_to_user_personal_channel.personal_channel_namespace", Here),
    ("client.subscribe_to_user_personal_channel.single_connection", Here),
    ("client.proxy.connect.enabled", Here),
    ("client.proxy.refresh.enabled", Here),
    ("client.connect_proxy_name", Here),
    ("client.refresh_proxy_name", Here),
    (
        "client.expired_close_delay",
        Gone("How long an expired connection may stay to bring a new token. It is fixed here."),
    ),
    (
        "client.expired_sub_close_delay",
        Gone("How long an expired subscription may stay to bring a new token. It is fixed here."),
    ),
    ("client.presence_update_interval", Gone(PRESENCE_TIMES)),
    ("client.channel_position_check_delay", Gone(POSITIONS)),
    ("client.channel_position_max_time_lag", Gone(POSITIONS)),
    ("client.concurrency", Gone("Commands of one connection at a time. They are done in their order.")),
    (
        "client.connection_rate_limit",
        Gone("New connections a second in all. limits.connects_per_second_per_address limits each address."),
    ),
    ("client.connect_include_server_time", Gone("The server's time in the answer to connect. It is not told.")),
    ("client.connect_code_to_unidirectional_disconnect.*", Gone(UNIDIRECTIONAL)),
    ("client.write_delay", Gone(TUNING)),
    ("client.reply_without_queue", Gone(TUNING)),
    ("client.max_messages_in_frame", Gone(TUNING)),
    ("client.queue_initial_cap", Gone(TUNING)),
    (
        "client.rate_limit.*",
        Gone("Limits of commands by kind. limits.messages_per_second and messages_burst limit all of one connection."),
    ),
    ("channel.without_namespace.*", Here),
    ("channel.namespaces[].*", Here),
    ("channel.history_meta_ttl", Here),
    ("channel.namespace_boundary", Here),
    ("channel.user_boundary", Here),
    ("channel.private_prefix", Here),
    ("channel.user_separator", Here),
    (
        "channel.max_length",
        Gone("The longest name of a channel. It is 255 bytes here, and a namespace says which names there are."),
    ),
    ("channel.patterns.*", Gone(PRO)),
    ("channel.patterns", Gone(PRO)),
    ("channel.proxy.state.*", Gone(PRO)),
    ("channel.proxy.cache_empty.*", Gone(PRO)),
    ("channel.proxy.shared_poll.*", Gone(MAP)),
    ("channel.proxy.map_publish.*", Gone(MAP)),
    ("channel.proxy.map_remove.*", Gone(MAP)),
    ("rpc.without_namespace.proxy_enabled", Here),
    ("rpc.without_namespace.proxy_name", Here),
    ("rpc.without_namespace.*", Gone(PRO)),
    ("rpc.namespaces.*", Here),
    ("rpc.namespaces[].*", Here),
    (
        "rpc.namespace_boundary",
        Gone("How a method names its namespace. All methods go to one address, with their whole name."),
    ),
    ("rpc.ping.*", Gone("A method that the server answers itself. It has none.")),
    ("proxy.endpoint", Here),
    ("proxy.timeout", Here),
    ("proxy.name", Here),
    ("proxy.http_headers", Gone(HEADERS)),
    ("proxy.emulated_headers", Gone(HEADERS)),
    ("proxy.http.static_headers.*", Gone(HEADERS)),
    (
        "proxy.http.status_to_code_transforms.*",
        Gone(
            "What the client is told for a status of your backend. A status that is no 200 is error 100; answer 200 with an error.",
        ),
    ),
    ("proxy.http.tls.*", Gone("Certificates for calls to your backend. The system's are taken.")),
    ("proxy.http.*", Gone("How a backend was called. Nothing like it is here.")),
    ("proxy.binary_encoding", Gone("Payloads in base64 in calls to your backend. Payloads are JSON.")),
    (
        "proxy.include_connection_meta",
        Gone("The token's meta in calls to your backend. It is not told; look the user up."),
    ),
    ("proxy.grpc_metadata", Gone(GRPC_CALLS)),
    ("proxy.grpc.*", Gone(GRPC_CALLS)),
    ("proxy.unified", Gone("One shape for all calls. Each call says its event.")),
    ("http_api.disabled", Here),
    ("http_api.handler_prefix", Here),
    ("http_api.key", Here),
    ("http_api.external", Here),
    ("http_api.insecure", Here),
    ("http_api.error_mode", Here),
    ("grpc_api.*", Gone(GRPC)),
    (
        "consumers.*",
        Gone(
            "Publications from a queue or a database. Nothing is fetched: publish by the server API, with an idempotency_key.",
        ),
    ),
    (
        "consumers[].*",
        Gone(
            "Publications from a queue or a database. Nothing is fetched: publish by the server API, with an idempotency_key.",
        ),
    ),
    ("websocket.disabled", Here),
    ("websocket.handler_prefix", Here),
    ("websocket.message_size_limit", Here),
    ("websocket.compression", Gone(COMPRESSION)),
    ("websocket.compression_min_size", Gone(COMPRESSION)),
    ("websocket.compression_level", Gone(COMPRESSION)),
    ("websocket.compression_prepared_message_cache_size", Gone(COMPRESSION)),
    ("websocket.read_buffer_size", Gone(TUNING)),
    ("websocket.write_buffer_size", Gone(TUNING)),
    ("websocket.use_write_buffer_pool", Gone(TUNING)),
    (
        "websocket.write_timeout",
        Gone("How long a write may take. limits.no_progress_timeout ends a connection that takes nothing."),
    ),
    ("websocket.disable_closing_handshake", Gone(TUNING)),
    ("sse.enabled", Here),
    ("sse.handler_prefix", Here),
    ("sse.max_request_body_size", Gone(BODY)),
    ("http_stream.enabled", Here),
    ("http_stream.handler_prefix", Here),
    ("http_stream.max_request_body_size", Gone(BODY)),
    ("emulation.handler_prefix", Here),
    ("emulation.max_request_body_size", Gone(BODY)),
    ("webtransport.*", Gone("WebTransport. There is none; SDKs that are told other ways take those.")),
    ("uni_sse.*", Gone(UNIDIRECTIONAL)),
    ("uni_http_stream.*", Gone(UNIDIRECTIONAL)),
    ("uni_websocket.*", Gone(UNIDIRECTIONAL)),
    ("uni_grpc.*", Gone(UNIDIRECTIONAL)),
    ("admin.insecure", Gone("An admin page for everybody. There is none.")),
    ("admin.*", Gone(ADMIN)),
    ("prometheus.enabled", Here),
    ("prometheus.handler_prefix", Gone("Where metrics are. They are at /metrics of server.operations_listen.")),
    ("prometheus.*", Gone("Details of metrics. docs/reference/metrics.md lists those that there are.")),
    ("health.enabled", Here),
    (
        "health.handler_prefix",
        Gone("Where health is asked for. It is at /health/live and /health/ready of server.operations_listen."),
    ),
    ("swagger.*", Gone("A page about the server API. Its description is docs/reference/openapi.json.")),
    ("debug.*", Gone(DEBUG)),
    ("dev.*", Gone(DEBUG)),
    ("init.*", Gone("A request before the connection. SDKs connect without it.")),
    ("opentelemetry.*", Gone(TRACING)),
    ("graphite.*", Gone("Metrics sent to Graphite. They are fetched, in the format of Prometheus.")),
    ("usage_stats.disabled", Here),
    ("usage_stats.*", Gone("Statistics sent to the makers. None are.")),
    ("node.name", Gone("A name of this node. There is one node.")),
    ("node.*", Gone(TUNING)),
    ("shutdown.timeout", Here),
    ("shutdown.*", Gone(TUNING)),
    ("pid_file", Gone("A file with the number of the process. Let the system that starts it keep that.")),
    ("enable_unreleased_features", Gone("Features that are not released. There are none.")),
    ("granular_proxy_mode", Here),
    ("license", Gone(PRO)),
    ("database.*", Gone(PRO)),
    ("singleflight.*", Gone(PRO)),
    ("cache.*", Gone(PRO)),
    ("clickhouse_analytics.*", Gone(PRO)),
    ("user_tokens_invalidate.*", Gone(PRO)),
    ("user_block.*", Gone(PRO)),
    ("token_revoke.*", Gone(PRO)),
    ("push_notifications.*", Gone(PRO)),
    ("distributed_rate_limit.*", Gone(PRO)),
    ("user_status.*", Gone(PRO)),
    ("state.*", Gone(PRO)),
    ("tls_autocert.*", Gone(TLS)),
    ("unified_proxy.*", Gone(HEADERS)),
];

/// What becomes of the key at `path`; `None` if nobody knows it.
pub(super) fn fate(path: &str) -> Option<Fate> {
    let path = without_numbers(path);
    for options in ["channel.namespaces[].", "channel.without_namespace."] {
        if let Some(option) = path.strip_prefix(options) {
            return find(OPTIONS, option);
        }
    }
    if let Some(fate) = find(ROWS, &path) {
        return Some(fate);
    }
    // A section that says nothing.
    if ROWS.iter().any(|(row, _)| row.strip_prefix(&*path).is_some_and(|rest| rest.starts_with(['.', '[']))) {
        return Some(Here);
    }
    PROXIES.iter().find_map(|place| {
        let rest = path.strip_prefix(place)?.strip_prefix('.')?;
        find(ROWS, &format!("proxy.{rest}"))
    })
}

/// Whether a section of version 6 is called so.
pub(super) fn is_section(key: &str) -> bool {
    key == "proxies" || ROWS.iter().any(|(row, _)| row.split(['.', '[']).next() == Some(key) && key != "proxy")
}

/// Whether such a section may be a value or a list.
pub(super) fn is_top_level(key: &str) -> bool {
    matches!(key, "proxies" | "consumers" | "brokers" | "presence_managers" | "pid_file" | "enable_unreleased_features")
}

fn find(rows: &[(&str, Fate)], path: &str) -> Option<Fate> {
    let exact = rows.iter().find(|(row, _)| *row == path);
    let below = || {
        rows.iter().filter(|(row, _)| {
            row.strip_suffix(".*").is_some_and(|row| {
                path.strip_prefix(row).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
            })
        })
    };
    exact.or_else(|| below().max_by_key(|(row, _)| row.len())).map(|(_, fate)| *fate)
}

fn without_numbers(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut is_within = false;
    for c in path.chars() {
        match c {
            '[' => is_within = true,
            ']' => is_within = false,
            _ if is_within => continue,
            _ => {}
        }
        out.push(c);
    }
    out
}
