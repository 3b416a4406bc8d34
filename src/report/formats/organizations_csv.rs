//! `organizations.csv`: one row for each organization, also without users or with an incomplete list of users. Only the header
//! if no organizations were in scope, or if they are unknown.

use serde::Serialize;

use crate::model::{Organization, ReadStatus};
use crate::output::{CsvRows, CsvStyle, ExcelCell, Guarded};
use crate::policy::Severity;
use crate::report::{
    FormatError, OrganizationSummary, OutputFile, Rendered, Report, Row, RowContext, RunContext, Writer,
};

/// The file in progress.
struct OrganizationsCsv {
    file: OutputFile,
    style: CsvStyle,
}

pub(super) fn start(file: OutputFile, style: CsvStyle) -> impl Writer {
    OrganizationsCsv { file, style }
}

impl Writer for OrganizationsCsv {
    fn begin(&mut self, _: &RunContext) -> Result<(), FormatError> {
        Ok(())
    }

    fn row(&mut self, _: &RowContext, _: &Row) -> Result<(), FormatError> {
        Ok(())
    }

    fn end(self: Box<Self>, report: &Report) -> Result<Rendered, FormatError> {
        let mut rows = CsvRows::with_header(self.file, self.style, &Columns::<&str>::default())?;
        for deployment in &report.deployments {
            let name = &deployment.context.run.deployment;
            for organization in deployment.organizations.iter().flatten() {
                match self.style {
                    CsvStyle::Raw => rows.serialize(&Columns::<&str>::new(name, organization))?,
                    CsvStyle::Guarded => rows.serialize(&Columns::<Guarded>::new(name, organization))?,
                    CsvStyle::Excel => rows.serialize(&Columns::<ExcelCell>::new(name, organization))?,
                }
            }
        }
        Ok(Rendered::File(rows.into_file()))
    }
}

/// The fields, in the order of the columns: new ones are only appended.
#[derive(Default, Serialize)]
struct Columns<T> {
    deployment: T,
    org_id: T,
    org_name: Option<T>,
    deleted: Option<bool>,
    list_status: Option<ReadStatus>,
    users: u64,
    users_read: u64,
    keys: u64,
    enabled: u64,
    critical: u64,
    high: u64,
    medium: u64,
    low: u64,
    info: u64,
}

impl<'a, T: From<&'a str>> Columns<T> {
    fn new(deployment: &'a str, summary: &'a OrganizationSummary) -> Self {
        let Organization { id, name, is_deleted } = &summary.organization;
        Self {
            deployment: T::from(deployment),
            org_id: T::from(id),
            org_name: name.as_deref().map(T::from),
            deleted: *is_deleted,
            list_status: Some(summary.list_status),
            users: summary.users,
            users_read: summary.users_read,
            keys: summary.keys,
            enabled: summary.enabled,
            critical: summary.severity(Severity::Critical),
            high: summary.severity(Severity::High),
            medium: summary.severity(Severity::Medium),
            low: summary.severity(Severity::Low),
            info: summary.severity(Severity::Info),
        }
    }
}
