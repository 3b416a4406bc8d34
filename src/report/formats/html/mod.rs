//! `report.html`: one file for a browser. The static part has the totals and needs neither script nor style; the data of all
//! keys comes after it, for the script. Template, style and script are in `templates/html/`.
//!
//! The page sends no request. Its policy allows exactly the embedded style and script, by their hashes.

mod burn_down;
mod charts;
mod data;
mod period;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::{Datelike, NaiveDate};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value;
use minijinja::{Environment, HtmlEscape, UndefinedBehavior, context, escape_formatter};
use sha2::{Digest as _, Sha256};

use self::charts::Quarters;
use self::data::Data;
use self::period::{Period, Quarter};
use super::markdown::page;
use super::markdown::places::LocatedKeys;
use crate::output::OutputFile;
use crate::output::text::{printable, shortened};
use crate::plan::Decision;
use crate::policy::{Policy, Severity, Verdict, day_or_instant};
use crate::report::top_n::{Rank, TopN, rank};
use crate::report::wording::{self, Unknown};
use crate::report::{FormatError, Rendered, Report, Row, RowContext, RunContext, Writer};

const TEMPLATE: &str = include_str!("../../../../templates/html/report.html.j2");
const STYLE: &str = include_str!("../../../../templates/html/report.css");
const SCRIPT: &str = include_str!("../../../../templates/html/report.js");
/// The name by which the template engine knows that texts are escaped for HTML.
const NAME: &str = "report.html";
/// In the template: the place of the data. No text of a report can contain it.
const DATA: &str = "<!--data-->\n";

/// Maximum keys in the static part, and maximum unread users. All of them are in the CSV.
const WORST: usize = 50;
const UNREAD: usize = 500;

/// The file in progress.
struct Html {
    file: OutputFile,
    data: Data,
    worst: TopN<Rank<Severity>, Value>,
    unread: TopN<(), Value>,
    quarters: Quarters,
    located: LocatedKeys,
    decisions: BTreeMap<Decision, u64>,
}

/// `folder` is where the rows are kept until the totals are known.
pub(super) fn start(file: OutputFile, folder: &Path) -> Result<impl Writer + use<>, FormatError> {
    Ok(Html {
        file,
        data: Data::new(folder)?,
        worst: TopN::new(WORST),
        unread: TopN::new(UNREAD),
        quarters: Quarters::new(),
        located: LocatedKeys::new(),
        decisions: BTreeMap::new(),
    })
}

impl Writer for Html {
    fn begin(&mut self, context: &RunContext) -> Result<(), FormatError> {
        self.data.begin(context);
        self.located.begin(context);
        Ok(())
    }

    fn places(&mut self, context: &RunContext, rows: &[Row]) -> Result<(), FormatError> {
        rows.iter().try_for_each(|row| Ok(self.located.row(context, row)?))
    }

    fn row(&mut self, context: &RowContext, row: &Row) -> Result<(), FormatError> {
        let Some((key, judged)) = &row.key else {
            if row.is_unread() {
                self.unread.push((), || {
                    let remedy = wording::remedy(context.run, Unknown::User, row.result.outcome.status);
                    context! { remedy, ..page::row(context, row) }
                });
            }
            return Ok(());
        };
        if let Some(decided) = row.decided(context) {
            *self.decisions.entry(decided.decision).or_default() += 1;
        }
        let period = Period::new(key.last_use(), judged.verdict, context.policy.now);
        let is_after = judged.verdict == Verdict::UsedAfterCutoff;
        self.quarters.entry(period).or_default()[usize::from(is_after)] += 1;
        self.worst.push(rank(judged.severity, key), || {
            let decision = row.decided(context).map(|it| it.decision.as_str());
            context! { decision, ..page::row(context, row) }
        });
        self.data.add(context, row, (key, judged), period)
    }

    fn end(self: Box<Self>, report: &Report) -> Result<Rendered, FormatError> {
        let Self { mut file, data, worst, unread, quarters, located, decisions } = *self;
        let decisions = Decision::ALL.iter().map(|it| (it, decisions.get(it).copied().unwrap_or_default()));
        let mut rows = page::Rows::none();
        rows.unread = unread.into_values().collect();
        let page = context! {
            security_policy => Value::from_safe_string(security_policy()),
            style => Value::from_safe_string(STYLE.to_owned()),
            script => Value::from_safe_string(SCRIPT.to_owned()),
            listed => data.listed(),
            plan_decisions => decisions.map(|(it, count)| context! { name => it.as_str(), count }).collect::<Value>(),
            worst => worst.into_values().collect::<Value>(),
            charts => charts(report, &quarters),
            keys_csv => &report.keys_csv,
            ..context! { ..located.into_value(), ..page::page(report, rows) }
        };
        let page = environment().and_then(|it| it.get_template(NAME)?.render(page));
        let page = page.map_err(|why| FormatError::Template(why.to_string()))?;
        let (before, after) = page.split_once(DATA).unwrap_or((&page, ""));
        file.write_all(before.as_bytes())?;
        if report.total.keys > 0 {
            file.write_all(b"<script type=\"application/json\" id=\"data\">")?;
            data.write(&mut file, report)?;
            file.write_all(b"</script>\n")?;
        }
        file.write_all(after.as_bytes())?;
        Ok(Rendered::File(file))
    }
}

fn environment() -> Result<Environment<'static>, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let mut syntax = SyntaxConfig::builder();
    environment.set_syntax(syntax.trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build()?);
    environment.add_filter("short", |text: String, length: usize| shortened(&text, length));
    environment.add_filter("prose", |text: String| Value::from_safe_string(prose(&text)));
    environment.set_formatter(|out, state, value| match value.as_str() {
        Some(text) if !value.is_safe() => escape_formatter(out, state, &Value::from(printable(text))),
        Some(_) | None => escape_formatter(out, state, value),
    });
    environment.add_template(NAME, TEMPLATE)?;
    Ok(environment)
}

/// A sentence of this program as HTML: what is between backticks is code.
fn prose(text: &str) -> String {
    let text = printable(text);
    let part = |(number, part): (usize, &str)| {
        let part = HtmlEscape(part);
        if number % 2 == 1 { format!("<code>{part}</code>") } else { part.to_string() }
    };
    text.split('`').enumerate().map(part).collect()
}

/// Nothing is loaded, and only the embedded style and script apply.
fn security_policy() -> String {
    let [style, script] = [STYLE, SCRIPT].map(|text| BASE64_STANDARD.encode(Sha256::digest(text)));
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}'; base-uri 'none'; form-action 'none'"
    )
}

/// The charts, and the tables of the organizations beside theirs.
fn charts(report: &Report, quarters: &Quarters) -> Value {
    let safe = |svg: String| Value::from_safe_string(svg);
    let policy = report.deployments.first().map(|it| it.context.policy);
    let organizations = report.deployments.iter().filter_map(|it| {
        let all = it.organizations.as_deref().filter(|all| all.len() > 1)?;
        let (name, svg) = (&it.context.run.deployment, safe(charts::organizations(all)));
        Some(context! { name, svg, table => page::organization_table(all) })
    });
    let burn_downs = report.deployments.iter().filter_map(|it| {
        let svg = safe(burn_down::figure(it.burn_down.as_ref()?)?);
        Some(context! { name => &it.context.run.deployment, svg })
    });
    context! {
        read_statuses => safe(charts::read_statuses(&report.total)),
        severities => safe(charts::severities(&report.total)),
        quarters => safe(policy.map(|policy| last_uses(quarters, policy)).unwrap_or_default()),
        organizations => organizations.collect::<Value>(),
        burn_downs => burn_downs.collect::<Value>(),
    }
}

fn last_uses(quarters: &Quarters, Policy { cutoff, .. }: Policy) -> String {
    let quarter = Quarter::new(cutoff);
    let first_day = |quarter: Quarter| {
        NaiveDate::from_ymd_opt(quarter.year(), quarter.number().unsigned_abs() * 3 - 2, 1)
    };
    let fraction = first_day(quarter).zip(first_day(Quarter(quarter.0 + 1))).map(|(from, to)| {
        let days = |day: NaiveDate| u64::try_from(day.num_days_from_ce()).unwrap_or_default();
        (days(cutoff.date_naive()) - days(from)) * 1000 / (days(to) - days(from)).max(1)
    });
    charts::quarters(quarters, (quarter, fraction.unwrap_or_default()), &day_or_instant(cutoff))
}
