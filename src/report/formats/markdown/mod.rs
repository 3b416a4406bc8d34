//! `migration-report.md`: for the person who replaces the keys and for the auditor. The template is
//! `templates/migration-report.md.j2`, with `templates/owner.md.j2` for each owner; `page.rs` makes its context.

mod anchor;
mod chart;
pub(super) mod owners;
pub(super) mod page;
pub(super) mod places;
mod plan;
mod section;
mod wrap;

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::Path;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value;
use minijinja::{Environment, UndefinedBehavior, context};

use self::chart::Year;
use self::owners::Owners;
use self::page::Rows;
use self::places::LocatedKeys;
use self::plan::Decisions;
use crate::report::top_n::TopN;
use crate::report::{FormatError, OutputFile, Rendered, Report, Row, RowContext, RunContext, Writer, text};

const NAME: &str = "migration-report.md.j2";
const BUILT_IN: &str = include_str!("../../../../templates/migration-report.md.j2");
/// The section of an owner.
const OWNER: &str = "owner.md.j2";
const BUILT_IN_OWNER: &str = include_str!("../../../../templates/owner.md.j2");
/// What several pages share: the section "Where it sits", users and lists not read, and the page of `locate`.
const PARTS: [(&str, &str); 6] = [
    ("shared.md.j2", include_str!("../../../../templates/shared.md.j2")),
    ("unread.md.j2", include_str!("../../../../templates/unread.md.j2")),
    ("owners.md.j2", include_str!("../../../../templates/owners.md.j2")),
    ("places.md.j2", include_str!("../../../../templates/places.md.j2")),
    (LOCATIONS, include_str!("../../../../templates/locations.md.j2")),
    (STEP_SUMMARY, include_str!("../../../../templates/step-summary.md.j2")),
];
const LOCATIONS: &str = "locations.md.j2";
/// The summary of a step in GitHub Actions.
pub(super) const STEP_SUMMARY: &str = "step-summary.md.j2";
/// Bytes for the sentences about owners.
const MARGIN: usize = 2_000;
/// GitHub does not render a larger file.
const LONGEST: usize = 1_000_000;
/// Maximum rows of each list, such as unread users. All of them are in the CSV.
pub(super) const ROWS: usize = 500;

/// The file in progress, with the worst owners so far.
struct Markdown {
    file: OutputFile,
    environment: Environment<'static>,
    owners: Owners,
    unread: TopN<(), Value>,
    by_year: BTreeMap<Year, u64>,
    decisions: Decisions,
    located: LocatedKeys,
}

/// `templates` is a folder that may contain templates that replace the built-in ones.
pub(super) fn start(file: OutputFile, templates: Option<&Path>) -> Result<impl Writer + use<>, FormatError> {
    let environment = environment(templates)?;
    let owners = Owners::new(&environment, LONGEST, false).map_err(|why| template_error(&why))?;
    Ok(Markdown {
        file,
        environment,
        owners,
        unread: TopN::new(ROWS),
        by_year: BTreeMap::new(),
        decisions: Decisions::default(),
        located: LocatedKeys::new(),
    })
}

/// The built-in templates, and those of a folder in place of them.
pub(super) fn environment(templates: Option<&Path>) -> Result<Environment<'static>, FormatError> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let syntax =
        SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build();
    environment.set_syntax(syntax.map_err(|why| template_error(&why))?);
    environment.add_filter("code", |text: String| text::breakable_code(&text));
    environment.add_filter("code_in_prose", |text: String| text::code_in_prose(&text));
    environment.add_filter("wrap", |text: String| wrap::wrap(&text));
    environment.add_filter("short", |text: String, length: usize| text::shortened(&text, length));
    environment.add_filter("bar", chart::bar);
    for (name, source) in PARTS {
        environment.add_template(name, source).map_err(|why| template_error(&why))?;
    }
    for (name, built_in) in [(NAME, BUILT_IN), (OWNER, BUILT_IN_OWNER)] {
        let source = source(templates, name, built_in)?;
        environment.add_template_owned(name, source).map_err(|why| template_error(&why))?;
    }
    Ok(environment)
}

fn source(templates: Option<&Path>, name: &str, built_in: &str) -> Result<String, FormatError> {
    let Some(folder) = templates else { return Ok(built_in.to_owned()) };
    let path = folder.join(name);
    match own_template(folder, &path) {
        Ok(source) => Ok(source),
        Err(why) if why.kind() == io::ErrorKind::NotFound && folder.is_dir() => Ok(built_in.to_owned()),
        Err(why) => Err(FormatError::Template(format!("{}: {why}", path.display()))),
    }
}

/// The page of `locate`.
pub(in crate::report) fn locations(page: Value) -> io::Result<String> {
    let environment = environment(None).map_err(|_| io::Error::other("a built-in template is wrong"))?;
    environment.get_template(LOCATIONS).and_then(|it| it.render(page)).map_err(io::Error::other)
}

/// The template of that folder. Only a regular file inside it: a link could put another file of the machine into a report, and
/// reading a pipe could wait forever.
fn own_template(folder: &Path, path: &Path) -> io::Result<String> {
    let about = std::fs::symlink_metadata(path)?;
    if about.is_symlink() {
        // One that leads nowhere is no template that is missing.
        let target = path.canonicalize().map_err(io::Error::other)?;
        if !target.starts_with(folder.canonicalize()?) {
            return Err(io::Error::other("it is a symbolic link that leads out of the folder of templates"));
        }
    }
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    std::fs::read_to_string(path)
}

/// Renders a page with as many owners as fit in at most so many bytes. Its lists are made shorter if it is too long without
/// any owner.
pub(super) fn render(
    environment: &Environment,
    name: &str,
    (owners, rest): (Owners, Value),
    bytes: usize,
) -> Result<String, FormatError> {
    let render = |owners: Value, most: usize| {
        let page = context! { most, ..context! { ..owners, ..rest.clone() } };
        environment.get_template(name)?.render(page)
    };
    let without_owners = || Owners::new(environment, 0, false).map(|owners| owners.into_value(0));
    let mut most = ROWS;
    let page = || -> Result<String, minijinja::Error> {
        let mut fixed = render(without_owners()?, most)?.len();
        while fixed > bytes / 2 && most > 1 {
            most /= 2;
            fixed = render(without_owners()?, most)?.len();
        }
        render(owners.into_value(bytes.saturating_sub(fixed + MARGIN)), most)
    };
    page().map_err(|why| template_error(&why))
}

pub(super) fn template_error(error: &minijinja::Error) -> FormatError {
    let line = error.line().map_or_else(String::new, |line| format!(", line {line}"));
    FormatError::Template(format!("{}{line}: {error}", error.name().unwrap_or(NAME)))
}

impl Writer for Markdown {
    fn begin(&mut self, context: &RunContext) -> Result<(), FormatError> {
        self.located.begin(context);
        Ok(())
    }

    fn places(&mut self, context: &RunContext, rows: &[Row]) -> Result<(), FormatError> {
        rows.iter().try_for_each(|row| Ok(self.located.row(context, row)?))
    }

    fn rows(&mut self, context: &RowContext, rows: &[Row]) -> Result<(), FormatError> {
        self.owners.add(&self.environment, context, rows).map_err(|why| template_error(&why))?;
        rows.iter().try_for_each(|row| self.row(context, row))
    }

    fn row(&mut self, context: &RowContext, row: &Row) -> Result<(), FormatError> {
        let Some((key, judged)) = &row.key else {
            if row.is_unread() {
                self.unread.push((), || page::row(context, row));
            }
            return Ok(());
        };
        *self.by_year.entry(Year::new(key.last_use(), judged.verdict, context.policy.now)).or_default() += 1;
        self.decisions.add(context, row);
        Ok(())
    }

    fn end(self: Box<Self>, report: &Report) -> Result<Rendered, FormatError> {
        let Self { mut file, environment, owners, unread, by_year, decisions, located } = *self;
        let rows =
            Rows { unread: unread.into_values().collect(), years: by_year, decisions: decisions.counts() };
        let rest = context! { ..located.into_value(), ..page::page(report, rows) };
        let page = render(&environment, NAME, (owners, rest), LONGEST)?;
        file.write_all(page.as_bytes())?;
        Ok(Rendered::File(file))
    }
}
