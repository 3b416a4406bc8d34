//! A job that uses `action.yml`, as one of these tests runs it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use keysunset_sandbox::Sandbox;

use crate::support::{CliOutput, TestEnv};

pub(super) const ACTION: &str = include_str!("../../../action.yml");
pub(super) const AUDIT: &str = "Audit";
const END: &str = "End with the audit's exit code";
pub(super) const VERSION: &str = "Compute the cache key of this version";

/// The text of a step, without the comments between it and the next.
pub(super) fn step(name: &str) -> &'static str {
    let (_, steps) = ACTION.split_once("\n  steps:\n").unwrap();
    let mut steps = steps.split("    - name: ").skip(1);
    steps.find(|step| step.lines().next() == Some(name)).unwrap()
}

/// The script of a step.
pub(super) fn script(step: &str) -> String {
    let (_, rest) = step.split_once("      run: |\n").unwrap();
    let inside = rest.lines().take_while(|line| line.is_empty() || line.starts_with("        "));
    inside.flat_map(|line| [line.get(8..).unwrap_or_default(), "\n"]).collect()
}

/// Each input with its default.
pub(super) fn defaults() -> BTreeMap<String, String> {
    let (_, inputs) = ACTION.split_once("\ninputs:\n").unwrap();
    let (inputs, _) = inputs.split_once("\n\n").unwrap();
    let mut found = BTreeMap::new();
    let mut name = "";
    for line in inputs.lines() {
        if let Some(default) = line.strip_prefix("    default: ") {
            found.insert(name.to_owned(), default.trim_matches('\'').to_owned());
        } else if let Some(input) = line.strip_prefix("  ").and_then(|line| line.strip_suffix(':')) {
            name = input;
        }
    }
    found
}

/// A job that uses the action.
pub(super) struct Job {
    pub(super) env: TestEnv,
    pub(super) inputs: BTreeMap<String, String>,
}

/// What came of it.
pub(super) struct Done {
    pub(super) audit: CliOutput,
    pub(super) outputs: BTreeMap<String, String>,
    /// What the action ends with.
    pub(super) code: i32,
    pub(super) said: String,
}

impl Job {
    pub(super) fn new() -> Self {
        let binaries = Path::new(env!("CARGO_BIN_EXE_keysunset")).parent().unwrap();
        let path = format!("{}:{}", binaries.display(), std::env::var("PATH").unwrap());
        let env = TestEnv::empty().with("PATH", &path).with("GITHUB_OUTPUT", "output");
        let inputs = defaults();
        assert!(inputs.len() > 15, "{inputs:?}");
        Self { env, inputs }.input("formats", "csv,markdown")
    }

    /// An audit of everybody there.
    pub(super) fn at(sandbox: &Sandbox) -> Self {
        let announced = sandbox.announcement();
        Self::new()
            .input("url", &announced.url)
            .input("public-key", &announced.public_key)
            .input("private-key", &announced.private_key)
            .input("all-orgs", "true")
            .input("args", "--retries 0")
    }

    /// A program in the place of keysunset that writes down its words and variables, and ends with this code.
    pub(super) fn recorded(code: i32) -> Self {
        let job = Self::new().input("binary", "./recorder");
        job.env.put(
            "recorder",
            format!("#!/bin/sh\nprintf '%s\\n' \"$@\" >words\nenv >variables\nexit {code}\n"),
        );
        let made = Command::new("chmod").arg("+x").arg(job.env.path("recorder")).status();
        assert!(made.unwrap().success());
        job
    }

    pub(super) fn input(mut self, name: &str, value: &str) -> Self {
        assert!(self.inputs.insert(name.to_owned(), value.to_owned()).is_some(), "no input {name}");
        self
    }

    pub(super) fn variable(mut self, name: &str, value: &str) -> Self {
        self.env = self.env.with(name, value);
        self
    }

    pub(super) fn bash(&self, step: &str, variables: &[(String, String)]) -> CliOutput {
        // As GitHub has it: `shell: bash`.
        let mut bash = Command::new("bash");
        bash.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", &script(step)]);
        // The desk clears the environment of what it starts.
        let mut env = Command::new("env");
        env.args(variables.iter().map(|(name, value)| format!("{name}={value}")));
        env.arg(bash.get_program()).args(bash.get_args());
        CliOutput::of(self.env.start(&mut env))
    }

    pub(super) fn run(&self) -> Done {
        self.env.put("output", "");
        let audit = step(AUDIT);
        let (_, wired) = audit.split_once("      env:\n").unwrap();
        let wired =
            wired.lines().map_while(|line| line.strip_prefix("        ")?.split_once(": ${{ inputs."));
        let variables: Vec<_> = wired
            .map(|(name, input)| (name.to_owned(), self.inputs[input.strip_suffix(" }}").unwrap()].clone()))
            .collect();
        let audit = self.bash(audit, &variables);
        assert_eq!(audit.code, 0, "the last step ends with the code: {audit:?}");
        let text = self.env.text("output");
        let pair = |line: &str| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        let outputs: BTreeMap<_, _> = text.lines().map(|line| pair(line).unwrap()).collect();
        let end = self.bash(step(END), &[("EXIT_CODE".to_owned(), outputs["exit-code"].clone())]);
        Done { audit, outputs, code: end.code, said: end.stdout }
    }

    /// The words that the program got.
    pub(super) fn words(&self) -> Vec<String> {
        self.run();
        self.env.text("words").lines().map(str::to_owned).collect()
    }
}
