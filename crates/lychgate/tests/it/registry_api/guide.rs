//! The guide to the registry does what it says: its lines of curl are sent to a server with the configuration above them.

use serde_json::Value;

use super::World;
use crate::harness::Setup;
use crate::harness::http;

const GUIDE: &str = include_str!("../../../../../docs/guide/registry.md");

/// The text of the one block that is written in `language`.
fn block(language: &str) -> &'static str {
    let opening = format!("```{language}\n");
    let (_, rest) = GUIDE.split_once(opening.as_str()).unwrap_or_else(|| panic!("no block of {language}"));
    rest.split("```").next().unwrap_or_default()
}

/// The words of a line as a shell splits them, with the key in its place.
fn words(line: &str, key: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for letter in line.chars() {
        match quote {
            Some(end) if letter == end => quote = None,
            None if letter == '"' || letter == '\'' => quote = Some(letter),
            None if letter == ' ' => words.push(std::mem::take(&mut word)),
            _ => word.push(letter),
        }
    }
    words.push(word);
    words.into_iter().map(|word| word.replace("$KEY", key)).collect()
}

/// What a line of curl would send.
fn request(line: &str, key: &str) -> String {
    let (mut method, mut headers, mut body, mut path) = ("GET".to_owned(), String::new(), String::new(), String::new());
    let mut words = words(line, key).into_iter();
    assert_eq!(words.next().as_deref(), Some("curl"), "{line}");
    while let Some(word) = words.next() {
        let mut value = || words.next().expect("a value");
        match word.as_str() {
            "-X" => method = value(),
            "-H" => headers = format!("{}\r\n", value()),
            "-d" => body = value(),
            url => path = url.strip_prefix("http://localhost:8000").expect("the server").to_owned(),
        }
    }
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: gate\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n{body}"
    )
}

#[tokio::test]
async fn the_guide_says_what_happens() {
    let world = World::of(Setup::of(block("toml"))).await;
    let (lines, answers) = (block("bash"), block("text"));
    assert_eq!(lines.lines().count(), answers.lines().count(), "an answer to each line");
    for (line, answer) in lines.lines().zip(answers.lines()) {
        let reply = http::exchange(world.server.address, request(line, &world.key).as_bytes()).await;
        let (status, body) = answer.split_once(' ').unwrap_or((answer, ""));
        assert_eq!(reply.status.to_string(), status, "{line}: {reply:?}");
        assert_eq!(reply.text(), body, "{line}");
        assert!(body.is_empty() || serde_json::from_str::<Value>(body).is_ok(), "{body}");
    }
    assert_eq!(lines.lines().count(), 9, "lines of curl in the guide");
}
