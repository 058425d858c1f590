//! `STORY_TELL=1`: what both sides hold after each step, for whoever looks for the cause of a story's end.

use super::world::World;

/// Enough of an id to tell it from others.
const ID_SHOWN: usize = 6;

fn short(id: &impl ToString) -> String {
    let id = id.to_string();
    id[id.len().saturating_sub(ID_SHOWN)..].to_owned()
}

impl World {
    /// Prints the world as it is after a step.
    pub fn print(&self, step: &str) {
        if std::env::var_os("STORY_TELL").is_none() {
            return;
        }
        println!("== {step}");
        for event in self.hub.events.values() {
            let (id, home, facts) = (short(&event.id), event.calendar_id.as_ref().map(short), &event.content.facts);
            println!("  event {id} at {home:?}, version {}, deleted {:?}: {facts:?}", event.version, event.deleted_at);
        }
        for mapped in self.hub.mappings.values() {
            let (event, calendar, base) = (short(&mapped.event_id), short(&mapped.calendar_id), &mapped.base.facts);
            println!("  mapped {event} in {calendar}: {:?} at {:?}, base {base:?}", mapped.remote_id, mapped.revision);
        }
        for entry in self.hub.outbox.values() {
            let (event, calendar) = (short(&entry.event_id), short(&entry.calendar_id));
            let sent = entry.sent.len();
            println!("  owed {} of {event} in {calendar}: {}, {}, sent {sent}", entry.op, entry.state, entry.reason);
        }
        for conflict in &self.hub.conflicts {
            println!("  conflict about {}: {}, {}", short(&conflict.event_id), conflict.status, conflict.reason);
        }
        for (account, remote) in self.remotes.iter().enumerate() {
            for (id, object) in &remote.objects {
                let (calendar, facts) = (object.calendar, &object.content.facts);
                println!(
                    "  there {account}.{calendar} {id:?}, gone {}, version {}: {facts:?}",
                    object.gone, object.seq
                );
            }
        }
    }
}
