//! The settings of an import.

use std::path::PathBuf;

use url::Url;

use super::{ReportSettings, SettingsFile, typed_url};
use crate::cli;
use crate::context::Env;
use crate::exit::Error;
use crate::model::Product;

pub(crate) struct ImportSettings {
    /// Files and folders.
    pub inputs: Vec<PathBuf>,
    /// Where the deployment is; `None`: as the answers say.
    pub url: Option<Url>,
    /// What the reports call it; `None` likewise.
    pub name: Option<String>,
    /// Which product answered; `None` likewise.
    pub product: Option<Product>,
    pub report: ReportSettings,
}

impl ImportSettings {
    /// From what was typed and from the file that it names.
    ///
    /// # Errors
    /// A URL that can't be used (usage), or what can't be used of the file (bad input).
    pub(crate) fn resolve(typed: cli::Import, env: &Env) -> Result<Self, Error> {
        let SettingsFile { audit, report, origin: _ } =
            SettingsFile::read(typed.report.config.as_deref(), env)?;
        let file = audit.deployment;
        Ok(Self {
            inputs: typed.inputs,
            url: typed.url.or(file.url).as_deref().map(typed_url).transpose()?,
            name: typed.name.or(file.name),
            product: typed.product.or(file.product),
            report: ReportSettings::with_defaults(typed.report.with_fallback(report), env).checked()?,
        })
    }
}
