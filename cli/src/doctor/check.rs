//! One thing that was looked at.

use serde_json::{Value, json};

/// What to think of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Ok,
    Note,
    Problem,
}

impl Verdict {
    fn name(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Note => "note",
            Verdict::Problem => "problem",
        }
    }
}

/// What was found, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) verdict: Verdict,
    pub(super) text: String,
    pub(super) advice: Option<String>,
}

impl Check {
    pub(super) fn ok(name: &'static str, text: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Ok, text: text.into(), advice: None }
    }

    pub(super) fn note(name: &'static str, text: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Note, text: text.into(), advice: Some(advice.into()) }
    }

    pub(super) fn problem(name: &'static str, text: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Problem, text: text.into(), advice: Some(advice.into()) }
    }

    /// For people: the verdict, and below it what to do.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("  {:<8} {:<14} {}", self.verdict.name(), self.name, self.text)];
        lines.extend(self.advice.iter().map(|advice| format!("  {:<8} {:<14} -> {advice}", "", "")));
        lines
    }

    pub(super) fn document(&self, about: &str) -> Value {
        json!({
            "about": about, "name": self.name, "verdict": self.verdict.name(), "text": self.text,
            "advice": self.advice,
        })
    }
}
