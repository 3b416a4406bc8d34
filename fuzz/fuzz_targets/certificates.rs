#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| keysunset::fuzz::certificates(bytes));
