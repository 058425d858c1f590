//! Every rule fails on what it forbids, and lets pass what is allowed.

use super::*;
use crate::{
    items::{one_name_one_type, unused},
    source::blank,
};

fn file(path: &str, text: &str) -> Source {
    Source::new(path, text)
}

/// The rule speaks of each `bad` file, naming `told`, and is silent about each `good` one.
fn proves(rule: impl Fn(&Source) -> Vec<String>, told: &str, bad: &[(&str, &str)], good: &[(&str, &str)]) {
    for (path, text) in bad {
        let found = rule(&file(path, text));
        assert!(found.iter().any(|line| line.contains(told) && line.starts_with(path)), "{path} {text}: {found:?}");
    }
    for (path, text) in good {
        assert_eq!(rule(&file(path, text)), Vec::<String>::new(), "{path} {text}");
    }
}

#[test]
fn comments_and_literals_are_blanked_and_nothing_else() {
    for (text, code) in [
        ("a // b\nc", "a     \nc"),
        ("a /* b /* c */ d */ e", "a                   e"),
        (r#"x("a\"b", y)"#, "x(      , y)"),
        ("f('\"', 'é', '\\'', b'x')", "f(   ,     ,     , b   )"),
        ("fn f<'a>(x: &'a str) {}", "fn f<'a>(x: &'a str) {}"),
        ("r#\"a\"b\"# + for_r(\"c\")", "         + for_r(   )"),
        ("\"https://a\" + b", "            + b"),
    ] {
        assert_eq!(blank(text), code, "{text}");
    }
}

#[test]
fn paths_are_told_from_the_root() {
    let paths = |text: &str| {
        let found = file("src/provider/caldav/wire.rs", text).paths();
        found.into_iter().map(|(line, path)| format!("{line} {}", path.join("::"))).collect::<Vec<_>>()
    };
    assert_eq!(paths("use crate::{a::B, c::{d, e::*}, f as g, };"), ["1 a::B", "1 c::d", "1 c::e", "1 f"]);
    assert_eq!(paths("\nuse super::super::feed::Feed;"), ["2 provider::feed::Feed"]);
    assert_eq!(paths("mod tests { use super::X; }"), ["1 provider::caldav::wire::X"]);
    assert_eq!(paths("fn f() -> crate::store::Tx<u8> { self::g() }"), ["1 store::Tx", "1 provider::caldav::wire::g"]);
    assert_eq!(paths("// crate::store\nlet a = \"crate::store\"; my_crate::x()"), Vec::<String>::new());
}

#[test]
fn a_use_case_that_knows_too_many_is_told() {
    proves(
        rooms,
        "may not know",
        &[
            ("src/service/explain.rs", "use super::disconnect_account::DetachReason;"),
            ("src/service/planning/due.rs", "use crate::service::sync_round::Pulled;"),
            ("src/service/write/mod.rs", "use super::consent::ConsentError;"),
            ("src/service/drain_outbox.rs", "use crate::service::sync_round;"),
        ],
        &[
            ("src/service/explain.rs", "use super::{Refusal, Services, answer_hold::said_about, write::WriteTx};"),
            ("src/service/planning/due.rs", "use super::{make_plan, super::write::WriteTx};"),
            ("src/service/mod.rs", "use self::planning::pace;"),
            ("src/web/mod.rs", "use crate::service::planning;"),
        ],
    );
    // Nobody knows, over whatever others, who knows them.
    for (room, _) in ROOMS {
        let (mut known, mut next) = (vec![*room], 0);
        while let Some(here) = known.get(next) {
            let others = ROOMS.iter().find(|(name, _)| name == here).map_or(&[][..], |(_, others)| *others);
            assert!(!others.contains(room), "{room} and {here} know each other");
            known.extend(others.iter().filter(|other| !known.contains(other)).collect::<Vec<_>>());
            next += 1;
        }
    }
}

#[test]
fn a_type_name_that_stands_twice_is_told() {
    let doubled = |texts: &[(&str, &str)]| {
        one_name_one_type(&texts.iter().map(|(path, text)| file(path, text)).collect::<Vec<_>>())
    };
    let plan = ("src/engine/plan.rs", "pub struct Plan {\n    a: u8,\n}");
    for other in [
        ("src/app/cli.rs", "enum Plan {}"),
        ("src/app/cli.rs", "pub(in crate::app) type Plan = u8;"),
        ("src/app/cli.rs", "pub trait Plan<'a> {}"),
        ("src/domain/plan.rs", "words! {\n    /// What.\n    Plan {\n        A = \"a\",\n    }\n}"),
        ("src/app/cli.rs", "struct Plan(u8);"),
    ] {
        let found = doubled(&[plan, other]);
        assert!(found.iter().any(|line| line.contains("`Plan`") && line.contains(other.0)), "{other:?}: {found:?}");
    }
    for other in [
        ("src/engine/plan/tests.rs", "struct Plan;"),
        ("src/app/cli.rs", "#[cfg(test)]\nmod tests {\n    struct Plan;\n}"),
        ("src/app/cli.rs", "// struct Plan;\nstruct Planned;\nimpl Plan for Planned {\n    type Plan = u8;\n}"),
        ("tests/it/main.rs", "struct Plan;"),
    ] {
        assert_eq!(doubled(&[plan, other]), Vec::<String>::new(), "{other:?}");
    }
}

#[test]
fn what_nothing_uses_is_told() {
    let told = |texts: &[(&str, &str)]| unused(&texts.iter().map(|(path, text)| file(path, text)).collect::<Vec<_>>());
    let caller = ("src/app/serve.rs", "fn main() {\n    used();\n}");
    for text in
        ["pub fn alone() {}", "    pub(super) async fn alone(&self) {}", "pub(in crate::web) const fn alone() {}"]
    {
        let found = told(&[caller, ("src/web/mod.rs", text)]);
        assert!(
            found.iter().any(|line| line.contains("`alone`") && line.starts_with("src/web/mod.rs:1")),
            "{text}: {found:?}"
        );
    }
    let in_tests = ("tests/it/main.rs", "fn f() {\n    alone();\n}");
    assert_eq!(told(&[caller, in_tests, ("src/web/mod.rs", "pub fn alone() {}")]).len(), 1, "tests do not count");
    for (path, text) in [
        ("src/web/mod.rs", "pub fn used() {}"),
        ("src/web/mod.rs", "fn alone() {}"),
        ("src/web/mod.rs", "#[cfg(test)]\npub fn alone() {}"),
        ("src/sandbox/host.rs", "pub fn alone() {}"),
        ("src/web/mod.rs", "#[cfg(test)]\nmod tests {\n    pub fn alone() {}\n}"),
    ] {
        assert_eq!(told(&[caller, (path, text)]), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn an_import_upwards_is_told() {
    proves(
        layers,
        "may not import",
        &[
            ("src/domain/time.rs", "use crate::store::Tx;"),
            ("src/engine/mod.rs", "use crate::{domain::time, provider::change};"),
            ("src/engine/mod.rs", "fn f() { crate::web::page() }"),
            ("src/vault/mod.rs", "use super::super::store::Tx;"),
            ("src/vault/mod.rs", "use super::store::Tx;"),
            ("src/transport/client.rs", "use crate::{domain::failure, provider::Result};"),
            ("src/store/mod.rs", "use crate::transport::Http;"),
            ("src/config.rs", "use crate::telemetry;"),
            ("src/store/mod.rs", "use crate::config::Config;"),
            ("src/web/mod.rs", "use crate::app::run;"),
        ],
        &[
            ("src/engine/mod.rs", "use crate::{domain::time, engine::plan, words};"),
            ("src/app/mod.rs", "use crate::{web, store, config::Config};"),
            ("src/domain/time.rs", "//! [`crate::store`] keeps them.\nuse super::ids::UserId;"),
            ("src/main.rs", "use calwarden::app;"),
        ],
    );
}

#[test]
fn an_adapter_that_names_another_is_told() {
    let folders: Vec<(String, String)> =
        [("provider", "caldav"), ("provider", "feed"), ("store", "postgres"), ("store", "rows")]
            .map(|(layer, name)| (layer.to_owned(), name.to_owned()))
            .into();
    proves(
        |file| islands(file, &folders),
        "may not know",
        &[
            ("src/provider/caldav/wire.rs", "use crate::provider::feed::parse;"),
            ("src/provider/caldav/mod.rs", "use super::feed::parse;"),
            ("src/store/rows/mod.rs", "use super::{postgres, error::Result};"),
        ],
        &[
            ("src/provider/caldav/mod.rs", "use super::{Result, oauth};"),
            ("src/store/postgres/mod.rs", "use super::{error::Result, rows};"),
            ("src/provider/registry.rs", "use super::{caldav, feed};"),
            ("src/service/mod.rs", "use crate::provider::{caldav, feed};"),
        ],
    );
}

#[test]
fn a_host_that_knows_a_look_alike_is_told() {
    let folders = [("sandbox".to_owned(), "google".to_owned()), ("provider".to_owned(), "feed".to_owned())];
    let listed = "pub mod google;\nfn all() { vec![google::GoogleLookAlike::new()] }\n";
    proves(
        |file| look_alikes(file, &folders),
        "names `google`",
        &[
            ("src/sandbox/host.rs", "use super::{google, reply};"),
            ("src/sandbox/reply.rs", "let root = \"/google\";"),
            ("src/sandbox/host.rs", "// As Google has it."),
            ("src/sandbox/mod.rs", &format!("{listed}pub use google::Push;")),
        ],
        &[
            ("src/sandbox/mod.rs", listed),
            ("src/sandbox/google/mod.rs", "use super::google::Push;"),
            ("src/sandbox/host.rs", "use super::reply; fn feed() {}"),
            ("src/sandbox/README.md", "Google's OAuth"),
            ("src/app/look_alike.rs", "let google = 1;"),
        ],
    );
}

#[test]
fn a_dependency_out_of_place_is_told() {
    proves(
        dependencies,
        "belongs in",
        &[
            ("src/service/mod.rs", "use diesel::prelude::*;"),
            ("src/web/mod.rs", "fn f() -> reqwest::Client {}"),
            ("src/engine/mod.rs", "tracing::info!(\"x\");"),
            ("src/service/mod.rs", "use ring as metal;"),
            ("src/actor/mod.rs", "use actix_web::web;"),
        ],
        &[
            ("src/store/mod.rs", "use diesel::prelude::*; use diesel_async::X;"),
            ("src/service/mod.rs", "// diesel::prelude\nlet a = spring::x();"),
            ("src/actor/mod.rs", "use crate::engine::backoff; fn f() { backoff::next() }"),
            ("src/main.rs", "use clap::Parser;"),
        ],
    );
}

#[test]
fn waiting_clocks_and_unordered_maps_are_told_where_only_computing_is_allowed() {
    proves(
        purity,
        "src",
        &[
            ("src/engine/plan.rs", "pub async fn plan() {}"),
            ("src/domain/ports.rs", "use std::collections::{BTreeMap, HashMap};"),
            ("src/ical/mod.rs", "let now = Utc::now();"),
            ("src/engine/plan.rs", "use std::time::Instant;"),
            ("src/ical/mod.rs", "std::fs::read(\"x\")"),
        ],
        &[
            ("src/engine/plan.rs", "// async\nlet a = \"HashMap\"; let asynchronous = InstantRange::new();"),
            ("src/service/mod.rs", "pub async fn round() {}"),
        ],
    );
}

#[test]
fn a_long_file_is_told() {
    let (fits, long) = ("x\n".repeat(SRC_LINES_MAX), "x\n".repeat(SRC_LINES_MAX + 1));
    proves(
        length,
        "451 lines",
        &[("src/web/mod.rs", &long)],
        &[("src/web/mod.rs", &fits), ("tests/it/main.rs", &long)],
    );
}

#[test]
fn a_name_that_says_nothing_is_told() {
    proves(
        names,
        "does not say",
        &[("src/web/utils.rs", ""), ("src/common/mod.rs", ""), ("tests/helpers.rs", "")],
        &[("src/web/page.rs", ""), ("src/store/manager_of_none.rs", "")],
    );
}

#[test]
fn a_module_without_a_purpose_is_told() {
    proves(
        purpose,
        "sentence of purpose",
        &[("src/web/mod.rs", "use a::b;"), ("src/web/page.rs", "//!\n")],
        &[("src/web/mod.rs", "//! Shows.\n"), ("src/web/tests.rs", "use a::b;"), ("tests/run", "#!")],
    );
}

#[test]
fn a_skipped_test_is_told() {
    proves(
        skipped_tests,
        "is skipped",
        &[("tests/it/main.rs", "#[test]\n#[ignore]\nfn a() {}"), ("src/a.rs", "#[ignore = \"slow\"]")],
        &[("tests/it/main.rs", "// #[ignore]\nlet a = \"#[ignore]\";")],
    );
}

#[test]
fn a_provider_that_is_named_above_the_providers_is_told() {
    proves(
        provider_names,
        "names a provider",
        &[
            ("src/service/sweep.rs", "if account.provider == ProviderKind::Google { }"),
            ("src/app/account_work.rs", "match kind { domain::account::ProviderKind::Feed => 1 }"),
        ],
        &[
            ("src/provider/catalogue.rs", "ProviderKind::Google => &google::FACTS,"),
            ("src/web/consent.rs", "ProviderKind::Google.as_str()"),
            ("src/service/sweep.rs", "ProviderKind::ALL.iter(); fn f(kind: ProviderKind) {}"),
            ("tests/it/main.rs", "ProviderKind::Google"),
        ],
    );
}

#[test]
fn a_map_that_is_too_long_or_names_what_is_not_there_is_told() {
    let there = |name: &str| name == "web/mod.rs";
    assert!(map("`web/mod.rs`, `web/api/` and `ROUTES`\n", there).is_empty());
    assert_eq!(map("`web/gone.rs`", there).len(), 1);
    assert_eq!(map(&"line\n".repeat(151), there).len(), 1);
}

#[test]
fn a_write_beside_the_unit_of_work_is_told() {
    proves(
        write_path,
        "begins a write itself",
        &[
            ("src/service/sweep.rs", "let tx = self.store.begin(Mode::Write, &scope).await?;"),
            ("src/app/commands.rs", "store.begin(store::Mode::Write, scope)"),
        ],
        &[
            ("src/service/write/mod.rs", "self.store.begin(Mode::Write, scope)"),
            ("src/store/mod.rs", "self.begin(Mode::Write, &Scope::Whole)"),
            ("src/service/sweep.rs", "self.store.begin(Mode::Read, scope)"),
            ("src/service/sweep/tests.rs", "store.begin(Mode::Write, scope)"),
            ("tests/it/main.rs", "store.begin(Mode::Write, scope)"),
        ],
    );
}

#[test]
fn a_test_that_sleeps_is_told() {
    proves(
        sleeps,
        "wait for the event",
        &[
            ("tests/it/main.rs", "std::thread::sleep(d);"),
            ("src/actor/tests.rs", "tokio::time::sleep(d).await;"),
            ("src/actor/live/tests/mod.rs", "use tokio::time::sleep_until;"),
            ("src/actor/mod.rs", "mod tests { fn a() { sleep(d) } }"),
            ("tests/it/main.rs", "#[tokio::test(start_paused = true)]\nfn a() { std::thread::sleep(d) }"),
            ("tests/sim/main.rs", "fn world() { Builder::new().start_paused(true) } fn a() { thread::sleep(d) }"),
            ("tests/it/main.rs", "#[tokio::test(start_paused = true)]\nfn a() {}\n#[tokio::test]\nfn b() { sleep(d) }"),
        ],
        &[
            ("src/actor/mod.rs", "tokio::time::sleep(d).await; mod tests { fn a() {} }"),
            ("tests/it/main.rs", "#[tokio::test(start_paused = true)]\nasync fn a() { tokio::time::sleep(d).await }"),
            ("tests/sim/main.rs", "fn world() { Builder::new().start_paused(true) } fn a() { sleep(d) }"),
            ("tests/run", "sleep 1"),
        ],
    );
    let may = [("tests/it/peer.rs", "a port opens")];
    let listed = |text: &str| sleeps_but(&file("tests/it/peer.rs", text), &may);
    assert_eq!(listed("thread::sleep(d)"), Vec::<String>::new());
    assert!(listed("")[0].contains("take it off the list"));
}

#[test]
fn a_folder_of_one_machine_is_told() {
    let folder = MACHINE_FOLDERS[0];
    proves(
        machine_paths,
        "one machine",
        &[("README.md", &format!("see {folder}x")), ("src/a.rs", &format!("\"{folder}x\"")), ("tests/run", folder)],
        &[("README.md", &format!("see https://a.example{folder} and ./a{folder}b"))],
    );
}

#[test]
fn a_promise_that_is_not_told_of_or_not_proven_is_told() {
    let all = [("I-1", "Both say the same."), ("I-10", "One copy.")];
    let list = "### I-1: Both say the same.\n\nChecked in `sim`.\n\n- a\n- b\n\n### I-10 (S3): One copy.\n\n- c\n";
    let planted = "    (\"a\", \"I-1\", X, \"…\"),\n    (\"b\", \"I-1\", X),\n    (\"c\", \"I-10\", X),\n";
    assert_eq!(promises(&all, list, planted), Vec::<String>::new());
    for (list, planted, told) in [
        (list.replace("- b\n", ""), planted.to_owned(), "I-1 is told otherwise"),
        (list.replace("One copy", "Two copies"), planted.to_owned(), "I-10 is told otherwise"),
        (list.replace("I-10 (S3)", "I-9"), planted.to_owned(), "I-10 stands there 0 times"),
        (list.to_owned(), planted.replace("I-10", "I-11"), "I-11, which nobody promises"),
        (list.replace("- c\n", ""), planted.replace("    (\"c\"", "# "), "no fault proves that I-10"),
    ] {
        let wrong = promises(&all, &list, &planted);
        assert!(wrong.iter().any(|line| line.contains(told)), "{told}: {wrong:?}");
    }
}

#[test]
fn a_stranger_in_the_root_is_told() {
    assert!(root_entry("notes.md")[0].contains("does not belong"));
    assert!(root_entry("scripts")[0].contains("does not belong"));
    assert_eq!(root_entry("src"), Vec::<String>::new());
}
