//! What the configuration shows of itself: the reference page, and `config print`.

use crate::support::Place;

#[test]
fn the_reference_page_is_current() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/config.md");
    let wanted = Place::new().run(&["config", "reference"]).expect(0).out;
    if std::env::var_os("LYCHGATE_BLESS").is_some() {
        std::fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference")).unwrap();
        std::fs::write(page, &wanted).unwrap();
    }
    let found = std::fs::read_to_string(page).unwrap_or_default();
    assert!(found == wanted, "docs/reference/config.md is out of date: run the tests with LYCHGATE_BLESS=1");
}

#[test]
fn every_key_of_the_reference_has_a_meaning() {
    let page = Place::new().run(&["config", "reference"]).expect(0).out;
    let rows: Vec<_> = page.lines().filter(|line| line.starts_with("| `")).collect();
    assert!(rows.len() > 90, "{} rows", rows.len());
    for row in rows {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        assert!(cells.iter().all(|cell| !cell.is_empty() && !cell.starts_with("<br>")), "{row}");
    }
}

#[test]
fn one_section_can_be_asked_for() {
    let place = Place::new();
    let ran = place.run(&["config", "reference", "limits"]).expect(0);
    assert!(ran.out.contains("`queue_bytes_max`") && !ran.out.contains("`listen`"), "{}", ran.out);
    place.run(&["config", "reference", "endpoint"]).expect(0);
    let ran = place.run(&["config", "reference", "nothing"]).expect(2);
    assert!(ran.err.contains("issuer.NAME"), "{}", ran.err);
}

/// Every default can be written, and a printed configuration is one: printing it again gives the same.
#[test]
fn what_is_printed_can_be_read_again() {
    let text = "[endpoint.ws]\n[endpoint.ws.codec]\nstamp = { \"a key\" = \"uuid\", b = \"user.id\" }\n[endpoint.e]\nkind = \"echo\"\npath = \"/e\"\ncredentials = [\"header\"]\nmessage_bytes_max = 1000\n[profile.p]\nslow = [4001, \"with \\\"quotes\\\"\"]\n[tokens]\nlifetime = \"90s\"\n[server]\noperations_listen = \"same\"\n[login]\nidentify_by = [\"email\", \"name\"]\nclaims = [\"level\"]\ndisabled = [401, \"a \\\"quote\\\"\"]\n";
    let place = Place::with(&[("c.toml", text)]);
    let first = place.run(&["config", "print", "--config", "c.toml"]).expect(0).out;
    std::fs::write(place.path.join("again.toml"), &first).unwrap();
    let second = place.run(&["config", "print", "--config", "again.toml"]).expect(0).out;
    let values = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.split_once("  # ").map_or(line, |(value, _)| value).to_owned()).collect()
    };
    assert_eq!(values(&first), values(&second));
    assert!(first.contains("lifetime = \"90s\"") && first.contains("\"a key\" = \"uuid\""), "{first}");
}

#[test]
fn the_example_is_a_good_configuration() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/ship.toml");
    let ran = Place::new().run(&["config", "check", "--config", example]).expect(0);
    assert_eq!(ran.out, "The configuration is good: ws at /ws, listening on 127.0.0.1:8000.\n");
}

#[test]
fn an_endpoint_that_is_gone_is_shown_as_one_that_nobody_enters() {
    let text = "[endpoint.old]\npath = \"/old/{token}\"\nkind = \"gone\"\n[endpoint.ws]\npath = \"/ws/{room:int}\"\n";
    let place = Place::with(&[("c.toml", text)]);
    let ran = place.run(&["endpoints", "--config", "c.toml"]).expect(0);
    let (old, ws) = ran.out.split_once("\nws  ").expect("two endpoints");
    assert!(old.contains("nobody comes in any more") && old.contains("\n  gone "), "{old}");
    assert!(!old.contains("?token=") && !old.contains("not_found"), "{old}");
    assert!(ws.contains("?token=TOKEN") && ws.contains("not_found") && !ws.contains("\n  gone "), "{ws}");
}
