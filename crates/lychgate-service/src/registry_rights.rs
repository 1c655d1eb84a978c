//! Rights by this server's own registry.
//!
//! A question takes as long as the store takes for two reads at most.
//! Nothing is remembered: a change that the registry has acknowledged is seen by the next question.
//!
//! **Absent on purpose:** attributes. The registry knows whose a resource is and nothing else of it.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Map;

use crate::ports::StoreError;
use crate::ports::registry::Registry;
use crate::ports::rights::{Answer, Question, Relation, Rights, RightsError};

/// Answers from the registry.
#[derive(Clone)]
pub struct RegistryRights {
    registry: Arc<dyn Registry>,
}

impl RegistryRights {
    /// Answers from `registry`.
    #[must_use]
    pub fn new(registry: Arc<dyn Registry>) -> Self {
        Self { registry }
    }
}

#[async_trait]
impl Rights for RegistryRights {
    async fn ask(&self, question: &Question) -> Result<Answer, RightsError> {
        let Some(resource) = self.registry.find_resource(&question.resource).await.map_err(rights_error)? else {
            return Ok(Answer::Absent);
        };
        let is_owner = resource.owner.as_deref() == Some(question.user.as_str());
        let may = match question.relation {
            Relation::Owner => is_owner,
            Relation::Member => {
                is_owner || self.registry.is_member(&question.resource, &question.user).await.map_err(rights_error)?
            }
        };
        Ok(if may { Answer::Granted(Map::new()) } else { Answer::Foreign })
    }
}

fn rights_error(error: StoreError) -> RightsError {
    match error {
        StoreError::Unavailable(_) | StoreError::Full(_) => RightsError::Unavailable(error.into()),
        StoreError::Broken(_) => RightsError::Broken(error.into()),
    }
}
