//! What Calwarden promises: each promise has one id and one sentence, the same in tests, simulation, metrics and log.
//!
//! Where each is checked, and the fault that proves the check, stands in `tests/README.md`, which a test holds against this list.
//! `I-…` are about calendars in step, `S…` about what may pass where, `P-…` about planned work, `C-…` about who may speak, `B-…` about what is bounded.

use crate::words;

macro_rules! promises {
    ($($name:ident = $id:literal: $sentence:literal,)+) => {
        words! {
            /// One promise.
            Promise { $(#[doc = $sentence] $name = $id),+ }
        }

        impl Promise {
            /// What is promised.
            #[must_use]
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$name => $sentence),+ }
            }
        }
    };
}

promises! {
    Agreement = "I-1": "At rest both sides say the same.",
    Rest = "I-2": "Rest comes soon after the last fault.",
    NothingLost = "I-3": "Every edit is in the final version or in the history.",
    NoFalseConflict = "I-4": "No version loses to its own ancestor.",
    NothingInvented = "I-5": "No field of an event holds a value that no one wrote.",
    DeletedStaysDeleted = "I-6": "What was deleted stays deleted, unless somebody wrote what the deleter had not seen.",
    UnknownSurvives = "I-7": "What we do not understand survives our writes.",
    OccurrencesApart = "I-8": "An edit of one occurrence changes no other, and a cut keeps them all.",
    TimesStay = "I-9": "Whole days and wall times stay what they are.",
    OneCopy = "I-10": "An event has one live copy in a calendar at most, at any instant.",
    CreateOnce = "I-11": "A create that is sent again makes nothing new.",
    ReadAfterRefusal = "I-12": "A refused precondition is answered by a read.",
    Conditional = "I-13": "Every update and every deletion names the version that it is meant for.",
    NoEcho = "I-14": "Our own write that comes back changes nothing, and at rest nobody writes.",
    Brake = "I-15": "A round that would erase much waits for a person.",
    SafeRetry = "I-16": "Only what may arrive twice is sent twice.",
    CursorCovers = "I-17": "A cursor never passes what is not stored.",
    OneFullList = "I-18": "An expired cursor is answered by one complete listing, which keeps what is here.",
    LateAtWorst = "I-19": "A lost notification costs time alone.",
    FewRounds = "I-20": "However many notifications come, forged or not, they cost one round more at most.",
    EarlyIsHeard = "I-21": "A notification that comes before its channel's answer counts.",
    Watched = "I-22": "There is always a live channel or a poll that is due.",
    NobodyMailed = "I-24": "Nobody is mailed unless somebody asks for it.",
    OneRound = "I-25": "An account has one round at a time.",
    OneService = "I-26": "A database has one service at a time.",
    OneRefresh = "I-27": "However many need a token, it is renewed once.",
    TokenKept = "I-28": "A refresh token that was given is kept.",
    AskedLate = "I-29": "A person is asked to connect again only after a second refusal.",
    Durable = "I-30": "What is answered with 2xx outlives the process.",
    GoesOn = "I-32": "An account goes on, or shows why not.",
    RepeatedOnce = "I-33": "A request that is repeated under its key is done once, whatever stops the process or the database.",
    OneAccount = "I-34": "A user connects an account of a provider once.",
    Changes = "I-35": "Every change of what a person can see is recorded once, in the order in which it became durable.",
    Direction = "S2": "Events flow only the ways that their calendar lets them.",
    Privacy = "S4": "A copy says nothing above its privacy level.",
    Absence = "S6": "Absence deletes only where a listing was complete.",
    NothingPrivate = "P-1": "What belongs to no calendar reaches no provider.",
    BlockShown = "P-2": "A block has one event, in its context's calendar, that says what the block says.",
    NoOrphan = "P-3": "There is no event of planned work without its block.",
    OneInstance = "P-4": "A task that goes on goes on in one new instance, and not for ever.",
    DatesInOrder = "P-5": "A user's dates begin in their order, each once.",
    AsOffered = "P-6": "What is accepted is what was offered.",
    EventKept = "P-7": "A block that moves within a calendar keeps its event there.",
    MinutesKept = "P-8": "No minute that was worked is lost.",
    NothingOwed = "P-9": "At rest no plan is owed, and no write is queued.",
    FocusYields = "P-10": "Focused work goes over no meeting and moves no locked block.",
    Replanned = "P-11": "Whatever concerns a plan has a plan made of it.",
    PlanningEnds = "P-12": "Planning ends, whatever the list, and holds up nobody else.",
    Proven = "C-1": "A consent or a notification counts only when it proves itself.",
    Apart = "C-2": "A caller sees and changes nothing of what belongs to others.",
    Erased = "C-3": "What is erased with a user is shown to nobody again.",
    Bounded = "B-1": "What one caller, feed or event makes us do is bounded, and what that leaves out is named in the answer.",
    NobodyWaits = "B-2": "However slow or many some callers are, the others are answered.",
}

impl Promise {
    /// How a test reports that it is broken: its id, by what, and what was promised.
    #[must_use]
    pub fn broken(self, by: impl std::fmt::Display) -> String {
        format!("{self} {by} (promised: {})", self.sentence())
    }
}
