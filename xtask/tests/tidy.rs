//! `tidy` driven over small workspaces in a temporary folder.
//!
//! One table: each case changes a sound workspace in one way and names the faults that must follow.
//! The sound workspace is the control of every case, and cases that must stay silent stand beside those that must not.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use xtask::tidy::{Report, check};

/// A workspace on disk that is removed when the test ends.
struct Fixture(PathBuf);

impl Fixture {
    /// Files that break no rule.
    fn sound() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("lychgate-tidy-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let fixture = Self(std::env::temp_dir().join(name));
        fixture.write("Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"crates/*\"]\n[workspace.lints]\n");
        fixture.write("clippy.toml", "");
        fixture.write("ARCHITECTURE.md", "# Map\n\nThe hub is `crates/lychgate-hub`, its clippy bans `clippy.toml`.\n");
        for (name, dependencies) in [
            ("lychgate-token", "jsonwebtoken = \"11\"\n"),
            ("lychgate-protocol", ""),
            ("lychgate-hub", "lychgate-protocol = { path = \"../lychgate-protocol\" }\n"),
            ("lychgate-service", "lychgate-hub = { path = \"../lychgate-hub\" }\ntokio = \"1\"\n"),
            ("lychgate-store", "lychgate-service = { path = \"../lychgate-service\" }\nsqlx = \"0.9\"\n"),
            ("lychgate-gateway", "lychgate-service = { path = \"../lychgate-service\" }\naxum = \"0.8\"\n"),
            ("lychgate", "lychgate-gateway = { path = \"../lychgate-gateway\" }\nhyper = \"1\"\n"),
        ] {
            let features = if name == "lychgate-service" { "[features]\ntesting = []\n" } else { "" };
            fixture.write(
                &format!("crates/{name}/Cargo.toml"),
                &format!(
                    "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n{features}\
                     [lints]\nworkspace = true\n[dependencies]\n{dependencies}"
                ),
            );
            fixture.write(&format!("crates/{name}/src/lib.rs"), "//! A room.\n");
        }
        fixture
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.0.join(file);
        let folder = path.parent().expect("a file lies in a folder");
        fs::create_dir_all(folder).expect("the temporary folder takes folders");
        fs::write(path, text).expect("the temporary folder takes files");
    }

    fn append(&self, file: &str, text: &str) {
        let before = fs::read_to_string(self.0.join(file)).unwrap_or_default();
        self.write(file, &format!("{before}{text}"));
    }

    fn replace(&self, file: &str, from: &str, to: &str) {
        let before = fs::read_to_string(self.0.join(file)).expect("a case changes files of the sound workspace");
        assert!(before.contains(from), "{file} holds no {from:?}");
        self.write(file, &before.replace(from, to));
    }

    fn report(&self) -> Report {
        check(&self.0).expect("every case is a workspace that cargo can read")
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// A change to the sound workspace and the faults (`place: what`, by their beginning) that must follow, in order.
struct Case {
    name: &'static str,
    change: fn(&Fixture),
    faults: &'static [&'static str],
}

const HUB: &str = "crates/lychgate-hub/Cargo.toml";
const HUB_SOURCE: &str = "crates/lychgate-hub/src/lib.rs";

const CASES: &[Case] = &[
    Case { name: "the control", change: |_| {}, faults: &[] },
    // Edges.
    Case {
        name: "an arrow upward",
        change: |f| f.append("crates/lychgate-token/Cargo.toml", "lychgate-hub = { path = \"../lychgate-hub\" }\n"),
        faults: &["crates/lychgate-token/Cargo.toml: lychgate-token (layer 0) depends on lychgate-hub (layer 1)"],
    },
    Case {
        name: "an arrow sideways",
        change: |f| {
            f.append("crates/lychgate-gateway/Cargo.toml", "lychgate-store = { path = \"../lychgate-store\" }\n");
        },
        faults: &["crates/lychgate-gateway/Cargo.toml: lychgate-gateway (layer 3) depends on lychgate-store (layer 3)"],
    },
    Case {
        name: "an arrow that skips a layer downward",
        change: |f| f.append("crates/lychgate/Cargo.toml", "lychgate-token = { path = \"../lychgate-token\" }\n"),
        faults: &[],
    },
    Case {
        name: "an arrow upward for tests",
        change: |f| f.append(HUB, "[dev-dependencies]\nlychgate-store = { path = \"../lychgate-store\" }\n"),
        faults: &["crates/lychgate-hub/Cargo.toml: lychgate-hub (layer 1) depends on lychgate-store (layer 3)"],
    },
    Case {
        name: "fakes of a lower crate in tests",
        change: |f| {
            f.append(
                "crates/lychgate-gateway/Cargo.toml",
                "[dev-dependencies]\nlychgate-service = { path = \"../lychgate-service\", features = [\"testing\"] }\n",
            );
        },
        faults: &[],
    },
    Case {
        name: "fakes of a lower crate in the product",
        change: |f| {
            f.replace(
                "crates/lychgate-gateway/Cargo.toml",
                "path = \"../lychgate-service\"",
                "path = \"../lychgate-service\", features = [\"testing\"]",
            );
        },
        faults: &["crates/lychgate-gateway/Cargo.toml: lychgate-gateway builds the `testing` feature"],
    },
    Case {
        name: "a crate's own fakes in its tests",
        change: |f| {
            f.append(
                "crates/lychgate-service/Cargo.toml",
                "[dev-dependencies]\nlychgate-service = { path = \".\", features = [\"testing\"] }\n",
            );
        },
        faults: &[],
    },
    Case {
        name: "a crate without a layer",
        change: |f| {
            let manifest = "[package]\nname = \"lychgate-attic\"\nversion = \"0.1.0\"\n[lints]\nworkspace = true\n";
            f.write("crates/lychgate-attic/Cargo.toml", manifest);
            f.write("crates/lychgate-attic/src/lib.rs", "");
        },
        faults: &["crates/lychgate-attic/Cargo.toml: crate lychgate-attic has no layer"],
    },
    // Technologies.
    Case {
        name: "HTTP outside of the gateway",
        change: |f| f.append("crates/lychgate-store/Cargo.toml", "axum = \"0.8\"\nhyper = \"1\"\ntower = \"0.5\"\n"),
        faults: &[
            "crates/lychgate-store/Cargo.toml: lychgate-store depends on axum",
            "crates/lychgate-store/Cargo.toml: lychgate-store depends on hyper",
            "crates/lychgate-store/Cargo.toml: lychgate-store depends on tower",
        ],
    },
    Case {
        name: "a technology under another name",
        change: |f| f.append("crates/lychgate-service/Cargo.toml", "db = { package = \"sqlx\", version = \"0.9\" }\n"),
        faults: &["crates/lychgate-service/Cargo.toml: lychgate-service depends on sqlx"],
    },
    Case {
        name: "token library, metrics and axum in the binary",
        change: |f| {
            f.append(
                "crates/lychgate/Cargo.toml",
                "axum = \"0.8\"\njsonwebtoken = \"11\"\nprometheus-client = \"0.25\"\n",
            );
        },
        faults: &[
            "crates/lychgate/Cargo.toml: lychgate depends on axum",
            "crates/lychgate/Cargo.toml: lychgate depends on jsonwebtoken",
            "crates/lychgate/Cargo.toml: lychgate depends on prometheus-client",
        ],
    },
    Case {
        name: "a runtime in the hub",
        change: |f| f.append(HUB, "tokio = \"1\"\nserde = \"1\"\n"),
        faults: &[
            "crates/lychgate-hub/Cargo.toml: lychgate-hub depends on serde",
            "crates/lychgate-hub/Cargo.toml: lychgate-hub depends on tokio",
        ],
    },
    Case {
        name: "a runtime in the hub's build script",
        change: |f| f.append(HUB, "[build-dependencies]\ntokio = \"1\"\n"),
        faults: &["crates/lychgate-hub/Cargo.toml: lychgate-hub depends on tokio"],
    },
    Case {
        name: "a runtime in the hub's tests",
        change: |f| f.append(HUB, "[dev-dependencies]\ntokio = \"1\"\n"),
        faults: &[],
    },
    // Manifests.
    Case {
        name: "no lints",
        change: |f| f.replace(HUB, "[lints]\nworkspace = true\n", ""),
        faults: &["crates/lychgate-hub/Cargo.toml: lychgate-hub does not take the workspace's lints"],
    },
    Case {
        name: "lints of its own",
        change: |f| f.replace(HUB, "[lints]\nworkspace = true\n", "[lints.rust]\nmissing_docs = \"warn\"\n"),
        faults: &["crates/lychgate-hub/Cargo.toml: lychgate-hub does not take the workspace's lints"],
    },
    Case {
        name: "lints in another spelling",
        change: |f| f.replace(HUB, "[lints]\nworkspace = true\n", "[lints] # all of them\n  workspace=true\n"),
        faults: &[],
    },
    Case {
        name: "a second clippy.toml",
        change: |f| f.write("crates/lychgate-hub/.clippy.toml", ""),
        faults: &["crates/lychgate-hub/.clippy.toml: a second clippy.toml"],
    },
    // Documents.
    Case {
        name: "the map names what is gone",
        change: |f| {
            f.append(
                "ARCHITECTURE.md",
                "See `crates/attic/`, `attic.toml`, `crates/lychgate`, `POST /token`, `/ws`, `Sink`.\n",
            );
        },
        faults: &["ARCHITECTURE.md:4: attic.toml does not exist", "ARCHITECTURE.md:4: crates/attic/ does not exist"],
    },
    Case {
        name: "the map draws what is gone",
        change: |f| f.append("ARCHITECTURE.md", "```text\n`crates/attic/` [x](nowhere.md)\n```\n"),
        faults: &[],
    },
    Case {
        name: "a long map",
        change: |f| f.write("ARCHITECTURE.md", &"A line.\n".repeat(250)),
        faults: &["ARCHITECTURE.md: 250 lines"],
    },
    Case {
        name: "a map of fitting size",
        change: |f| f.write("ARCHITECTURE.md", &"A line.\n".repeat(249)),
        faults: &[],
    },
    Case {
        name: "no map",
        change: |f| fs::remove_file(f.0.join("ARCHITECTURE.md")).expect("the sound workspace has a map"),
        faults: &["ARCHITECTURE.md: the map of the repository is missing"],
    },
    Case {
        name: "links that lead somewhere",
        change: |f| {
            f.write(
                "docs/guide/start.md",
                "# Start here\n\n[map](../../ARCHITECTURE.md#map) [folder](..) [self](#start-here) [far](https://example.org/x)\n\
                 `[code](nowhere.md)`\n\n[ref]: ../../clippy.toml\n",
            );
        },
        faults: &[],
    },
    Case {
        name: "links that lead nowhere",
        change: |f| {
            f.write(
                "docs/guide/start.md",
                "[gone](gone.md)\n[out](../../../out.md)\n[absolute](/docs)\n[anchor](../../ARCHITECTURE.md#cellar)\n[ref]: gone.toml\n",
            );
        },
        faults: &[
            "docs/guide/start.md:1: the link gone.md leads nowhere",
            "docs/guide/start.md:2: the link ../../../out.md leaves the repository",
            "docs/guide/start.md:3: the link /docs leaves the repository",
            "docs/guide/start.md:4: ARCHITECTURE.md has no heading for #cellar",
            "docs/guide/start.md:5: the link gone.toml leads nowhere",
        ],
    },
    // Sources.
    Case {
        name: "a long file",
        change: |f| f.write("crates/lychgate-hub/src/deep/long.rs", &"// x\n".repeat(601)),
        faults: &["crates/lychgate-hub/src/deep/long.rs: 601 lines; at most 600"],
    },
    Case {
        name: "a long test",
        change: |f| f.write("crates/lychgate-hub/tests/long.rs", &"// x\n".repeat(601)),
        faults: &[],
    },
    Case {
        name: "lints switched off in silence",
        change: |f| {
            f.write(
                HUB_SOURCE,
                "//! A room.\n#![allow(dead_code)]\n#[expect(\n    dead_code,\n)]\nfn a() {}\n\
                 #[cfg_attr(test, allow(dead_code, unused))]\nfn b() {}\n",
            );
        },
        faults: &[
            "crates/lychgate-hub/src/lib.rs:2: a lint is switched off without a reason",
            "crates/lychgate-hub/src/lib.rs:3: a lint is switched off without a reason",
            "crates/lychgate-hub/src/lib.rs:7: a lint is switched off without a reason",
        ],
    },
    Case {
        name: "lints switched off in silence behind quotes",
        change: |f| {
            f.write(
                HUB_SOURCE,
                "fn a() { s(\"\\\"\") }\n#[allow(dead_code)]\nfn b() { s('\"') }\n#[allow(dead_code)]\nfn c() { s(['\\'','\"']) }\n\
                 #[allow(dead_code)]\nfn d<'a>(q: &'a str) {}\n",
            );
        },
        faults: &[
            "crates/lychgate-hub/src/lib.rs:2: a lint is switched off without a reason",
            "crates/lychgate-hub/src/lib.rs:4: a lint is switched off without a reason",
            "crates/lychgate-hub/src/lib.rs:6: a lint is switched off without a reason",
        ],
    },
    Case {
        name: "lints switched off with a reason, and words that only look like it",
        change: |f| {
            f.write(
                HUB_SOURCE,
                "#![allow(dead_code, reason = \"a \\\"good\\\" one\")]\n// #[allow(dead_code)]\n/* #[allow(x)] /* */ #[allow(y)] */\n\
                 #[cfg_attr(test, expect(dead_code, reason = \"see above\"))]\n#[should_panic(expected = \"x\")]\n\
                 fn a<'a>(q: &'a str) { s(\"#[allow(x)]\", r#\"\"#[allow(x)]\"#, '\"', '\\'', q.expect(\"\")) } // #[allow(z)]\n",
            );
        },
        faults: &[],
    },
    // Names.
    Case {
        name: "an application's name",
        change: |f| {
            f.write(
                HUB_SOURCE,
                "struct ShipVox;\nfn is_zen() {}\nstruct ZenCodec;\n// Echo-Vault\nenum E { SongNodes }\n",
            )
        },
        faults: &[
            "crates/lychgate-hub/src/lib.rs:1: names the application \"shipvox\"",
            "crates/lychgate-hub/src/lib.rs:2: names the application \"zen\"",
            "crates/lychgate-hub/src/lib.rs:3: names the application \"zen\"",
            "crates/lychgate-hub/src/lib.rs:4: names the application \"echovault\"",
            "crates/lychgate-hub/src/lib.rs:5: names the application \"songnodes\"",
        ],
    },
    Case {
        name: "an application's name in a file name",
        change: |f| f.write("crates/lychgate-hub/tests/zen.json", "{}"),
        faults: &["crates/lychgate-hub/tests/zen.json: names the application \"zen\""],
    },
    Case {
        name: "words that hold a name, and names outside of the crates",
        change: |f| {
            f.write(HUB_SOURCE, "// A citizen at the zenith echoes; dozens ship songs; fear not.\n");
            f.write("examples/zen.toml", "# Zen\n");
            f.write("crates/lychgate/tests/it/zen.rs", "// Zen\n");
        },
        faults: &[],
    },
    // Many at once.
    Case {
        name: "every fault in one run",
        change: |f| {
            f.replace(HUB, "[lints]\nworkspace = true\n", "");
            f.append(HUB, "tokio = \"1\"\n");
            f.append("ARCHITECTURE.md", "`crates/attic`\n");
            f.write(HUB_SOURCE, "#![allow(dead_code)]\n");
        },
        faults: &[
            "ARCHITECTURE.md:4: crates/attic",
            "crates/lychgate-hub/Cargo.toml: lychgate-hub depends on tokio",
            "crates/lychgate-hub/Cargo.toml: lychgate-hub does not take",
            "crates/lychgate-hub/src/lib.rs:1: a lint",
        ],
    },
];

#[test]
fn each_change_brings_its_faults_and_no_others() {
    let mut wrong = Vec::new();
    for case in CASES {
        let fixture = Fixture::sound();
        (case.change)(&fixture);
        let faults = fixture.report().faults;
        let found: Vec<String> = faults.iter().map(|fault| format!("{}: {}", fault.place, fault.what)).collect();
        let as_expected = found.len() == case.faults.len()
            && found.iter().zip(case.faults).all(|(found, expected)| found.starts_with(expected));
        if !as_expected || faults.iter().any(|fault| fault.remedy.is_empty()) {
            wrong.push(format!("{}: expected {:#?}, found {found:#?}", case.name, case.faults));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_past_the_aim_are_a_notice_and_no_fault() {
    let fixture = Fixture::sound();
    fixture.write(HUB_SOURCE, &"// x\n".repeat(400));
    assert_eq!(fixture.report(), Report::default(), "400 lines are within the aim");
    fixture.write(HUB_SOURCE, &"// x\n".repeat(401));
    let report = fixture.report();
    assert_eq!(report.notices, ["crates/lychgate-hub/src/lib.rs: 401 lines; aim under 400"]);
    assert_eq!(report.faults, []);
}

#[test]
fn the_report_reads_as_place_fault_and_remedy() {
    let fixture = Fixture::sound();
    assert_eq!(fixture.report().to_string(), "tidy: no faults\n");
    fixture.write("crates/lychgate-hub/clippy.toml", "");
    assert_eq!(
        fixture.report().to_string(),
        "fault: crates/lychgate-hub/clippy.toml: a second clippy.toml replaces every ban of the first\n       \
         remedy: move its entries to clippy.toml in the root\ntidy: 1 fault\n"
    );
}

#[test]
fn a_folder_without_a_workspace_is_broken_and_not_clean() {
    let empty = Fixture(std::env::temp_dir().join(format!("lychgate-tidy-{}-empty", std::process::id())));
    fs::create_dir_all(&empty.0).unwrap();
    assert!(check(&empty.0).is_err());
    assert!(check(Path::new("/nowhere/at/all")).is_err());
}
