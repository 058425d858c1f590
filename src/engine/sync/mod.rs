//! What a round does with one event, one calendar, one erasure.
//!
//! - **base**: the last content both sides agreed on, in the provider's canonical form.
//! - **told**: our content as the provider may see it: projected to the privacy level, in canonical form.
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
