//! The web shows: the HTTP API, its routes as one table, its refusals as problem documents.
//!
//! - **route**: one row of [`routes`]; the OpenAPI document, the docs page and the checks are made from the same rows.
//! - **app**: what stands behind every request.
//!
//! **Invariant:** nothing is decided here and no row is read here: handlers translate between HTTP and the use cases.

mod actors;
mod answer;
pub mod api;
mod body;
mod consent;
mod demo;
mod docs;
mod etag;
mod gate;
mod health;
mod idempotency;
mod intake;
mod limit;
pub mod openapi;
mod paging;
pub mod problem;
mod request;
pub mod route;
pub mod session;
mod webhooks;
mod words;

use std::{
    collections::BTreeMap,
    future::ready,
    io,
    net::TcpListener,
    rc::Rc,
    sync::{Arc, OnceLock},
    time::Duration,
};

use actix_web::{App, HttpRequest, HttpServer, dev::Server, middleware::Compress, web};

pub use actors::{ActorOrder, Actors, Front};
pub use answer::REQUEST_ID;
pub use demo::Demo;

use crate::{
    domain::person::KeyScope::{Operate, Read, Write},
    service::Services,
};
use api::{
    accounts::{self, AccountPatch, AccountView, ConnectBody, ReconnectBody, ScheduleBody},
    availability::{self, AvailabilityBody, AvailabilityView, BlockView},
    blocks::{self, BlockPatch, SpanView, TimeBlockView},
    calendars::{self, CalendarPatch, CalendarView},
    conflicts::{self, ConflictView, ResolveBody},
    connect::{self, StartBody, StartedView},
    contexts::{self, ContextBody, ContextPatch, ContextView},
    events::{self, EventBody, EventPatch, EventView},
    focus::{self, FocusBody, FocusView, WorkedView},
    holds::{self, HoldView},
    links::{self, ExplanationView, LinkBody, LinkView},
    notices::{self, NoticeView},
    ops::{self, ActorView},
    outbox::{self, OutboxView},
    planning_rules::{self, PlanningBody, PlanningView},
    rollovers::{self, RolloverView, UndoneView},
    rounds::{self, ProgressView, RoundView},
    schedule::{self, ChoiceBody, PlanBody, PlanView, ProposalView},
    spaces::{self, MemberBody, SpaceBody, SpaceView},
    tasks::{self, TaskBody, TaskPatch, TaskView},
    users::{self, UserBody, UserView},
};
use health::HealthView;
use problem::{Problem, ProblemCode};
use route::{Param, Route, delete, get, patch, post, put};
use session::RouteAccess::Open;

/// What the operator chose, as far as HTTP is concerned.
#[derive(Clone, Copy, Debug)]
pub struct WebSettings {
    /// Longest body of a request, in bytes.
    pub body_bytes_max: usize,
    /// `sync` requests per account and hour.
    pub sync_per_hour: u32,
    /// Requests a minute for each API key; nought: as many as it likes.
    pub key_per_minute: u32,
    /// Requests a minute without a good key for each address; nought: as many as it likes.
    pub address_per_minute: u32,
    /// Connections at once, over all workers.
    pub connections_max: usize,
    /// Seconds that requests under way have when the server stops.
    pub shutdown_s: u64,
}

impl Default for WebSettings {
    fn default() -> Self {
        Self {
            body_bytes_max: 1024 * 1024,
            sync_per_hour: 10,
            key_per_minute: 60_000,
            address_per_minute: 1_200,
            connections_max: CONNECTIONS_MAX,
            shutdown_s: 20,
        }
    }
}

/// Connections at once when nobody says.
pub const CONNECTIONS_MAX: usize = 10_000;
/// How long a request's head may take to come, and a client to close a connection that is over.
const CLIENT_WAIT: Duration = Duration::from_secs(5);
/// How long a connection is kept for another request.
const KEPT_ALIVE: Duration = Duration::from_secs(15);

/// Shows the process's metrics as text.
pub type Figures = Box<dyn Fn() -> String + Send + Sync>;

/// What stands behind every request.
pub struct AppState {
    /// The use cases.
    pub services: Arc<Services>,
    /// The actors.
    pub actors: Arc<dyn Actors>,
    /// What the operator chose.
    pub settings: WebSettings,
    /// The metrics.
    pub figures: Figures,
    /// What `calwarden demo` shows; otherwise nothing.
    pub demo: OnceLock<Demo>,
    sync_limit: limit::SyncLimit,
    answering: idempotency::Answering,
    gate: gate::Gate,
    intake: intake::Intake,
    counted: health::Counted,
}

impl AppState {
    /// Puts the app together.
    #[must_use]
    pub fn new(services: Arc<Services>, actors: Arc<dyn Actors>, settings: WebSettings, figures: Figures) -> Arc<Self> {
        let sync_limit = limit::SyncLimit::new(settings.sync_per_hour);
        let gate = gate::Gate::new(settings.key_per_minute, settings.address_per_minute);
        Arc::new(Self {
            services,
            actors,
            settings,
            figures,
            demo: OnceLock::new(),
            sync_limit,
            answering: idempotency::Answering::default(),
            gate,
            intake: intake::Intake::default(),
            counted: health::Counted::default(),
        })
    }
}

const USER: Param = Param { name: "user_id", about: "Of this user; the one the request acts for without it." };
const ANY_USER: Param = Param { name: "user_id", about: "Of this user; of all that the request may see without it." };
const CURSOR: Param = Param { name: "cursor", about: "Where the page begins: `next_cursor` of the page before." };
const LIMIT: Param = Param { name: "limit", about: "Rows of the page: 1 to 500, 100 without it." };
const PAGE: &[Param] = &[CURSOR, LIMIT];
const OF_USER: &[Param] = &[ANY_USER, CURSOR, LIMIT];
const REACH: Param =
    Param { name: "scope", about: "How far a change of a series reaches: `this`, `following` or `all`." };
const OCCURRENCE: Param = Param {
    name: "recurrence_id",
    about: "The occurrence that is meant, by its original start: a date, a wall time of the series, or an instant.",
};
const OF_SERIES: &[Param] = &[REACH, OCCURRENCE];
const EVENTS: &[Param] = &[
    USER,
    Param { name: "from", about: "What ends after this date or instant (RFC 3339). Needed with `expand`." },
    Param {
        name: "to",
        about: "What begins before this date or instant. With `expand` two years after `from` at most.",
    },
    Param { name: "expand", about: "`true`: every occurrence of a series is a row; otherwise a series is one row." },
    Param { name: "calendar_id", about: "Of this calendar." },
    CURSOR,
    LIMIT,
];
const CONFLICTS: &[Param] = &[
    Param { name: "status", about: "`pending`, `resolved`, `restored` or `all` (without it)." },
    Param { name: "account_id", about: "Of this account." },
    ANY_USER,
    Param { name: "from", about: "Met at this date or instant (RFC 3339), or later. Dates are days in UTC." },
    Param { name: "to", about: "Met before this date or instant." },
    CURSOR,
    LIMIT,
];
const BLOCKS: &[Param] = &[
    USER,
    Param { name: "from", about: "What ends after this instant (RFC 3339); now without it." },
    Param { name: "to", about: "What begins before this instant; a week after `from` without it." },
];
const OF_ONE: &[Param] = &[USER];
const OF_DATES: &[Param] = &[
    USER,
    Param { name: "from", about: "First date; without it, a week up to `to`." },
    Param { name: "to", about: "Last date, within a year of `from`; today without it." },
];
const OF_ONE_PAGED: &[Param] = &[USER, CURSOR, LIMIT];
const TASKS: &[Param] = &[
    USER,
    Param { name: "open", about: "`true`: only those that are not closed." },
    Param { name: "context_id", about: "Of this context." },
    CURSOR,
    LIMIT,
];
const NOTICES: &[Param] = &[USER, Param { name: "unread", about: "`true`: only those not yet read." }, CURSOR, LIMIT];
const DELETE_ACCOUNT: &[Param] =
    &[Param { name: "delete_events", about: "`true`: take the copies we made out of the calendars too." }];
const LINK: &[Param] = &[Param { name: "calendar_id", about: "The calendar whose copy goes." }];

/// Every route.
#[must_use]
pub fn routes() -> Vec<Route> {
    [calendar_routes(), planning_routes(), service_routes()].concat()
}

/// People, accounts, events, and what became of them.
#[rustfmt::skip]
fn calendar_routes() -> Vec<Route> {
    vec![
        put("/v1/users/{id}", Write, users::put, "Makes or changes a user; the id is yours").takes::<UserBody>().gives::<UserView>(200).versioned(),
        get("/v1/users/{id}", Read, users::get, "A user").gives::<UserView>(200),
        delete("/v1/users/{id}", Write, users::delete, "Forgets a user and everything kept about them"),
        put("/v1/spaces/{id}", Write, spaces::put, "Makes or renames a space; the id is yours").takes::<SpaceBody>().gives::<SpaceView>(200),
        put("/v1/spaces/{id}/members/{user}", Write, spaces::join, "Puts a user into a space").takes::<MemberBody>(),
        delete("/v1/spaces/{id}/members/{user}", Write, spaces::leave, "Takes a user out of a space"),

        post("/v1/connect/google/start", Write, connect::start_google, "Begins to connect a Google account by its owner's consent").takes::<StartBody>().gives::<StartedView>(200).harmless_twice(),
        get("/connect/google/begin", Open, consent::begin_google, "Asks a person to go on, and shows whose account it will be").with(consent::BEGIN).shows("text/html"),
        post("/connect/google/begin", Open, consent::go_on_to_google, "Sends a person's browser to Google").goes_on(),
        get("/connect/google/callback", Open, consent::google_callback, "Where Google sends a person back to").with(consent::CALLBACK).comes_back().shows("text/html"),
        post("/sync/providers/{provider}/webhook", Open, webhooks::notified, "Where a provider notifies us that a calendar changed"),
        get("/v1/availability/blocks", Read, availability::blocks, "Busy time, as providers report it").with(BLOCKS).lists::<BlockView>(),

        get("/v1/accounts", Read, accounts::list, "Connected accounts").with(OF_USER).lists::<AccountView>(),
        post("/v1/accounts", Write, accounts::connect, "Connects an account; the credentials are tried first").takes::<ConnectBody>().gives::<AccountView>(201),
        get("/v1/accounts/{id}", Read, accounts::get, "An account and its last round").gives::<AccountView>(200),
        patch("/v1/accounts/{id}", Write, accounts::patch, "Changes an account's name, policy or privacy").takes::<AccountPatch>().gives::<AccountView>(200).versioned(),
        delete("/v1/accounts/{id}", Write, accounts::delete, "Disconnects an account").with(DELETE_ACCOUNT).gives::<AccountView>(202),
        post("/v1/accounts/{id}/sync", Write, accounts::sync, "Asks for a round now").gives::<AccountView>(202),
        post("/v1/accounts/{id}/pause", Write, accounts::pause, "Stops rounds and writes until resumed").gives::<AccountView>(202),
        post("/v1/accounts/{id}/resume", Write, accounts::resume, "Goes on").gives::<AccountView>(202),
        post("/v1/accounts/{id}/reconnect", Write, accounts::reconnect, "Gives an account new credentials").takes::<ReconnectBody>().gives::<AccountView>(200),
        put("/v1/accounts/{id}/schedule", Write, accounts::schedule, "When an account looks for changes by itself").takes::<ScheduleBody>().gives::<AccountView>(200).versioned(),
        get("/v1/accounts/{id}/progress", Read, rounds::progress, "How far the running round has come").gives::<ProgressView>(200),
        get("/v1/accounts/{id}/rounds", Read, rounds::list, "The sync log, newest first").with(PAGE).lists::<RoundView>(),
        get("/v1/accounts/{id}/outbox", Read, outbox::list, "Writes that wait or were put aside").lists::<OutboxView>(),
        post("/v1/accounts/{id}/outbox/{entry}/retry", Write, outbox::retry, "Tries a write again that was put aside"),
        get("/v1/accounts/{id}/calendars", Read, calendars::list, "The calendars of an account").lists::<CalendarView>(),
        patch("/v1/calendars/{id}", Write, calendars::patch, "Selects a calendar or turns its direction").takes::<CalendarPatch>().gives::<CalendarView>(200).versioned(),
        get("/v1/accounts/{id}/holds", Read, holds::list, "Deletions that wait for your word").lists::<HoldView>(),
        post("/v1/holds/{id}/approve", Write, holds::approve, "Carries exactly these deletions out with the next sync").gives::<HoldView>(200),
        post("/v1/holds/{id}/refuse", Write, holds::refuse, "Keeps the events, and writes them to their calendar again where it takes changes").gives::<HoldView>(200),

        get("/v1/events", Read, events::list, "Events of a user, series whole or expanded").with(EVENTS).lists::<EventView>().truncates(),
        post("/v1/events", Write, events::create, "Makes an event and queues its remote copy").takes::<EventBody>().gives::<EventView>(201),
        get("/v1/events/{id}", Read, events::get, "An event").gives::<EventView>(200),
        patch("/v1/events/{id}", Write, events::patch, "Changes an event, or occurrences of a series").with(OF_SERIES).takes::<EventPatch>().gives::<EventView>(200).versioned(),
        delete("/v1/events/{id}", Write, events::delete, "Deletes an event, or occurrences of a series").with(OF_SERIES).versioned(),
        post("/v1/events/{id}/restore", Write, events::restore, "Brings a deleted event back, as long as it is kept").gives::<EventView>(200),
        get("/v1/events/{id}/explain", Read, links::explain, "Why an event is as it is, place by place").gives::<ExplanationView>(200),
        get("/v1/events/{id}/links", Read, links::list, "The calendars an event has a copy in").lists::<LinkView>(),
        post("/v1/events/{id}/links", Write, links::add, "Gives an event a copy in one more calendar").takes::<LinkBody>().gives::<LinkView>(202),
        delete("/v1/events/{id}/links", Write, links::remove, "Takes an event's copy out of a calendar").with(LINK),

        get("/v1/conflicts", Read, conflicts::list, "Conflicts, newest first; CSV with `Accept: text/csv`").with(CONFLICTS).lists::<ConflictView>(),
        post("/v1/conflicts/{id}/resolve", Write, conflicts::resolve, "Settles a pending conflict").takes::<ResolveBody>().gives::<ConflictView>(200),
        post("/v1/conflicts/{id}/restore", Write, conflicts::restore, "Brings the losing version back").gives::<ConflictView>(200),
        get("/v1/notices", Read, notices::list, "Notices to people, newest first").with(NOTICES).lists::<NoticeView>(),
        post("/v1/notices/{id}/read", Write, notices::read, "Notes that a notice was read").gives::<NoticeView>(200),
    ]
}

/// Work: what there is to do, when it is done, and who has time.
#[rustfmt::skip]
fn planning_routes() -> Vec<Route> {
    vec![
        get("/v1/contexts", Read, contexts::list, "What a user's work is grouped by").with(OF_ONE).lists::<ContextView>(),
        post("/v1/contexts", Write, contexts::create, "Makes a context").takes::<ContextBody>().gives::<ContextView>(201),
        get("/v1/contexts/{id}", Read, contexts::get, "A context").gives::<ContextView>(200),
        patch("/v1/contexts/{id}", Write, contexts::patch, "Changes a context; what it shows follows").takes::<ContextPatch>().gives::<ContextView>(200).versioned(),
        delete("/v1/contexts/{id}", Write, contexts::delete, "Deletes a context; its tasks stay, what it shows goes"),
        get("/v1/tasks", Read, tasks::list, "Tasks of a user").with(TASKS).lists::<TaskView>(),
        post("/v1/tasks", Write, tasks::create, "Makes a task").takes::<TaskBody>().gives::<TaskView>(201),
        get("/v1/tasks/{id}", Read, tasks::get, "A task").gives::<TaskView>(200),
        patch("/v1/tasks/{id}", Write, tasks::patch, "Changes, closes or opens a task").takes::<TaskPatch>().gives::<TaskView>(200).versioned(),
        delete("/v1/tasks/{id}", Write, tasks::delete, "Deletes a task with its blocks"),
        get("/v1/tasks/{id}/blocks", Read, blocks::of_task, "The blocks of a task, by start").lists::<TimeBlockView>(),
        post("/v1/tasks/{id}/blocks", Write, blocks::create, "Puts a block where a person wants it").takes::<SpanView>().gives::<TimeBlockView>(201),
        get("/v1/blocks", Read, blocks::list, "Time blocks of a user, by start").with(BLOCKS).lists::<TimeBlockView>(),
        get("/v1/blocks/{id}", Read, blocks::get, "A time block").gives::<TimeBlockView>(200),
        patch("/v1/blocks/{id}", Write, blocks::patch, "Moves a block, or lets the planner move it again").takes::<BlockPatch>().gives::<TimeBlockView>(200).versioned(),
        delete("/v1/blocks/{id}", Write, blocks::delete, "Takes a block away; its task stays"),
        post("/v1/blocks/{id}/confirm", Write, blocks::confirm, "Says yes to a block that was moved at its provider").gives::<TimeBlockView>(200).versioned(),
        get("/v1/users/{id}/planning", Read, planning_rules::get, "How a user wants to be planned").gives::<PlanningView>(200),
        put("/v1/users/{id}/planning", Write, planning_rules::put, "Sets how a user wants to be planned").takes::<PlanningBody>().gives::<PlanningView>(200).versioned(),
        post("/v1/schedule", Write, schedule::plan, "Plans a user's tasks into their free time").takes::<PlanBody>().gives::<PlanView>(200),
        get("/v1/proposals", Read, schedule::list, "Schedules that were offered, newest first").with(OF_ONE_PAGED).lists::<ProposalView>(),
        get("/v1/proposals/{id}", Read, schedule::get, "A schedule that was offered").gives::<ProposalView>(200),
        post("/v1/proposals/{id}/accept", Write, schedule::accept, "Carries a proposal out, all of it or some blocks").takes::<ChoiceBody>().gives::<ProposalView>(200),
        post("/v1/proposals/{id}/reject", Write, schedule::reject, "Refuses a proposal").gives::<ProposalView>(200),
        post("/v1/proposals/{id}/put-back", Write, schedule::put_back, "Puts accepted changes back").takes::<ChoiceBody>().gives::<ProposalView>(200),
        get("/v1/focus", Read, focus::get, "What a user works on, and what comes next").with(OF_ONE).gives::<FocusView>(200),
        post("/v1/focus", Write, focus::act, "Starts, pauses, resumes, finishes, skips or stops work").takes::<FocusBody>().gives::<FocusView>(200),
        get("/v1/focus/days", Read, focus::days, "Minutes worked, by the user's dates").with(OF_DATES).gives::<WorkedView>(200),
        get("/v1/rollovers", Read, rollovers::list, "Changes of day, newest first").with(OF_ONE_PAGED).lists::<RolloverView>(),
        post("/v1/rollovers/{id}/undo", Write, rollovers::undo, "Takes a change of day back").gives::<UndoneView>(200),
        post("/v1/availability/query", Read, availability::query, "Who is free when, and times that suit all").takes::<AvailabilityBody>().gives::<AvailabilityView>(200),
    ]
}

/// What operators, browsers and probes ask for.
#[rustfmt::skip]
fn service_routes() -> Vec<Route> {
    vec![
        get("/v1/ops/actors", Operate, ops::list, "The actors of all accounts").lists::<ActorView>(),
        get("/v1/ops/actors/{account}", Operate, ops::get, "The actor of an account").gives::<ActorView>(200),
        post("/v1/ops/actors/{account}/restart", Operate, ops::restart, "Builds an actor anew from the store").gives::<ActorView>(202),
        post("/v1/ops/actors/{account}/pause", Operate, ops::pause, "Pauses an account").gives::<ActorView>(202),
        post("/v1/ops/actors/{account}/resume", Operate, ops::resume, "Resumes an account, out of quarantine too").gives::<ActorView>(202),
        post("/v1/ops/actors/{account}/panic", Operate, ops::panic, "Makes an actor fall, as a drill").gives::<ActorView>(202),
        get("/demo", Open, demo::page, "Both sides of `calwarden demo`; elsewhere there is none").shows("text/html"),
        get("/demo/events", Open, demo::events, "What its household has before it").shows("text/html"),
        post("/demo/events", Open, demo::add, "Adds to it").goes_on(),
        get("/health/live", Open, health::live, "The process answers").gives::<HealthView>(200),
        get("/health/ready", Open, health::ready, "The database takes writes").gives::<HealthView>(200),
        get("/metrics", Open, health::figures, "Figures for Prometheus").shows("text/plain"),
        get("/openapi.json", Open, openapi::serve, "This API as an OpenAPI 3.1 document").shows("application/json"),
        get("/docs", Open, docs::page, "This API as a page").shows("text/html"),
        get("/docs/style.css", Open, docs::style, "The page's style").shows("text/css"),
    ]
}

/// Registers every route.
pub fn configure(app: &Arc<AppState>) -> impl FnOnce(&mut web::ServiceConfig) + use<> {
    let app = Arc::clone(app);
    move |config| {
        let mut resources: BTreeMap<&'static str, Vec<Rc<Route>>> = BTreeMap::new();
        for route in routes() {
            resources.entry(route.path).or_default().push(Rc::new(route));
        }
        for (path, rows) in resources {
            let allowed: Vec<_> = rows.iter().map(|row| row.method.to_string()).collect();
            let mut resource = web::resource(path);
            for row in rows {
                let app = Arc::clone(&app);
                let method = row.method.clone();
                let service = move |request: HttpRequest, payload: web::Payload| {
                    answer::serve(Arc::clone(&app), Rc::clone(&row), request, payload)
                };
                resource = resource.route(web::method(method).to(service));
            }
            let app = Arc::clone(&app);
            config.service(resource.default_service(web::to(move |request: HttpRequest| {
                let problem = Problem::new(ProblemCode::MethodNotAllowed, format!("this knows {}", allowed.join(", ")));
                ready(answer::refuse(&app, problem.header("Allow", &allowed.join(", ")), &request))
            })));
        }
        config.default_service(web::to(move |request: HttpRequest| {
            let problem = Problem::not_found("route; every route is listed under /docs");
            ready(answer::refuse(&app, problem, &request))
        }));
    }
}

/// The server on an open listener. It runs when awaited, and stops gracefully through its handle.
pub fn server(app: Arc<AppState>, listener: TcpListener, workers: usize) -> io::Result<Server> {
    let WebSettings { shutdown_s, connections_max, .. } = app.settings;
    let workers = workers.max(1);
    let factory = move || App::new().wrap(Compress::default()).configure(configure(&app));
    Ok(HttpServer::new(factory)
        .workers(workers)
        .max_connections((connections_max / workers).max(1))
        .client_request_timeout(CLIENT_WAIT)
        .client_disconnect_timeout(CLIENT_WAIT)
        .keep_alive(KEPT_ALIVE)
        .shutdown_timeout(shutdown_s)
        // Who closes its half of the connection has hung up: what only computes for it ends.
        .h1_allow_half_closed(false)
        .disable_signals()
        .listen(listener)?
        .run())
}
