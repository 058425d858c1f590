//! A look-alike behind a port: HTTP in, notifications out.

use std::{
    io,
    net::TcpListener,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, dev::Server, http::StatusCode, web};
use url::Url;

use super::{
    google::GoogleLookAlike,
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

/// A world that requests and deliveries share.
#[derive(Clone)]
pub struct SharedWorld {
    google: Arc<Mutex<GoogleLookAlike>>,
    world: World,
}

impl SharedWorld {
    /// Shares a world.
    #[must_use]
    pub fn new(google: GoogleLookAlike, world: World) -> Self {
        Self { google: Arc::new(Mutex::new(google)), world }
    }

    /// The world, for whoever seeds it.
    pub fn google(&self) -> MutexGuard<'_, GoogleLookAlike> {
        self.google.lock().unwrap_or_else(PoisonError::into_inner)
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
    let reply = {
        let now = shared.world.now();
        shared.google().answer(now, &asked)
    };
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
        let due = {
            let now = shared.world.now();
            shared.google().take_due(now)
        };
        for push in due {
            let (shared, http) = (shared.clone(), Arc::clone(&http));
            actix_web::rt::spawn(async move {
                let status = match Url::parse(&push.address) {
                    Ok(url) => {
                        let mut request = OutgoingRequest::new("POST", url);
                        request.headers =
                            push.headers.iter().map(|(name, value)| (header(name), value.clone())).collect();
                        match tokio::time::timeout(DELIVERY, http.send(request)).await {
                            Ok(Ok(response)) => Some(response.status),
                            Ok(Err(_)) | Err(_) => None,
                        }
                    }
                    Err(_) => Some(400),
                };
                let now = shared.world.now();
                shared.google().delivered(now, push, status);
            });
        }
    }
}

/// The names that notifications have.
fn header(name: &str) -> &'static str {
    const NAMES: [&str; 7] = [
        "X-Goog-Channel-ID",
        "X-Goog-Message-Number",
        "X-Goog-Resource-ID",
        "X-Goog-Resource-State",
        "X-Goog-Resource-URI",
        "X-Goog-Channel-Expiration",
        "X-Goog-Channel-Token",
    ];
    NAMES.iter().find(|held| **held == name).copied().unwrap_or("X-Unknown")
}
