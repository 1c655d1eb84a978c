//! What is done to the registry, an answer for each.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use lychgate_service::ports::StoreError;
use lychgate_service::ports::registry::Resource;
use serde::Serialize;

use crate::error::HttpError;
use crate::http::api::caller::{Caller, internal};
use crate::http::api::names::Page;
use crate::http::api::{Api, Call};
use crate::ws::changes::Change;

#[derive(Serialize)]
struct ResourceShown<'a> {
    name: &'a str,
    owner: Option<&'a str>,
}

#[derive(Serialize)]
struct ResourcesShown<'a> {
    resources: Vec<ResourceShown<'a>>,
    /// What to ask for as `after` to see what comes next.
    next: Option<&'a str>,
}

#[derive(Serialize)]
struct MemberShown<'a> {
    resource: &'a str,
    user: &'a str,
}

#[derive(Serialize)]
struct MembersShown<'a> {
    members: &'a [String],
    next: Option<&'a str>,
}

impl Api {
    pub(super) async fn put_resource(&self, caller: &Caller, key: &str, call: Call) -> Result<Response, HttpError> {
        let name = call.resource()?;
        let resource = Resource { name, owner: call.owner().await? };
        let change = Change { resource: resource.name.clone(), user: None };
        let (registry, written) = (self.parts.registry.clone(), resource.clone());
        // Nobody can have lost a right to what has just begun to exist.
        let work = async move { registry.put_resource(&written).await };
        let is_new = self.write(caller, change, work, |is_new| !is_new).await?;
        changed(caller, key, &resource.name);
        Ok(answer(created_if(is_new), &ResourceShown::of(&resource)))
    }

    pub(super) async fn get_resource(&self, caller: &Caller, call: Call) -> Result<Response, HttpError> {
        let found = self.parts.registry.find_resource(&call.resource()?).await;
        let resource = found.map_err(|error| caller.store_failed(&error))?.ok_or_else(no_resource)?;
        Ok(answer(StatusCode::OK, &ResourceShown::of(&resource)))
    }

    pub(super) async fn delete_resource(&self, caller: &Caller, key: &str, call: Call) -> Result<Response, HttpError> {
        let name = call.resource()?;
        let change = Change { resource: name.clone(), user: None };
        let (registry, removed) = (self.parts.registry.clone(), name.clone());
        let work = async move { registry.remove_resource(&removed).await };
        if !self.write(caller, change, work, |was_there| *was_there).await? {
            return Err(no_resource());
        }
        changed(caller, key, &name);
        Ok(StatusCode::NO_CONTENT.into_response())
    }

    pub(super) async fn list_resources(&self, caller: &Caller, call: Call) -> Result<Response, HttpError> {
        let Page { after, limit } = call.page()?;
        let listed = self.parts.registry.list_resources(&after, limit).await;
        let listed = listed.map_err(|error| caller.store_failed(&error))?;
        let next = listed.last().filter(|_| listed.len() == limit as usize).map(|last| last.name.as_str());
        let resources = listed.iter().map(ResourceShown::of).collect();
        Ok(answer(StatusCode::OK, &ResourcesShown { resources, next }))
    }

    pub(super) async fn put_member(&self, caller: &Caller, key: &str, call: Call) -> Result<Response, HttpError> {
        let (resource, user) = (call.resource()?, call.user()?);
        let change = Change { resource: resource.clone(), user: Some(user.clone()) };
        let (registry, named) = (self.parts.registry.clone(), (resource.clone(), user.clone()));
        let work = async move { registry.add_member(&named.0, &named.1).await };
        // A right that is won needs no question: who has it comes by the door.
        let added = self.write(caller, change, work, |_| false).await?;
        let is_new = added.ok_or_else(no_resource)?;
        changed(caller, key, &resource);
        Ok(answer(created_if(is_new), &MemberShown { resource: &resource, user: &user }))
    }

    pub(super) async fn delete_member(&self, caller: &Caller, key: &str, call: Call) -> Result<Response, HttpError> {
        let (resource, user) = (call.resource()?, call.user()?);
        let change = Change { resource: resource.clone(), user: Some(user.clone()) };
        let (registry, named) = (self.parts.registry.clone(), resource.clone());
        let work = async move { registry.remove_member(&named, &user).await };
        if !self.write(caller, change, work, |was_there| *was_there).await? {
            return Err(HttpError::new(StatusCode::NOT_FOUND, "not_found", "There is no such member."));
        }
        changed(caller, key, &resource);
        Ok(StatusCode::NO_CONTENT.into_response())
    }

    pub(super) async fn list_members(&self, caller: &Caller, call: Call) -> Result<Response, HttpError> {
        let (resource, Page { after, limit }) = (call.resource()?, call.page()?);
        let listed = self.parts.registry.list_members(&resource, &after, limit).await;
        let members = listed.map_err(|error| caller.store_failed(&error))?.ok_or_else(no_resource)?;
        let next = members.last().filter(|_| members.len() == limit as usize).map(String::as_str);
        Ok(answer(StatusCode::OK, &MembersShown { members: &members, next }))
    }

    /// Carries a write to its end, in a task of its own, and tells of the change if it took a right from somebody.
    ///
    /// # Cancel safety
    ///
    /// A dropped call leaves the write and what follows from it to that task.
    async fn write<T: Send + 'static>(
        &self,
        caller: &Caller,
        change: Change,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
        takes_a_right: fn(&T) -> bool,
    ) -> Result<T, HttpError> {
        let changes = self.gate.changes.clone();
        let written = self.gate.tracker.spawn(async move {
            let written = work.await;
            // A store that failed may have written all the same.
            if written.as_ref().map_or(true, takes_a_right) {
                changes.tell(change);
            }
            written
        });
        match written.await {
            Ok(written) => written.map_err(|error| caller.store_failed(&error)),
            // The task panicked; there is nothing else that could end it.
            Err(_) => Err(internal()),
        }
    }
}

impl<'a> ResourceShown<'a> {
    fn of(resource: &'a Resource) -> Self {
        Self { name: &resource.name, owner: resource.owner.as_deref() }
    }
}

const fn created_if(is_new: bool) -> StatusCode {
    if is_new { StatusCode::CREATED } else { StatusCode::OK }
}

fn answer(status: StatusCode, body: &impl Serialize) -> Response {
    (status, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

fn no_resource() -> HttpError {
    HttpError::new(StatusCode::NOT_FOUND, "not_found", "There is no such resource.")
}

fn changed(caller: &Caller, key: &str, resource: &str) {
    let (address, request_id, route) =
        (caller.address.map(tracing::field::display), caller.request_id, caller.operation.name());
    tracing::info!(address, %request_id, route, key, resource, "the registry was changed");
}
