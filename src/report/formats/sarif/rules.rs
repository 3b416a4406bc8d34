//! The tool as SARIF has it: a rule a verdict, with what to do about it, and what it may notify of.

use serde_json::{Value, json};

use crate::policy::Verdict;
use crate::report::WaiverIssueKind;
use crate::report::wording::Unknown;

/// A rule's texts, in plain words and without a brace or a link.
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
            short: "A deprecated personal API key is still in use",
            full: "The personal API key was last used at or after the cutoff. Whatever uses it stops working when personal keys \
                   go, as with Ops Manager 5.0.",
            help: "Find what uses the key: its description, its owner, and its last 12 digits, which can be searched for in \
                   scripts and configurations. Make a programmatic API key with the least roles and an access list, put it in \
                   the place of the personal one, see that the personal key's last use no longer moves, then delete it.",
            level: "error",
            security_severity: "8.0",
        },
        Verdict::NotUsedSinceCutoff => Rule {
            name: "NotUsedSinceCutoff",
            short: "A deprecated personal API key has not been used since the cutoff",
            full: "The personal API key was last used before the cutoff. It still opens the deployment with all roles of its \
                   owner for whoever holds it.",
            help: "Ask its owner. Disable the key, wait for as long as the rarest of its jobs takes to come round, such as a \
                   yearly one, then delete it.",
            level: "note",
            security_severity: "3.0",
        },
        Verdict::NeverUsed => Rule {
            name: "NeverUsed",
            short: "A deprecated personal API key was never used",
            full: "The service knows of no use of the personal API key, and counts none. It opens the deployment with all roles \
                   of its owner for whoever holds it.",
            help: "Disable the key, wait, then delete it. What it was meant for gets a programmatic API key.",
            level: "note",
            security_severity: "3.0",
        },
        Verdict::UsageUnknown => Rule {
            name: "UsageUnknown",
            short: "A deprecated personal API key may be in use: nobody knows",
            full: "The service does not say when the personal API key was last used, and does not say that it never was. That \
                   is no proof that it is out of use.",
            help: "Ask its owner, and search scripts and configurations for its last 12 digits. Treat the key as in use until \
                   it is known not to be: replace it by a programmatic API key, or disable it and wait.",
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

/// What there may be to notify of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotificationKind {
    /// Something could not be read.
    Unknown(Unknown),
    /// More of that than is listed.
    More,
    /// Results are missing from the file.
    LeftOut,
    /// A waiver that does not do what it was written for, or soon will not.
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
                short: "A user could not be read, or not wholly",
                help: "What personal API keys the user has is unknown. The status and the error code say why.",
            },
            Self::Unknown(Unknown::List) => Texts {
                id: Unknown::List.name(),
                name: "UnlistedUsers",
                short: "A list of users could not be read to its end",
                help: "Nobody knows who is missing from the run. Check what the credentials may see, then run again.",
            },
            Self::Unknown(Unknown::Run) => Texts {
                id: Unknown::Run.name(),
                name: "RunCutShort",
                short: "The run ended before all users were known and read",
                help: "The same command with --resume goes on with it.",
            },
            Self::More => Texts {
                id: "more-unreadable",
                name: "MoreUnreadable",
                short: "More could not be read than is listed",
                help: "The other reports, such as keys.csv, tell all.",
            },
            Self::LeftOut => Texts {
                id: "results-left-out",
                name: "ResultsLeftOut",
                short: "The least severe results are left out",
                help: "Code scanning takes no more. The other reports, such as keys.csv, tell all.",
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
            short: "A waiver has expired, and no longer counts",
            help: "Delete the key, or agree on the waiver anew.",
        },
        WaiverIssueKind::Ending => Texts {
            id: "waiver-ending",
            name: "WaiverEnding",
            short: "A waiver ends within 14 days",
            help: "Delete the key before, or agree on the waiver anew.",
        },
        WaiverIssueKind::Unmatched => Texts {
            id: "waiver-unmatched",
            name: "WaiverUnmatched",
            short: "A waiver matches no key, no unread user and no unlisted organization",
            help: "Take it out of the file, or correct what it names.",
        },
        WaiverIssueKind::SeveralDeployments => Texts {
            id: "waiver-several-deployments",
            name: "WaiverSeveralDeployments",
            short: "A waiver counts in several deployments",
            help: "Give it a deployment, if it was agreed on for one.",
        },
    }
}

/// What a notification names its kind by.
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

/// All that GitHub wants of a rule, and of a notification too.
fn descriptor(id: &str, name: &str, short: &str, full: &str, help: &str) -> Value {
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
