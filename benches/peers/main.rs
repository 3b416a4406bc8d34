//! The same audit by other programs, in one run: a bare loop with the HTTP stack of this program, a Go client with the
//! algorithm of the vendor's digest library, httpx, and curl with xargs. A program that is not installed is named and left
//! out. `cargo bench --bench peers -- clients https memory import` prints a table for each word, or all without a word;
//! docs/benchmarks.md has the numbers.
//!
//! The sandbox and each client are processes of their own. The runs of all clients alternate, so that other load on the
//! machine affects them alike, and a ratio is the median of the ratios of each round.

#![expect(clippy::print_stdout, reason = "a benchmark prints")]

mod bare;
mod client;
mod cost;
mod deployment;
mod gateway;
#[path = "../tables/mod.rs"]
mod tables;
#[path = "../usage/mod.rs"]
mod usage;

use std::process::Command;

use tempfile::TempDir;

use self::client::Client;
use self::cost::{Cost, Costs};
use self::deployment::Deployment;
use self::gateway::Gateway;

const IN_FLIGHT: usize = 32;
const ROUNDS: usize = 5;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments[..] {
        // This program as a client, and as what measures one.
        [word, url] if word == "bare" => bare::audit(url),
        [word, program, rest @ ..] if word == "measure" => cost::print(program, rest),
        _ => tables::print(&[("clients", clients), ("https", https), ("memory", memory), ("import", import)]),
    }
}

fn clients() {
    let folder = TempDir::new().expect("a folder");
    let mut costs = Costs::default();
    let clients = Client::installed(folder.path());
    for round in 0..ROUNDS {
        // The others take minutes for 20,000 users.
        for client in clients.iter().filter(|client| round == 0 || client.is_fast()) {
            let deployment = Deployment::start(client.users());
            let command = client.command(&deployment, &deployment.url, folder.path());
            costs.push(client, cost::measure(&command).per_user(client.users()));
        }
    }
    tables::heading(&[
        "client",
        "users",
        "CPU per user",
        "duration per user",
        "peak memory",
        "CPU : Go",
        "CPU : bare loop",
        "duration : Go",
    ]);
    let cell = |figure: Option<f64>, digits, unit| {
        figure.map_or_else(String::new, |it| format!("{it:.digits$}{unit}"))
    };
    for client in &clients {
        tables::row(&[
            client.name(),
            client.users().to_string(),
            cell(costs.median(client, Cost::cpu), 4, " ms"),
            cell(costs.median(client, Cost::wall), 4, " ms"),
            cell(costs.median(client, Cost::peak), 1, " MiB"),
            cell(costs.ratio(client, &Client::Go, Cost::cpu), 2, ""),
            cell(costs.ratio(client, &Client::Bare, Cost::cpu), 2, ""),
            cell(costs.ratio(client, &Client::Go, Cost::wall), 2, ""),
        ]);
    }
    tables::aims();
    for client in [Client::DEFAULT, Client::ALL_FORMATS] {
        let aim = |what: &str, before: &str, ratio: Option<f64>, most: f64| {
            tables::aim(&format!("{}: {what}", client.name()), before, ratio, " ×", ..=most);
        };
        let go = |figure| costs.ratio(&client, &Client::Go, figure);
        let bare = costs.ratio(&client, &Client::Bare, Cost::cpu);
        aim("CPU, compared with Go", "0.91 ×", go(Cost::cpu), 0.6);
        aim("CPU, compared with the bare loop", "2.9 to 3.4 ×", bare, 1.8);
        aim("duration without latency, compared with Go", "1.3 ×", go(Cost::wall), 0.8);
    }
}

/// nginx is in front of the sandbox in both cases, so that TLS is the only difference.
fn https() {
    let folder = TempDir::new().expect("a folder");
    let deployment = Deployment::start(client::USERS);
    let Some(gateway) = Gateway::start(folder.path(), &deployment) else {
        return println!("\nHTTPS: left out, since nginx or openssl is missing");
    };
    let mut clients = Client::installed(folder.path());
    clients.retain(|client| [Client::DEFAULT, Client::Go, Client::Bare].contains(client));
    let (mut http, mut https) = (Costs::default(), Costs::default());
    for _ in 0..ROUNDS {
        for client in &clients {
            for (url, costs) in [(&gateway.http, &mut http), (&gateway.https, &mut https)] {
                let mut command = client.command(&deployment, url, folder.path());
                costs.push(client, cost::measure(command.env("SSL_CERT_FILE", &gateway.certificate)));
            }
        }
    }
    tables::aims();
    let ratio = |client| https.ratio_to(&http, client, Cost::cpu);
    let what = |client: &Client| format!("{}: CPU with HTTPS, compared with HTTP", client.name());
    tables::aim(&what(&Client::DEFAULT), "1.01 ×", ratio(&Client::DEFAULT), " ×", ..=1.05);
    tables::aim(&what(&Client::Go), "1.17 ×", ratio(&Client::Go), " ×", ..);
    tables::aim(&what(&Client::Bare), "1.3 ×", ratio(&Client::Bare), " ×", ..);
}

/// One run each: peaks hardly differ.
fn memory() {
    let folder = TempDir::new().expect("a folder");
    let clients = Client::installed(folder.path());
    let peak = |client: &Client, users| {
        let deployment = Deployment::start(users);
        let command = client.command(&deployment, &deployment.url, folder.path());
        clients.contains(client).then(|| cost::measure(&command).peak())
    };
    tables::aims();
    let (few, many) = (peak(&Client::DEFAULT, 10_000), peak(&Client::DEFAULT, 1_000_000));
    let growth = many.zip(few).map(|(many, few)| many / few);
    tables::aim("keysunset: peak memory, 1,000,000 users", "20 MiB", many, " MiB", ..=32.0);
    tables::aim("keysunset: the same, compared with 10,000 users", "1.05 ×", growth, " ×", ..=1.1);
    tables::aim("Go: peak memory, 1,000,000 users", "57 MiB", peak(&Client::Go, 1_000_000), " MiB", ..);
}

/// Files of one saved response each.
fn import() {
    let peak = |files: u32| {
        let folder = TempDir::new().expect("a folder");
        let pages = folder.path().join("pages");
        std::fs::create_dir(&pages).expect("a folder");
        for number in 0..files {
            let id = format!("{number:024x}");
            let page = format!(
                r#"{{"links":[{{"href":"http://om.example:8080/api/public/v1.0/users/{id}/keys","rel":"self"}}],"results":[{{
                "id":"{id}","userId":"{id}","description":"ci","enabled":true,"createdAt":"2018-07-07T22:34:21Z",
                "lastUsed":"2020-08-06T17:56:04Z","usedCount":7,"key":"********-****-****-****-{number:012x}"
                }}],"totalCount":1}}"#
            );
            std::fs::write(pages.join(format!("{id}.json")), page).expect("a file");
        }
        let mut command = Command::new(env!("CARGO_BIN_EXE_keysunset"));
        command.args(["import", "--quiet", "--exit-zero", "--format", "csv"]).arg(&pages);
        cost::measure(command.arg("--out").arg(folder.path().join("reports"))).peak()
    };
    let (few, many) = (peak(10_000), peak(100_000));
    tables::aims();
    tables::aim("import of 100,000 files: peak memory", "104 MiB", Some(many), " MiB", ..=64.0);
    tables::aim("the same, compared with 10,000 files", "4.7 ×", Some(many / few), " ×", ..=1.1);
}
