//! `user`: the accounts in the database, from the operator's side.
//!
//! **Absent on purpose:** a password is never an argument, where every user of the machine could read it.

use std::collections::BTreeMap;
use std::io;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use lychgate_service::accounts::{Accounts, Hashing, HashingLimits, NewAccount, OpenSessions, PasswordRule};
use lychgate_service::ports::clock::SystemClock;
use lychgate_service::ports::users::{AttributeChange, User as Account};
use lychgate_store::SqliteStore;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::revoking::{Block, Unblock};
use super::terminal::{self, say, say_all};
use super::{ConfigArgs, block_on, ended, user_import};
use crate::config;

const EXAMPLES: &str = "\
Examples:
  lychgate user add alice --email alice@example.com
      Asks for the password twice.
  pass show alice | lychgate user add alice --password-stdin
      Takes the first line of standard input.
  lychgate user list --json
      One JSON object per line.
  lychgate user disable alice
  lychgate user block alice --until 24h
      No token of hers is taken meanwhile, and her sockets are closed.
  lychgate user set alice 'display_name=Alice L.' is_admin=true
      What logins and tokens may tell of an account beside its name and address.
  lychgate user import people.csv --dry-run

USER is a name, an e-mail address, or # and an id.
All of them take --config FILE, which names the database.";

const IMPORT_EXAMPLES: &str = "\
Examples:
  lychgate user import people.csv
      CSV with a heading: name,email,password_hash,active,attributes
  lychgate user import people.jsonl --dry-run
      A JSON object per line with the same names; nothing is stored.
  other-program export | lychgate user import - --format jsonl

Each row has a password_hash (bcrypt or argon2id) or a password, which is hashed.
Attributes are a JSON object of texts, numbers, true and false.
A row that cannot be taken is reported with its line, and the others are stored.
Running the same file again stores what is missing.";

const SET_EXAMPLES: &str = "\
Examples:
  lychgate user set alice 'display_name=Alice L.' level=7 is_admin=true
  lychgate user set alice 'badge=\"007\"'
      In double quotes it is text, whatever it looks like.
  lychgate user set alice --remove badge

An account has at most 64 attributes, together at most 4 KiB as JSON.
A name begins with a letter and holds letters, digits, - and _.
What is set here is told by logins from then on; tokens that were given before stay as they are.";

/// See [`EXAMPLES`].
#[derive(Subcommand)]
#[command(after_help = EXAMPLES)]
pub(super) enum User {
    /// Make an account
    Add {
        /// Its name, the subject of its tokens unless login.subject says otherwise
        name: String,
        /// Its e-mail address
        #[arg(long)]
        email: Option<String>,
        /// Make it disabled
        #[arg(long)]
        disabled: bool,
        #[command(flatten)]
        password: PasswordArgs,
        #[command(flatten)]
        common: Common,
    },
    /// List all accounts
    List {
        #[command(flatten)]
        common: Common,
    },
    /// Show one account
    Show {
        /// Name, e-mail address, or # and id
        user: String,
        #[command(flatten)]
        common: Common,
    },
    /// Refuse further logins of an account and end its sessions; other tokens it has stay good until they expire
    Disable {
        /// Name, e-mail address, or # and id
        user: String,
        #[command(flatten)]
        common: Common,
    },
    /// Let a disabled account log in again
    Enable {
        /// Name, e-mail address, or # and id
        user: String,
        #[command(flatten)]
        common: Common,
    },
    /// Refuse whatever tokens a user shows until a time, and close their sockets
    Block(Block),
    /// Lift a block before its time
    Unblock(Unblock),
    /// Set attributes of an account, which logins and tokens may tell of it
    #[command(after_help = SET_EXAMPLES)]
    Set {
        /// Name, e-mail address, or # and id
        user: String,
        /// What to set: true, false and numbers are those, anything else is text
        #[arg(value_name = "NAME=VALUE", required_unless_present = "remove")]
        changes: Vec<String>,
        /// An attribute to remove; may be given more than once
        #[arg(long, value_name = "NAME")]
        remove: Vec<String>,
        #[command(flatten)]
        common: Common,
    },
    /// Set a new password, which ends all sessions
    Passwd {
        /// Name, e-mail address, or # and id
        user: String,
        #[command(flatten)]
        password: PasswordArgs,
        #[command(flatten)]
        common: Common,
    },
    /// Bring accounts along from a file
    #[command(after_help = IMPORT_EXAMPLES)]
    Import {
        /// The file, or - for standard input
        file: PathBuf,
        /// How the file is written; by its name when it is not said
        #[arg(long, value_enum)]
        format: Option<Format>,
        /// Look at every row and store none
        #[arg(long)]
        dry_run: bool,
        /// Take passwords that the rule for new ones refuses
        #[arg(long)]
        allow_weak: bool,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Args)]
pub(super) struct Common {
    #[command(flatten)]
    config: ConfigArgs,
    /// Answer in JSON, for programs
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct PasswordArgs {
    /// Take the password from the first line of standard input
    #[arg(long)]
    password_stdin: bool,
    /// Take a password that the rule for new ones refuses
    #[arg(long)]
    allow_weak: bool,
}

/// The forms of a file of accounts.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Comma-separated values with a heading
    Csv,
    /// A JSON object per line
    Jsonl,
}

impl PasswordArgs {
    fn read(&self, name: &str) -> anyhow::Result<SecretString> {
        if self.password_stdin {
            terminal::password_from(&mut io::stdin().lock())
        } else {
            terminal::ask_new_password(&terminal::harmless(name))
        }
    }

    fn rule(&self) -> PasswordRule {
        if self.allow_weak { PasswordRule::Relaxed } else { PasswordRule::Standard }
    }
}

impl User {
    pub(super) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Add { name, email, disabled, password, common } => {
                // Asked for before the database is opened, so that a mistake there costs nobody two typings.
                let open = common.open()?;
                let secret = password.read(&name)?;
                let account = NewAccount {
                    name: &name,
                    email: email.as_deref(),
                    password: secret,
                    rule: password.rule(),
                    active: !disabled,
                };
                let made = open.with(async |accounts| Ok(accounts.create(account).await?))?;
                done(&common, &made, "made")
            }
            Self::List { common } => common.open()?.with(async |accounts| list(&common, accounts).await),
            Self::Show { user, common } => {
                let account = common.open()?.with(async |accounts| find(accounts, &user).await)?;
                if common.json {
                    say(&describe(&account))?
                } else {
                    say_all(&table(&[account]))?
                }
                Ok(())
            }
            Self::Disable { user, common } => switch(&common, &user, false),
            Self::Enable { user, common } => switch(&common, &user, true),
            Self::Block(block) => block.run(),
            Self::Unblock(unblock) => unblock.run(),
            Self::Set { user, changes, remove, common } => {
                let changes = changes_of(&changes, remove)?;
                let account = common.open()?.with(async |accounts| {
                    let account = find(accounts, &user).await?;
                    Ok(accounts.change_attributes(account.id, &changes).await?)
                })?;
                done(&common, &account, "has new attributes")
            }
            Self::Passwd { user, password, common } => {
                let open = common.open()?;
                let account = open.with(async |accounts| find(accounts, &user).await)?;
                let secret = password.read(&account.name)?;
                common
                    .open()?
                    .with(async |accounts| Ok(accounts.set_password(account.id, secret, password.rule()).await?))?;
                done(&common, &account, "has a new password")
            }
            Self::Import { file, format, dry_run, allow_weak, common } => {
                let rule = if allow_weak { PasswordRule::Relaxed } else { PasswordRule::Standard };
                let rows = user_import::open(&file, format)?;
                common
                    .open()?
                    .with(async |accounts| user_import::import(accounts, rows, dry_run, rule, common.json).await)
            }
        }
    }
}

impl Common {
    fn open(&self) -> anyhow::Result<Open> {
        let sources = self.config.sources(false)?;
        let (database, settings) = config::load_accounts(&sources)?;
        let longest_token_s = config::load_revoking(&sources)?.longest_token_s;
        Ok(Open { url: database.url, hash_permits: settings.hash_permits, longest_token_s })
    }
}

/// A database that is opened for one piece of work.
struct Open {
    url: String,
    hash_permits: usize,
    longest_token_s: u64,
}

impl Open {
    fn with<T>(&self, work: impl AsyncFnOnce(&Accounts) -> anyhow::Result<T>) -> anyhow::Result<T> {
        block_on(async {
            let store: SqliteStore = lychgate_store::open(&self.url).await.context("database.url")?;
            let permits = NonZeroUsize::new(self.hash_permits).unwrap_or(HashingLimits::default().permits);
            let hashing = Hashing::new(HashingLimits { permits, ..HashingLimits::default() });
            let sessions = OpenSessions { sessions: Arc::new(store.clone()), longest_token_s: self.longest_token_s };
            let accounts = Accounts::new(Arc::new(store.clone()), hashing, Arc::new(SystemClock));
            let accounts = accounts.with_sessions(sessions);
            let result = work(&accounts).await;
            store.close().await;
            result
        })
    }
}

async fn find(accounts: &Accounts, user: &str) -> anyhow::Result<Account> {
    accounts.show(user).await?.ok_or_else(|| ended(1, format!("there is no account \"{}\"", terminal::harmless(user))))
}

fn switch(common: &Common, user: &str, active: bool) -> anyhow::Result<()> {
    let account = common.open()?.with(async |accounts| {
        let account = find(accounts, user).await?;
        accounts.set_active(account.id, active).await?;
        Ok(Account { active, ..account })
    })?;
    done(
        common,
        &account,
        if active {
            "is enabled"
        } else {
            "is disabled; its sessions have ended, and other tokens it has stay good until they expire"
        },
    )
}

fn changes_of(set: &[String], remove: Vec<String>) -> anyhow::Result<Vec<AttributeChange>> {
    let mut changes = Vec::new();
    for text in set {
        let Some((name, value)) = text.split_once('=') else {
            return Err(ended(2, format!("\"{}\" is not NAME=VALUE", terminal::harmless(text))));
        };
        changes.push(AttributeChange { name: name.to_owned(), value: Some(value_of(value)) });
    }
    changes.extend(remove.into_iter().map(|name| AttributeChange { name, value: None }));
    Ok(changes)
}

/// True, false, a number or a quoted text as JSON has them, else the text itself.
fn value_of(text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(value @ (Value::Bool(_) | Value::Number(_) | Value::String(_))) => value,
        _ => Value::String(text.to_owned()),
    }
}

/// Accounts page by page, so that a million of them take the memory of one page.
async fn list(common: &Common, accounts: &Accounts) -> anyhow::Result<()> {
    let mut after = None;
    let mut rows = Vec::new();
    loop {
        let page = accounts.list(after, lychgate_service::accounts::PAGE_USERS_MAX).await?;
        if common.json {
            for account in &page.users {
                say(&describe(account))?;
            }
        } else {
            rows.extend(page.users);
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    if !common.json {
        say_all(&table(&rows))?;
    }
    Ok(())
}

fn done(common: &Common, account: &Account, what: &str) -> anyhow::Result<()> {
    if common.json {
        say(&describe(account))?;
    } else {
        say(&format!("{} (#{}) {what}.", account.name, account.id))?;
    }
    Ok(())
}

fn describe(account: &Account) -> String {
    json!({
        "id": account.id.0,
        "name": account.name,
        "email": account.email,
        "active": account.active,
        "attributes": account.attributes.iter().collect::<BTreeMap<_, _>>(),
        "created_at": created_at(account),
        "password": account.password_hash.kind().to_string(),
    })
    .to_string()
}

fn table(accounts: &[Account]) -> String {
    let mut rows = vec![["ID", "NAME", "E-MAIL", "STATE", "CREATED", "PASSWORD"].map(str::to_owned).to_vec()];
    rows.extend(accounts.iter().map(|account| {
        vec![
            account.id.to_string(),
            account.name.clone(),
            account.email.clone().unwrap_or_else(|| "-".to_owned()),
            if account.active { "active" } else { "disabled" }.to_owned(),
            created_at(account),
            account.password_hash.kind().to_string(),
        ]
    }));
    terminal::table(&rows)
}

fn created_at(account: &Account) -> String {
    let second = i64::try_from(account.created_at_s).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(second).map_or_else(|_| "-".to_owned(), |time| time.to_string())
}
