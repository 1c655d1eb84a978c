//! The HTTP API that a program of the application fills this server's own registry by.
//!
//! Every request shows a key. What it is good for is checked first, and nothing of the request is read before.
//!
//! **Invariant:** a write that has begun is carried to its end and told to the sockets it concerns,
//! even if whoever asked for it has gone.
//!
//! **Absent on purpose:** pages of browsers. A key belongs to a server, so no answer here is readable across origins.

mod caller;
pub mod channels;
mod names;
mod registry;

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts as _, RawPathParams, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post, put};
use http::{HeaderValue, StatusCode};
use lychgate_service::api_key_office::{ApiKeyOffice, Scope};
use lychgate_service::limits::KeyedRate;
use lychgate_service::login_throttle::AddressKey;
use lychgate_service::ports::registry::Registry;

use crate::accept::Peer;
use crate::error::HttpError;
use crate::layers::request_id::{self, RequestId};
use crate::settings::ApiRoute;
use crate::ws::gate::Gate;

use caller::Caller;
use channels::{ChannelsApi, Method};

/// How many addresses are remembered for failed keys.
const ADDRESSES_MAX: usize = 65_536;

/// Who answers.
#[derive(Clone)]
pub struct ApiParts {
    /// Who says what a key is good for.
    pub office: Arc<ApiKeyOffice>,
    /// What is read and changed.
    pub registry: Arc<dyn Registry>,
    /// Where channels are, if there are any.
    pub channels: Option<ChannelsApi>,
}

/// The API with what it stands on.
pub struct Api {
    parts: ApiParts,
    failed_keys: KeyedRate<AddressKey>,
    gate: Arc<Gate>,
}

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    PutResource,
    GetResource,
    DeleteResource,
    ListResources,
    PutMember,
    DeleteMember,
    ListMembers,
    Channels(Method),
}

impl Operation {
    /// Its name in logs and metrics.
    const fn name(self) -> &'static str {
        match self {
            Self::PutResource => "put_resource",
            Self::GetResource => "get_resource",
            Self::DeleteResource => "delete_resource",
            Self::ListResources => "list_resources",
            Self::PutMember => "put_member",
            Self::DeleteMember => "delete_member",
            Self::ListMembers => "list_members",
            Self::Channels(method) => method.name(),
        }
    }

    /// What else a key may be good for, where that is enough to begin with.
    const fn other_scopes(self) -> &'static [Scope] {
        match self {
            // Each of its commands is asked about by itself.
            Self::Channels(Method::Batch) => &[Scope::ChannelsRead, Scope::ChannelsManage],
            _ => &[],
        }
    }

    /// What a key has to be good for.
    const fn scope(self) -> Scope {
        match self {
            Self::GetResource | Self::ListResources | Self::ListMembers => Scope::RegistryRead,
            Self::PutResource | Self::DeleteResource | Self::PutMember | Self::DeleteMember => Scope::RegistryWrite,
            Self::Channels(method) => method.scope(),
        }
    }
}

/// The routes below `route.path`.
pub fn router(route: &ApiRoute, parts: ApiParts, gate: &Arc<Gate>) -> Router {
    let failed_keys = KeyedRate::new(route.failed_keys_per_address, ADDRESSES_MAX);
    let api = Arc::new(Api { parts, failed_keys, gate: Arc::clone(gate) });
    let to = |operation: Operation| {
        move |State(api): State<Arc<Api>>, call: Call| async move { api.answer(operation, call).await }
    };
    let resource =
        put(to(Operation::PutResource)).get(to(Operation::GetResource)).delete(to(Operation::DeleteResource));
    let member = put(to(Operation::PutMember)).delete(to(Operation::DeleteMember));
    let path = |rest: &str| format!("{}/resources{rest}", route.path);
    let with_refusal = |method: MethodRouter<Arc<Api>>| method.fallback(wrong_method);
    let mut router = Router::new();
    if api.parts.channels.is_some() {
        for method in Method::ALL {
            let at = format!("{}/{}", route.path, method.name());
            router = router.route(&at, with_refusal(post(to(Operation::Channels(method)))));
        }
    }
    router
        .route(&path(""), with_refusal(get(to(Operation::ListResources))))
        .route(&path("/{name}"), with_refusal(resource))
        .route(&path("/{name}/members"), with_refusal(get(to(Operation::ListMembers))))
        .route(&path("/{name}/members/{user}"), with_refusal(member))
        .layer(DefaultBodyLimit::max(route.body_bytes_max))
        .with_state(api)
}

async fn wrong_method() -> Response {
    let error = HttpError::new(StatusCode::METHOD_NOT_ALLOWED, "method", "Nothing here is done by this method.");
    with_id(error.into_response(), RequestId::fresh())
}

fn with_id(mut response: Response, id: RequestId) -> Response {
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert(request_id::HEADER, value);
    }
    response
}

/// A request as it came, with the parts of its path, decoded once.
struct Call {
    path: Result<RawPathParams, RawPathParamsRejection>,
    request: Request,
}

impl<S: Send + Sync> FromRequest<S> for Call {
    type Rejection = std::convert::Infallible;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        let (mut parts, body) = request.into_parts();
        let path = RawPathParams::from_request_parts(&mut parts, state).await;
        Ok(Self { path, request: Request::from_parts(parts, body) })
    }
}

impl Api {
    async fn answer(&self, operation: Operation, call: Call) -> Response {
        let peer = call.request.extensions().get::<Peer>();
        let caller = Caller::of(peer, call.request.headers(), &self.gate.trusted_proxies, operation);
        let answered = match self.key_of(&caller, call.request.headers()).await {
            Ok(key) => self.perform(&caller, &key, call).await,
            Err(error) => Err(error),
        };
        let response = with_id(answered.unwrap_or_else(IntoResponse::into_response), caller.request_id);
        self.gate.metrics.api_request(operation.name(), response.status().as_u16());
        response
    }

    async fn perform(&self, caller: &Caller, key: &str, call: Call) -> Result<Response, HttpError> {
        match caller.operation {
            Operation::PutResource => self.put_resource(caller, key, call).await,
            Operation::GetResource => self.get_resource(caller, call).await,
            Operation::DeleteResource => self.delete_resource(caller, key, call).await,
            Operation::ListResources => self.list_resources(caller, call).await,
            Operation::PutMember => self.put_member(caller, key, call).await,
            Operation::DeleteMember => self.delete_member(caller, key, call).await,
            Operation::ListMembers => self.list_members(caller, call).await,
            Operation::Channels(method) => {
                let headers = call.request.headers().clone();
                self.channels(caller, method, &headers, call).await
            }
        }
    }
}
