//! What each product serves, by its version and, where one was set, by its clock.

use std::time::SystemTime;

use chrono::{DateTime, TimeDelta, Utc};

use crate::Error;

/// The build, in the version header and at the base path.
pub(crate) const GIT_HASH: &str = "5a9d5b0c6e7f8a1b2c3d4e5f60718293a4b5c6d7";

/// Whose API the sandbox speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Product {
    /// Keys are readable by their user and by global owners
    OpsManager,
    /// Keys are readable only by their user
    CloudManager,
    /// As cloud-manager, with its own base path
    Atlas,
}

impl Product {
    /// The name as typed and as announced.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpsManager => "ops-manager",
            Self::CloudManager => "cloud-manager",
            Self::Atlas => "atlas",
        }
    }

    /// The path that every resource is below.
    #[must_use]
    pub const fn base_path(self) -> &'static str {
        match self {
            Self::OpsManager | Self::CloudManager => "/api/public/v1.0",
            Self::Atlas => "/api/atlas/v1.0",
        }
    }

    /// The base path of the versioned API, which Atlas alone has.
    pub(crate) const fn versioned_base_path(self) -> Option<&'static str> {
        match self {
            Self::OpsManager | Self::CloudManager => None,
            Self::Atlas => Some("/api/atlas/v2"),
        }
    }

    pub(crate) const fn application(self) -> &'static str {
        match self {
            Self::OpsManager => "MongoDB Ops Manager",
            Self::CloudManager => "MongoDB Cloud Manager",
            Self::Atlas => "MongoDB Atlas",
        }
    }
}

/// What IP lists are called, in paths and in error codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ListName {
    Whitelist,
    AccessList,
}

impl ListName {
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Whitelist => "whitelist",
            Self::AccessList => "accessList",
        }
    }

    pub(crate) fn from_path(segment: &str) -> Option<Self> {
        [Self::Whitelist, Self::AccessList].into_iter().find(|name| name.path() == segment)
    }

    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Whitelist => "WHITELIST",
            Self::AccessList => "ACCESS_LIST",
        }
    }
}

/// Whether `/users/{id}/keys` is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PersonalKeyResource {
    Served,
    /// No such path: Ops Manager before 4.0, and from 5.0 on.
    Unknown,
    /// The path is known and answers 410.
    Removed,
}

/// The rules of one product at one version and time.
pub(crate) struct ProductRules {
    pub(crate) product: Product,
    /// Major and minor, which only Ops Manager has rules for.
    version: (u64, u64),
    clock: Option<DateTime<Utc>>,
}

const ATLAS_REFUSES: i64 = 1_614_556_800; // 2021-03-01
const ATLAS_REMOVES: i64 = 1_624_406_400; // 2021-06-23
const CLOUD_MANAGER_REMOVES: i64 = 1_627_948_800; // 2021-08-03

impl ProductRules {
    pub(crate) fn new(product: Product, version: &str, clock: Option<DateTime<Utc>>) -> Result<Self, Error> {
        let mut numbers = version.split('.').map(str::parse::<u64>);
        let version = match (product, numbers.next(), numbers.next()) {
            (_, Some(Ok(major)), Some(Ok(minor))) => (major, minor),
            (Product::CloudManager | Product::Atlas, ..) => (0, 0),
            (Product::OpsManager, ..) => return Err(Error::Version(version.to_owned())),
        };
        Ok(Self { product, version, clock })
    }

    /// The service's now, to the second.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        let now = self.clock.unwrap_or_else(|| SystemTime::now().into());
        now - TimeDelta::nanoseconds(i64::from(now.timestamp_subsec_nanos()))
    }

    /// The removal from Atlas and Cloud Manager follows a clock that was set, never the system's: otherwise nothing
    /// would be left there to show.
    pub(crate) fn personal_keys(&self) -> PersonalKeyResource {
        let removed = |from| self.clock.is_some_and(|now| now.timestamp() >= from);
        match self.product {
            Product::OpsManager if (4..5).contains(&self.version.0) => PersonalKeyResource::Served,
            Product::OpsManager => PersonalKeyResource::Unknown,
            Product::CloudManager if removed(CLOUD_MANAGER_REMOVES) => PersonalKeyResource::Removed,
            Product::Atlas if removed(ATLAS_REMOVES) => PersonalKeyResource::Removed,
            Product::CloudManager | Product::Atlas => PersonalKeyResource::Served,
        }
    }

    /// Whether a personal key may log in.
    pub(crate) fn accepts_personal_keys(&self) -> bool {
        match self.product {
            Product::OpsManager => self.version < (5, 0),
            Product::CloudManager => self.personal_keys() == PersonalKeyResource::Served,
            Product::Atlas => self.now().timestamp() < ATLAS_REFUSES,
        }
    }

    /// Only Ops Manager 4.0 still makes personal keys.
    pub(crate) fn creates_personal_keys(&self) -> bool {
        self.product == Product::OpsManager && self.version < (4, 1)
    }

    /// Ops Manager 4.0 does not delete them yet.
    pub(crate) fn deletes_personal_keys(&self) -> bool {
        !self.creates_personal_keys()
    }

    /// Ops Manager has programmatic keys since 4.1.
    pub(crate) fn has_programmatic_keys(&self) -> bool {
        self.product != Product::OpsManager || self.version >= (4, 1)
    }

    pub(crate) fn has_global_keys(&self) -> bool {
        self.product == Product::OpsManager && self.has_programmatic_keys()
    }

    pub(crate) fn has_include_count(&self) -> bool {
        self.product == Product::Atlas
    }

    /// A deletion answers 200 with `{}` on Atlas, and 204 elsewhere.
    pub(crate) fn deletes_with_a_body(&self) -> bool {
        self.product == Product::Atlas
    }

    /// The current name of IP lists, as in the refusal of an address.
    pub(crate) fn list_name(&self) -> ListName {
        match self.product {
            Product::OpsManager if self.version < (5, 0) => ListName::Whitelist,
            Product::OpsManager | Product::CloudManager | Product::Atlas => ListName::AccessList,
        }
    }

    /// Whether paths have IP lists under this name: the older one is deprecated where there is a newer, and still served.
    pub(crate) fn serves_list(&self, name: ListName) -> bool {
        name == ListName::Whitelist || name == self.list_name()
    }
}
