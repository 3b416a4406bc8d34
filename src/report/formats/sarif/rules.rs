//! The SARIF tool component: a rule for each verdict, with the steps to fix it, and the descriptors of notifications.

use serde_json::{Value, json};

use crate::policy::Verdict;
use crate::report::WaiverIssueKind;
use crate::report::wording::Unknown;

/// The texts of a rule, without braces and links.
struct Rule {
    name: &'static str,
    short: &'static str,
    full: &'static str,
    help: &'static str,
    /// Of an enabled key.
    level: &'static str,
    /// By GitHub's bands: from 7.0 high, from 4.0 medium, below low. It knows one for all results of a rule; a key in use and a
    /// disabled one differ in level and rank.
    security_severity: &'static str,
}

const fn rule(verdict: Verdict) -> Rule {
    match verdict {
        Verdict::UsedAfterCutoff => Rule {
            name: "UsedAfterCutoff",
            short: "A deprecated personal API key was used after the cutoff",
            full: "The personal API key was last used at or after the cutoff. Anything that uses it stops working when personal \
                   keys are removed, for example by the upgrade to Ops Manager 5.0.",
            help: "Find the client that uses the key: ask the owner, read the description, and search scripts and configuration \
                   files for the last 12 digits of the key. Create a programmatic API key with least privilege, add the \
                   client's IP address to its access list, and switch the client to it. Check that the last use of the \
                   personal key no longer changes, then disable and delete the personal key.",
            level: "error",
            security_severity: "8.0",
        },
        Verdict::NotUsedSinceCutoff => Rule {
            name: "NotUsedSinceCutoff",
            short: "A deprecated personal API key was not used since the cutoff",
            full: "The personal API key was last used before the cutoff. An enabled key still gives access with all roles of \
                   its owner.",
            help: "Ask the owner. Disable the key, wait until all regular jobs have run once, also yearly ones, then delete it.",
            level: "note",
            security_severity: "3.0",
        },
        Verdict::NeverUsed => Rule {
            name: "NeverUsed",
            short: "A deprecated personal API key was never used",
            full: "The service returns no last use and a use count of 0. An enabled key still gives access with all roles of \
                   its owner.",
            help: "Disable the key, wait, then delete it. If it was created for a future use, create a programmatic API key \
                   for that use.",
            level: "note",
            security_severity: "3.0",
        },
        Verdict::UsageUnknown => Rule {
            name: "UsageUnknown",
            short: "The last use of a deprecated personal API key is unknown",
            full: "The service returns no last use of the personal API key, and its use count is above 0 or missing. The key \
                   may be in use.",
            help: "Ask the owner, and search scripts and configuration files for the last 12 digits of the key. Treat the key \
                   as in use: replace it with a programmatic API key, or disable it and wait, then delete it.",
            level: "warning",
            security_severity: "5.0",
        },
    }
}

/// The texts of a kind of notification.
struct Texts {
    id: &'static str,
    name: &'static str,
    short: &'static str,
    help: &'static str,
}

/// The kinds of notifications.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotificationKind {
    /// Something could not be read.
    Unknown(Unknown),
    /// More of these than the file lists.
    More,
    /// Results are missing from the file.
    LeftOut,
    /// A waiver with a problem.
    Waiver(WaiverIssueKind),
}

impl NotificationKind {
    const ALL: [Self; 9] = [
        Self::Unknown(Unknown::User),
        Self::Unknown(Unknown::List),
        Self::Unknown(Unknown::Run),
        Self::More,
        Self::LeftOut,
        Self::Waiver(WaiverIssueKind::Expired),
        Self::Waiver(WaiverIssueKind::Ending),
        Self::Waiver(WaiverIssueKind::Unmatched),
        Self::Waiver(WaiverIssueKind::SeveralDeployments),
    ];

    const fn texts(self) -> Texts {
        match self {
            Self::Unknown(Unknown::User) => Texts {
                id: Unknown::User.name(),
                name: "UnreadableUser",
                short: "A user could not be read completely",
                help: "There may be personal API keys of this user that are not reported. migration-report.md lists an \
                       action for each status.",
            },
            Self::Unknown(Unknown::List) => Texts {
                id: Unknown::List.name(),
                name: "UnlistedUsers",
                short: "A list of users is incomplete",
                help: "Users may be missing from the run. Check the roles of the credential, then run the audit again.",
            },
            Self::Unknown(Unknown::Run) => Texts {
                id: Unknown::Run.name(),
                name: "RunCutShort",
                short: "The run ended before all users were discovered and read",
                help: "Run the same command with --resume to continue.",
            },
            Self::More => Texts {
                id: "more-unreadable",
                name: "MoreUnreadable",
                short: "More users or lists could not be read than this file lists",
                help: "keys.csv lists all of them.",
            },
            Self::LeftOut => Texts {
                id: "results-left-out",
                name: "ResultsLeftOut",
                short: "The least severe results are left out",
                help: "Code scanning limits the number of results. keys.csv lists all keys.",
            },
            Self::Waiver(kind) => waiver_texts(kind),
        }
    }

    fn descriptor(self) -> Value {
        let Texts { id, name, short, help } = self.texts();
        descriptor(id, name, short, &format!("{short}."), help)
    }
}

const fn waiver_texts(kind: WaiverIssueKind) -> Texts {
    match kind {
        WaiverIssueKind::Expired => Texts {
            id: "waiver-expired",
            name: "WaiverExpired",
            short: "A waiver has expired",
            help: "Delete the key, or renew the waiver.",
        },
        WaiverIssueKind::Ending => Texts {
            id: "waiver-ending",
            name: "WaiverEnding",
            short: "A waiver expires within 14 days",
            help: "Delete the key before that day, or renew the waiver.",
        },
        WaiverIssueKind::Unmatched => Texts {
            id: "waiver-unmatched",
            name: "WaiverUnmatched",
            short: "A waiver matches no key, no unread user and no incomplete list",
            help: "Remove the waiver, or correct the key, user or organization that it names.",
        },
        WaiverIssueKind::SeveralDeployments => Texts {
            id: "waiver-several-deployments",
            name: "WaiverSeveralDeployments",
            short: "A waiver applies to several deployments",
            help: "Add the field deployment to limit the waiver to one deployment.",
        },
    }
}

/// The reference from a notification to its descriptor.
pub(super) fn reference(kind: NotificationKind) -> Value {
    json!({ "id": kind.texts().id, "index": NotificationKind::ALL.iter().position(|it| *it == kind) })
}

/// The tool with its rules, in the order of the verdicts.
pub(super) fn tool() -> Value {
    let rules: Vec<_> = Verdict::ALL.iter().map(|verdict| rule_descriptor(*verdict)).collect();
    let notifications: Vec<_> = NotificationKind::ALL.iter().map(|kind| kind.descriptor()).collect();
    json!({ "driver": {
        "name": "keysunset",
        "fullName": "keysunset: deprecated personal API keys of MongoDB deployments",
        "semanticVersion": env!("CARGO_PKG_VERSION"),
        "rules": rules,
        "notifications": notifications,
    } })
}

fn rule_descriptor(verdict: Verdict) -> Value {
    let Rule { name, short, full, help, level, security_severity } = rule(verdict);
    let mut rule = descriptor(verdict.as_str(), name, short, full, help);
    rule["defaultConfiguration"] = json!({ "level": level });
    rule["properties"] = json!({
        "tags": ["security", "credentials"],
        "precision": "very-high",
        "security-severity": security_severity,
    });
    rule
}

/// The fields that GitHub requires of a rule; notifications have the same.
pub(in crate::report) fn descriptor(id: &str, name: &str, short: &str, full: &str, help: &str) -> Value {
    json!({
        "id": id,
        "name": name,
        "shortDescription": { "text": format!("{short}.") },
        "fullDescription": { "text": full },
        "help": {
            "text": format!("{full} {help}"),
            "markdown": format!("# {short}\n\n{full}\n\n## What to do\n\n{help}\n"),
        },
    })
}
