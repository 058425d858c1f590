//! The release binary while a long list is planned: it answers everybody else, and it stops when it is told to.

use futures_util::future::join_all;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::service::Service;

/// How often the service is asked whether it lives, while plans are made.
const LOOKS: usize = 20;
/// Callers that ask for plans at the same time, each for another person's.
const CALLERS: usize = 4;

/// Somebody with a hundred tasks, nine to five, whose plan never ended once.
async fn person(service: &Service, user: &str) {
    let body = json!({"name": "Somebody", "time_zone": "UTC"});
    service.ok("PUT", &format!("/v1/users/{user}"), Some(body)).await;
    let days = ["mon", "tue", "wed", "thu", "fri"].map(|day| (day.to_owned(), json!([["09:00", "17:00"]])));
    let weekly = Value::Object(days.into_iter().collect());
    let rules = json!({"hours": {"work": {"weekly": weekly}}});
    service.ok("PUT", &format!("/v1/users/{user}/planning"), Some(rules)).await;
    let tasks: Vec<Value> =
        serde_json::from_str(include_str!("../../fixtures/planning/never_planned.json")).expect("tasks");
    for mut task in tasks {
        task["user_id"] = json!(user);
        service.ok("POST", "/v1/tasks", Some(task)).await;
    }
}

#[tokio::test]
async fn plans_of_long_lists_hold_up_nobody_and_no_stop() {
    let mut service = Service::start();
    let users: Vec<String> = (0..CALLERS).map(|at| format!("user-{at}")).collect();
    for user in &users {
        person(&service, user).await;
    }
    let plan = |user: &str| service.try_send("POST", "/v1/schedule", Some(json!({ "user_id": user })));
    let plans = join_all(users.iter().flat_map(|user| [plan(user), plan(user)]));
    let looks = async {
        for _ in 0..LOOKS {
            assert_eq!(service.send("GET", "/health/live", None).await.0, StatusCode::OK);
            assert_eq!(service.send("GET", "/v1/tasks?user_id=user-0", None).await.0, StatusCode::OK);
        }
    };
    let (plans, ()) = tokio::join!(plans, looks);
    for answer in plans {
        let (status, plan) = answer.expect("an answer");
        assert_eq!(status, StatusCode::OK, "{plan}");
        let changes = plan["proposal"]["changes"].as_array().map_or(0, Vec::len);
        assert!(changes > 20 && plan["unplaced_count"].as_u64() > Some(0), "{plan}");
    }
    // A stop in the middle of another.
    let stop = async { service.signal("TERM") };
    let (answer, ()) = tokio::join!(plan("user-0"), stop);
    if let Ok((status, plan)) = answer {
        assert!(matches!(status, StatusCode::OK | StatusCode::SERVICE_UNAVAILABLE), "{status} {plan}");
    }
    assert!(service.ended(), "SIGTERM ends it\n{}", service.logged());
    assert!(!service.logged().contains("panicked"), "{}", service.logged());
}
