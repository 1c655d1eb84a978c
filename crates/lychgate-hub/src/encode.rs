//! How a publication becomes the bytes of a frame.

/// A codec class: members of one channel that are sent the same bytes.
///
/// Raw text and JSON of one channel are two classes, and so is each compressed form.
/// The numbers mean nothing to the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Class(pub u8);

/// A publication that can be written down for each class of its channel.
///
/// Any `Fn(Class, u64, &mut Vec<u8>)` is one.
pub trait Encode {
    /// Appends exactly one complete frame, ready for the wire, to `out`.
    ///
    /// It is called once per class that has members, whatever their number.
    /// `out` may hold earlier frames, which must be left alone.
    /// Appending nothing means that members of this class do not receive the publication.
    ///
    /// The channel is locked meanwhile: an implementation must neither wait nor call the hub.
    fn encode(&self, class: Class, offset: u64, out: &mut Vec<u8>);
}

impl<F: Fn(Class, u64, &mut Vec<u8>)> Encode for F {
    fn encode(&self, class: Class, offset: u64, out: &mut Vec<u8>) {
        self(class, offset, out);
    }
}
