//! Where plans are computed: on threads of their own, so that a long list holds up no request and no other person.
//!
//! One list of a person is computed at a time, and people take turns in the order in which they came. Whoever asks for the plan of
//! a list that is under way gets that plan; another list of the same person is newer, and ends the older one's search. What
//! nobody waits for any more is ended too, and everything when the server stops.
//!
//! **Invariant:** at most `waiting_max` lists wait; one more is refused at once.
//! **Invariant:** a search ends within its time, whatever the list ([`scheduling::plan_until`]).

use std::{
    collections::{BTreeMap, VecDeque},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    domain::ids::UserId,
    engine::scheduling::{self, Plan, PlanProblem, ProblemRefused, SearchBudget, Stop, Unstopped},
};

/// Longest time that one list is computed. A budget's steps and work end it long before, unless the machine is much too busy.
const TIME_MAX: Duration = Duration::from_millis(800);
/// Most callers that wait for the plan of one list.
const CALLERS_MAX: usize = 64;

/// Where plans are computed.
#[derive(Clone, Debug, Default)]
pub enum Computing {
    /// At once, by whoever asks, without a look at any clock: in a simulation, whose time stands still meanwhile, and in commands.
    #[default]
    Here,
    /// On threads beside.
    Beside(Arc<Pool>),
}

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoPlan {
    /// The list cannot be planned as it is.
    Refused(ProblemRefused),
    /// The person has a newer list.
    Superseded,
    /// Too many wait.
    Full,
    /// Its caller has gone.
    Abandoned,
    /// The server stops.
    Stopping,
    /// The planner fell.
    Lost,
}

impl Computing {
    /// A person's plan; nothing, if the caller goes before it is there.
    pub async fn plan(
        &self,
        user: &UserId,
        problem: &PlanProblem,
        gone: &CancellationToken,
    ) -> Result<Arc<Plan>, NoPlan> {
        let budget = SearchBudget::Interactive;
        let Self::Beside(pool) = self else {
            return computed(problem, budget, &Unstopped);
        };
        let mut caller = pool.shared.begin(user, problem, budget)?;
        tokio::select! {
            biased;
            plan = caller.plan() => plan,
            () = gone.cancelled() => Err(NoPlan::Abandoned),
        }
    }

    /// Lists that are computed at the same time.
    #[must_use]
    pub fn at_once(&self) -> usize {
        match self {
            Self::Here => 1,
            Self::Beside(pool) => pool.threads,
        }
    }

    /// Ends every search and begins none any more.
    pub fn close(&self) {
        if let Self::Beside(pool) = self {
            pool.shared.close();
        }
    }
}

fn computed(problem: &PlanProblem, budget: SearchBudget, stop: &dyn Stop) -> Result<Arc<Plan>, NoPlan> {
    scheduling::plan_until(problem, budget, stop).map(Arc::new).map_err(NoPlan::Refused)
}

/// Threads that compute plans.
#[derive(Debug)]
pub struct Pool {
    threads: usize,
    shared: Arc<SharedLists>,
}

impl Pool {
    /// So many threads, at least one, and so many lists that may wait for them.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(threads: usize, waiting_max: usize) -> std::io::Result<Self> {
        let (lists, bell) = (Mutex::default(), Condvar::new());
        let threads = threads.max(1);
        let pool = Self { threads, shared: Arc::new(SharedLists { lists, bell, waiting_max }) };
        for _ in 0..threads {
            let shared = Arc::clone(&pool.shared);
            thread::Builder::new().name("plan".to_owned()).spawn(move || shared.work())?;
        }
        Ok(pool)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.close();
    }
}

type PlanEnded = Result<Arc<Plan>, NoPlan>;

/// One list that is computed, or waits for it.
#[derive(Debug)]
struct PlanJob {
    user: UserId,
    problem: PlanProblem,
    budget: SearchBudget,
    stopped: AtomicBool,
    callers: AtomicUsize,
    ended: watch::Sender<Option<PlanEnded>>,
}

impl PlanJob {
    /// The first end counts.
    fn end(&self, ended: PlanEnded) {
        self.ended.send_if_modified(|held| {
            let first = held.is_none();
            if first {
                *held = Some(ended);
            }
            first
        });
    }

    fn stop(&self, why: NoPlan) {
        self.stopped.store(true, Ordering::Relaxed);
        self.end(Err(why));
    }
}

/// Ends a search when nobody wants it any more, or when it has taken too long.
struct SearchStop<'a> {
    job: &'a PlanJob,
    at: Instant,
}

impl Stop for SearchStop<'_> {
    fn is_over(&self) -> bool {
        self.job.stopped.load(Ordering::Relaxed) || Instant::now() >= self.at
    }
}

#[derive(Debug, Default)]
struct Lists {
    waiting: VecDeque<Arc<PlanJob>>,
    /// What is computed or waits, by person: the newest of each.
    newest: BTreeMap<UserId, Arc<PlanJob>>,
    closed: bool,
}

impl Lists {
    fn forget(&mut self, job: &Arc<PlanJob>) {
        self.waiting.retain(|held| !Arc::ptr_eq(held, job));
        if self.newest.get(&job.user).is_some_and(|held| Arc::ptr_eq(held, job)) {
            self.newest.remove(&job.user);
        }
    }
}

#[derive(Debug)]
struct SharedLists {
    lists: Mutex<Lists>,
    bell: Condvar,
    waiting_max: usize,
}

/// Somebody who waits for a plan.
struct Waiter<'a> {
    shared: &'a SharedLists,
    job: Arc<PlanJob>,
    ended: watch::Receiver<Option<PlanEnded>>,
}

impl SharedLists {
    /// Every change is a single step, so the lists are whole after a panic elsewhere.
    fn lists(&self) -> MutexGuard<'_, Lists> {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, user: &UserId, problem: &PlanProblem, budget: SearchBudget) -> Result<Waiter<'_>, NoPlan> {
        let mut lists = self.lists();
        if lists.closed {
            return Err(NoPlan::Stopping);
        }
        let held = lists.newest.get(user).cloned();
        if let Some(held) = held.as_ref().filter(|held| held.problem == *problem && held.budget == budget) {
            if held.callers.load(Ordering::Relaxed) >= CALLERS_MAX {
                return Err(NoPlan::Full);
            }
            held.callers.fetch_add(1, Ordering::Relaxed);
            return Ok(Waiter { shared: self, job: Arc::clone(held), ended: held.ended.subscribe() });
        }
        let place = held.as_ref().and_then(|held| lists.waiting.iter().position(|waits| Arc::ptr_eq(waits, held)));
        if place.is_none() && lists.waiting.len() >= self.waiting_max {
            return Err(NoPlan::Full);
        }
        let (stopped, callers, (ended, receiver)) = (AtomicBool::new(false), AtomicUsize::new(1), watch::channel(None));
        let job = PlanJob { user: user.clone(), problem: problem.clone(), budget, stopped, callers, ended };
        let job = Arc::new(job);
        if let Some(held) = held {
            held.stop(NoPlan::Superseded);
        }
        match place.and_then(|at| lists.waiting.get_mut(at)) {
            // A newer list takes its person's turn.
            Some(waits) => *waits = Arc::clone(&job),
            None => lists.waiting.push_back(Arc::clone(&job)),
        }
        lists.newest.insert(user.clone(), Arc::clone(&job));
        drop(lists);
        self.bell.notify_one();
        Ok(Waiter { shared: self, job, ended: receiver })
    }

    /// What each thread does until the pool is closed.
    fn work(&self) {
        while let Some(job) = self.next() {
            let until = SearchStop { job: &job, at: Instant::now() + TIME_MAX };
            let ended = catch_unwind(AssertUnwindSafe(|| computed(&job.problem, job.budget, &until)));
            if let Ok(Ok(plan)) = &ended
                && plan.stopped
                && !job.stopped.load(Ordering::Relaxed)
            {
                let tasks = job.problem.tasks.len();
                tracing::info!(
                    tasks,
                    "a plan was ended by the clock: it is valid, and a quieter machine finds a better one"
                );
            }
            // The panic's own message is in the log.
            job.end(ended.unwrap_or(Err(NoPlan::Lost)));
            self.lists().forget(&job);
        }
    }

    fn next(&self) -> Option<Arc<PlanJob>> {
        let mut lists = self.lists();
        loop {
            if lists.closed {
                return None;
            }
            if let Some(job) = lists.waiting.pop_front() {
                return Some(job);
            }
            lists = self.bell.wait(lists).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn close(&self) {
        let mut lists = self.lists();
        lists.closed = true;
        lists.waiting.clear();
        for job in std::mem::take(&mut lists.newest).into_values() {
            job.stop(NoPlan::Stopping);
        }
        drop(lists);
        self.bell.notify_all();
    }
}

impl Waiter<'_> {
    async fn plan(&mut self) -> PlanEnded {
        let ended = self.ended.wait_for(Option::is_some).await;
        ended.ok().and_then(|ended| ended.clone()).unwrap_or(Err(NoPlan::Lost))
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let mut lists = self.shared.lists();
        // Who joins does so under the same lock: nobody comes to a job that is ended here.
        if self.job.callers.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.job.stop(NoPlan::Abandoned);
            lists.forget(&self.job);
        }
    }
}

#[cfg(test)]
mod tests;
