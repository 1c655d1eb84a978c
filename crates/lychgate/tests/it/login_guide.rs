//! The guide to the login does what it says: each of its curl lines is sent to a server with the configuration above it.

use serde_json::{Value, json};

use crate::harness::Setup;
use crate::harness::http::{Reply, post};
use crate::harness::server::SHIP;

const GUIDE: &str = include_str!("../../../../docs/guide/login.md");

/// The texts of the blocks of `section` that are written in `language`.
fn blocks<'a>(section: &'a str, language: &str) -> Vec<&'a str> {
    let opening = format!("```{language}\n");
    section.split(opening.as_str()).skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

/// Sends what a line of curl would send.
async fn curl(address: std::net::SocketAddr, line: &str) -> Reply {
    let line = line.strip_prefix("curl ").unwrap_or_else(|| panic!("no line of curl: {line}"));
    // Quoted arguments are every other part.
    let parts: Vec<&str> = line.split('\'').collect();
    let (mut headers, mut body) = (String::new(), "");
    for pair in parts.chunks_exact(2) {
        match pair[0].trim() {
            "-H" => headers = format!("{}\r\n", pair[1]),
            "-d" => body = pair[1],
            other => panic!("this test knows -H and -d, not {other}"),
        }
    }
    if headers.is_empty() {
        headers = "Content-Type: application/x-www-form-urlencoded\r\n".to_owned();
    }
    let url = parts.last().map_or("", |url| url.trim());
    let path = url.strip_prefix("http://localhost:8000").unwrap_or_else(|| panic!("another server: {url}"));
    post(address, path, body, &headers).await
}

#[tokio::test]
async fn the_guide_says_what_happens() {
    let mut lines_sent = 0;
    for section in GUIDE.split("\n## ").skip(1) {
        let title = section.lines().next().unwrap_or_default();
        let (config, commands, answers) =
            (blocks(section, "toml"), blocks(section, "bash").concat(), blocks(section, "json").concat());
        assert_eq!(commands.lines().count(), answers.lines().count(), "{title}: an answer to each line");
        if commands.is_empty() {
            continue;
        }
        let setup = if config[0].contains("dev_path") {
            Setup::dev().over(&std::fs::read_to_string(SHIP).expect("the example is in the repository")).over(config[0])
        } else {
            Setup::ship()
                .over(config[0])
                .account("alice", "purple-Lantern-52", &["--email", "alice@example.com"])
                .set("alice", &["display_name=Alice L.", "is_system_admin=true"])
        };
        let server = setup.start().await;
        for (command, answer) in commands.lines().zip(answers.lines()) {
            let reply = curl(server.address, command).await;
            assert_eq!(reply.status, 200, "{title}: {command}: {reply:?}");
            let mut given = reply.json();
            given["access_token"] = json!("…");
            assert_eq!(given, serde_json::from_str::<Value>(answer).expect("JSON"), "{title}: {command}");
            lines_sent += 1;
        }
    }
    assert_eq!(lines_sent, 6, "lines of curl in the guide");
}
