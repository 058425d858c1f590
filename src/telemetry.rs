//! Logs and metrics: set up once, at the start of the program.
//!
//! **Invariant:** no filter makes a library print a request's headers, a query's values or a key: those libraries are
//! kept at the level where they report failures alone.

use std::io;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use tracing::Subscriber;
use tracing_subscriber::{EnvFilter, fmt::MakeWriter, util::SubscriberInitExt as _};

use crate::config::LogFormat;

/// Libraries that print what they carry at their finer levels.
const QUIET: &[&str] = &[
    "actix_http=info",
    "diesel=info",
    "diesel_async=info",
    "h2=info",
    "hyper=info",
    "hyper_util=info",
    "oauth2=info",
    "reqwest=info",
    "rustls=info",
    "tokio_postgres=info",
];

/// Upper bounds of the buckets of every `…_seconds` histogram, from a cached answer to a round at its time limit.
const SECONDS_BUCKETS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0];

/// Why logs or metrics could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter is none.
    #[error("log: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// There is a log already.
    #[error("the log was set up twice")]
    LogTwice,
    /// The buckets are none, or there are metrics already.
    #[error("metrics: {0}")]
    Metrics(#[from] BuildError),
}

/// Sends the log to standard error, where it does not mix with what a command answers.
pub fn init_log(filter: &str, format: LogFormat) -> Result<(), TelemetryError> {
    subscriber(filter, format, io::stderr)?.try_init().map_err(|_| TelemetryError::LogTwice)
}

fn subscriber<W>(filter: &str, format: LogFormat, to: W) -> Result<Box<dyn Subscriber + Send + Sync>, TelemetryError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let mut filter = EnvFilter::try_new(filter)?;
    for directive in QUIET {
        filter = filter.add_directive(directive.parse()?);
    }
    // A line that cannot be written, as on a full disk, is lost: to complain about it would be a panic.
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(to).log_internal_errors(false);
    Ok(match format {
        LogFormat::Text => Box::new(log.with_ansi(false).finish()),
        LogFormat::Json => Box::new(log.json().flatten_event(true).with_span_list(false).finish()),
    })
}

/// The metrics of this process, as text for Prometheus.
#[derive(Clone, Debug)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// Makes every `metrics` macro of the process count here; works once.
    pub fn install() -> Result<Self, TelemetryError> {
        let recorder = recorder()?;
        let handle = recorder.handle();
        metrics::set_global_recorder(recorder).map_err(BuildError::from)?;
        Ok(Self(handle))
    }

    /// The exposition text (Prometheus format 0.0.4).
    #[must_use]
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Folds what was measured into its buckets; to be called every few seconds, for without a scrape it would pile up.
    pub fn upkeep(&self) {
        self.0.run_upkeep();
    }
}

fn recorder() -> Result<PrometheusRecorder, BuildError> {
    let seconds = Matcher::Suffix("_seconds".to_owned());
    Ok(PrometheusBuilder::new().set_buckets_for_metric(seconds, SECONDS_BUCKETS)?.build_recorder())
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("a page").extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(filter: &str, format: LogFormat, work: impl FnOnce()) -> String {
        let page = Page::default();
        let to = page.clone();
        let subscriber = subscriber(filter, format, move || to.clone()).expect("a subscriber");
        tracing::subscriber::with_default(subscriber, work);
        let bytes = page.0.lock().expect("a page").clone();
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn a_line_of_json_carries_the_message_and_the_fields_of_its_span() {
        let line = logged("info", LogFormat::Json, || {
            let _round = tracing::info_span!("round", account.id = "a1").entered();
            tracing::info!(events = 3, "round finished");
            tracing::debug!("unseen");
        });
        let json: serde_json::Value = serde_json::from_str(line.trim()).expect("one line of JSON");
        assert_eq!(json["message"], "round finished");
        assert_eq!(json["events"], 3);
        assert_eq!(json["span"]["account.id"], "a1");
    }

    #[test]
    fn a_line_of_text_is_plain() {
        let line = logged("info", LogFormat::Text, || tracing::warn!(account.id = "a1", "round failed"));
        assert!(line.contains("WARN") && line.contains("round failed account.id=\"a1\""), "{line}");
        assert!(!line.contains('\u{1b}'), "no colours: {line:?}");
    }

    #[test]
    fn no_filter_opens_the_libraries_that_print_headers() {
        for filter in ["trace", "h2=trace", "trace,hyper=trace"] {
            let text = logged(filter, LogFormat::Text, || {
                tracing::trace!(target: "calwarden", "ours");
                tracing::trace!(target: "h2::codec", "authorization: Basic");
                tracing::debug!(target: "hyper::proto", "authorization: Basic");
            });
            assert!(!text.contains("authorization"), "{filter}: {text}");
            assert_eq!(text.contains("ours"), filter.contains("trace,") || filter == "trace", "{filter}: {text}");
        }
    }

    #[test]
    fn metrics_render_with_buckets() {
        let recorder = recorder().expect("a recorder");
        let metrics = Metrics(recorder.handle());
        metrics::with_local_recorder(&recorder, || {
            metrics::counter!("calwarden_rounds_total", "outcome" => "ok").increment(2);
            metrics::histogram!("calwarden_round_seconds").record(0.3);
        });
        metrics.upkeep();
        let text = metrics.render();
        assert!(text.contains("calwarden_rounds_total{outcome=\"ok\"} 2"), "{text}");
        assert!(text.contains("calwarden_round_seconds_bucket{le=\"0.5\"} 1"), "{text}");
    }

    #[test]
    fn a_filter_that_is_none_is_reported() {
        assert!(matches!(subscriber("calwarden=loud", LogFormat::Text, io::sink), Err(TelemetryError::Filter(_))));
    }
}
