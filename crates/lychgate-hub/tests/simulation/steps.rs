//! What can happen: each step does one thing to the hub and the same to the model.

use std::cell::RefCell;

use bytes::Bytes;
use lychgate_hub::{Class, EndCode, Farewell, SendError, SubscribeError};

use crate::peer::Life;
use crate::wire::{Frame, HEADER_BYTES, Kind};
use crate::world::World;

/// The steps, in the order of their weights.
pub(crate) const STEPS: [fn(&mut World); 15] = [
    World::open,
    subscribe,
    unsubscribe,
    revoke,
    publish,
    burst,
    send,
    turn,
    turn_all,
    drain_socket,
    spurious_writable,
    go_away,
    finish,
    close,
    end_channel,
];

/// How often each happens unless a run decides otherwise.
pub(crate) const WEIGHTS: [usize; 15] = [4, 14, 4, 3, 20, 4, 10, 12, 2, 10, 1, 1, 1, 1, 1];

/// Puts a session into a channel.
pub(crate) fn subscribe(world: &mut World) {
    let Some(peer) = any_peer(world) else { return };
    let channel = world.random.below(world.channels.len());
    let class = [0, 0, 0, 1, 2][world.random.below(5)];
    let name = world.channels[channel].name.clone();
    let joined = world.registrar.subscribe(&world.peers[peer].session, &name, Class(class));
    world.note_overflows();
    let is_member = world.channels[channel].members.iter().any(|(member, _)| *member == peer);
    match joined {
        Ok(subscription) => {
            // Sealing for the others cannot end a session that was in none of their groups.
            assert!(world.peers[peer].is_open() && !is_member);
            world.channels[channel].members.push((peer, class));
            world.peers[peer].subscriptions.push(subscription);
        }
        Err(SubscribeError::Already) => assert!(is_member),
        Err(SubscribeError::Finished) => assert!(!world.peers[peer].is_open()),
    }
}

fn unsubscribe(world: &mut World) {
    let Some(peer) = any_peer(world) else { return };
    if world.peers[peer].subscriptions.is_empty() {
        return;
    }
    let index = world.random.below(world.peers[peer].subscriptions.len());
    let subscription = world.peers[peer].subscriptions.remove(index);
    let channel = world.channels.iter().position(|channel| channel.name == *subscription.channel()).unwrap();
    // Of several handles to one channel, all but the newest are stale.
    let later = &world.peers[peer].subscriptions[index..];
    let stale = later.iter().any(|other| other.channel() == subscription.channel());
    let is_live = is_member(world, channel, peer) && !stale;
    let left = world.registrar.unsubscribe(subscription);
    assert_eq!(left.was_member, is_live);
    if left.was_member {
        world.channels[channel].members.retain(|(member, _)| *member != peer);
    }
    world.note_overflows();
    assert_eq!(left.channel_vacated, world.channels[channel].members.is_empty());
}

fn revoke(world: &mut World) {
    let Some(peer) = any_peer(world) else { return };
    let channel = world.random.below(world.channels.len());
    let was_member = is_member(world, channel, peer);
    let left = world.registrar.revoke(&world.peers[peer].session, &world.channels[channel].name);
    assert_eq!(left.was_member, was_member);
    world.channels[channel].members.retain(|(member, _)| *member != peer);
    world.note_overflows();
    assert_eq!(left.channel_vacated, world.channels[channel].members.is_empty());
}

fn publish(world: &mut World) {
    let channel = world.random.below(world.channels.len());
    publish_to(world, channel);
}

fn burst(world: &mut World) {
    let channel = world.random.below(world.channels.len());
    for _ in 0..world.random.between(5, 70) {
        publish_to(world, channel);
    }
}

fn publish_to(world: &mut World, channel: usize) {
    let exclude = if world.peers.is_empty() || world.random.chance(50) { None } else { any_peer(world) };
    let bytes = frame_bytes(world);
    // Some publications mean nothing to one of the classes.
    let mute = world.random.chance(5).then(|| world.random.below(3) as u8);
    let room = &mut world.channels[channel];
    room.last_offset += 1;
    let offset = room.last_offset;
    let frame = |class| Frame { kind: Kind::Published { channel: channel as u8, class, offset }, bytes };

    let encoded = RefCell::new(Vec::new());
    let encode = |class: Class, given: u64, out: &mut Vec<u8>| {
        assert_eq!(given, offset);
        encoded.borrow_mut().push(class.0);
        if Some(class.0) != mute {
            frame(class.0).encode(out);
        }
    };
    let excluded = exclude.map(|peer| world.peers[peer].session.id());
    let delivered = world.registrar.publish(&room.name, offset, &encode, excluded);

    let mut classes: Vec<u8> = room.members.iter().map(|(_, class)| *class).collect();
    assert_eq!(delivered.sessions, classes.len().saturating_sub(usize::from(exclude.is_some())));
    classes.sort_unstable();
    classes.dedup();
    let mut encoded = encoded.into_inner();
    encoded.sort_unstable();
    world.encoded += encoded.len() as u64;
    assert_eq!(encoded, classes, "a frame is encoded once for each class that has members");

    for (member, class) in room.members.clone() {
        if Some(member) != exclude && Some(class) != mute {
            world.peers[member].owe(frame(class));
        }
    }
    world.note_overflows();
}

fn send(world: &mut World) {
    let Some(peer) = any_peer(world) else { return };
    let bytes = frame_bytes(world);
    let frame = world.next_frame(Kind::Direct, bytes);
    let bytes = if world.random.chance(3) { Bytes::new() } else { world.tokened(&frame) };
    let was_open = world.peers[peer].is_open();
    let empty = bytes.is_empty();
    // By way of the queue, or as its own task answers: past the queue where nothing waits.
    let answers = world.random.chance(50);
    let session = &world.peers[peer].session;
    let sent = if answers { world.drain.answer(session, &bytes) } else { world.drain.send(session, bytes) };
    if !empty {
        world.peers[peer].owe(frame);
    }
    world.note_overflows();
    match sent {
        Ok(()) => assert!(was_open && world.peers[peer].is_open()),
        Err(SendError::OutboxFull) => assert!(was_open && !world.peers[peer].is_open()),
        // Handing out what was pending may have closed the session before its answer was queued.
        Err(SendError::Finished) => assert!(!world.peers[peer].is_open()),
    }
}

fn turn(world: &mut World) {
    let shard = world.random.below(world.shards());
    world.turn(shard);
}

fn turn_all(world: &mut World) {
    for shard in 0..world.shards() {
        while world.turn(shard) {
            world.check();
        }
    }
}

fn drain_socket(world: &mut World) {
    let Some(peer) = any_peer(world) else { return };
    let more = if world.random.chance(30) { 100_000 } else { world.random.between(1, 1_500) };
    let mut state = world.peers[peer].socket.state();
    state.room_bytes = state.room_bytes.saturating_add(more);
    let was_blocked = std::mem::take(&mut state.blocked);
    drop(state);
    if was_blocked {
        world.drain.writable(&world.peers[peer].session);
    }
}

fn spurious_writable(world: &mut World) {
    let Some(peer) = any_peer(world) else { return };
    world.peers[peer].socket.state().blocked = false;
    world.drain.writable(&world.peers[peer].session);
}

fn go_away(world: &mut World) {
    let Some(peer) = any_peer(world) else { return };
    world.peers[peer].socket.state().gone = true;
}

fn finish(world: &mut World) {
    let Some(peer) = any_peer(world) else { return };
    let frame = world.next_frame(Kind::Close, HEADER_BYTES + 4);
    let empty = world.random.chance(10);
    let bytes = if empty { Bytes::new() } else { world.tokened(&frame) };
    world.drain.finish(&world.peers[peer].session, bytes);
    world.note_overflows();
    world.leave_all(peer);
    if world.peers[peer].is_open() {
        world.peers[peer].owe_last((!empty).then_some(frame));
    }
}

fn close(world: &mut World) {
    let Some(peer) = any_peer(world) else { return };
    close_peer(world, peer);
}

/// Closes a session, whatever its state.
pub(crate) fn close_peer(world: &mut World, peer: usize) {
    world.drain.close(&world.peers[peer].session);
    world.leave_all(peer);
    let peer = &mut world.peers[peer];
    peer.socket.state().closed = true;
    peer.stop(Life::Closed);
}

/// Those who are in it are owed all that was published before, there and elsewhere, then the goodbye of their own socket.
fn end_channel(world: &mut World) {
    let channel = world.random.below(world.channels.len());
    let code = EndCode(world.random.below(4) as u8);
    let ended = world.registrar.end_channel(&world.channels[channel].name, code);
    let members: Vec<usize> = world.channels[channel].members.iter().map(|(member, _)| *member).collect();
    assert_eq!(ended, members.len());
    // What was pending may have been too much for some.
    world.note_overflows();
    for member in members {
        if world.peers[member].is_open() {
            world.peers[member].owe_farewell(Farewell::Ended(code));
        }
        world.leave_all(member);
    }
}

fn any_peer(world: &mut World) -> Option<usize> {
    // Closed ones take part too, but rarely.
    let count = world.peers.len();
    let first = (count > 0).then(|| world.random.below(count))?;
    let open = (0..count).map(|step| (first + step) % count).find(|peer| world.peers[*peer].is_open());
    if world.random.chance(90) { open.or(Some(first)) } else { Some(first) }
}

fn is_member(world: &World, channel: usize, peer: usize) -> bool {
    world.channels[channel].members.iter().any(|(member, _)| *member == peer)
}

fn frame_bytes(world: &mut World) -> usize {
    let batch_bytes_max = world.config.batch_bytes_max;
    match world.random.below(20) {
        0 => world.random.between(HEADER_BYTES, batch_bytes_max * 2),
        1 => batch_bytes_max.max(HEADER_BYTES),
        2 => batch_bytes_max + 1,
        3 => HEADER_BYTES,
        _ => world.random.between(HEADER_BYTES, 80),
    }
}
