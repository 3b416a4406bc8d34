//! What the program promises, held against the program itself over HTTP: one file a topic.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

#[cfg(unix)]
mod action;
mod answers;
#[cfg(unix)]
mod apache;
mod audit;
#[cfg(unix)]
mod browser;
#[cfg(unix)]
mod cli;
mod closed_pipes;
#[cfg(unix)]
mod completions;
mod connections;
mod credentials;
mod csv;
mod curl;
mod demo;
mod diff;
mod digest;
#[cfg(unix)]
mod docs;
mod doctor;
mod everything;
mod evidence;
mod exits;
mod explain;
mod foreign;
mod formats;
mod github;
mod gitlab;
mod golden;
mod hints;
mod history;
mod html;
mod import;
mod inputs;
#[cfg(unix)]
mod interrupted;
mod inventory;
mod json;
mod judgement;
mod junit;
mod layers;
mod listing;
#[cfg(unix)]
mod locate;
#[cfg(unix)]
mod locate_git;
mod locate_scan;
#[cfg(unix)]
mod man;
mod markdown;
mod merge;
mod ndjson;
mod nodes;
mod order;
mod pack;
mod page;
mod paging;
#[cfg(unix)]
mod plan;
mod plan_letters;
mod plan_loop;
mod plan_scripts;
mod population;
mod prometheus;
mod prune;
mod ratchet;
mod reading;
#[cfg(unix)]
mod readme;
mod replacements;
mod resume;
mod retries;
mod sandbox;
mod sarif;
mod saved_pages;
mod secrets;
mod settings;
mod soak;
mod sockets;
mod sources;
mod stdout;
mod stores;
mod stub;
mod support;
#[cfg(target_os = "linux")]
mod terminal;
mod two_orgs;
#[cfg(target_os = "linux")]
mod unattended;
mod unknown;
mod upgrade;
mod verify;
mod volume;
mod waivers;
mod words;
mod working_folder;
mod world;
#[cfg(unix)]
mod write_errors;
mod xlsx;
