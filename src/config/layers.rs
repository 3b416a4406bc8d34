//! How two layers become one: each setting is that of the upper layer, or else that of the one below it. Every field is
//! named, so that a new one does not compile until it is merged.

use crate::cli::{
    AuditArgs, CredentialArgs, DeploymentArgs, OutputArgs, PaceArgs, PolicyArgs, ReportArgs, ScopeArgs,
};

impl AuditArgs {
    pub(super) fn with_fallback(self, fallback: Self) -> Self {
        Self {
            deployment: self.deployment.with_fallback(fallback.deployment),
            credentials: self.credentials.with_fallback(fallback.credentials),
            scope: self.scope.with_fallback(fallback.scope),
            pace: self.pace.with_fallback(fallback.pace),
        }
    }
}

impl DeploymentArgs {
    pub(super) fn with_fallback(self, fallback: Self) -> Self {
        Self {
            url: self.url.or(fallback.url),
            name: self.name.or(fallback.name),
            product: self.product.or(fallback.product),
            ca_cert: self.ca_cert.or(fallback.ca_cert),
            client_cert: self.client_cert.or(fallback.client_cert),
            insecure_skip_verify: self.insecure_skip_verify.or(fallback.insecure_skip_verify),
        }
    }
}

impl CredentialArgs {
    fn with_fallback(self, fallback: Self) -> Self {
        Self {
            credentials: self.credentials.or(fallback.credentials),
            profile: self.profile.or(fallback.profile),
        }
    }
}

impl ScopeArgs {
    /// The scope is one setting: any part of it replaces all of the layer below.
    fn with_fallback(self, fallback: Self) -> Self {
        let Self { users, user, org, project, all_orgs } = &self;
        let is_unset =
            users.is_empty() && user.is_empty() && org.is_empty() && project.is_empty() && all_orgs.is_none();
        if is_unset { fallback } else { self }
    }
}

impl PaceArgs {
    fn with_fallback(self, fallback: Self) -> Self {
        Self {
            concurrency: self.concurrency.or(fallback.concurrency),
            rate: self.rate.or(fallback.rate),
            timeout: self.timeout.or(fallback.timeout),
            retries: self.retries.or(fallback.retries),
            patience: self.patience.or(fallback.patience),
        }
    }
}

impl ReportArgs {
    pub(crate) fn with_fallback(self, fallback: Self) -> Self {
        Self {
            policy: self.policy.with_fallback(fallback.policy),
            output: self.output.with_fallback(fallback.output),
            config: self.config.or(fallback.config),
        }
    }
}

impl PolicyArgs {
    fn with_fallback(self, fallback: Self) -> Self {
        Self {
            cutoff: self.cutoff.or(fallback.cutoff),
            active_within: self.active_within.or(fallback.active_within),
            fail_on: self.fail_on.or(fallback.fail_on),
            waivers: self.waivers.or(fallback.waivers),
            strict_waivers: self.strict_waivers.or(fallback.strict_waivers),
            // A layer with a baseline has a ratchet.
            ratchet: self.ratchet.or(if self.baseline.is_some() { None } else { fallback.ratchet }),
            baseline: self.baseline.or(fallback.baseline),
            exit_zero: self.exit_zero.or(fallback.exit_zero),
        }
    }
}

impl OutputArgs {
    /// The style of CSV is one setting: a flag for one style replaces the other one of the layer below.
    fn with_fallback(self, fallback: Self) -> Self {
        let has_style = self.csv_raw == Some(true) || self.csv_excel == Some(true);
        let style = |below: Option<bool>| below.filter(|_| !has_style);
        Self {
            out: self.out.or(fallback.out),
            store: self.store.or(fallback.store),
            format: if self.format.is_empty() { fallback.format } else { self.format },
            templates: self.templates.or(fallback.templates),
            csv_raw: self.csv_raw.or(style(fallback.csv_raw)),
            csv_excel: self.csv_excel.or(style(fallback.csv_excel)),
        }
    }
}
