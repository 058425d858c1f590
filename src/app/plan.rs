//! `plan`: schedules problems that were written to files, without a server and without a database.
//!
//! A file is one problem in the words of the scheduling benchmark: times are ticks, time maps and tasks have names. What the
//! planner does not need (family, seed, known optimum) is ignored.

use std::{collections::BTreeMap, fs, io::Write, path::Path};

use anyhow::{Context as _, Result, anyhow, bail};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::cli::{PlanArgs, PlanBudget};
use crate::engine::scheduling::{
    self, Block, BusyTicks, BusyWith, Cap, PlanProblem, Previous, ProblemRefused, SearchBudget, TaskToPlace, TickSpan,
};

/// One problem as it is written.
#[derive(Clone, Debug, Deserialize)]
struct Instance {
    id: Option<String>,
    now: u32,
    horizon: u32,
    windows: BTreeMap<String, Vec<(u32, u32)>>,
    busy: Vec<(u32, u32)>,
    gap: u32,
    alpha: u32,
    tasks: Vec<InstanceTask>,
    #[serde(default)]
    previous: Vec<InstanceBlock>,
    /// First tick of a day and what may be worked of it.
    #[serde(default)]
    caps: Vec<(u32, u32)>,
}

#[derive(Clone, Debug, Deserialize)]
struct InstanceTask {
    id: String,
    dur: Option<u32>,
    release: u32,
    due: Option<u32>,
    weight: u32,
    min: u32,
    max: u32,
    hours: String,
    #[serde(default)]
    after: Vec<String>,
    gap_after: Option<u32>,
}

#[derive(Clone, Debug, Deserialize)]
struct InstanceBlock {
    task: String,
    start: u32,
    end: u32,
    move_cost: u32,
}

/// What is answered, one to a line.
#[derive(Clone, Debug, Serialize)]
struct PlanAnswer<'a> {
    id: &'a str,
    schedule: Vec<AnswerBlock<'a>>,
    score: [u64; 3],
    micros: u64,
    /// Work that was counted.
    work: u64,
}

#[derive(Clone, Debug, Serialize)]
struct AnswerBlock<'a> {
    task: &'a str,
    start: u32,
    end: u32,
}

/// Plans every file; one that cannot be read does not keep the others from being planned.
pub fn run(asked: &PlanArgs, out: &mut impl Write) -> Result<()> {
    let budget = match asked.budget {
        PlanBudget::Interactive => SearchBudget::Interactive,
        PlanBudget::Background => SearchBudget::Background,
    };
    let mut wrong = 0;
    for file in &asked.instance {
        match answer(file, budget) {
            Ok(line) => writeln!(out, "{line}")?,
            Err(why) => {
                wrong += 1;
                eprintln!("calwarden: {}: {why:#}", file.display());
            }
        }
    }
    if wrong > 0 {
        bail!("{wrong} of {} files could not be planned", asked.instance.len());
    }
    Ok(())
}

fn answer(file: &Path, budget: SearchBudget) -> Result<String> {
    let text = fs::read_to_string(file).context("cannot be read")?;
    let mut json = serde_json::Deserializer::from_str(&text);
    let instance: Instance = serde_path_to_error::deserialize(&mut json).map_err(|why| {
        let field = why.path().to_string();
        anyhow!("{field}: {}", why.into_inner())
    })?;
    json.end().context("has more after the problem")?;
    let problem = instance.problem()?;
    let begun = Instant::now();
    let plan = scheduling::plan(&problem, budget).map_err(|why| instance.in_words_of_the_file(&why))?;
    let micros = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let name = |block: &Block| instance.tasks.get(block.task).map_or("", |task| task.id.as_str());
    let block = |block: &Block| AnswerBlock { task: name(block), start: block.start, end: block.end };
    let answer = PlanAnswer {
        id: instance.id.as_deref().unwrap_or(&stem),
        schedule: plan.blocks.iter().map(block).collect(),
        score: [plan.score.missed, plan.score.unplaced, plan.score.cost],
        micros,
        work: plan.work,
    };
    Ok(serde_json::to_string(&answer)?)
}

impl Instance {
    /// The same with numbers in place of names.
    fn problem(&self) -> Result<PlanProblem> {
        let mut numbers = BTreeMap::new();
        for (at, task) in self.tasks.iter().enumerate() {
            if numbers.insert(task.id.as_str(), at).is_some() {
                bail!("tasks[{at}].id: there are two tasks `{}`", task.id);
            }
        }
        let number = |field: String, id: &str| {
            numbers.get(id).copied().ok_or_else(|| anyhow!("{field}: there is no task `{id}`"))
        };
        let mut tasks = Vec::new();
        for (at, task) in self.tasks.iter().enumerate() {
            let map = self.windows.keys().position(|name| *name == task.hours);
            let map = map.ok_or_else(|| anyhow!("tasks[{at}].hours: there are no windows `{}`", task.hours))?;
            let after = task.after.iter().map(|id| number(format!("tasks[{at}].after"), id));
            tasks.push(TaskToPlace {
                work: task.dur,
                release: task.release,
                due: task.due,
                weight: task.weight,
                chunk_min: task.min,
                chunk_max: task.max,
                gap_after: task.gap_after,
                map,
                after: after.collect::<Result<_>>()?,
            });
        }
        let mut previous = Vec::new();
        for (at, block) in self.previous.iter().enumerate() {
            let task = number(format!("previous[{at}].task"), &block.task)?;
            let (start, end, move_cost) = (block.start, block.end, block.move_cost);
            previous.push(Previous { block: Block { start, end, task }, move_cost });
        }
        let busy = |span| BusyTicks { span, with: BusyWith::Event };
        Ok(PlanProblem {
            now: self.now,
            horizon: self.horizon,
            gap: self.gap,
            split_cost: self.alpha,
            maps: self.windows.values().map(|windows| spans(windows).collect()).collect(),
            busy: spans(&self.busy).map(busy).collect(),
            caps: self.caps.iter().map(|(from, ticks)| Cap { from: *from, ticks: *ticks }).collect(),
            tasks,
            previous,
        })
    }

    /// What is wrong with a problem, with the names that its file has for the fields.
    fn in_words_of_the_file(&self, why: &ProblemRefused) -> anyhow::Error {
        let names =
            [("chunk_min", "min"), ("chunk_max", "max"), ("work", "dur"), ("split_cost", "alpha"), ("maps", "windows")];
        let mut field = why.field.clone();
        for (ours, theirs) in names {
            field = field.replace(ours, theirs);
        }
        for (at, name) in self.windows.keys().enumerate() {
            field = field.replace(&format!("windows[{at}]"), &format!("windows.{name}"));
        }
        anyhow!("{field}: {}", why.why)
    }
}

/// Spans that hold nothing say nothing.
fn spans(pairs: &[(u32, u32)]) -> impl Iterator<Item = TickSpan> {
    pairs.iter().map(|(start, end)| TickSpan { start: *start, end: *end }).filter(|span| !span.is_empty())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    const GOOD: &str = r#"{"id": "one", "family": "tiny", "now": 0, "horizon": 96, "gap": 0, "alpha": 8,
        "windows": {"work": [[36, 68]]}, "busy": [[40, 44], [50, 50]],
        "tasks": [
            {"id": "a", "dur": 6, "release": 0, "due": 60, "weight": 2, "min": 2, "max": 6, "hours": "work"},
            {"id": "b", "dur": 4, "release": 0, "due": null, "weight": 8, "min": 4, "max": 4, "hours": "work", "after": []}],
        "previous": [{"task": "b", "start": 36, "end": 40, "move_cost": 16}]}"#;

    fn planned(files: &[(&str, &str)]) -> (Result<()>, Vec<serde_json::Value>) {
        let folder = tempfile::tempdir().expect("a folder");
        let instance: Vec<PathBuf> = files.iter().map(|(name, _)| folder.path().join(name)).collect();
        for (path, (_, text)) in instance.iter().zip(files) {
            fs::write(path, text).expect("a file");
        }
        let mut out = Vec::new();
        let done = run(
            &PlanArgs { instance, user: None, dry_run: false, explain: false, budget: PlanBudget::Interactive },
            &mut out,
        );
        let text = String::from_utf8(out).expect("text");
        (done, text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect())
    }

    fn refused(from: &str, to: &str) -> String {
        assert!(GOOD.contains(from), "{from}");
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("bad.json");
        fs::write(&path, GOOD.replacen(from, to, 1)).expect("a file");
        format!("{:#}", answer(&path, SearchBudget::Interactive).expect_err(to))
    }

    #[test]
    fn a_file_is_planned_and_answered_in_its_own_names() {
        let (done, lines) = planned(&[("file.json", GOOD)]);
        done.expect("planned");
        let [line] = lines.as_slice() else { panic!("{lines:?}") };
        assert_eq!(line["id"], "one");
        assert_eq!(line["score"], serde_json::json!([0, 0, 8 * 40 + 2 * 50]));
        let block = |task: &str, start: u32, end: u32| serde_json::json!({"task": task, "start": start, "end": end});
        assert_eq!(line["schedule"], serde_json::json!([block("b", 36, 40), block("a", 44, 50)]));
        assert!(line["micros"].is_u64());
    }

    #[test]
    fn without_an_id_the_answer_has_the_files_name() {
        let (_, lines) = planned(&[("named.json", &GOOD.replacen(r#""id": "one","#, "", 1))]);
        assert_eq!(lines[0]["id"], "named");
    }

    #[test]
    fn a_bad_file_does_not_keep_the_others_from_being_planned() {
        let (done, lines) = planned(&[("a.json", GOOD), ("b.json", "{"), ("c.json", GOOD)]);
        assert_eq!(done.expect_err("one is bad").to_string(), "1 of 3 files could not be planned");
        assert_eq!(lines.len(), 2);
    }

    #[test]
    fn what_is_wrong_is_reported_with_its_field() {
        for (from, to, reason) in [
            (r#""horizon": 96"#, r#""horizon": "x""#, "horizon: invalid type: string"),
            (r#""dur": 6"#, r#""dur": -6"#, "tasks[0].dur: invalid value"),
            (r#""horizon": 96, "#, "", "missing field `horizon`"),
            (r#""dur": 4"#, r#""dur": 0"#, "tasks[1].dur: 0 is not"),
            (r#""min": 4"#, r#""min": 5"#, "tasks[1].min: 5 is not"),
            (r#""hours": "work""#, r#""hours": "night""#, "tasks[0].hours: there are no windows `night`"),
            (r#""after": []"#, r#""after": ["c"]"#, "tasks[1].after: there is no task `c`"),
            (r#""after": []"#, r#""after": ["b"]"#, "tasks[1].after: waits, by way of others, for itself"),
            (r#""id": "b""#, r#""id": "a""#, "tasks[1].id: there are two tasks `a`"),
            (r#""task": "b""#, r#""task": "z""#, "previous[0].task: there is no task `z`"),
            ("[[36, 68]]", "[[36, 999999]]", "windows.work[0]: 999999 is not"),
            (r#""alpha": 8"#, r#""alpha": 9999"#, "alpha: 9999 is not"),
        ] {
            let why = refused(from, to);
            assert!(why.contains(reason), "{to}: {why}");
        }
    }
}
