//! Look-alikes behind one port: HTTP in, notifications out.
//!
//! A request is for the look-alike whose root its path is below, else for the first: some clients can be
//! given an origin alone, without a path.

use std::{
    io,
    net::TcpListener,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, dev::Server, http::StatusCode, web};
use url::Url;

use super::{
    look_alike::{LookAlike, Push},
    reply::{Reply, SandboxRequest},
};
use crate::{
    domain::ports::World,
    transport::{Http, OutgoingRequest},
};

/// Longest body of a request, in bytes.
const BODY_MAX: usize = 10 * 1024 * 1024;
/// How often notifications that are due are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long one delivery may take.
const DELIVERY: Duration = Duration::from_secs(10);

/// What requests and deliveries share: the worlds of all look-alikes.
#[derive(Clone)]
pub struct SharedWorld {
    look_alikes: Arc<Mutex<Vec<Box<dyn LookAlike>>>>,
    world: World,
}

impl SharedWorld {
    /// Shares look-alikes.
    #[must_use]
    pub fn new(look_alikes: Vec<Box<dyn LookAlike>>, world: World) -> Self {
        Self { look_alikes: Arc::new(Mutex::new(look_alikes)), world }
    }

    /// Answers a request.
    #[must_use]
    pub fn answer(&self, asked: &SandboxRequest) -> Reply {
        let now = self.world.now();
        let below = |root| asked.path.strip_prefix(root).is_some_and(|rest: &str| rest.starts_with('/'));
        let mut held = self.held();
        let whose = held.iter().position(|one| below(one.root())).unwrap_or(0);
        held.get_mut(whose).map_or_else(|| Reply::empty(404), |one| one.answer(now, asked))
    }

    /// Makes a person with so many events at every look-alike.
    pub fn seed(&self, email: &str, zone: &str, events: u64) {
        let now = self.world.now();
        self.held().iter_mut().for_each(|one| one.seed(now, email, zone, events));
    }

    /// Notifications that are due, each with the place of its look-alike.
    fn take_due(&self) -> Vec<(usize, Push)> {
        let now = self.world.now();
        let of_one = |(whose, one): (usize, &mut Box<dyn LookAlike>)| {
            one.take_due(now).into_iter().map(move |push| (whose, push))
        };
        self.held().iter_mut().enumerate().flat_map(of_one).collect()
    }

    fn delivered(&self, whose: usize, push: Push, status: Option<u16>) {
        let now = self.world.now();
        if let Some(one) = self.held().get_mut(whose) {
            one.delivered(now, push, status);
        }
    }

    fn held(&self) -> MutexGuard<'_, Vec<Box<dyn LookAlike>>> {
        self.look_alikes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The server on an open listener; it runs when awaited. Notifications go out through `http` as long as it runs.
pub fn serve(shared: SharedWorld, http: Arc<dyn Http>, listener: TcpListener) -> io::Result<Server> {
    actix_web::rt::spawn(deliver(shared.clone(), http));
    let app = move || {
        let shared = shared.clone();
        App::new().app_data(web::PayloadConfig::new(BODY_MAX)).default_service(web::to(
            move |request: HttpRequest, body: web::Bytes| answer(shared.clone(), request, body),
        ))
    };
    Ok(HttpServer::new(app).workers(1).shutdown_timeout(2).disable_signals().listen(listener)?.run())
}

async fn answer(shared: SharedWorld, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let mut asked = SandboxRequest::target(request.method().as_str(), &request.uri().to_string());
    let headers = request.headers().iter();
    asked.headers =
        headers.filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))).collect();
    asked.body = body.to_vec();
    let reply = shared.answer(&asked);
    if reply.delay_ms > 0 {
        tokio::time::sleep(Duration::from_millis(reply.delay_ms)).await;
    }
    respond(reply)
}

fn respond(reply: Reply) -> HttpResponse {
    if reply.dropped {
        // A body that breaks off is as near to a lost connection as a server's own handler comes.
        let broken = futures_util::stream::once(async { Err::<web::Bytes, _>(io::Error::other("dropped")) });
        return HttpResponse::build(StatusCode::OK).no_chunking(1).streaming(broken);
    }
    let mut response =
        HttpResponse::build(StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
    for (name, value) in &reply.headers {
        response.insert_header((name.as_str(), value.as_str()));
    }
    response.body(reply.body)
}

async fn deliver(shared: SharedWorld, http: Arc<dyn Http>) {
    let mut tick = tokio::time::interval(LOOK_EVERY);
    loop {
        tick.tick().await;
        for (whose, push) in shared.take_due() {
            let (shared, http) = (shared.clone(), Arc::clone(&http));
            actix_web::rt::spawn(async move {
                let status = match Url::parse(&push.address) {
                    Ok(url) => {
                        let mut request = OutgoingRequest::new("POST", url);
                        request.headers.clone_from(&push.headers);
                        match tokio::time::timeout(DELIVERY, http.send(request)).await {
                            Ok(Ok(response)) => Some(response.status),
                            Ok(Err(_)) | Err(_) => None,
                        }
                    }
                    Err(_) => Some(400),
                };
                shared.delivered(whose, push, status);
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::*;
    use crate::domain::ports::{Clock, Random};

    struct Still;

    impl Clock for Still {
        fn now(&self) -> DateTime<Utc> {
            DateTime::UNIX_EPOCH
        }
    }

    impl Random for Still {
        fn fill(&self, _: &mut [u8]) {}
    }

    /// Answers with its own root, and tells in a notification what it heard of the one before.
    struct Named(&'static str, Option<u16>);

    impl LookAlike for Named {
        fn root(&self) -> &'static str {
            self.0
        }

        fn answer(&mut self, _: DateTime<Utc>, _: &SandboxRequest) -> Reply {
            Reply::page(200, self.0.to_owned())
        }

        fn seed(&mut self, _: DateTime<Utc>, _: &str, _: &str, events: u64) {
            self.1 = u16::try_from(events).ok();
        }

        fn take_due(&mut self, due: DateTime<Utc>) -> Vec<Push> {
            vec![Push { address: format!("{} {:?}", self.0, self.1), headers: Vec::new(), due, attempt: 0 }]
        }

        fn delivered(&mut self, _: DateTime<Utc>, _: Push, status: Option<u16>) {
            self.1 = status;
        }
    }

    fn two() -> SharedWorld {
        let world = World { clock: Arc::new(Still), random: Arc::new(Still) };
        SharedWorld::new(vec![Box::new(Named("/one", None)), Box::new(Named("/two", None))], world)
    }

    fn told(shared: &SharedWorld) -> Vec<String> {
        shared.take_due().into_iter().map(|(_, push)| push.address).collect()
    }

    #[test]
    fn a_request_is_for_whom_its_path_names_and_else_for_the_first() {
        for (path, root) in [
            ("/two/a?b=/one/", "/two"),
            ("/one/two/a", "/one"),
            ("/", "/one"),
            ("/control/users", "/one"),
            ("/twofold/a", "/one"),
            ("/two", "/one"),
        ] {
            let reply = two().answer(&SandboxRequest::target("GET", path));
            assert_eq!(String::from_utf8(reply.body).expect("text"), root, "{path}");
        }
        let nobody = SharedWorld { look_alikes: Arc::default(), ..two() };
        assert_eq!(nobody.answer(&SandboxRequest::target("GET", "/")).status, 404);
    }

    #[test]
    fn what_a_delivery_came_to_is_told_to_whoever_sent_it() {
        let shared = two();
        let (whose, push) = shared.take_due().pop().expect("a notification");
        shared.delivered(whose, push, Some(503));
        assert_eq!(told(&shared), ["/one None", "/two Some(503)"]);
    }

    #[test]
    fn a_person_lives_at_all_of_them() {
        let shared = two();
        shared.seed("ada@example.com", "Europe/Paris", 84);
        assert_eq!(told(&shared), ["/one Some(84)", "/two Some(84)"]);
    }
}
