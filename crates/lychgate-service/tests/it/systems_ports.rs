//! The fakes of tickets, registry and messages against the conformance suites, and rights by the registry.

use std::sync::Arc;

use async_trait::async_trait;
use lychgate_service::ports::StoreError;
use lychgate_service::ports::api_keys::ApiKeys;
use lychgate_service::ports::messages::Messages;
use lychgate_service::ports::registry::{Registry, Resource};
use lychgate_service::ports::rights::{Answer, Question, Relation, Rights, RightsError};
use lychgate_service::ports::tickets::Tickets;
use lychgate_service::ports::users::Users;
use lychgate_service::registry_rights::RegistryRights;
use lychgate_service::testing::{
    MemoryApiKeys, MemoryMessages, MemoryRegistry, MemoryTickets, MemoryUsers, api_keys_conformance,
    messages_conformance, registry_conformance, tickets_conformance,
};
use serde_json::Map;

#[tokio::test]
async fn tickets_in_memory_keep_the_contract() {
    tickets_conformance(async || Arc::new(MemoryTickets::default()) as Arc<dyn Tickets>).await;
}

#[tokio::test]
async fn api_keys_in_memory_keep_the_contract() {
    api_keys_conformance(async || Arc::new(MemoryApiKeys::default()) as Arc<dyn ApiKeys>).await;
}

#[tokio::test]
async fn the_registry_in_memory_keeps_the_contract() {
    registry_conformance(async || Arc::new(MemoryRegistry::default()) as Arc<dyn Registry>).await;
}

#[tokio::test]
async fn messages_in_memory_keep_the_contract() {
    messages_conformance(async || {
        let users = Arc::new(MemoryUsers::default());
        (Arc::new(MemoryMessages::new(users.clone())) as Arc<dyn Messages>, users as Arc<dyn Users>)
    })
    .await;
}

fn question(relation: Relation, resource: &str, user: &str) -> Question {
    Question { relation, resource: resource.into(), user: user.into(), parameters: Vec::new() }
}

#[tokio::test]
async fn the_registry_says_who_may_enter() {
    let registry = Arc::new(MemoryRegistry::default());
    let owned = Resource { name: "entry:17".into(), owner: Some("ada".into()) };
    let ownerless = Resource { name: "chat:5".into(), owner: None };
    for resource in [&owned, &ownerless] {
        registry.put_resource(resource).await.expect("storing works");
        registry.add_member(&resource.name, "bob").await.expect("storing works");
    }
    let rights = RegistryRights::new(registry.clone());
    let granted = || Answer::Granted(Map::new());
    for (relation, resource, user, answer) in [
        (Relation::Owner, "entry:17", "ada", granted()),
        (Relation::Owner, "entry:17", "bob", Answer::Foreign),
        (Relation::Owner, "entry:17", "Ada", Answer::Foreign),
        (Relation::Owner, "entry:17", "", Answer::Foreign),
        (Relation::Owner, "entry:18", "ada", Answer::Absent),
        (Relation::Owner, "chat:5", "bob", Answer::Foreign),
        (Relation::Owner, "chat:5", "", Answer::Foreign),
        (Relation::Member, "entry:17", "ada", granted()),
        (Relation::Member, "entry:17", "bob", granted()),
        (Relation::Member, "entry:17", "eve", Answer::Foreign),
        (Relation::Member, "chat:5", "bob", granted()),
        (Relation::Member, "chat:5", "ada", Answer::Foreign),
        (Relation::Member, "chat:6", "bob", Answer::Absent),
    ] {
        let said = rights.ask(&question(relation, resource, user)).await.expect("the registry answers");
        assert_eq!(said, answer, "{relation:?} {resource} {user:?}");
    }
    registry.remove_member("chat:5", "bob").await.expect("storing works");
    let said = rights.ask(&question(Relation::Member, "chat:5", "bob")).await.expect("the registry answers");
    assert_eq!(said, Answer::Foreign, "nothing is remembered");
}

/// A registry that fails in one way.
struct Failing(fn() -> StoreError);

#[async_trait]
impl Registry for Failing {
    async fn put_resource(&self, _: &Resource) -> Result<bool, StoreError> {
        Err(self.0())
    }
    async fn remove_resource(&self, _: &str) -> Result<bool, StoreError> {
        Err(self.0())
    }
    async fn find_resource(&self, _: &str) -> Result<Option<Resource>, StoreError> {
        Err(self.0())
    }
    async fn list_resources(&self, _: &str, _: u32) -> Result<Vec<Resource>, StoreError> {
        Err(self.0())
    }
    async fn add_member(&self, _: &str, _: &str) -> Result<Option<bool>, StoreError> {
        Err(self.0())
    }
    async fn remove_member(&self, _: &str, _: &str) -> Result<bool, StoreError> {
        Err(self.0())
    }
    async fn list_members(&self, _: &str, _: &str, _: u32) -> Result<Option<Vec<String>>, StoreError> {
        Err(self.0())
    }
    async fn is_member(&self, _: &str, _: &str) -> Result<bool, StoreError> {
        Err(self.0())
    }
}

#[tokio::test]
async fn a_registry_that_fails_lets_nobody_in() {
    for relation in [Relation::Owner, Relation::Member] {
        let away = RegistryRights::new(Arc::new(Failing(|| StoreError::Unavailable("away".into()))));
        let said = away.ask(&question(relation, "chat:5", "ada")).await;
        assert!(matches!(said, Err(RightsError::Unavailable(_))), "{said:?}");
        let damaged = RegistryRights::new(Arc::new(Failing(|| StoreError::Broken("damaged".into()))));
        let said = damaged.ask(&question(relation, "chat:5", "ada")).await;
        assert!(matches!(said, Err(RightsError::Broken(_))), "{said:?}");
    }
}
