//! Memory does not grow with the number of places.
#![cfg(unix)]

use std::path::Path;

use super::{ANN, audit};
use crate::foreign::python;
use crate::volume::PEAK;

const FORMATS: &str = "csv,markdown,json,ndjson,sarif,gitlab,github";
/// MiB that ten times as many places may need more.
const MORE: u64 = 8;

#[test]
fn memory_does_not_grow_with_the_number_of_places() {
    let env = audit();
    let peak = |places: usize| {
        let line = format!("curl --digest -u ann:{ANN} https://om.example/api/public/v1.0\n");
        env.put("in/keys.txt", line.repeat(places / 2));
        env.put("in/more/keys.txt", line.repeat(places / 2));
        let (program, from) = (env!("CARGO_BIN_EXE_keysunset"), env.path("in"));
        let (store, out) = (env.path("reports/keysunset.db"), env.path("reports"));
        let arguments = [program, "locate", "--context", "--format", FORMATS, "--store"].map(Path::new);
        let arguments = [&arguments[..], &[&store, Path::new("--out"), &out, &from]].concat();
        let measured = python(&["resource"], PEAK, &arguments)?;
        let measured: Vec<u64> = measured.split_whitespace().map(|number| number.parse().unwrap()).collect();
        assert_eq!(measured[0], 1);
        assert_eq!(env.text("reports/locations.ndjson").lines().count(), places);
        Some(if cfg!(target_os = "macos") { measured[1] >> 20 } else { measured[1] >> 10 })
    };
    if let (Some(few), Some(many)) = (peak(1_000), peak(10_000)) {
        assert!(many <= few + MORE, "{few} MiB for 1,000 places, {many} MiB for 10,000");
    }
}
