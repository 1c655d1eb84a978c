//! `[login]`: what a client sends of itself, what it gets for that, and what its token then says.
//!
//! **Absent on purpose:** a second login route.
//! It would be a table of sections, `[login.NAME]`, each with an issuer of its own shape, behind one throttle for all.

use std::time::Duration;

use lychgate_service::accounts::{AccountField, LoginField};
use lychgate_service::issue::Subject;
use lychgate_token::is_registered_claim;

use super::section::section;
use super::settings::{Checked, check_path, fail};
use super::shape::{
    Choice, Count, Flag, KIB, List, MIB, Optional, Report, Shape, Size, Text, Time, Words, cite, quote,
};
use super::tree::{self, Node, Value};

/// The most further claims: a token has at most 64, and we write some of them.
const CLAIMS_MAX: usize = 48;

/// The most fields of the answer's `user`.
const USER_FIELDS_MAX: usize = 64;

/// The longest text of a refusal.
const TEXT_BYTES_MAX: usize = 255;

section! {
    /// The endpoint that gives a token for a name and a password.
    Login = "login" {
        /// Whether it is served.
        enabled: bool = Flag, true;
        /// Its path.
        path: String = Text { what: "a path", check: check_path }, "/token".to_owned();
        /// How a client writes the request: as `application/x-www-form-urlencoded`, as `application/json`, or as either.
        body: LoginBody = Choice::new(), LoginBody::Form;
        /// The field that holds who it is. The other one is `password`.
        field: String = Text { what: "a name of letters, digits, - and _", check: check_field }, "username".to_owned();
        /// What that field is compared with. Names are compared byte for byte, addresses whatever their letter case. Where two accounts answer, the earlier word in the list wins.
        identify_by: Vec<IdentifyBy> = Distinct::of(1, IdentifyBy::ALL.len(), Choice::new()), vec![IdentifyBy(LoginField::Name)];
        /// What becomes the `sub` of the token. With `"email"` an account without an address gets no token.
        subject: SubjectField = Choice::new(), SubjectField(Subject::Name);
        /// Further claims of the token: `id`, `name` or `username`, `email`, `active`, or an attribute (`lychgate user set`). One of which the account has nothing is left out.
        claims: Vec<String> = Distinct::of(0, CLAIMS_MAX, Text { what: "a field of an account", check: check_claim }), Vec::new();
        /// What the answer's object `user` says of the account, by the same words; without any there is no such object. The id is a number, and what the account does not have is `null`.
        return_user: Vec<String> = Distinct::of(0, USER_FIELDS_MAX, Text { what: "a field of an account", check: check_account_field }), Vec::new();
        /// Whether the answer says in `expires_in` for how many seconds the token is good.
        return_expires_in: bool = Flag, true;
        /// What somebody reads who is unknown or whose password is wrong, with the status 401.
        incorrect: String = Text { what: "text", check: check_text }, "Incorrect username or password".to_owned();
        /// What somebody is told whose password is right and whose account is disabled: `[status, "text"]`, the status 401 or 403.
        disabled: Refusal = StatusAndText, Refusal { status: 403, text: "User account is disabled".to_owned() };
        /// Whether they are told. Else they get the answer of `incorrect`.
        tell_disabled: bool = Flag, true;
        /// A path where `{"email": "…"}` logs in without a password. It exists in `--dev` alone and stops any other start.
        dev_path: Option<String> = Optional(Text { what: "a path", check: check_path }), None;
        /// The largest request body.
        body_bytes_max: usize = Size { least: 256, most: MIB }, 16 * KIB;
        /// Failed logins a minute from one address; further ones are refused unheard.
        failures_per_minute_per_address: u32 = Count::of(1, 1_000_000), 10;
        /// Failed logins a minute from one address for one name.
        failures_per_minute_per_address_and_user: u32 = Count::of(1, 1_000_000), 5;
        /// Failed logins an hour for one name from anywhere; after that each attempt is delayed. Nobody is locked out.
        failures_per_hour_per_user: u32 = Count::of(1, 1_000_000), 100;
        /// That delay.
        failure_delay: Duration = Time { least: Duration::ZERO, most: Duration::from_secs(30) }, Duration::from_secs(1);
    }
}

/// How the body of a login is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginBody {
    /// As a form.
    Form,
    /// As JSON.
    Json,
    /// As its `Content-Type` says.
    Any,
}

impl Words for LoginBody {
    const ALL: &'static [(&'static str, Self)] = &[("form", Self::Form), ("json", Self::Json), ("any", Self::Any)];
}

/// What a login is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdentifyBy(pub LoginField);

impl Words for IdentifyBy {
    const ALL: &'static [(&'static str, Self)] =
        &[("name", Self(LoginField::Name)), ("email", Self(LoginField::Email))];
}

/// What becomes the subject of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubjectField(pub Subject);

impl Words for SubjectField {
    const ALL: &'static [(&'static str, Self)] =
        &[("name", Self(Subject::Name)), ("id", Self(Subject::Id)), ("email", Self(Subject::Email))];
}

/// A status and what is said with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// 401 or 403.
    pub status: u16,
    /// The text.
    pub text: String,
}

impl Login {
    /// The fields of an account that tokens carry as further claims.
    pub fn claim_fields(&self) -> Vec<AccountField> {
        fields(&self.claims)
    }

    /// The fields of an account that the answer's `user` has.
    pub fn user_fields(&self) -> Vec<AccountField> {
        fields(&self.return_user)
    }
}

/// Every name was checked to be a field when it was read.
fn fields(names: &[String]) -> Vec<AccountField> {
    names.iter().filter_map(|name| AccountField::named(name)).collect()
}

/// `[status, "text"]`.
struct StatusAndText;

impl Shape for StatusAndText {
    type Value = Refusal;

    fn read(&self, node: &Node, report: &mut Report<'_>) -> Option<Refusal> {
        let remedy = "Write [status, \"text\"], for example [403, \"User account is disabled\"]";
        let parsed;
        let value = match &node.value {
            Value::Variable(text) => {
                parsed = tree::parse_variable(text, &node.place);
                parsed.as_ref().map_or(&node.value, |node| &node.value)
            }
            value => value,
        };
        let Value::Array(items) = value else {
            return report.wrong(node, format!("expected [status, \"text\"], found {}", value.kind()), remedy);
        };
        let [Node { value: Value::Integer(status), .. }, Node { value: Value::Text(text), .. }] = items.as_slice()
        else {
            return report.wrong(node, "expected a number and a text", remedy);
        };
        if let Err((wrong, remedy)) = check_text(text) {
            return report.wrong(node, wrong, remedy);
        }
        match u16::try_from(*status) {
            Ok(status @ (401 | 403)) => Some(Refusal { status, text: text.clone() }),
            _ => report.wrong(node, format!("{status} is no status of a refused login"), "Use 401 or 403"),
        }
    }

    fn show(&self, value: &Refusal) -> Option<String> {
        Some(format!("[{}, {}]", value.status, quote(&value.text)))
    }

    fn describe(&self) -> String {
        "[status, \"text\"]".to_owned()
    }
}

/// A list in which nothing is twice, of a length within bounds.
struct Distinct<S> {
    items: List<S>,
    least: usize,
    most: usize,
}

impl<S> Distinct<S> {
    const fn of(least: usize, most: usize, item: S) -> Self {
        Self { items: List(item), least, most }
    }
}

impl<S: Shape> Shape for Distinct<S> {
    type Value = Vec<S::Value>;

    fn read(&self, node: &Node, report: &mut Report<'_>) -> Option<Self::Value> {
        let values = self.items.read(node, report)?;
        if values.len() < self.least {
            return report.wrong(
                node,
                "this list is empty",
                format!("Write at least one of: {}", self.items.0.describe()),
            );
        }
        if values.len() > self.most {
            return report.wrong(node, "this list is too long", format!("Write at most {} items", self.most));
        }
        let mut shown: Vec<_> = values.iter().filter_map(|value| self.items.0.show(value)).collect();
        shown.sort_unstable();
        match shown.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => report.wrong(node, format!("{} is there twice", pair[0]), "Write it once"),
            None => Some(values),
        }
    }

    fn show(&self, value: &Self::Value) -> Option<String> {
        self.items.show(value)
    }

    fn describe(&self) -> String {
        self.items.describe()
    }
}

fn check_field(name: &str) -> Checked {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if matches!(name, "password" | "grant_type") {
        return fail(format!("{} is a field of its own", cite(name)), "Choose another name, such as \"username\"");
    }
    if name.is_empty() || name.len() > 64 || !name.bytes().all(is_plain) {
        return fail(format!("{} is no name of a field", cite(name)), "Write 1 to 64 letters, digits, - and _");
    }
    Ok(())
}

fn check_account_field(name: &str) -> Checked {
    if AccountField::named(name).is_some() {
        return Ok(());
    }
    fail(
        format!("{} is no field of an account", cite(name)),
        "Write id, name, username, email, active, or the name of an attribute: letters, digits, - and _",
    )
}

fn check_claim(name: &str) -> Checked {
    if is_registered_claim(name) {
        return fail(
            format!("the server itself writes the claim {}", cite(name)),
            "Remove it; what becomes \"sub\" is login.subject",
        );
    }
    check_account_field(name)
}

fn check_text(text: &str) -> Checked {
    if text.trim().is_empty() || text.len() > TEXT_BYTES_MAX || text.chars().any(char::is_control) {
        return fail(
            "this is blank, too long or holds a control character",
            format!("Write 1 to {TEXT_BYTES_MAX} bytes of plain text"),
        );
    }
    Ok(())
}
