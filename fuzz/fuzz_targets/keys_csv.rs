#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| keysunset::fuzz::keys_csv(bytes));
