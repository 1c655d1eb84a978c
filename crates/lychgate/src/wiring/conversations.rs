//! What the connections of each endpoint do with frames, and the boards that they stand on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use lychgate_broker::RedisPresence;
use lychgate_protocol::channel::ChannelName;
use lychgate_service::admission::Door;
use lychgate_service::codec::{Act, Codec};
use lychgate_service::conversation::{AnswerLimits, Answers, Asked, Conversation, Parts, Recorder};
use lychgate_service::naming;
use lychgate_service::policy::Naming as _;
use lychgate_service::ports::broker::Broker;
use lychgate_service::ports::clock::Clock;
use lychgate_service::ports::messages::Messages;
use lychgate_service::ports::readiness::Readiness;
use lychgate_service::ports::users::Users;
use lychgate_service::presence::{Announce, BoardSettings, BoardSetup, Mirroring, Presence, State};
use lychgate_service::principal::Principal;
use lychgate_service::publish::Publisher;
use lychgate_service::target::Target;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::sources;
use crate::config::{self, Config, Endpoint, EndpointKind};

/// What conversations rest on.
pub(super) struct Ground {
    pub(super) broker: Arc<dyn Broker>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) messages: Arc<dyn Messages>,
    pub(super) users: Arc<dyn Users>,
    /// The parent of what runs beside the connections.
    pub(super) tasks: TaskTracker,
    pub(super) stop: CancellationToken,
}

/// The conversation of every endpoint that has one, and the boards.
pub(super) struct Conversations {
    pub(super) by_endpoint: BTreeMap<String, Arc<Conversation>>,
    pub(super) presence: Arc<Presence>,
    /// Where boards are copied to.
    pub(super) copies: Vec<Arc<dyn Readiness>>,
}

/// Builds them all, and starts the writer of messages and the boards' clock.
///
/// # Errors
///
/// All reasons why one cannot be built, a sentence each.
pub(super) fn conversations(
    config: &Config,
    ground: &Ground,
    doors: &BTreeMap<String, Door>,
) -> Result<Conversations, Vec<String>> {
    let mut faults = Vec::new();
    let publisher = Arc::new(Publisher::new(Arc::clone(&ground.broker), Arc::clone(&ground.clock)));
    let mut recorder = None;
    let mut by_endpoint = BTreeMap::new();
    for (name, endpoint) in &config.endpoints {
        if !matches!(endpoint.settings.kind, EndpointKind::Broadcast | EndpointKind::Stream) {
            continue;
        }
        let codec = match Codec::compile(&endpoint.codec_settings(), &endpoint.names()) {
            Ok(codec) => codec,
            Err(found) => {
                faults.extend(found.iter().map(|fault| format!("endpoint.{name}.codec.{fault}")));
                continue;
            }
        };
        let keeps = endpoint.settings.history_on_join > 0
            || codec.rules().any(|rule| matches!(rule.act(), Act::Store | Act::React(_) | Act::Unreact(_)));
        let recorder = keeps.then(|| {
            let start = || Recorder::start(Arc::clone(&ground.messages), &ground.tasks, ground.stop.clone());
            recorder.get_or_insert_with(start).clone()
        });
        let application = match &endpoint.settings.forward {
            None => None,
            Some(source) => match sources::application(config, source, &format!("endpoint.{name}.forward")) {
                Ok(application) => Some(application),
                Err(fault) => {
                    faults.push(fault);
                    continue;
                }
            },
        };
        let answers = match answers(config, name, endpoint) {
            Ok(answers) => answers,
            Err(fault) => {
                faults.push(fault);
                continue;
            }
        };
        let parts = Parts {
            broker: Arc::clone(&ground.broker),
            publisher: Arc::clone(&publisher),
            clock: Arc::clone(&ground.clock),
            messages: keeps.then(|| Arc::clone(&ground.messages)),
            recorder,
            users: Some(Arc::clone(&ground.users)),
            policy: doors.get(name).map(|door| door.policy.clone()),
            application,
            answers,
            frame_bytes_max: config.limits.queue_bytes_max / 2,
            keep: endpoint.settings.keep,
        };
        by_endpoint.insert(name.clone(), Arc::new(Conversation::new(codec, parts)));
    }
    match presence(config, &by_endpoint, &ground.clock) {
        Ok((presence, copies)) if faults.is_empty() => {
            let presence = Arc::new(presence);
            let (boards, stop) = (Arc::clone(&presence), ground.stop.clone());
            ground.tasks.spawn(async move { boards.run(stop).await });
            Ok(Conversations { by_endpoint, presence, copies })
        }
        Ok(_) => Err(faults),
        Err(fault) => {
            faults.push(fault);
            Err(faults)
        }
    }
}

/// Who answers the frames of an endpoint that ask for a text, if any do.
fn answers(config: &Config, name: &str, endpoint: &Endpoint) -> Result<Option<Arc<Answers>>, String> {
    let mut by_kind = BTreeMap::new();
    for (kind, rule) in &endpoint.rules {
        let Some(ask) = &rule.ask else { continue };
        let key = format!("endpoint.{name}.codec.in.{kind}.ask.source");
        let source = sources::model(config, &ask.source, &key, ask.format, ask.text_bytes_max)?;
        let limits = AnswerLimits { text_bytes_max: ask.text_bytes_max, answer_max: ask.total_timeout };
        by_kind.insert(kind.as_str().into(), Asked { source, limits });
    }
    let running_max = config.limits.streams_max;
    Ok((!by_kind.is_empty()).then(|| Arc::new(Answers::new(by_kind, running_max))))
}

/// The boards, whose changes are told in the channels of the endpoints that show them.
fn presence(
    config: &Config,
    conversations: &BTreeMap<String, Arc<Conversation>>,
    clock: &Arc<dyn Clock>,
) -> Result<(Presence, Vec<Arc<dyn Readiness>>), String> {
    let mut shown_in: BTreeMap<String, Vec<(ChannelName, Arc<Conversation>)>> = BTreeMap::new();
    for (name, endpoint) in &config.endpoints {
        let (Some(board), Some(conversation)) = (&endpoint.settings.board, conversations.get(name)) else { continue };
        if conversation.codec().presence_update().is_none() {
            continue;
        }
        // That its channel is always the same one was checked with the configuration.
        if let Ok(channel) = ChannelName::new(&endpoint.settings.channel) {
            shown_in.entry(board.clone()).or_default().push((channel, Arc::clone(conversation)));
        }
    }
    let announce: Announce = Arc::new(move |board: &str, changes: &[_]| {
        for (channel, conversation) in shown_in.get(board).into_iter().flatten() {
            changes.iter().for_each(|change| conversation.announce(channel, change));
        }
    });
    let mut copies = Vec::new();
    let setup = |(name, board): (&String, _)| setup(config, name, board, clock, &mut copies);
    let setups = config.boards.iter().map(setup).collect::<Result<Vec<_>, _>>()?;
    let presence = Presence::new(setups, &announce).map_err(|(name, fault)| format!("board.{name}: {fault}"))?;
    Ok((presence, copies))
}

fn setup(
    config: &Config,
    name: &str,
    board: &config::BoardSettings,
    clock: &Arc<dyn Clock>,
    copies: &mut Vec<Arc<dyn Readiness>>,
) -> Result<BoardSetup, String> {
    let states: Vec<State> = board.states.iter().map(|state| State::from(state.as_str())).collect();
    let otherwise = board.otherwise.as_deref().map(State::from).or_else(|| states.first().cloned()).unwrap_or_default();
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let mirroring = match (&board.mirror_key, &config.redis) {
        (None, _) => None,
        (Some(_), None) => {
            return Err(format!("board.{name}.mirror_key: there is no Redis; write [redis] with its url"));
        }
        (Some(template), Some(url)) => {
            let key = naming::compile(template, &Target::root())
                .map_err(|fault| format!("board.{name}.mirror_key: {fault}"))?;
            let of_user = move |user: &Principal| {
                key.name(user, &Box::default()).unwrap_or_else(|| format!("unnamed:{}", user.id()))
            };
            let mirror = RedisPresence::new(url, &board.mirror_field).map_err(|fault| format!("redis.url: {fault}"))?;
            let mirror = if board.mirror_value.is_some() { mirror.whole() } else { mirror };
            let mirror = match &board.mirror_publish {
                Some(channel) => mirror.publishing(channel),
                None => mirror,
            };
            let form = board.copy_form().map_err(|faults| {
                let faults = faults.iter().map(|(key, fault)| format!("board.{name}.{key}: {fault}"));
                faults.collect::<Vec<_>>().join("\n")
            })?;
            let mirror = Arc::new(mirror);
            copies.push(Arc::clone(&mirror) as Arc<dyn Readiness>);
            Some(Mirroring {
                mirror,
                key: Arc::new(of_user),
                form: Arc::new(form),
                clock: Arc::clone(clock),
                ttl: board.mirror_ttl,
            })
        }
    };
    let settings = BoardSettings {
        states,
        otherwise,
        lease_ms: millis(board.lease),
        grace_ms: millis(board.grace),
        users_max: board.users_max,
        devices_per_user_max: board.devices_per_user_max,
    };
    Ok(BoardSetup { name: name.into(), settings, mirroring })
}

/// The board that an endpoint's connections stand on.
pub(super) fn board_of(
    endpoint: &Endpoint,
    presence: &Presence,
) -> Option<Arc<lychgate_service::presence::SharedBoard>> {
    presence.board(endpoint.settings.board.as_deref()?)
}
