//! The rules, each from one file to what is wrong with it: a sentence that names the place and what to do.

use std::path::Path;

use crate::{items::is_test, source::Source};

/// Each layer and the layers it may name, bottom first. `app` and the roots may name everything.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("ical", &["domain"]),
    ("engine", &["domain"]),
    ("vault", &["domain"]),
    ("transport", &["domain"]),
    ("store", &["domain"]),
    ("provider", &["domain", "engine::recurrence", "ical", "transport"]),
    ("service", &["domain", "engine", "ical", "vault", "transport", "store", "provider"]),
    ("actor", &["domain", "engine", "provider", "store", "service"]),
    ("web", &["domain", "engine", "provider", "store", "service", "actor"]),
    ("sandbox", &["domain", "engine", "ical", "transport"]),
    ("config", &["domain"]),
    ("telemetry", &["config"]),
    ("app", EVERY_LAYER),
];
const EVERY_LAYER: &[&str] = &[
    "domain",
    "ical",
    "engine",
    "vault",
    "transport",
    "store",
    "provider",
    "service",
    "actor",
    "web",
    "sandbox",
    "config",
    "telemetry",
];
/// Layers whose folders do not know each other, and their folders that all may know.
const ISLANDS: &[(&str, &[&str])] = &[("provider", &[]), ("sandbox", &[]), ("store", &["queries", "rows"])];
/// A dependency and the only layers that may name it.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("actix", &["actor", "web", "app"]),
    ("actix_rt", &["actor", "web", "app"]),
    ("actix_web", &["web", "sandbox", "app"]),
    ("anyhow", &["app"]),
    ("backoff", &["engine"]),
    ("clap", &["app"]),
    ("diesel", &["store"]),
    ("diesel_async", &["store"]),
    ("diesel_migrations", &["store"]),
    ("digest_auth", &["transport"]),
    ("encoding_rs", &["ical", "provider"]),
    ("flate2", &["transport"]),
    ("icalendar", &["ical"]),
    ("indicatif", &["app"]),
    ("ipnet", &["transport", "config"]),
    ("libsqlite3_sys", &["store"]),
    ("maud", &["web", "sandbox"]),
    ("metrics", &["transport", "store", "service", "actor", "web", "telemetry", "app"]),
    ("metrics_exporter_prometheus", &["telemetry"]),
    ("oauth2", &["provider"]),
    ("quick_xml", &["provider"]),
    ("rand", &["app"]),
    ("reqwest", &["transport"]),
    ("ring", &["vault"]),
    ("rrule", &["engine"]),
    ("rustls", &["transport", "store", "app"]),
    ("strsim", &["engine", "config"]),
    ("tokio", &["transport", "store", "provider", "service", "actor", "web", "sandbox", "telemetry", "app"]),
    ("tokio_postgres", &["store"]),
    ("tokio_postgres_rustls", &["store"]),
    ("toml", &["config", "vault"]),
    ("tracing", &["provider", "store", "service", "actor", "web", "telemetry", "app"]),
    ("tracing_subscriber", &["telemetry", "config"]),
    ("utoipa", &["web"]),
    ("webpki_roots", &["transport", "store"]),
];
/// Layers that only compute: the same input gives the same output, at once.
const PURE: &[&str] = &["domain", "ical", "engine"];
/// What a layer that only computes has no use for, and what to do instead.
const IMPURE: &[(&str, &str)] = &[
    ("async", "waiting belongs to the provider, the store and above"),
    ("await", "waiting belongs to the provider, the store and above"),
    ("async_trait", "waiting belongs to the provider, the store and above"),
    ("HashMap", "its order differs from run to run: use BTreeMap"),
    ("HashSet", "its order differs from run to run: use BTreeSet"),
    ("Utc::now", "time is a parameter: domain::ports"),
    ("Local::now", "time is a parameter: domain::ports"),
    ("SystemTime", "time is a parameter: domain::ports"),
    ("Instant", "time is a parameter: domain::ports"),
    ("std::env", "settings are passed down by app"),
    ("std::fs", "files belong to the store, the vault and above"),
    ("std::process", "no input and no output here"),
    ("std::thread", "no threads here"),
];
const SRC_LINES_MAX: usize = 450;
const MAP_LINES_MAX: usize = 150;
/// Layers that may ask which provider it is.
const MAY_NAME_PROVIDERS: &[&str] = &["domain", "provider", "config", "sandbox"];
/// Files that are about one provider's own way, and why.
const MAY_NAME_ONE_PROVIDER: &[(&str, &str)] = &[
    ("src/service/consent/mod.rs", "consent is asked for at Google alone"),
    ("src/web/consent.rs", "the addresses that Google sends people back to"),
    ("src/app/look_alike.rs", "the look-alike of Google that `demo` and `sandbox` connect to"),
];
const NAMES_THAT_SAY_NOTHING: &[&str] =
    &["util", "utils", "helper", "helpers", "common", "misc", "manager", "managers"];
/// What the repository's root may hold.
const ROOT: &[&str] = &[
    ".cargo",
    ".ci",
    ".gitignore",
    "Cargo.lock",
    "Cargo.toml",
    "README.md",
    "benches",
    "clippy.toml",
    "config",
    "deny.toml",
    "diesel.toml",
    "migrations",
    "rust-toolchain.toml",
    "rustfmt.toml",
    "src",
    "tests",
];
/// What git keeps there or leaves alone.
const ROOT_UNTRACKED: &[&str] = &[".git", "target", "data"];
/// Test files that may really wait, and for what no event tells.
const MAY_SLEEP: &[(&str, &str)] = &[
    ("tests/it/actors/lives.rs", "the actors' stories run on a paused clock, which their world starts"),
    ("tests/it/actors/wakes.rs", "the actors' stories run on a paused clock, which their world starts"),
    ("tests/it/actors/world.rs", "the actors' stories run on a paused clock, which their world starts"),
    ("tests/sim/days.rs", "the simulation's people wait in virtual time"),
    ("tests/sim/effects.rs", "the simulation's people wait in virtual time"),
    ("tests/sim/repeating.rs", "the simulation's people wait in virtual time"),
    ("tests/sim/planning.rs", "the simulation's people wait in virtual time"),
    ("tests/sim/seeds.rs", "the simulation's people wait in virtual time"),
    ("tests/sim/weeks.rs", "the simulation's people wait in virtual time"),
    ("tests/sim/serve.rs", "the simulated network is slow in virtual time"),
    ("tests/it/peers/repeats.rs", "a process must live a moment to be killed in it"),
    (
        "tests/it/store_contract/one_service.rs",
        "a server ends a session when it does, and is asked again and again until it has",
    ),
    ("tests/support/service.rs", "a process under test is asked again and again from outside until it has an answer"),
    ("tests/it/peers/google.rs", "the sandbox in another process is asked again and again until it has an event"),
    ("tests/it/peers/crashes.rs", "a process must live a moment to be killed in it"),
    ("tests/it/peers/kills.rs", "a process must live a moment, by chance, to be killed in it"),
    ("tests/it/peers/midnight.rs", "a process must live a moment to be killed in it"),
    ("tests/it/peers/full_disk.rs", "a process of its own is asked again and again until it answers otherwise"),
];
/// Where each look-alike is put on the list.
const LOOK_ALIKES: &str = "src/sandbox/mod.rs";
/// What every use case stands on, each with what it may know itself.
const SERVICE_BASE: &[(&str, &[&str])] =
    &[("refusal", &[]), ("promises", &[]), ("write", &["refusal"]), ("open_account", &["refusal"])];
/// Each use case that knows others.
const ROOMS: &[(&str, &[&str])] = &[
    ("account_work", &["note_account", "port"]),
    ("change_calendar", &["disconnect_account"]),
    ("connect_account", &["identify_account"]),
    ("consent", &["identify_account"]),
    ("drain_outbox", &["answer_hold"]),
    ("edit_event", &["answer_hold", "check_content"]),
    ("explain", &["answer_hold"]),
    ("hear_notifications", &["keep_channels"]),
    ("patch_event", &["edit_event", "read_events"]),
    ("people", &["repeat_request"]),
    ("planning", &["read_events"]),
    ("read_accounts", &["answer_hold"]),
    ("sweep", &["consent", "repeat_request"]),
    ("sync_round", &["drain_outbox"]),
];

/// Where folders of one machine begin, written so that this file does not hold one itself.
const MACHINE_FOLDERS: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("/tm", "p/"),
    concat!("/fa", "rm/"),
    concat!("/ro", "ot/"),
    concat!("/Us", "ers/"),
];

/// Imports point down the table of layers.
pub fn layers(file: &Source) -> Vec<String> {
    let module = file.module();
    let Some((layer, allowed)) = module.first().and_then(|own| MAY_IMPORT.iter().find(|(name, _)| name == own)) else {
        return Vec::new();
    };
    let is_layer = |name: &str| MAY_IMPORT.iter().any(|(known, _)| *known == name);
    let strays = |(line, path): (usize, Vec<String>)| {
        let target = path.first()?.clone();
        let part = path.iter().take(2).map(String::as_str).collect::<Vec<_>>().join("::");
        let may = allowed.iter().any(|name| *name == target || *name == part);
        let stray = target != *layer && is_layer(&target) && !may;
        stray.then(|| format!("{}:{line}: `{layer}` may not import `{target}`, only {allowed:?}", file.path))
    };
    file.paths().into_iter().filter_map(strays).collect()
}

/// A use case knows those that its line names, and what all of them stand on.
pub fn rooms(file: &Source) -> Vec<String> {
    let module = file.module();
    let ["service", own, ..] = module.as_slice() else { return Vec::new() };
    let base = SERVICE_BASE.iter().find(|(name, _)| name == own);
    let named = ROOMS.iter().find(|(name, _)| name == own).map_or(&[][..], |(_, known)| *known);
    let allowed = |other: &str| match base {
        Some((_, known)) => known.contains(&other),
        None => named.contains(&other) || SERVICE_BASE.iter().any(|(name, _)| *name == other),
    };
    let strays = |(line, path): (usize, Vec<String>)| {
        let [layer, other, ..] = path.as_slice() else { return None };
        let is_room = other.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        let stray = layer == "service" && other != own && is_room && !allowed(other);
        stray.then(|| format!("{}:{line}: `service::{own}` may not know `service::{other}`: see ROOMS", file.path))
    };
    file.paths().into_iter().filter_map(strays).collect()
}

/// The folders of one layer do not know each other. `folders` are all `layer, folder` pairs of `src`.
pub fn islands(file: &Source, folders: &[(String, String)]) -> Vec<String> {
    let module = file.module();
    let (Some(layer), Some(own)) = (module.first(), module.get(1)) else { return Vec::new() };
    let Some((_, shared)) = ISLANDS.iter().find(|(name, _)| name == layer) else { return Vec::new() };
    let is_folder = |name: &str| folders.iter().any(|(of, folder)| of == layer && folder == name);
    if !is_folder(own) {
        return Vec::new();
    }
    let strays = |(line, path): (usize, Vec<String>)| {
        let [target, other, ..] = path.as_slice() else { return None };
        let stray = target == layer && other != own && is_folder(other) && !shared.contains(&other.as_str());
        stray.then(|| format!("{}:{line}: `{layer}::{own}` may not know `{layer}::{other}`", file.path))
    };
    file.paths().into_iter().filter_map(strays).collect()
}

/// What stands beside the look-alikes names none of them, but for the one line that puts each on the list.
pub fn look_alikes(file: &Source, folders: &[(String, String)]) -> Vec<String> {
    let beside = file.path.strip_prefix("src/sandbox/").is_some_and(|name| !name.contains('/'));
    if !beside || !file.is_rust() {
        return Vec::new();
    }
    let listed = usize::from(file.path == LOOK_ALIKES);
    let of = |(_, name): &(String, String)| {
        let names = |line: &str| line.to_lowercase().contains(name) && line != format!("pub mod {name};");
        let lines = file.text.lines().enumerate().filter(|(_, line)| names(line)).skip(listed);
        let told = |(at, _)| {
            format!("{}:{}: names `{name}`: only its own folder and one line of {LOOK_ALIKES} do", file.path, at + 1)
        };
        lines.map(told).collect::<Vec<_>>()
    };
    folders.iter().filter(|(layer, _)| layer == "sandbox").flat_map(of).collect()
}

/// A transaction that writes is begun by the unit of work alone, which wakes whom the change concerns.
pub fn write_path(file: &Source) -> Vec<String> {
    let (module, homes) = (file.module(), [&["store"][..], &["service", "write"]]);
    if module.is_empty() || module.contains(&"tests") || homes.iter().any(|home| module.starts_with(home)) {
        return Vec::new();
    }
    let begun = file.mentions("Mode").into_iter().filter(|at| file.code[*at..].starts_with("Mode::Write"));
    let told = |at| format!("{}:{}: begins a write itself: `Services::begin_write` does", file.path, file.line(at));
    begun.map(told).collect()
}

/// Nobody above a provider asks which one it is: what differs is said by its row of the catalogue.
pub fn provider_names(file: &Source) -> Vec<String> {
    let module = file.module();
    let free = module.first().is_none_or(|layer| MAY_NAME_PROVIDERS.contains(layer)) || module.contains(&"tests");
    if free || MAY_NAME_ONE_PROVIDER.iter().any(|(path, _)| *path == file.path) {
        return Vec::new();
    }
    let kinds = file.mentions("ProviderKind").into_iter();
    let named = kinds.filter(|at| {
        let after = file.code[*at..].trim_start_matches("ProviderKind");
        after.strip_prefix("::").is_some_and(|name| name.starts_with(char::is_uppercase) && !name.starts_with("ALL"))
    });
    let told = |at| {
        format!(
            "{}:{}: names a provider: let its row in `provider::catalogue` say what differs",
            file.path,
            file.line(at)
        )
    };
    named.map(told).collect()
}

/// The map is short, and each file that it names is there.
pub fn map(text: &str, is_there: impl Fn(&str) -> bool) -> Vec<String> {
    let lines = text.lines().count();
    let mut wrong = Vec::new();
    if lines > MAP_LINES_MAX {
        wrong.push(format!(
            "src/ARCHITECTURE.md: {lines} lines, {MAP_LINES_MAX} at most: a rule stands beside its code"
        ));
    }
    let quoted = text.split('`').skip(1).step_by(2);
    let files = quoted.filter(|name| name.contains('/') && Path::new(name).extension().is_some_and(|end| end == "rs"));
    let missing = files.filter(|name| !is_there(name));
    wrong.extend(missing.map(|name| format!("src/ARCHITECTURE.md: there is no `{name}`")));
    wrong
}

/// Each dependency is named only where it belongs.
pub fn dependencies(file: &Source) -> Vec<String> {
    let Some(layer) = file.module().first().copied() else { return Vec::new() };
    let mut found = Vec::new();
    for (dependency, homes) in ONLY_IN.iter().filter(|(_, homes)| !homes.contains(&layer)) {
        let named = |at: &usize| {
            let (before, after) = (file.code[..*at].trim_end(), &file.code[at + dependency.len()..]);
            let in_use = before.ends_with("use") && (after.starts_with(';') || after.starts_with(" as "));
            // `crate::config::toml::…` is ours; `std::…` names begin elsewhere.
            (after.starts_with("::") || in_use) && !before.ends_with("::") && !is_own(file, dependency)
        };
        for at in file.mentions(dependency).into_iter().filter(named) {
            found.push(format!("{}:{}: `{dependency}` belongs in {homes:?}", file.path, file.line(at)));
        }
    }
    found
}

/// Whether the file brings a module of ours of that name into scope (`use super::backoff;`).
fn is_own(file: &Source, name: &str) -> bool {
    file.paths().iter().any(|(_, path)| path.last().is_some_and(|last| last == name))
}

/// Layers that only compute neither wait, nor look at a clock, nor depend on an order that differs from run to run.
pub fn purity(file: &Source) -> Vec<String> {
    if !file.module().first().is_some_and(|layer| PURE.contains(layer)) {
        return Vec::new();
    }
    let told = |(word, why): &(&str, &str)| {
        let line = |at: usize| format!("{}:{}: `{word}`: {why}", file.path, file.line(at));
        file.mentions(word).into_iter().map(line).collect::<Vec<_>>()
    };
    IMPURE.iter().flat_map(told).collect()
}

/// Files stay short.
pub fn length(file: &Source) -> Vec<String> {
    let lines = file.text.lines().count();
    let long = file.path.starts_with("src/") && file.is_rust() && lines > SRC_LINES_MAX;
    let told = || format!("{}: {lines} lines, at most {SRC_LINES_MAX}: what in it wants a file of its own?", file.path);
    long.then(told).into_iter().collect()
}

/// Names say what is inside.
pub fn names(file: &Source) -> Vec<String> {
    let empty = |part: &&str| NAMES_THAT_SAY_NOTHING.contains(&part.split('.').next().unwrap_or(part));
    let told = |part: &str| format!("{}: `{part}` does not say what is inside: name it after that", file.path);
    file.path.split('/').filter(empty).map(told).collect()
}

/// Every module says first what it is for.
pub fn purpose(file: &Source) -> Vec<String> {
    let ours = file.path.starts_with("src/") && file.is_rust();
    let silent = ours && !is_test(file) && !file.text.starts_with("//! ");
    let told = || format!("{}: begins without `//!` and a sentence of purpose", file.path);
    silent.then(told).into_iter().collect()
}

/// No test is skipped.
pub fn skipped_tests(file: &Source) -> Vec<String> {
    let told = |(at, _): (usize, &str)| {
        format!("{}:{}: a test that is skipped shows nothing: mend it or remove it", file.path, file.line(at))
    };
    file.code.match_indices("#[ignore").map(told).collect()
}

/// Tests wait for events or in virtual time, not for real time; a file that may sleep does so, or leaves the list.
pub fn sleeps(file: &Source) -> Vec<String> {
    sleeps_but(file, MAY_SLEEP)
}

fn sleeps_but(file: &Source, may: &[(&str, &str)]) -> Vec<String> {
    if !file.is_rust() {
        return Vec::new();
    }
    let whole = file.path.starts_with("tests/") || file.module().contains(&"tests");
    let bodies = file.inline_modules();
    let in_test = |at: &usize| whole || bodies.iter().any(|(body, name)| *name == "tests" && body.contains(at));
    let waits: Vec<usize> = ["sleep", "sleep_until"]
        .iter()
        .flat_map(|word| file.mentions(word))
        .filter(|at| in_test(at) && !virtual_time(file, *at))
        .collect();
    match may.iter().find(|(path, _)| *path == file.path) {
        Some((_, why)) if waits.is_empty() => {
            vec![format!("{}: sleeps no more: take it off the list ({why})", file.path)]
        }
        Some(_) => Vec::new(),
        None => waits
            .iter()
            .map(|at| {
                format!("{}:{}: a test that sleeps is slow or wrong: wait for the event", file.path, file.line(*at))
            })
            .collect(),
    }
}

/// Whether the test around this place, or every runtime of its file, has tokio's paused clock, and the test waits by it:
/// that takes no time.
fn virtual_time(file: &Source, at: usize) -> bool {
    let before = &file.code[..at];
    let attribute = before.lines().rev().find(|line| line.trim_start().starts_with("#[") && line.contains("test"));
    let paused = attribute.is_some_and(|line| line.contains("start_paused = true"));
    (paused || file.code.contains("start_paused(true)")) && !before.ends_with("thread::")
}

/// Nothing names a folder of one machine.
pub fn machine_paths(file: &Source) -> Vec<String> {
    let begins = |at: usize| {
        !file.text[..at]
            .ends_with(|c: char| c.is_alphanumeric() || matches!(c, '.' | '/' | '_' | '-' | '}' | '~' | '*'))
    };
    let of = |folder: &&str| {
        let line = |at: usize| file.text[..at].matches('\n').count() + 1;
        let told = |at: usize| format!("{}:{}: `{folder}…` is a folder of one machine", file.path, line(at));
        file.text.match_indices(*folder).map(|(at, _)| at).filter(|at| begins(*at)).map(told).collect::<Vec<_>>()
    };
    MACHINE_FOLDERS.iter().flat_map(of).collect()
}

/// The root holds what tools insist on finding there, and nothing else.
pub fn root_entry(name: &str) -> Vec<String> {
    let known = ROOT.contains(&name) || ROOT_UNTRACKED.contains(&name);
    let told = || format!("{name}: does not belong in the root: src, tests or config is its place");
    (!known).then(told).into_iter().collect()
}

#[path = "proofs.rs"]
mod proofs;

/// What the tests' README tells of each promise is what is promised, and what is planted: `promises` are ids and sentences, `list` is
/// the README, `planted` the table of planted faults.
pub fn promises(promises: &[(&str, &str)], list: &str, planted: &str) -> Vec<String> {
    let fault = |line: &str| {
        let (name, rest) = line.strip_prefix("    (\"")?.split_once("\", \"")?;
        Some((name.to_owned(), rest.split_once('"')?.0.to_owned()))
    };
    let faults: Vec<_> = planted.lines().filter_map(fault).collect();
    let known = |id: &str| promises.iter().any(|(known, _)| *known == id);
    let mut wrong: Vec<_> = faults
        .iter()
        .filter(|(_, id)| !known(id))
        .map(|(name, id)| format!("tests/planted: {name:?} breaks {id}, which nobody promises"))
        .collect();
    for (id, says) in promises {
        let own: Vec<_> = faults.iter().filter(|(_, breaks)| breaks == id).map(|(name, _)| name.as_str()).collect();
        let of_it = |section: &&str| section.split([' ', ':']).next() == Some(id);
        let sections: Vec<_> = list.split("### ").skip(1).filter(of_it).collect();
        let told = |section: &str| {
            let faults: Vec<_> =
                section.lines().filter_map(|line| line.strip_prefix("- ")).map(str::to_owned).collect();
            (section.lines().next().and_then(|head| head.split_once(": ")).map(|(_, says)| says.to_owned()), faults)
        };
        match sections.as_slice() {
            [section] if told(section).0.as_deref() == Some(says) && told(section).1 == own => {}
            [_] => wrong.push(format!("tests/README.md: {id} is told otherwise: run `tests/planted --readme`")),
            sections => {
                wrong.push(format!("tests/README.md: {id} stands there {} times, and should once", sections.len()));
            }
        }
        if own.is_empty() {
            wrong.push(format!("tests/planted: no fault proves that {id} is checked"));
        }
    }
    wrong
}
