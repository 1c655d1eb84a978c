//! The grammar of channel names.

use std::collections::HashMap;

use lychgate_protocol::channel::{BadChannelName, ChannelName};

#[test]
fn the_grammar() {
    let longest = "x".repeat(255);
    for name in ["a", "all", "room:42", "$private:news", "personal:#ada", "a,b", "~", "!", "/ws/x?y=z", &longest] {
        let channel = ChannelName::new(name).expect(name);
        assert_eq!((channel.as_str(), channel.to_string().as_str()), (name, name));
        assert_eq!(name.parse::<ChannelName>(), Ok(channel));
    }
    let bad = [
        ("", BadChannelName::Empty),
        (&"x".repeat(256), BadChannelName::TooLong),
        (&"é".repeat(128), BadChannelName::TooLong),
        (" ", BadChannelName::BadCharacter { at: 0 }),
        ("a b", BadChannelName::BadCharacter { at: 1 }),
        ("ab\n", BadChannelName::BadCharacter { at: 2 }),
        ("a\0", BadChannelName::BadCharacter { at: 1 }),
        ("a\u{7f}", BadChannelName::BadCharacter { at: 1 }),
        ("aé", BadChannelName::BadCharacter { at: 1 }),
        ("\u{202e}a", BadChannelName::BadCharacter { at: 0 }),
    ];
    for (name, fault) in bad {
        assert_eq!(ChannelName::new(name), Err(fault), "{name:?}");
        assert_eq!(ChannelName::try_from(name), Err(fault));
    }
}

#[test]
fn a_name_is_a_cheap_key() {
    let name = ChannelName::new("all").expect("a good name");
    let clone = name.clone();
    assert!(std::ptr::eq(name.as_str(), clone.as_str()), "a clone shares the text");
    let map = HashMap::from([(name, 1)]);
    assert_eq!(map.get("all"), Some(&1));
    assert_eq!(map.get("All"), None, "nothing is folded");
}
