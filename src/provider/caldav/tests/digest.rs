//! Servers that want the password proven and not sent (RFC 7616).

use super::*;
use crate::domain::failure::FailureClass;

const CHALLENGE: &str = "Digest realm=\"Baikal\", qop=\"auth\", nonce=\"n1\", opaque=\"o\"";

fn listing() -> Step {
    let props = "<d:resourcetype><d:collection/><c:calendar/></d:resourcetype><d:sync-token>t</d:sync-token>";
    on("PROPFIND", HOME, 207, multi(&[row(OFFICE, props)], None))
}

fn refusal(challenge: &str) -> Step {
    on("PROPFIND", HOME, 401, "").header("www-authenticate", challenge)
}

/// How each request was proven.
fn proofs(script: &Script) -> Vec<&'static str> {
    let proof = |request: OutgoingRequest| match request.credential {
        Some(Credential::Basic { .. }) => "basic",
        Some(Credential::Digest(_)) => "digest",
        Some(Credential::Bearer(_)) => "bearer",
        None => "none",
    };
    script.sent().into_iter().map(proof).collect()
}

#[tokio::test]
async fn a_server_that_asks_for_digest_is_answered_so_from_then_on() {
    let (account, script) = settled(vec![refusal(CHALLENGE), listing(), listing()]);
    assert_eq!(account.calendars().await.expect("calendars").len(), 1);
    assert_eq!(account.calendars().await.expect("calendars").len(), 1);
    assert_eq!(proofs(&script), ["basic", "digest", "digest"]);
    let Some(Credential::Digest(digest)) = &script.sent()[1].credential else { panic!("not proven") };
    let answer = digest.authorization("PROPFIND", &Url::parse(HOME).expect("a URL")).expect("a challenge");
    assert!(
        answer.contains("username=\"ada\"") && answer.contains("uri=\"/home/ada/\"") && !answer.contains("secret"),
        "{answer}"
    );
    script.finished();
}

#[tokio::test]
async fn a_wrong_password_is_tried_once_and_a_stale_challenge_is_not_a_wrong_password() {
    let (account, script) = settled(vec![refusal(CHALLENGE), refusal(&CHALLENGE.replace("n1", "n2"))]);
    assert_eq!(account.calendars().await.expect_err("refused").class, FailureClass::Unauthorised);
    script.finished();
    let stale = format!("{}, stale=true", CHALLENGE.replace("n1", "n2"));
    let (account, script) = settled(vec![refusal(CHALLENGE), refusal(&stale), listing()]);
    assert_eq!(account.calendars().await.expect("calendars").len(), 1);
    script.finished();
    let (account, script) = settled(vec![refusal(CHALLENGE), refusal(&stale), refusal(&stale)]);
    assert_eq!(account.calendars().await.expect_err("for ever stale").class, FailureClass::Unauthorised);
    script.finished();
}

#[tokio::test]
async fn a_server_that_takes_basic_too_has_refused_the_password() {
    let both = format!("Basic realm=\"x\", {CHALLENGE}");
    let (account, script) = settled(vec![refusal(&both)]);
    assert_eq!(account.calendars().await.expect_err("refused").class, FailureClass::Unauthorised);
    script.finished();
}

#[tokio::test]
async fn a_way_to_prove_oneself_that_we_do_not_have_is_named() {
    for (challenge, named) in
        [("Negotiate", "negotiate"), ("Digest realm=\"x\", nonce=\"1\", algorithm=SHA-9", "digest")]
    {
        let (account, script) = settled(vec![on("REPORT", OFFICE, 401, "").header("www-authenticate", challenge)]);
        let error = pull(&account, None, false, &Held::default()).await.expect_err("refused");
        assert!(error.detail.contains(named), "{}", error.detail);
        script.finished();
    }
}

#[tokio::test]
async fn a_challenge_from_elsewhere_is_not_answered() {
    let elsewhere = on("REPORT", OFFICE, 401, "").header("www-authenticate", CHALLENGE);
    let (account, script) = settled(vec![elsewhere.from("https://eve.example.net/home/ada/office/")]);
    let error = pull(&account, None, false, &Held::default()).await.expect_err("not to be sent the password");
    assert_eq!(error.class, FailureClass::Forbidden);
    assert_eq!(proofs(&script), ["basic"]);
    script.finished();
}
