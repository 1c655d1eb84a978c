//! What keeping the contract of [`Registry`] means.

use std::sync::Arc;

use futures_util::future::join_all;

use crate::ports::registry::{Registry, Resource};

/// Runs the suite; `make` returns an empty store of its own at each call.
///
/// # Panics
///
/// Panics at the first rule that is broken.
pub async fn registry_conformance<F, Fut>(make: F)
where
    F: Fn() -> Fut,
    Fut: Future<Output = Arc<dyn Registry>>,
{
    absence_is_no_failure(&*make().await).await;
    a_resource_changes_hands_and_keeps_its_members(&*make().await).await;
    with_the_resource_its_members_go(&*make().await).await;
    members_come_and_go(&*make().await).await;
    lists_go_by_bytes_and_by_pages(&*make().await).await;
    names_are_data(&*make().await).await;
    of_many_who_add_one_member_one_is_first(&*make().await).await;
}

fn resource(name: &str, owner: Option<&str>) -> Resource {
    Resource { name: name.into(), owner: owner.map(str::to_owned) }
}

async fn put(registry: &dyn Registry, name: &str, owner: Option<&str>) -> bool {
    registry.put_resource(&resource(name, owner)).await.expect("storing works")
}

async fn add(registry: &dyn Registry, resource: &str, user: &str) -> Option<bool> {
    registry.add_member(resource, user).await.expect("storing works")
}

async fn is_member(registry: &dyn Registry, resource: &str, user: &str) -> bool {
    registry.is_member(resource, user).await.expect("reading works")
}

async fn members(registry: &dyn Registry, resource: &str) -> Option<Vec<String>> {
    registry.list_members(resource, "", 100).await.expect("reading works")
}

async fn absence_is_no_failure(registry: &dyn Registry) {
    assert_eq!(registry.find_resource("chat:5").await.expect("reading works"), None);
    assert!(!registry.remove_resource("chat:5").await.expect("nothing goes"));
    assert!(registry.list_resources("", 10).await.expect("reading works").is_empty());
    assert_eq!(add(registry, "chat:5", "ada").await, None, "there is nothing to be a member of");
    assert!(!registry.remove_member("chat:5", "ada").await.expect("nobody goes"));
    assert_eq!(members(registry, "chat:5").await, None);
    assert_eq!(registry.list_members("chat:5", "", 0).await.expect("reading works"), None);
    assert!(!is_member(registry, "chat:5", "ada").await, "a refused member is none");
}

async fn a_resource_changes_hands_and_keeps_its_members(registry: &dyn Registry) {
    assert!(put(registry, "entry:17", Some("ada")).await, "it is new");
    assert_eq!(add(registry, "entry:17", "bob").await, Some(true));
    for owner in [Some("eve"), None, None, Some("ada")] {
        assert!(!put(registry, "entry:17", owner).await, "it is there");
        let found = registry.find_resource("entry:17").await.expect("reading works");
        assert_eq!(found, Some(resource("entry:17", owner)));
        assert!(is_member(registry, "entry:17", "bob").await);
    }
    assert!(!is_member(registry, "entry:17", "ada").await, "the owner is not listed unless added");
    assert_eq!(registry.list_resources("", 10).await.expect("reading works").len(), 1);
}

async fn with_the_resource_its_members_go(registry: &dyn Registry) {
    for name in ["chat:5", "chat:6"] {
        put(registry, name, None).await;
        add(registry, name, "ada").await;
        add(registry, name, "bob").await;
    }
    assert!(registry.remove_resource("chat:5").await.expect("it goes"));
    assert!(!is_member(registry, "chat:5", "ada").await);
    assert!(put(registry, "chat:5", None).await, "it is new again");
    assert_eq!(members(registry, "chat:5").await, Some(vec![]), "and without its former members");
    assert_eq!(members(registry, "chat:6").await, Some(vec!["ada".into(), "bob".into()]), "another one keeps its own");
}

async fn members_come_and_go(registry: &dyn Registry) {
    put(registry, "chat:5", None).await;
    put(registry, "chat:6", None).await;
    assert_eq!(add(registry, "chat:5", "ada").await, Some(true));
    assert_eq!(add(registry, "chat:5", "ada").await, Some(false), "listed once");
    assert!(is_member(registry, "chat:5", "ada").await);
    for (resource, user) in [("chat:6", "ada"), ("chat:5", "Ada"), ("chat:5", "ada "), ("Chat:5", "ada")] {
        assert!(!is_member(registry, resource, user).await, "{user} of {resource}");
    }
    assert!(registry.remove_member("chat:5", "ada").await.expect("ada goes"));
    assert!(!registry.remove_member("chat:5", "ada").await.expect("nobody goes"));
    assert!(!is_member(registry, "chat:5", "ada").await);
}

async fn lists_go_by_bytes_and_by_pages(registry: &dyn Registry) {
    let sorted = ["A", "B", "a", "b", "~"];
    for name in ["b", "A", "~", "a", "B"] {
        put(registry, name, Some(name)).await;
        add(registry, name, "solo").await;
    }
    let names = async |after: &str, limit| -> Vec<String> {
        let listed = registry.list_resources(after, limit).await.expect("reading works");
        listed.into_iter().map(|resource| resource.name).collect()
    };
    assert_eq!(names("", 100).await, sorted);
    assert_eq!(names("", 2).await, sorted[..2]);
    assert_eq!(names("B", 2).await, sorted[2..4]);
    assert_eq!(names("C", 1).await, sorted[2..3], "what it comes after need not be there");
    assert!(names("~", 2).await.is_empty() && names("", 0).await.is_empty());

    for user in ["é", "b", "A", "a"] {
        add(registry, "A", user).await;
    }
    let page = async |after: &str, limit| registry.list_members("A", after, limit).await.expect("reading works");
    assert_eq!(page("", 100).await, Some(["A", "a", "b", "solo", "é"].map(String::from).to_vec()));
    assert_eq!(page("a", 2).await, Some(["b", "solo"].map(String::from).to_vec()));
    assert_eq!(page("é", 2).await, Some(vec![]));
    assert_eq!(page("", 0).await, Some(vec![]));
}

async fn names_are_data(registry: &dyn Registry) {
    let names = ["';DROP/**/TABLE/**/resources;--", "%", "_", "\"", "\\", "?1", "chat:5", ":user"];
    for name in names {
        assert!(put(registry, name, Some(name)).await, "{name}");
        assert_eq!(add(registry, name, name).await, Some(true), "{name}");
    }
    for name in names {
        let found = registry.find_resource(name).await.expect("reading works");
        assert_eq!(found, Some(resource(name, Some(name))));
        assert_eq!(members(registry, name).await, Some(vec![name.to_owned()]));
    }
}

async fn of_many_who_add_one_member_one_is_first(registry: &dyn Registry) {
    let made = join_all((0..16).map(|_| put(registry, "chat:5", None))).await;
    assert_eq!(made.into_iter().filter(|is_new| *is_new).count(), 1);
    let added = join_all((0..16).map(|_| add(registry, "chat:5", "ada"))).await;
    assert_eq!(added.into_iter().filter(|answer| *answer == Some(true)).count(), 1);
}
