//! An MLflow server, told of a run over its REST interface (`/api/2.0/mlflow`).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use ureq::Agent;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Parameters and metrics of one request, as the server bounds them.
const MOST: [usize; 2] = [100, 1000];
/// Letters of a parameter, as the server bounds them.
const LETTERS: usize = 500;

/// A run on the server.
pub struct MlflowRun {
    agent: Agent,
    server: String,
    run: String,
}

/// Why the server was not told.
#[derive(Debug, thiserror::Error)]
#[error("{url}: {cause}")]
pub struct MlflowError {
    url: String,
    cause: String,
}

impl MlflowRun {
    /// Begins a run of this name in an experiment, which is made where there is none, on the server at an address such as
    /// `http://localhost:5000`.
    ///
    /// # Errors
    /// If the server does not answer, or refuses.
    pub fn begin(server: &str, experiment: &str, name: &str) -> Result<MlflowRun, MlflowError> {
        let agent: Agent =
            Agent::config_builder().timeout_global(Some(PATIENCE)).http_status_as_error(false).build().into();
        let mut begun = MlflowRun { agent, server: server.trim_end_matches('/').to_string(), run: String::new() };
        let query = format!("experiments/get-by-name?experiment_name={}", encoded(experiment));
        let id = match begun.get(&query)?.pointer("/experiment/experiment_id").and_then(Value::as_str) {
            Some(id) => id.to_string(),
            None => begun.text("experiments/create", json!({ "name": experiment }), "/experiment_id")?,
        };
        let tags = json!([{ "key": "mlflow.source.name", "value": "chiaro" }]);
        let run = json!({ "experiment_id": id, "run_name": name, "start_time": now(), "tags": tags });
        begun.run = begun.text("runs/create", run, "/run/info/run_id")?;
        Ok(begun)
    }

    /// Tells what the run is made with.
    ///
    /// # Errors
    /// If the server does not answer, or refuses.
    pub fn parameters(&self, named: &[(String, String)]) -> Result<(), MlflowError> {
        for part in named.chunks(MOST[0]) {
            let short = |text: &String| text.chars().take(LETTERS).collect::<String>();
            let params: Vec<Value> =
                part.iter().map(|(key, value)| json!({ "key": key, "value": short(value) })).collect();
            self.post("runs/log-batch", json!({ "run_id": self.run, "params": params }))?;
        }
        Ok(())
    }

    /// Tells what was measured at a step. What is no number is left out: the server takes none.
    ///
    /// # Errors
    /// If the server does not answer, or refuses.
    pub fn metrics(&self, step: u64, named: &[(String, f64)]) -> Result<(), MlflowError> {
        let known: Vec<&(String, f64)> = named.iter().filter(|(_, value)| value.is_finite()).collect();
        for part in known.chunks(MOST[1]) {
            let metric =
                |(key, value): &&(String, f64)| json!({ "key": key, "value": value, "step": step, "timestamp": now() });
            let metrics: Vec<Value> = part.iter().map(metric).collect();
            self.post("runs/log-batch", json!({ "run_id": self.run, "metrics": metrics }))?;
        }
        Ok(())
    }

    /// Ends the run: `FINISHED`, `FAILED` or `KILLED`.
    ///
    /// # Errors
    /// If the server does not answer, or refuses.
    pub fn end(&self, status: &str) -> Result<(), MlflowError> {
        self.post("runs/update", json!({ "run_id": self.run, "status": status, "end_time": now() })).map(|_| ())
    }

    fn text(&self, path: &str, body: Value, pointer: &str) -> Result<String, MlflowError> {
        let answer = self.post(path, body)?;
        let found = answer.pointer(pointer).and_then(Value::as_str).map(str::to_string);
        found.ok_or_else(|| self.error(path, format!("the answer has no {pointer}: {answer}")))
    }

    fn post(&self, path: &str, body: Value) -> Result<Value, MlflowError> {
        let request = self.agent.post(self.url(path)).header("content-type", "application/json");
        let mut answer = request.send(body.to_string()).map_err(|cause| self.error(path, cause.to_string()))?;
        let (status, text) = (answer.status(), answer.body_mut().read_to_string().unwrap_or_default());
        if !status.is_success() {
            return Err(self.error(path, format!("it answers {status}: {}", text.trim())));
        }
        serde_json::from_str(if text.is_empty() { "{}" } else { &text })
            .map_err(|_| self.error(path, "its answer is no JSON: is this an MLflow server?".to_string()))
    }

    /// Of what is not there the answer is empty.
    fn get(&self, path: &str) -> Result<Value, MlflowError> {
        let answer = self.agent.get(self.url(path)).call();
        let mut answer = answer.map_err(|cause| self.error(path, cause.to_string()))?;
        let text = answer.body_mut().read_to_string().unwrap_or_default();
        Ok(serde_json::from_str(&text).unwrap_or_default())
    }

    fn url(&self, path: &str) -> String {
        format!("{}/api/2.0/mlflow/{path}", self.server)
    }

    fn error(&self, path: &str, cause: String) -> MlflowError {
        MlflowError { url: self.url(path), cause }
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis() as u64)
}

/// A text within an address.
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_within_an_address() {
        assert_eq!(encoded("a b/ü&-"), "a%20b%2F%C3%BC%26-");
    }

    #[test]
    fn a_server_that_is_not_there_is_named() {
        // A port that nobody listens on.
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let server = format!("http://{}", free.local_addr().expect("an address"));
        drop(free);
        let error = MlflowRun::begin(&server, "chiaro", "train").err().expect("nobody answers").to_string();
        assert!(error.starts_with(&format!("{server}/api/2.0/mlflow/experiments/get-by-name")), "{error}");
    }
}
