//! What a round does with one event, one calendar, one erasure.
//!
//! - **base**: the last content both sides agreed on, in the provider's canonical form.
//! - **outbound**: our content as the provider may see it: projected to the privacy level, in canonical form.
//!
//! Three versions of an event meet: the base, ours as the provider may see it, and theirs. [`plan::plan`] is one `match` on which
//! of the two differ from the base. Fields that overlap, and only those, are a conflict; the account's policy decides, and the
//! loser is kept in the history, from which it can be restored.
//!
//! What was sent and never seen confirmed is remembered with the queued write
//! ([`OutboxEntry::sent`](crate::domain::outbox::OutboxEntry::sent)). When the provider says exactly that, it is our own write come
//! back: it becomes the base, so that a person's older edit never conflicts with their newer one. Where only
//! some fields are what we sent, this holds for those ([`echo`]).
//!
//! A copy that we made shows what its account's privacy level lets it. When somebody writes over a text there that they cannot see,
//! that text is in conflict like any other, and the copy is reduced again once their words are here.
//!
//! A calendar may flow one way. What is only read is not written to: what is owed to it waits, and is queued when it takes writes
//! again. From a calendar that only takes events nothing is taken: ours is put back ([`plan::put_back`]) and theirs is in the
//! history. Only the provider's answer to a write of ours is agreed whatever it says, or an event that the provider stores in its
//! own form would be sent for ever. However much is deleted there, no deletion here follows, so the brake asks nobody.
//!
//! A copy that its owner takes out of a calendar goes, whatever is under way there
//! ([`withdraws`](crate::domain::outbox::OutboxEntry::withdraws)): the entry outlives every other decision about the copy and ends with
//! its mapping. A create whose answer was lost is found and taken away; what was changed there meanwhile comes into the event;
//! asking for the copy again is refused until it has gone.
//!
//! What is left of a copy that is gone ([`Remains`](crate::domain::mapping::Remains)) is kept as long as deleted events are. An
//! event that is restored, or whose deletion was refused or lost, is made again from that, as the very copy it was where the
//! provider allows it. A calendar that has the copy again by itself, from a backup, has that very copy: edits on either side begin
//! at what was agreed on.
//!
//! At most one question waits for each copy; it is asked anew when either side changes, and ends by itself when there is nothing
//! left to ask. What only one side changed stays, whoever wins. A deletion that loses keeps what the event said when it was
//! deleted.
//!
//! **Invariants** (names of `house.md` §8): S1 a second round over an unchanged world plans nothing · S6 absence deletes only
//! after a complete snapshot · S7 the brake holds an erasing plan · S8 our own echo changes nothing · S10 every user edit is in
//! the final state or in the conflict history.

pub mod brake;
pub mod echo;
pub mod hold;
pub mod matching;
pub mod merge;
pub mod plan;

#[cfg(test)]
mod tests;
