//! Every list of tasks is planned, whatever it is like: by what is counted, not by a clock. `PLANS` makes the lists more; the
//! program on the disk says how long each took (`tests/run plans`).

use std::process::Command;

use calwarden::{
    domain::{
        ids::TaskId,
        task::{Task, TaskFacts},
        working_hours::{PlanningRules, TimeMap},
    },
    engine::{
        agenda::{Agenda, compile},
        day::Days,
        scheduling::{BusyWith, PlanProblem, TASKS_MAX, TickSpan, WAITS_MAX},
    },
};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Path, SearchBudget, check, list, lists, number, plan, read, scored};
use crate::support::{process::calwarden, setting};

/// Lists without `PLANS`; the program that the other tests are compiled with takes some seconds for a long one.
const LISTS: u64 = 24;
/// What the few operations after the last look may come to, in hundredths of a budget.
const OVER_PERCENT: u64 = 10;

/// Most work that a budget allows.
fn most(budget: SearchBudget) -> u64 {
    let work = budget.work();
    let all = work.seeds + work.bounds + work.search + work.finish + work.reasons;
    all + all * OVER_PERCENT / 100
}

/// A hundred ordinary tasks without due dates, nine to five: planning it once never ended.
fn never_planned(now: DateTime<Utc>) -> PlanProblem {
    let file = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/planning/never_planned.json"));
    let task = |(at, row): (u128, &Value)| {
        let mut facts = TaskFacts::new(row["title"].as_str().expect("a title"));
        facts.estimate_min = Some(number(&row["estimate_min"]));
        facts.priority = serde_json::from_value(row["priority"].clone()).expect("a priority");
        let (space, user) = ("home".parse().expect("an id"), "ada".parse().expect("an id"));
        Task::new(TaskId(Uuid::from_u128(at)), space, user, facts, DateTime::UNIX_EPOCH)
    };
    let tasks: Vec<Task> = (0..).zip(list(&file)).map(task).collect();
    assert_eq!(tasks.len(), 100);
    let days = ["mon", "tue", "wed", "thu", "fri"].map(|day| (day.to_owned(), json!([["09:00", "17:00"]])));
    let weekly = Value::Object(days.into_iter().collect());
    let usual: TimeMap = serde_json::from_value(json!({ "weekly": weekly })).expect("hours");
    let (rules, days) = (PlanningRules::default(), Days::of(chrono_tz::UTC));
    compile(&Agenda { days, now, rules: &rules, usual: &usual, tasks: &tasks, blocks: &[], worked_min: 0, busy: &[] })
        .problem
}

#[test]
fn the_list_that_was_never_planned_is_planned_at_any_time_of_the_week() {
    for now in ["2026-11-29T18:00:00Z", "2026-11-30T09:10:00Z", "2026-12-02T12:00:00Z", "2026-12-04T16:45:00Z"] {
        let problem = never_planned(now.parse().expect("an instant"));
        let plan = plan(&problem, SearchBudget::Interactive).expect("a valid problem");
        assert_eq!(check(&problem, &plan.blocks), [], "{now}");
        assert_eq!(scored(&problem, &plan.blocks), [plan.score.missed, plan.score.unplaced, plan.score.cost], "{now}");
        assert!(plan.blocks.len() > 20 && !plan.misfits.is_empty(), "{now}: it is more than there is time for");
        assert!(plan.work <= most(SearchBudget::Interactive) && !plan.stopped, "{now}: {}", plan.work);
    }
}

/// A problem as the command reads it.
fn file(problem: &PlanProblem, id: &str) -> Value {
    let pair = |span: &TickSpan| json!([span.start, span.end]);
    let name = |task: usize| task.to_string();
    let windows = problem.maps.iter().enumerate();
    let windows = windows.map(|(map, spans)| (format!("{map:04}"), spans.iter().map(pair).collect::<Value>()));
    let task = |(at, task): (usize, &calwarden::engine::scheduling::TaskToPlace)| {
        json!({
            "id": name(at), "dur": task.work, "release": task.release, "due": task.due, "weight": task.weight,
            "min": task.chunk_min, "max": task.chunk_max, "hours": format!("{:04}", task.map), "gap_after": task.gap_after,
            "after": task.after.iter().map(|before| name(*before)).collect::<Vec<_>>(),
        })
    };
    let previous = |held: &calwarden::engine::scheduling::Previous| {
        let block = held.block;
        json!({"task": name(block.task), "start": block.start, "end": block.end, "move_cost": held.move_cost})
    };
    json!({
        "id": id, "now": problem.now, "horizon": problem.horizon, "gap": problem.gap, "alpha": problem.split_cost,
        "windows": Value::Object(windows.collect()),
        "busy": problem.busy.iter().map(|busy| pair(&busy.span)).collect::<Vec<_>>(),
        "caps": problem.caps.iter().map(|cap| json!([cap.from, cap.ticks])).collect::<Vec<_>>(),
        "tasks": problem.tasks.iter().enumerate().map(task).collect::<Vec<_>>(),
        "previous": problem.previous.iter().map(previous).collect::<Vec<_>>(),
    })
}

/// Plans lists with the program; answers the longest time and the most work.
fn planned(seeds: std::ops::Range<u64>, word: &str, budget: SearchBudget) -> (u64, u64) {
    let (mut micros, mut units) = (0, 0);
    for seed in seeds {
        // One file at a time: a list that is never planned is known by its seed.
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(format!("{seed}.json"));
        let problem = lists::list(seed);
        std::fs::write(&path, file(&problem, &seed.to_string()).to_string()).expect("a file");
        let output = Command::new(calwarden()).args(["plan", "--budget", word, "--instance"]).arg(&path).output();
        let output = output.expect("the program runs");
        assert!(output.status.success(), "{seed}: {}", String::from_utf8_lossy(&output.stderr));
        let answer: Value = serde_json::from_slice(&output.stdout).expect("a line of JSON");
        let block = |value: &Value| super::Block {
            start: number(&value["start"]),
            end: number(&value["end"]),
            task: value["task"].as_str().and_then(|name| name.parse().ok()).expect("a task"),
        };
        let blocks: Vec<_> = list(&answer["schedule"]).iter().map(block).collect();
        assert_eq!(check(&problem, &blocks), [], "{seed}");
        let spent = answer["work"].as_u64().expect("work");
        assert!(spent <= most(budget), "{seed}: {spent} is more than {}", most(budget));
        micros = micros.max(answer["micros"].as_u64().expect("a time"));
        units = units.max(spent);
    }
    (micros, units)
}

#[test]
fn random_lists_of_up_to_five_hundred_tasks_are_planned_within_their_budget() {
    let wanted = setting("PLANS").and_then(|text| text.parse().ok()).unwrap_or(LISTS);
    for (word, budget, lists) in [
        ("interactive", SearchBudget::Interactive, wanted),
        ("background", SearchBudget::Background, wanted.div_ceil(4)),
    ] {
        let (micros, work) = planned(0..lists, word, budget);
        let millis = micros / 1_000;
        println!("plans: {lists} lists, {word}: all valid, at most {millis} ms and {work} of work");
    }
}

#[test]
fn what_is_too_large_is_refused_by_its_field() {
    let fits = lists::list(1);
    let refused = |change: fn(&mut PlanProblem)| {
        let mut problem = fits.clone();
        change(&mut problem);
        plan(&problem, SearchBudget::Interactive).expect_err("too large").field
    };
    assert_eq!(refused(|problem| problem.tasks = vec![problem.tasks[0].clone(); TASKS_MAX + 1]), "tasks");
    assert_eq!(refused(|problem| problem.horizon = u32::MAX), "horizon");
    assert_eq!(refused(|problem| problem.maps = vec![Vec::new(); 100_000]), "maps");
    assert_eq!(refused(|problem| problem.busy = vec![problem.busy.first().copied().unwrap_or(BUSY); 20_001]), "busy");
    let waits = |problem: &mut PlanProblem| {
        problem.tasks = vec![problem.tasks[0].clone(); WAITS_MAX / 100 + 2];
        for task in problem.tasks.iter_mut().skip(1) {
            task.after = vec![0; 100];
        }
    };
    assert_eq!(refused(waits), "tasks.after");
}

const BUSY: calwarden::engine::scheduling::BusyTicks =
    calwarden::engine::scheduling::BusyTicks { span: TickSpan { start: 1, end: 2 }, with: BusyWith::Event };
