//! What a process cost.

use std::process::{Command, Stdio};
use std::time::Instant;

use super::client::Client;
use super::usage;

#[derive(Clone, Copy)]
pub(super) struct Cost {
    cpu: f64,
    wall: f64,
    peak: f64,
}

impl Cost {
    /// Milliseconds, user and system time.
    pub(super) fn cpu(&self) -> f64 {
        self.cpu
    }

    /// Milliseconds from start to end.
    pub(super) fn wall(&self) -> f64 {
        self.wall
    }

    /// MiB.
    pub(super) fn peak(&self) -> f64 {
        self.peak
    }

    pub(super) fn per_user(self, users: u32) -> Self {
        Self { cpu: self.cpu / f64::from(users), wall: self.wall / f64::from(users), ..self }
    }
}

/// Runs a command to its end, and returns what it and its own children cost. A process in between waits for it, since the
/// system knows only the sum, and the largest peak, of all children that a process has waited for.
pub(super) fn measure(command: &Command) -> Cost {
    let own = std::env::current_exe().expect("the path of this program");
    let mut between = Command::new(own);
    between.arg("measure").arg(command.get_program()).args(command.get_args());
    between.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = between.stderr(Stdio::inherit()).output().expect("this program");
    assert!(output.status.success(), "{command:?} failed");
    let text = String::from_utf8(output.stdout).expect("figures");
    let figures: Vec<f64> = text.split_whitespace().map(|figure| figure.parse().expect("a figure")).collect();
    let [cpu, wall, peak] = figures[..] else { panic!("{text}") };
    Cost { cpu, wall, peak }
}

/// The process in between.
pub(super) fn print(program: &str, arguments: &[String]) {
    let began = Instant::now();
    let mut command = Command::new(program);
    let status = command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).status();
    let wall = began.elapsed().as_secs_f64() * 1000.0;
    let status = status.expect("the client");
    assert!(status.success(), "{program} ended with {status}");
    let (cpu, peak) = usage::children();
    println!("{cpu} {wall} {peak}");
}

/// The costs of each client, round by round.
#[derive(Default)]
pub(super) struct Costs(Vec<(Client, Vec<Cost>)>);

impl Costs {
    pub(super) fn push(&mut self, client: &Client, cost: Cost) {
        if let Some((_, costs)) = self.0.iter_mut().find(|(it, _)| it == client) {
            costs.push(cost);
        } else {
            self.0.push((client.clone(), vec![cost]));
        }
    }

    /// Empty where the client is not installed.
    fn of(&self, client: &Client, figure: fn(&Cost) -> f64) -> Vec<f64> {
        let costs = self.0.iter().find(|(it, _)| it == client);
        costs.map_or_else(Vec::new, |(_, costs)| costs.iter().map(figure).collect())
    }

    pub(super) fn median(&self, client: &Client, figure: fn(&Cost) -> f64) -> Option<f64> {
        median(self.of(client, figure))
    }

    /// The figure of a client, divided by that of another in the same round.
    pub(super) fn ratio(&self, client: &Client, other: &Client, figure: fn(&Cost) -> f64) -> Option<f64> {
        quotient(&self.of(client, figure), &self.of(other, figure))
    }

    /// The figure of a client, divided by that of the same client in the same round of other costs.
    pub(super) fn ratio_to(&self, others: &Self, client: &Client, figure: fn(&Cost) -> f64) -> Option<f64> {
        quotient(&self.of(client, figure), &others.of(client, figure))
    }
}

fn quotient(figures: &[f64], others: &[f64]) -> Option<f64> {
    median(figures.iter().zip(others).map(|(figure, other)| figure / other).collect())
}

fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied()
}
