//! `migration-report.md`: for the person who replaces the keys and for the auditor. The template is
//! `templates/migration-report.md.j2`; `page.rs` makes its context.

pub(super) mod page;
pub(super) mod places;
mod plan;
mod wrap;

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::Path;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value;
use minijinja::{Environment, UndefinedBehavior, context};

use self::page::{OwnerId, Rows, Year};
use self::places::LocatedKeys;
use self::plan::Decisions;
use crate::policy::Severity;
use crate::report::top_n::{Rank, TopN, rank};
use crate::report::{FormatError, OutputFile, Rendered, Report, Row, RunContext, Writer, text};

const NAME: &str = "migration-report.md.j2";
const BUILT_IN: &str = include_str!("../../../../templates/migration-report.md.j2");
/// The section "Where it sits", and the page of `locate`.
const PLACES: (&str, &str) = ("places.md.j2", include_str!("../../../../templates/places.md.j2"));
const LOCATIONS: (&str, &str) = ("locations.md.j2", include_str!("../../../../templates/locations.md.j2"));
/// Maximum keys, and maximum unread users. All of them are in the CSV.
const SHOWN: usize = 500;

/// The file in progress, with the worst keys so far.
struct Markdown {
    file: OutputFile,
    template: Environment<'static>,
    worst: TopN<Rank<Severity>, (OwnerId, Value)>,
    unread: TopN<(), Value>,
    by_year: BTreeMap<Year, u64>,
    decisions: Decisions,
    located: LocatedKeys,
}

/// `templates` is a folder that may contain a template that replaces the built-in one.
pub(super) fn start(file: OutputFile, templates: Option<&Path>) -> Result<impl Writer + use<>, FormatError> {
    Ok(Markdown {
        file,
        template: environment(templates)?,
        worst: TopN::new(SHOWN),
        unread: TopN::new(SHOWN),
        by_year: BTreeMap::new(),
        decisions: Decisions::default(),
        located: LocatedKeys::new(),
    })
}

fn environment(templates: Option<&Path>) -> Result<Environment<'static>, FormatError> {
    let source = match templates {
        None => BUILT_IN.to_owned(),
        Some(folder) => match own_template(folder) {
            Ok(source) => source,
            Err(why) if why.kind() == io::ErrorKind::NotFound && folder.is_dir() => BUILT_IN.to_owned(),
            Err(why) => return Err(FormatError::Template(format!("{}: {why}", folder.join(NAME).display()))),
        },
    };
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let syntax =
        SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build();
    environment.set_syntax(syntax.map_err(|why| template_error(&why))?);
    environment.add_filter("code", |text: String| text::code(&text));
    environment.add_filter("code_in_prose", |text: String| text::code_in_prose(&text));
    environment.add_filter("wrap", |text: String| wrap::wrap(&text));
    environment.add_filter("short", |text: String, length: usize| text::shortened(&text, length));
    for (name, source) in [PLACES, LOCATIONS] {
        environment.add_template(name, source).map_err(|why| template_error(&why))?;
    }
    environment.add_template_owned(NAME, source).map_err(|why| template_error(&why))?;
    Ok(environment)
}

/// The page of `locate`.
pub(in crate::report) fn locations(page: Value) -> io::Result<String> {
    let template = environment(None).map_err(|_| io::Error::other("a built-in template is wrong"))?;
    template.get_template(LOCATIONS.0).and_then(|it| it.render(page)).map_err(io::Error::other)
}

/// The template of that folder. Only a regular file inside it: a link could put another file of the machine into a report, and
/// reading a pipe could wait forever.
fn own_template(folder: &Path) -> io::Result<String> {
    let path = folder.join(NAME);
    let about = std::fs::symlink_metadata(&path)?;
    if about.is_symlink() {
        // One that leads nowhere is no template that is missing.
        let target = path.canonicalize().map_err(io::Error::other)?;
        if !target.starts_with(folder.canonicalize()?) {
            return Err(io::Error::other("it is a symbolic link that leads out of the folder of templates"));
        }
    }
    if !std::fs::metadata(&path)?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    std::fs::read_to_string(path)
}

fn template_error(error: &minijinja::Error) -> FormatError {
    let line = error.line().map_or_else(String::new, |line| format!(", line {line}"));
    FormatError::Template(format!("{}{line}: {error}", error.name().unwrap_or(NAME)))
}

impl Writer for Markdown {
    fn begin(&mut self, context: &RunContext) -> Result<(), FormatError> {
        self.located.begin(context);
        Ok(())
    }

    fn row(&mut self, context: &RunContext, row: &Row) -> Result<(), FormatError> {
        let Some((key, judged)) = &row.key else {
            if row.is_unread() {
                self.unread.push((), || page::row(context, row));
            }
            return Ok(());
        };
        self.located.row(context, row)?;
        *self.by_year.entry(Year::new(key.last_use(), judged.verdict, context.policy.now)).or_default() += 1;
        self.decisions.add(context, row);
        let decisions = &mut self.decisions;
        self.worst.push(rank(judged.severity, key), || {
            let user = &row.result.user;
            let username = user.username.clone().unwrap_or_default();
            let owner = (context.run.deployment.clone(), username, user.id_or_empty().to_owned());
            (owner, decisions.row(page::row(context, row), context, row))
        });
        Ok(())
    }

    fn end(self: Box<Self>, report: &Report) -> Result<Rendered, FormatError> {
        let Self { mut file, template, worst, unread, by_year, decisions, located } = *self;
        let rows = Rows {
            keys: worst.into_values().collect(),
            unread: unread.into_values().collect(),
            years: by_year,
            decisions: decisions.counts(),
            ..Rows::none(report)?
        };
        let page = context! { ..located.into_value(), ..page::page(report, rows) };
        let page = template.get_template(NAME).and_then(|template| template.render(page));
        let page = page.map_err(|why| template_error(&why))?;
        file.write_all(page.as_bytes())?;
        Ok(Rendered::File(file))
    }
}
