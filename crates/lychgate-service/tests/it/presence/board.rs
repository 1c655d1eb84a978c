//! The state machine of a board: each rule by itself, and a random script against a model of it.
//!
//! `LYCHGATE_SEED=7` replays one script, `LYCHGATE_SEEDS=100000` sets the number of scripts.

use super::model::{Seen, run};
use lychgate_service::presence::{Board, BoardFault, BoardFull, BoardSettings, DeviceId, Outcome, State};
use lychgate_service::principal::Principal;

const SCRIPTS: u64 = 1_000;

#[test]
fn a_board_does_what_its_model_does() {
    let number = |name: &str| std::env::var(name).ok().map(|value| value.parse::<u64>().expect("it is a number"));
    let seeds = match number("LYCHGATE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("LYCHGATE_SEEDS").unwrap_or(SCRIPTS),
    };
    let count = seeds.end - seeds.start;
    let mut seen = Seen::default();
    for seed in seeds {
        // A test that fails shows what it printed: the last line is the seed.
        println!("LYCHGATE_SEED={seed}");
        run(seed, &mut seen);
    }
    println!("{count} scripts: {seen:?}");
    if count >= SCRIPTS {
        seen.check();
    }
}

fn user(id: &str) -> Principal {
    Principal::from_verified_subject(id, None)
}

fn settings() -> BoardSettings {
    BoardSettings {
        states: ["online", "dnd", "away", "offline"].map(State::from).to_vec(),
        otherwise: "online".into(),
        lease_ms: 90_000,
        grace_ms: 0,
        users_max: 3,
        devices_per_user_max: 2,
    }
}

fn board(change: impl FnOnce(&mut BoardSettings)) -> Board {
    let mut settings = settings();
    change(&mut settings);
    Board::new(settings).expect("the settings are in order")
}

/// The changes in short: `ann offline>online`.
fn changes(outcome: &Outcome) -> Vec<String> {
    outcome.changes.iter().map(|change| format!("{} {}>{}", change.user.id(), change.from, change.to)).collect()
}

/// What is to be copied in short: `ann online`.
fn refreshed(outcome: &Outcome) -> Vec<String> {
    outcome.refreshed.iter().map(|refreshed| format!("{} {}", refreshed.user.id(), refreshed.state)).collect()
}

fn listed(board: &Board) -> Vec<String> {
    board.list().map(|(user, state)| format!("{} {state}", user.id())).collect()
}

#[test]
fn a_user_with_two_devices_comes_once_and_goes_once() {
    let mut board = board(|_| ());
    let first = board.arrive(&user("ann"), DeviceId(1), 0).unwrap();
    assert_eq!((changes(&first), refreshed(&first)), (vec!["ann offline>online".into()], vec!["ann online".into()]));
    let second = board.arrive(&user("ann"), DeviceId(2), 0).unwrap();
    assert_eq!((changes(&second), refreshed(&second)), (vec![], vec!["ann online".into()]));
    assert_eq!(board.leave(DeviceId(1), 0), Outcome::default());
    assert_eq!(listed(&board), ["ann online"]);
    let last = board.leave(DeviceId(2), 0);
    assert_eq!((changes(&last), refreshed(&last)), (vec!["ann online>offline".into()], vec!["ann offline".into()]));
    assert!(listed(&board).is_empty());
    assert_eq!(board.leave(DeviceId(2), 0), Outcome::default(), "who is gone cannot leave");
}

#[test]
fn a_word_holds_on_all_devices_until_the_user_is_gone() {
    let mut board = board(|_| ());
    let _ = board.arrive(&user("ann"), DeviceId(1), 0).unwrap();
    assert_eq!(changes(&board.set(DeviceId(1), "dnd", 0).unwrap()), ["ann online>dnd"]);
    let again = board.set(DeviceId(1), "dnd", 0).unwrap();
    assert_eq!((changes(&again), refreshed(&again)), (vec![], vec!["ann dnd".into()]), "the same word changes nothing");
    assert_eq!(refreshed(&board.arrive(&user("ann"), DeviceId(2), 0).unwrap()), ["ann dnd"]);
    let _ = board.leave(DeviceId(1), 0);
    assert_eq!(listed(&board), ["ann dnd"], "who said it has left, and it holds");
    assert_eq!(changes(&board.set(DeviceId(2), "sleeping", 0).unwrap()), ["ann dnd>online"], "no known word");
    let _ = board.set(DeviceId(2), "away", 0).unwrap();
    assert_eq!(changes(&board.leave(DeviceId(2), 0)), ["ann away>offline"]);
    assert_eq!(changes(&board.arrive(&user("ann"), DeviceId(3), 0).unwrap()), ["ann offline>online"]);
    assert_eq!(board.set(DeviceId(9), "dnd", 0), None, "no such device");
}

#[test]
fn who_says_gone_is_hidden_while_being_there() {
    let mut board = board(|_| ());
    let _ = board.arrive(&user("ann"), DeviceId(1), 0).unwrap();
    assert_eq!(changes(&board.set(DeviceId(1), "offline", 0).unwrap()), ["ann online>offline"]);
    assert!(listed(&board).is_empty());
    assert_eq!(board.users(), 1);
    assert_eq!(refreshed(&board.life(DeviceId(1), 5).unwrap()), ["ann offline"], "a heartbeat does not betray them");
    assert_eq!(changes(&board.set(DeviceId(1), "away", 5).unwrap()), ["ann offline>away"]);
    let _ = board.set(DeviceId(1), "offline", 5).unwrap();
    let last = board.leave(DeviceId(1), 6);
    assert_eq!((changes(&last), refreshed(&last)), (vec![], vec!["ann offline".into()]));
}

#[test]
fn a_silent_device_is_gone_when_its_lease_is_over_and_a_heartbeat_renews_it() {
    let mut board = board(|_| ());
    let _ = board.arrive(&user("ann"), DeviceId(1), 1_000).unwrap();
    let _ = board.arrive(&user("bob"), DeviceId(2), 1_000).unwrap();
    assert_eq!(refreshed(&board.life(DeviceId(2), 50_000).unwrap()), ["bob online"]);
    assert_eq!(board.next_deadline_ms(), Some(91_000));
    assert_eq!(board.tick(90_999), Outcome::default());
    let over = board.tick(91_000);
    assert_eq!((changes(&over), refreshed(&over)), (vec!["ann online>offline".into()], vec!["ann offline".into()]));
    assert_eq!(board.life(DeviceId(1), 91_000), None, "it may arrive again");
    assert_eq!((listed(&board), board.next_deadline_ms()), (vec!["bob online".into()], Some(140_000)));
}

#[test]
fn without_a_lease_nothing_ends_by_itself() {
    let mut board = board(|settings| settings.lease_ms = 0);
    let _ = board.arrive(&user("ann"), DeviceId(1), 0).unwrap();
    assert_eq!(board.next_deadline_ms(), None);
    assert_eq!(board.tick(u64::MAX), Outcome::default());
    assert_eq!(listed(&board), ["ann online"]);
}

#[test]
fn a_return_within_the_grace_is_no_change_and_keeps_the_word() {
    let mut board = board(|settings| settings.grace_ms = 3_000);
    let _ = board.arrive(&user("ann"), DeviceId(1), 0).unwrap();
    let _ = board.set(DeviceId(1), "dnd", 0).unwrap();
    assert_eq!(board.leave(DeviceId(1), 10_000), Outcome::default());
    assert_eq!((listed(&board), board.next_deadline_ms()), (vec!["ann dnd".into()], Some(13_000)));
    assert_eq!(board.tick(12_999), Outcome::default());
    let back = board.arrive(&user("ann"), DeviceId(2), 12_999).unwrap();
    assert_eq!((changes(&back), refreshed(&back)), (vec![], vec!["ann dnd".into()]));
    assert_eq!(board.tick(13_000), Outcome::default(), "the grace that was used is over");
    let _ = board.leave(DeviceId(2), 20_000);
    assert_eq!(changes(&board.tick(23_000)), ["ann dnd>offline"], "a grace that nobody used ends");
    assert_eq!((board.users(), board.devices(), board.next_deadline_ms()), (0, 0, None));
}

#[test]
fn a_late_tick_counts_the_grace_from_when_the_lease_was_over() {
    let mut board = board(|settings| settings.grace_ms = 3_000);
    let _ = board.arrive(&user("ann"), DeviceId(1), 0).unwrap();
    assert_eq!(changes(&board.tick(93_000)), ["ann online>offline"]);
}

#[test]
fn a_device_that_comes_before_the_old_one_goes_does_not_flicker() {
    let mut board = board(|_| ());
    let _ = board.arrive(&user("ann"), DeviceId(1), 0).unwrap();
    for device in 2..100 {
        assert!(board.arrive(&user("ann"), DeviceId(device), 0).unwrap().changes.is_empty());
        assert_eq!(board.leave(DeviceId(device - 1), 0), Outcome::default());
    }
    assert_eq!(board.devices(), 1);
}

#[test]
fn limits_hold_and_the_longest_silent_device_makes_room() {
    let mut board = board(|_| ());
    for (number, id) in ["ann", "bob", "eve"].into_iter().enumerate() {
        assert!(board.arrive(&user(id), DeviceId(number as u64), 0).is_ok());
    }
    assert_eq!(board.arrive(&user("dan"), DeviceId(9), 0), Err(BoardFull));
    assert!(board.arrive(&user("ann"), DeviceId(10), 1).is_ok(), "who is there needs no place");
    let _ = board.life(DeviceId(0), 2);
    assert!(board.arrive(&user("ann"), DeviceId(11), 3).unwrap().changes.is_empty());
    assert_eq!(board.devices(), 4, "two of ann, as many as are counted");
    assert_eq!((board.life(DeviceId(10), 4), board.life(DeviceId(0), 4).is_some()), (None, true));
    let _ = board.leave(DeviceId(1), 5);
    assert!(board.arrive(&user("dan"), DeviceId(9), 5).is_ok(), "bob's place is free");
}

#[test]
fn a_device_can_change_hands() {
    let mut board = board(|_| ());
    let _ = board.arrive(&user("ann"), DeviceId(1), 0).unwrap();
    let outcome = board.arrive(&user("bob"), DeviceId(1), 0).unwrap();
    assert_eq!(changes(&outcome), ["ann online>offline", "bob offline>online"]);
    assert_eq!((listed(&board), board.devices()), (vec!["bob online".into()], 1));
}

#[test]
fn the_newest_principal_of_an_id_is_kept() {
    let mut board = board(|_| ());
    let named = |name| Principal::from_verified_subject("7", Some(name));
    let _ = board.arrive(&named("Ann"), DeviceId(1), 0).unwrap();
    let _ = board.arrive(&named("Anne"), DeviceId(2), 0).unwrap();
    assert_eq!(board.list().map(|(user, _)| user.name()).collect::<Vec<_>>(), ["Anne"]);
    assert_eq!((&*board.state_of("7"), &*board.state_of("8")), ("online", "offline"));
}

#[test]
fn settings_that_contradict_themselves_are_refused() {
    type Fault = (&'static str, fn(&mut BoardSettings), BoardFault);
    let cases: [Fault; 6] = [
        ("one state", |s| s.states.truncate(1), BoardFault::TooFewStates),
        ("an empty state", |s| s.states[1] = "".into(), BoardFault::State("".into())),
        ("a state twice", |s| s.states[2] = "dnd".into(), BoardFault::State("dnd".into())),
        ("no such state", |s| s.otherwise = "here".into(), BoardFault::Otherwise("here".into())),
        ("no users", |s| s.users_max = 0, BoardFault::Limit("users_max")),
        ("no devices", |s| s.devices_per_user_max = 0, BoardFault::Limit("devices_per_user_max")),
    ];
    assert_eq!((settings().check(), BoardSettings::default().check()), (Ok(()), Ok(())));
    for (name, change, fault) in cases {
        let mut settings = settings();
        change(&mut settings);
        assert_eq!(Board::new(settings).err(), Some(fault), "{name}");
    }
}
