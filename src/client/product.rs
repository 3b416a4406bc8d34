//! Where the three products differ.

use std::collections::BTreeSet;

use url::Url;

use crate::model::Product;

/// In bytes; what is longer is no version.
const LONGEST_VERSION: usize = 100;

/// The path under which a product serves its API.
const fn base_path(product: Product) -> &'static str {
    match product {
        Product::OpsManager | Product::CloudManager => "/api/public/v1.0",
        Product::Atlas => "/api/atlas/v1.0",
    }
}

/// The product that a URL speaks for: the two cloud products share a host and differ by path.
pub(crate) fn guess(url: &Url) -> Product {
    let cloud = url.host_str().is_some_and(|host| host == "cloud.mongodb.com");
    if url.path().starts_with("/api/atlas/") {
        Product::Atlas
    } else if cloud && url.path().starts_with("/api/public/") {
        Product::CloudManager
    } else if cloud {
        Product::Atlas
    } else {
        Product::OpsManager
    }
}

/// The whole base path: a host's root gets the product's, any other path is taken as it is. Ends without `/`.
pub(crate) fn base(url: &Url, product: Product) -> Url {
    let mut base = url.clone();
    base.set_query(None);
    base.set_fragment(None);
    let path = match url.path().trim_end_matches('/') {
        "" => base_path(product),
        path => path,
    };
    base.set_path(path);
    base
}

/// The version in what the header `X-MongoDB-Service-Version` says, such as `4.4.12`; `None` where it says none, or several.
pub(crate) fn version_in_header(header: &str) -> Option<&str> {
    const NAME: &str = "versionString=";
    let (_, rest) = header.split_once(NAME)?;
    let version = rest.split([';', ',']).next().unwrap_or_default().trim();
    (!version.is_empty() && version.len() <= LONGEST_VERSION && !rest.contains(NAME)).then_some(version)
}

/// Versions as one text, from the lowest; `None` for none.
pub(crate) fn joined_versions(versions: &BTreeSet<String>) -> Option<String> {
    (!versions.is_empty()).then(|| versions.iter().map(String::as_str).collect::<Vec<_>>().join(", "))
}

/// Whether a server of this version has lost personal keys: Ops Manager did with 5.0.
pub(crate) fn has_removed_personal_keys(product: Product, service_version: Option<&str>) -> bool {
    let major = service_version
        .and_then(|version| version.split('.').next())
        .and_then(|major| major.parse::<u32>().ok());
    match product {
        Product::OpsManager => major.is_some_and(|major| major >= 5),
        // Both say so themselves, with 410; their versions are dates and say nothing.
        Product::CloudManager | Product::Atlas => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_gets_the_products_base_path_and_a_path_stays() {
        for (url, product, expected) in [
            ("https://om.example:8080", Product::OpsManager, "https://om.example:8080/api/public/v1.0"),
            ("https://om.example:8080/", Product::OpsManager, "https://om.example:8080/api/public/v1.0"),
            ("https://cloud.mongodb.com", Product::Atlas, "https://cloud.mongodb.com/api/atlas/v1.0"),
            (
                "https://x.example/om/api/public/v1.0/?q#f",
                Product::OpsManager,
                "https://x.example/om/api/public/v1.0",
            ),
        ] {
            assert_eq!(base(&url.parse().unwrap(), product).as_str(), expected);
        }
    }

    #[test]
    fn the_product_is_guessed_from_the_url() {
        for (url, expected) in [
            ("https://om.example:8080", Product::OpsManager),
            ("https://cloud.mongodb.com", Product::Atlas),
            ("https://cloud.mongodb.com/api/public/v1.0", Product::CloudManager),
            ("http://127.0.0.1:1/api/atlas/v1.0", Product::Atlas),
        ] {
            assert_eq!(guess(&url.parse().unwrap()), expected, "{url}");
        }
    }

    #[test]
    fn a_header_says_one_version_or_none() {
        for (header, expected) in [
            ("gitHash=a; versionString=4.4.12", Some("4.4.12")),
            ("versionString= 5.0.0 ;gitHash=a", Some("5.0.0")),
            ("versionString=4.4.12, gitHash=b; versionString=5.0.0", None),
            ("versionString=", None),
            ("gitHash=a", None),
            (&format!("versionString={}", "5".repeat(1000)), None),
        ] {
            assert_eq!(version_in_header(header), expected, "{header}");
        }
    }

    #[test]
    fn only_ops_manager_5_and_later_has_lost_personal_keys() {
        for (product, version, removed) in [
            (Product::OpsManager, Some("4.4.12"), false),
            (Product::OpsManager, Some("5.0.0"), true),
            (Product::OpsManager, Some("10.0.1"), true),
            (Product::OpsManager, Some("v20210803"), false),
            (Product::OpsManager, None, false),
            (Product::Atlas, Some("20210803"), false),
        ] {
            assert_eq!(has_removed_personal_keys(product, version), removed, "{product} {version:?}");
        }
    }
}
