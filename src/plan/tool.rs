//! With what a person carries a plan out: which tools it is written for, and what each of them makes.

use std::collections::BTreeSet;

use serde::{Serialize, Serializer};

use crate::model::Product;

named! {
    /// A tool that creates replacements.
    pub(crate) enum Tool {
        /// Scripts with curl; on Atlas they create service accounts
        Curl = "curl",
        /// Scripts with mongocli where it works, else curl (Ops Manager, Cloud Manager)
        Mongocli = "mongocli",
        /// Scripts with the Atlas CLI; they create API keys (Atlas)
        Atlas = "atlas",
        /// Terraform files in plan/ (Atlas)
        Terraform = "terraform",
    }
}

named! {
    /// What replaces personal keys.
    pub(crate) enum Kind {
        /// A programmatic API key
        ApiKey = "api-key",
        /// A service account of Atlas: an OAuth 2.0 client
        ServiceAccount = "service-account",
    }
}

/// The tools of a plan, for one product.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Tools {
    /// Sorted, at least one.
    names: Vec<Tool>,
    /// With what the scripts create replacements; [`Tool::Terraform`]: not at all.
    pub(crate) script: Tool,
    pub(crate) terraform: bool,
    /// Whether a service account is the first choice for a replacement in an organization.
    pub(crate) service_accounts: bool,
}

/// A tool that does not work with a product: what it is, and what to use in its place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct WrongTool {
    pub(crate) why: String,
    pub(crate) instead: &'static str,
}

impl Tools {
    /// # Errors
    /// A tool that does not work with the product.
    pub(crate) fn new(tools: &[Tool], product: Product) -> Result<Self, WrongTool> {
        let tools = if tools.is_empty() { &[Tool::Curl] } else { tools };
        if let Some(wrong) = tools.iter().find_map(|tool| tool.problem(product)) {
            return Err(wrong);
        }
        let has = |tool| tools.contains(&tool);
        // mongocli and the Atlas CLI use curl for what they cannot do, so each of them goes before it.
        let script =
            [Tool::Mongocli, Tool::Atlas, Tool::Curl, Tool::Terraform].into_iter().find(|it| has(*it));
        let names: BTreeSet<Tool> = tools.iter().copied().collect();
        Ok(Self {
            names: names.into_iter().collect(),
            script: script.unwrap_or(Tool::Curl),
            terraform: has(Tool::Terraform),
            service_accounts: Self::prefer_service_accounts(product) && !has(Tool::Atlas),
        })
    }

    /// Whether a plan without `--tool` replaces keys by service accounts.
    pub(crate) fn prefer_service_accounts(product: Product) -> bool {
        product == Product::Atlas
    }
}

/// As the names of the tools.
impl Serialize for Tools {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.names.serialize(serializer)
    }
}

impl Tool {
    fn problem(self, product: Product) -> Option<WrongTool> {
        let (works, name, instead) = match (self, product) {
            (Self::Curl, _) => return None,
            (Self::Mongocli, _) => (product != Product::Atlas, "mongocli", "--tool curl or --tool atlas"),
            (Self::Atlas, _) => {
                (product == Product::Atlas, "the Atlas CLI", "--tool curl or --tool mongocli")
            }
            (Self::Terraform, _) => (
                product == Product::Atlas,
                "the Terraform provider mongodb/mongodbatlas",
                "--tool curl or --tool mongocli",
            ),
        };
        let why = || format!("--tool {self}: {name} does not work with {}", product.title());
        (!works).then(|| WrongTool { why: why(), instead })
    }
}

/// Roles that users and API keys of Atlas can have in a project, and service accounts cannot, by the vendor's list.
const NOT_FOR_SERVICE_ACCOUNTS: [&str; 6] = [
    "GROUP_USER_ADMIN",
    "GROUP_AUTOMATION_ADMIN",
    "GROUP_BACKUP_ADMIN",
    "GROUP_MONITORING_ADMIN",
    "GROUP_CHARTS_ADMIN",
    "GROUP_BILLING_ADMIN",
];

/// Whether a service account can have a role of this name.
pub(super) fn fits_service_account(role: &str) -> bool {
    !NOT_FOR_SERVICE_ACCOUNTS.contains(&role)
}

/// The name of a service account, or of an owner in its description: letters, digits, spaces and `-_.,'` alone.
pub(super) fn account_text(text: &str) -> String {
    text.chars().map(|c| if c.is_alphanumeric() || "-_.,' ".contains(c) { c } else { ' ' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tool_works_with_its_products_alone() {
        use Product::{Atlas, CloudManager, OpsManager};
        use Tool::{Curl, Mongocli, Terraform};
        let of = |tools: &[Tool], product| {
            Tools::new(tools, product).map(|it| (it.script, it.terraform, it.service_accounts))
        };
        for (tools, product, expected) in [
            (&[][..], OpsManager, (Curl, false, false)),
            (&[], Atlas, (Curl, false, true)),
            (&[Mongocli, Curl], CloudManager, (Mongocli, false, false)),
            (&[Tool::Atlas], Atlas, (Tool::Atlas, false, false)),
            (&[Terraform], Atlas, (Terraform, true, true)),
            (&[Terraform, Curl], Atlas, (Curl, true, true)),
            (&[Tool::Atlas, Terraform], Atlas, (Tool::Atlas, true, false)),
        ] {
            assert_eq!(of(tools, product), Ok(expected), "{tools:?}");
        }
        for (tool, product) in [
            (Mongocli, Atlas),
            (Tool::Atlas, OpsManager),
            (Tool::Atlas, CloudManager),
            (Terraform, OpsManager),
            (Terraform, CloudManager),
        ] {
            let wrong = of(&[Curl, tool], product).unwrap_err();
            assert!(
                wrong.why.contains(product.title()) && !wrong.instead.contains(tool.as_str()),
                "{wrong:?}"
            );
        }
    }
}
