# The commands of a maintainer: `just` lists them. `.ci/run` runs the same recipes.

set shell := ["bash", "-euo", "pipefail", "-c"]

# The clock of reports/example, 2025-06-15T15:06:40Z.
example_now := "1750000000"

program := env("CARGO_TARGET_DIR", "target") / "debug/keysunset"
# A Python that has check-jsonschema and pre-commit; `.ci/run` makes one.
python := env("KEYSUNSET_PYTHON", "python3")

[private]
default:
    @just --list --unsorted

# Format, lints, API documentation, dependencies and shell scripts.
check: format clippy rustdoc deny shellcheck

# All tests but the slow ones.
test:
    cargo test --locked

# Everything, as on a fresh machine.
ci:
    .ci/run

# Accept all changes of snapshots and of reports/example; review them with `git diff`.
bless: && example-update
    INSTA_UPDATE=always cargo test --locked --test it -- golden::

format:
    cargo fmt --check
    cargo fmt --check --manifest-path fuzz/Cargo.toml

clippy:
    cargo clippy --locked --all-targets -- -D warnings

# There are no examples: `--examples` makes cargo choose features as it does for tests, so that nothing is built again.
rustdoc:
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items --lib --examples

# Licences, duplicate versions and sources of all dependencies (deny.toml).
deny:
    cargo deny --offline --locked check licenses bans sources

# Known vulnerabilities of all dependencies, by the database of RustSec.
advisories:
    #!/usr/bin/env bash
    set -euo pipefail
    if cargo deny --locked fetch db; then
        cargo deny --offline --locked check advisories
    else
        echo "the database of RustSec can't be fetched here: advisories were not checked"
    fi

shellcheck:
    git ls-files -z .ci/run '*.sh' packaging/check packaging/rustc packaging/source-hash packaging/take-release | xargs -0 shellcheck

# Build with the oldest Rust that Cargo.toml names.
oldest-rust:
    cargo +"$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)" check --locked --target-dir "${CARGO_TARGET_DIR:-target}/oldest-rust"

# Kill a run at 100 random moments and resume it.
kills:
    KEYSUNSET_KILLS=100 cargo test --locked --test it resume::a_run_killed

# Audit 50,000 users while a tenth of all requests fails, with two kills.
soak:
    KEYSUNSET_SOAK_USERS=50000 cargo test --locked --test it soak::

# Audit behind nginx and haproxy for an hour, with other faults, kills and concurrency in each round: tests/soak/soak.py.
soak-hour *arguments:
    cargo build --locked --release
    python3 tests/soak/soak.py {{ arguments }}

# Write 200,000 keys in all formats.
volume:
    KEYSUNSET_VOLUME_KEYS=200000 cargo test --locked --test it volume::

# Look for bytes that break something: each target for so many seconds. Needs a nightly toolchain and cargo-fuzz.
fuzz seconds="60" *targets:
    #!/usr/bin/env bash
    set -euo pipefail
    cargo metadata --locked --format-version 1 --manifest-path fuzz/Cargo.toml >/dev/null
    # The lists of targets come from fuzz/Cargo.toml.
    for target in {{ if targets == "" { "$(cargo +nightly fuzz list)" } else { targets } }}; do
        mkdir -p "fuzz/corpus/$target"
        cargo +nightly fuzz run "$target" "fuzz/corpus/$target" "fuzz/seeds/$target" -- -max_total_time={{ seconds }} -timeout=20
    done

# Make fuzz/Cargo.lock again, with the versions of Cargo.lock.
fuzz-lock:
    cp Cargo.lock fuzz/Cargo.lock
    cargo metadata --format-version 1 --manifest-path fuzz/Cargo.toml >/dev/null

# Open keys.xlsx, and keys.csv of --csv-excel, with LibreOffice.
office:
    cargo test --locked --test it -- --ignored xlsx:: csv::

# report.html and Markdown in Chromium; needs chromium, pdfinfo, cmarkgfm in KEYSUNSET_PYTHON, and playwright-core, axe-core,
# github-markdown-css and github-slugger in KEYSUNSET_NODE_MODULES.
browser:
    cargo test --locked --test it browser:: -- --ignored

# All benchmarks that have an aim, and all aims together at the end: docs/benchmarks.md.
speed:
    #!/usr/bin/env bash
    set -euo pipefail
    printed=$(mktemp)
    trap 'rm -f "$printed"' EXIT
    for bench in peers load audit report; do
        cargo bench --locked --bench "$bench"
    done | tee "$printed"
    printf '\nAll aims:\n\n'
    awk '/^\| aim \|/ { is_aim = 1; skip = seen++ ? 2 : 0 } !/^\|/ { is_aim = 0 } is_aim && skip-- <= 0' "$printed"

# Times of report.html with 90,000 keys in Chromium: docs/benchmarks.md.
page-times:
    cargo run --locked --release -- demo --users 53000 --out demo-reports/90000
    NODE_PATH="${KEYSUNSET_NODE_MODULES:?}" node benches/page.js demo-reports/90000/report.html

# Make the picture of report.html in the README again.
screenshot: example-update
    NODE_PATH="${KEYSUNSET_NODE_MODULES:?}" docs/screenshot.js reports/example/report.html docs/report.png

# Make reports/example again, and compare it with what is committed.
example: build
    #!/usr/bin/env bash
    set -euo pipefail
    out=$(mktemp -d)
    trap 'rm -rf "$out"' EXIT
    SOURCE_DATE_EPOCH={{ example_now }} {{ program }} demo --out "$out"
    for file in keys.csv organizations.csv migration-report.md report.html; do
        diff -u "reports/example/$file" "$out/$file"
    done
    # Software of others reads the same files, and counts the same.
    [ "$(sqlite3 "$out/keysunset.db" 'PRAGMA integrity_check')" = ok ]
    counted=$(sqlite3 -separator ' ' "$out/keysunset.db" 'SELECT (SELECT count(*) FROM keys), (SELECT count(*) FROM readings)')
    rows=$(python3 - "$out/keys.csv" <<'PYTHON'
    import csv, sys
    with open(sys.argv[1], encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, strict=True))
    assert all(None not in row and None not in row.values() for row in rows), "a row of another width than the header"
    print(sum(row["key_id"] != "" for row in rows), len({row["user_id"] for row in rows}))
    PYTHON
    )
    echo "keys and users: $counted in the run database, $rows in keys.csv"
    [ "$counted" = "$rows" ]

# Make reports/example again.
example-update: build
    SOURCE_DATE_EPOCH={{ example_now }} {{ program }} demo --out reports/example

# `cargo build` would choose other features than the tests, and build most of it again.
[private]
build:
    cargo test --locked --no-run

# The files of a release for Linux in dist/, from the sources of HEAD.
pack *targets:
    rm -rf dist
    packaging/pack.py {{ targets }}
    packaging/pack.py --sums

# Check the files of dist/ in empty roots; needs root.
pack-check:
    packaging/check

# Pack a second clone in another folder, with nothing left of the first build, and compare all bytes with dist/.
pack-twice *targets:
    #!/usr/bin/env bash
    set -euo pipefail
    elsewhere=$(mktemp -d)
    trap 'rm -rf "$elsewhere"' EXIT
    git clone -q . "$elsewhere/another clone"
    rm -rf "${KEYSUNSET_PACK:-/var/tmp/keysunset-pack}"
    cd "$elsewhere/another clone"
    packaging/pack.py {{ targets }}
    packaging/pack.py --sums
    diff "{{ justfile_directory() }}/dist/SHA256SUMS" dist/SHA256SUMS

# Check the CI examples of docs/ci.md, action.yml, the hooks and the files in .github against their vendors' schemas.
ci-schemas:
    #!/usr/bin/env bash
    set -euo pipefail
    pasted=$(mktemp -d)
    trap 'rm -rf "$pasted"' EXIT
    {{ python }} - docs/ci.md "$pasted" <<'PYTHON'
    import pathlib, re, sys
    text, folder = pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"), pathlib.Path(sys.argv[2])
    examples = re.findall(r"^```(?:yaml|groovy)\n(?:#|//) (\S+)\n(.*?)^```$", text, re.M | re.S)
    assert len(examples) == len(re.findall(r"^```(?:yaml|groovy)$", text, re.M)), "an example without the name of its file"
    for name, example in examples:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(example, encoding="utf-8")
    PYTHON
    schema() { {{ python }} -m check_jsonschema --builtin-schema "vendor.$1" "${@:2}"; }
    schema github-actions action.yml
    schema github-workflows "$pasted"/.github/workflows/*.yml .github/workflows/*.yml
    schema gitlab-ci "$pasted/.gitlab-ci.yml"
    schema dependabot .github/dependabot.yml
    schema github-issue-config .github/ISSUE_TEMPLATE/config.yml
    schema github-issue-forms .github/ISSUE_TEMPLATE/bug.yml .github/ISSUE_TEMPLATE/feature.yml
    {{ python }} -m pre_commit validate-manifest .pre-commit-hooks.yaml
    {{ python }} -m pre_commit validate-config "$pasted/.pre-commit-config.yaml" "$pasted/locate/.pre-commit-config.yaml"

# No path of the machine on which something was written.
no-paths:
    #!/usr/bin/env bash
    set -euo pipefail
    code=0
    git grep -nIE '(^|[^[:alnum:]._-])/((root|home|Users|work|workspace|builds)/|tmp/[a-z])' || code=$?
    # 1 is "not found"; anything above is git's own failure.
    [ "$code" = 1 ]
