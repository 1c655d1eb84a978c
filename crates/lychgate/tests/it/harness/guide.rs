//! Lines of curl as a page of the guide has them, and what they would send.

/// The text of the one block of `page` that is written in `language`.
pub(crate) fn block<'a>(page: &'a str, language: &str) -> &'a str {
    let opening = format!("```{language}\n");
    let (_, rest) = page.split_once(opening.as_str()).unwrap_or_else(|| panic!("no block of {language}"));
    rest.split("```").next().unwrap_or_default()
}

/// What a line of curl would send, with the key in its place.
pub(crate) fn request(line: &str, key: &str) -> String {
    let (mut method, mut headers, mut body, mut path) = (None, String::new(), String::new(), String::new());
    let mut words = words(line, key).into_iter();
    assert_eq!(words.next().as_deref(), Some("curl"), "{line}");
    while let Some(word) = words.next() {
        let mut value = || words.next().expect("a value");
        match word.as_str() {
            "-X" => method = Some(value()),
            "-H" => headers = format!("{}\r\n", value()),
            "-d" => body = value(),
            url => path = url.strip_prefix("http://localhost:8000").expect("the server").to_owned(),
        }
    }
    // A body is posted, unless the line says otherwise.
    let method = method.unwrap_or_else(|| if body.is_empty() { "GET" } else { "POST" }.to_owned());
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: gate\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n{body}"
    )
}

/// The words of a line as a shell splits them.
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
