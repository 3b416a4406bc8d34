//! What users already have: the profiles and variables of mongocli and of the Atlas CLI, which say where the deployment
//! is and may hold an API key.

use std::fmt;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};
use toml::{Table, Value};
use url::Url;
use zeroize::{Zeroize as _, Zeroizing};

use super::secret_file::{quoted, shared};
use super::{env, new_credential, trimmed};
use crate::client::Credential;
use crate::console::warn;
use crate::context::Env;
use crate::exit::Error;
use crate::model::Product;

/// Whose configuration it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum VendorTool {
    Mongocli,
    Atlas,
}

/// One profile of one file.
pub(crate) struct Profile {
    tool: VendorTool,
    name: String,
    path: PathBuf,
    settings: ToolSettings,
    public: Option<String>,
    private: Option<SecretString>,
}

/// What a profile or the variables of a tool say about the deployment, in the tool's words.
#[derive(Default)]
struct ToolSettings {
    service: Option<String>,
    url: Option<String>,
    org: Option<String>,
    ca_cert: Option<PathBuf>,
    skip_verify: bool,
}

/// What a profile or the tools' variables say about the deployment: the layer below `keysunset.toml`.
#[derive(Default)]
pub(crate) struct DeploymentHints {
    /// Where it is; an error where what is given is no URL, which only matters if it is needed.
    pub url: Option<Result<Url, Error>>,
    /// Which organization to audit.
    pub org: Option<String>,
    product: Option<Product>,
    ca_cert: Option<PathBuf>,
    skip_verify: bool,
}

impl DeploymentHints {
    /// Which product, certificates and trust it has, if `url` is no other deployment than the one it names.
    pub(crate) fn at(&self, url: &Url) -> (Option<Product>, Option<&Path>, bool) {
        match &self.url {
            Some(Ok(own)) if own.origin() != url.origin() => (None, None, false),
            Some(_) | None => (self.product, self.ca_cert.as_deref(), self.skip_verify),
        }
    }
}

/// What the profile says, and above it the variables of its tool; without a profile those of either tool.
pub(crate) fn deployment(profile: Option<&Profile>, env: &Env) -> DeploymentHints {
    if let Some(profile) = profile {
        let settings = ToolSettings::from_env(profile.tool, env).with_fallback(&profile.settings);
        return settings.deployment(profile.tool, true);
    }
    let [mongocli, atlas] = [VendorTool::Mongocli, VendorTool::Atlas]
        .map(|tool| ToolSettings::from_env(tool, env).deployment(tool, false));
    if mongocli.url.is_some() || (atlas.url.is_none() && mongocli.org.is_some()) { mongocli } else { atlas }
}

impl ToolSettings {
    fn from_env(tool: VendorTool, env: &Env) -> Self {
        let variable = |name: &str| env::non_empty(env, name).map(|value| value.as_str().to_owned());
        match tool {
            VendorTool::Mongocli => Self {
                service: variable("MCLI_SERVICE"),
                url: variable("MCLI_OPS_MANAGER_URL"),
                org: variable("MCLI_ORG_ID"),
                ..Self::default()
            },
            VendorTool::Atlas => Self {
                url: variable("MONGODB_ATLAS_BASE_URL"),
                org: variable("MONGODB_ATLAS_ORG_ID"),
                ..Self::default()
            },
        }
    }

    fn from_table(table: &Table) -> Self {
        let text = |name: &str| {
            let text = table.get(name).and_then(Value::as_str).map(str::trim);
            text.filter(|text| !text.is_empty()).map(str::to_owned)
        };
        // mongocli writes `yes`.
        let skip_verify = match table.get("ops_manager_skip_verify") {
            Some(Value::Boolean(skip)) => *skip,
            Some(Value::String(skip)) => ["yes", "true"].iter().any(|yes| skip.eq_ignore_ascii_case(yes)),
            Some(_) | None => false,
        };
        Self {
            service: text("service"),
            url: text("ops_manager_url"),
            org: text("org_id"),
            ca_cert: text("ops_manager_ca_certificate").map(PathBuf::from),
            skip_verify,
        }
    }

    fn with_fallback(self, fallback: &Self) -> Self {
        Self {
            service: self.service.or_else(|| fallback.service.clone()),
            url: self.url.or_else(|| fallback.url.clone()),
            org: self.org.or_else(|| fallback.org.clone()),
            ca_cert: self.ca_cert.or_else(|| fallback.ca_cert.clone()),
            skip_verify: self.skip_verify || fallback.skip_verify,
        }
    }

    /// In our terms. The cloud services need no address; a profile of the Atlas CLI always means one of them.
    fn deployment(self, tool: VendorTool, is_profile: bool) -> DeploymentHints {
        const CLOUD: &str = "https://cloud.mongodb.com";
        let atlas = tool == VendorTool::Atlas && (is_profile || self.url.is_some());
        let (product, address) = match self.service.as_deref() {
            Some("cloud") => (Some(Product::Atlas), Some(CLOUD)),
            Some("cloudgov") => (Some(Product::Atlas), Some("https://cloud.mongodbgov.com")),
            Some("cloud-manager") => (Some(Product::CloudManager), Some(CLOUD)),
            Some("ops-manager") => (Some(Product::OpsManager), None),
            Some(_) | None if atlas => (Some(Product::Atlas), is_profile.then_some(CLOUD)),
            Some(_) | None => (None, None),
        };
        DeploymentHints {
            url: self.url.as_deref().or(address).map(address_of),
            org: self.org,
            product,
            ca_cert: self.ca_cert,
            skip_verify: self.skip_verify,
        }
    }
}

/// Not repeated where it is none: it may hold a password.
fn address_of(text: &str) -> Result<Url, Error> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.ok_or_else(|| {
        Error::input(
            "the deployment address in the profile, MCLI_OPS_MANAGER_URL or MONGODB_ATLAS_BASE_URL is not a URL",
        )
        .help("use the form https://om.example:8080, or set --url")
    })
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "profile {} of {}", self.name, self.path.display())
    }
}

impl Profile {
    /// The profile of that name in the first file that has it. Names are alike in upper and lower case, as in the tools.
    ///
    /// # Errors
    /// There is none: with those that there are, or where was looked. Or a file that is no TOML.
    pub(crate) fn find(name: &str, env: &Env) -> Result<Self, Error> {
        let places = places(env);
        let mut known = Vec::new();
        for (tool, path) in &places {
            let Some(mut root) = read(path)? else { continue };
            let names = root.iter().filter(|(_, value)| value.is_table()).map(|(name, _)| name.clone());
            let names: Vec<_> = names.collect();
            let found = names.iter().find(|known| known.eq_ignore_ascii_case(name));
            let found = found.and_then(|found| root.get_mut(found)).and_then(Value::as_table_mut);
            let profile = found.map(|table| Self::from_table(*tool, name, path, table));
            wipe(&mut Value::Table(root));
            if let Some(profile) = profile {
                return Ok(profile);
            }
            known.extend(names.into_iter().map(|name| format!("profile: {name} ({})", path.display())));
        }
        if known.is_empty() {
            let looked: Vec<_> =
                places.iter().map(|(_, path)| format!("tried: {}", path.display())).collect();
            return Err(Error::input(format!("no profile {name:?}: these files contain no profiles"))
                .details(looked)
                .help(
                    "create one with `mongocli config` or `atlas config init`, or set KEYSUNSET_PUBLIC_KEY",
                ));
        }
        Err(Error::input(format!("no profile {name:?}"))
            .details(known)
            .help("choose one of these profiles with --profile"))
    }

    fn from_table(tool: VendorTool, name: &str, path: &Path, table: &mut Table) -> Self {
        let mut take = |name: &str| match table.remove(name) {
            Some(Value::String(text)) => {
                let text = Zeroizing::new(text);
                Some(trimmed(&text)).filter(|text| !text.is_empty()).map(SecretString::from)
            }
            Some(_) | None => None,
        };
        let public = take("public_api_key").map(|public| public.expose_secret().to_owned());
        let private = take("private_api_key");
        Self {
            tool,
            name: name.to_owned(),
            path: path.to_owned(),
            settings: ToolSettings::from_table(table),
            public,
            private,
        }
    }

    /// The API key of the profile, if it holds one.
    pub(super) fn credential(&self) -> Result<Option<Credential>, Error> {
        let incomplete = |there: &str, missing: &str, why: &str| {
            Error::input(format!("incomplete credentials: {self} has {there} but no {missing}{why}"))
                .help("set KEYSUNSET_PUBLIC_KEY and KEYSUNSET_PRIVATE_KEY, or use --credentials")
        };
        match (&self.public, &self.private) {
            (None, None) => Ok(None),
            (Some(_), None) => {
                let why = " (newer tools store it in the system key ring, which keysunset does not read)";
                Err(incomplete("public_api_key", "private_api_key", why))
            }
            (None, Some(_)) => Err(incomplete("private_api_key", "public_api_key", "")),
            (Some(public), Some(private)) => {
                if let Some(mode) = std::fs::metadata(&self.path).ok().as_ref().and_then(shared) {
                    let path = quoted(&self.path);
                    let why = format!("other users can read or change {path} (mode {mode:04o})");
                    warn(&why, Some(&format!("chmod 600 {path}")));
                }
                let credential = new_credential(public, private.expose_secret());
                credential.map(Some).map_err(|why| {
                    Error::input(format!("invalid credentials in {self}: {why}"))
                        .help("correct the profile, or set KEYSUNSET_PUBLIC_KEY and KEYSUNSET_PRIVATE_KEY")
                })
            }
        }
    }
}

/// The files that may be there, best first. The last of mongocli's is the one that it had before it had a folder.
fn places(env: &Env) -> Vec<(VendorTool, PathBuf)> {
    let folder = |name: &str| env(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = folder("HOME");
    let below_home = |path: &str| home.as_ref().map(|home| home.join(path));
    let config = if cfg!(windows) {
        folder("APPDATA")
    } else if cfg!(target_os = "macos") {
        below_home("Library/Application Support")
    } else {
        folder("XDG_CONFIG_HOME").or_else(|| below_home(".config"))
    };
    let below_config = |path: &str| config.as_ref().map(|config| config.join(path));
    let all = [
        (VendorTool::Mongocli, below_config("mongocli/config.toml")),
        (VendorTool::Mongocli, below_config("mongocli.toml")),
        (VendorTool::Mongocli, below_home(".config/mongocli.toml")),
        (VendorTool::Atlas, below_config("atlascli/config.toml")),
    ];
    let mut places: Vec<_> = all.into_iter().filter_map(|(tool, path)| Some((tool, path?))).collect();
    places.dedup_by(|later, earlier| later.1 == earlier.1);
    places
}

/// `None` where there is no such file.
fn read(path: &Path) -> Result<Option<Table>, Error> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => Zeroizing::new(text),
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(why) => return Err(Error::not_read("the profiles in", path.display(), &why)),
    };
    // Not what the parser says, which shows the line.
    let parsed = text.parse::<Table>();
    parsed.map(Some).map_err(|why| {
        let before = why.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        Error::input(format!("{}:{line}: invalid TOML", path.display()))
            .help("correct the file, or leave --profile out")
    })
}

fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(all) => all.iter_mut().for_each(wipe),
        Value::Table(table) => table.iter_mut().for_each(|(_, value)| wipe(value)),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => {}
    }
}
