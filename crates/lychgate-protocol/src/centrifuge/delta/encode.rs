//! A delta from an old text and a new one.

use super::index::{BLOCK_BYTES, Index, Rolling};
use super::{checksum, digits};

/// Appends the delta that makes `new` out of `old`.
///
/// The time it takes grows with the two lengths and no faster, whatever the texts are.
/// Lengths are limited to 32 bits by the format; its readers refuse what is longer.
///
/// ```
/// use lychgate_protocol::centrifuge::delta::{apply, encode};
///
/// let (old, new) = (br#"{"score":1,"players":["ada","grace"]}"#, br#"{"score":2,"players":["ada","grace"]}"#);
/// let (mut delta, mut text) = (Vec::new(), Vec::new());
/// encode(old, new, &mut delta);
/// assert!(delta.len() < new.len());
/// apply(old, &delta, 1_000, &mut text)?;
/// assert_eq!(text, new);
/// # Ok::<(), lychgate_protocol::centrifuge::delta::BadDelta>(())
/// ```
pub fn encode(old: &[u8], new: &[u8], out: &mut Vec<u8>) {
    digits::push(new.len(), out);
    out.push(b'\n');
    let index = Index::of(old);
    let mut done = 0;
    while let Some(found) = next_copy(old, new, done, &index) {
        insert(&new[done..found.at], out);
        digits::push(found.count, out);
        out.push(b'@');
        digits::push(found.offset, out);
        out.push(b',');
        done = found.at + found.count;
    }
    insert(&new[done..], out);
    digits::push(checksum(new) as usize, out);
    out.push(b';');
}

/// As [`encode`], but appends nothing and says `false` where the delta would not be shorter than `new` itself.
pub fn encode_if_shorter(old: &[u8], new: &[u8], out: &mut Vec<u8>) -> bool {
    let before = out.len();
    encode(old, new, out);
    let is_shorter = out.len() - before < new.len();
    if !is_shorter {
        out.truncate(before);
    }
    is_shorter
}

/// A piece of the new text that stands in the old one too.
struct Copy {
    /// Where it stands in the new text.
    at: usize,
    /// Where it stands in the old text.
    offset: usize,
    count: usize,
}

/// The first piece from `done` on that is worth copying.
fn next_copy(old: &[u8], new: &[u8], done: usize, index: &Index) -> Option<Copy> {
    let mut at = done;
    let mut rolling = Rolling::over(new.get(at..at + BLOCK_BYTES)?);
    loop {
        let candidates = index.offsets(rolling.hash()).map(|offset| widened(old, new, done, at, offset));
        if let Some(best) = candidates.filter(|copy| is_worth_it(copy, done)).max_by_key(|copy| copy.count) {
            return Some(best);
        }
        rolling.roll(new[at], *new.get(at + BLOCK_BYTES)?);
        at += 1;
    }
}

/// The longest common piece around `at` in the new text and `offset` in the old, of nothing before `done`.
fn widened(old: &[u8], new: &[u8], done: usize, at: usize, offset: usize) -> Copy {
    let after = new[at..].iter().zip(&old[offset..]).take_while(|(a, b)| a == b).count();
    let before = new[done..at].iter().rev().zip(old[..offset].iter().rev()).take_while(|(a, b)| a == b).count();
    Copy { at: at - before, offset: offset - before, count: before + after }
}

/// Whether copying takes fewer bytes than the piece itself, with the insert that it may split in two.
fn is_worth_it(copy: &Copy, done: usize) -> bool {
    let cost = digits::count(copy.at - done) + digits::count(copy.count) + digits::count(copy.offset) + 3;
    copy.count >= cost.max(BLOCK_BYTES)
}

fn insert(bytes: &[u8], out: &mut Vec<u8>) {
    if !bytes.is_empty() {
        digits::push(bytes.len(), out);
        out.push(b':');
        out.extend_from_slice(bytes);
    }
}
