//! The configurations on the pages about channels are good, as they stand there.

use std::collections::BTreeMap;

use crate::support::{Place, SECRET};

macro_rules! page {
    ($name:literal) => {
        include_str!(concat!("../../../../docs/guide/", $name, ".md"))
    };
}

#[test]
fn the_configurations_of_the_guide_are_good() {
    for (page, blocks) in [
        (page!("channels"), 6),
        (page!("server-api"), 1),
        (page!("coming-from-centrifugo"), 1),
        (page!("events"), 1),
        (page!("sessions"), 1),
    ] {
        let blocks_found: Vec<&str> =
            page.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
        assert_eq!(blocks_found.len(), blocks);
        // Those of one page belong together.
        let text = format!("[tokens]\nsigning = \"eddsa\"\n{}", blocks_found.concat());
        let place = Place::with(&[("lychgate.toml", &text)]);
        let environment = BTreeMap::from([("CENTRIFUGO_TOKEN_SECRET", SECRET), ("LYCHGATE_CALL_SECRET", SECRET)]);
        place.run_in(&environment, &["config", "check"]).expect(0);
    }
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/channels.toml");
    let environment = BTreeMap::from([("JWT_SECRET_KEY", SECRET)]);
    Place::new().run_in(&environment, &["config", "check", "--config", example]).expect(0);
}
