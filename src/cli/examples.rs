//! The end of the long help of each command: sections, each with a heading and indented lines. With the margin of a man page,
//! none has more than 80 columns.

pub(super) const SUMMARY: &str = "'keysunset help COMMAND' shows all details and examples of a command.";

/// The same after every command that has a quality gate.
macro_rules! exit_codes {
    () => {
        "
Exit codes:
  0    no findings, and all users were read
  1    findings, and all users were read
  2    wrong command line
  3    incomplete, no findings in what was read
  4    incomplete, with findings
  5    bad input, settings or credentials, no connection, or no users
  6    an output could not be written, or the run database is damaged
  70   a bug in keysunset
  130  interrupted by Ctrl-C (143: by SIGTERM); --resume continues the run"
    };
}

pub(super) const ALL: &str = concat!(
    "\
Examples:
  # Try keysunset without a deployment
  keysunset demo
  # Test connection, credentials and permissions
  keysunset doctor --url https://om.example:8080
  # Audit all users of all organizations
  keysunset audit --url https://om.example:8080 --all-orgs
  # Render the newest run again, with another quality gate
  keysunset report --fail-on used
",
    exit_codes!(),
    "

Documentation:
  Every command has a long help ('keysunset help audit') and a man page
  ('keysunset man DIR' writes them)."
);

/// Where credentials and settings come from, the same for `audit` and `doctor`.
macro_rules! sources {
    () => {
        "\
Credentials:
  Credentials are never flags, so they are in no process list and no shell
  history. keysunset uses the first of these sources that has credentials:

  1. Environment variables; the first pair that is set:
       KEYSUNSET_PUBLIC_KEY          KEYSUNSET_PRIVATE_KEY
       MCLI_PUBLIC_API_KEY           MCLI_PRIVATE_API_KEY
       MONGODB_ATLAS_PUBLIC_API_KEY  MONGODB_ATLAS_PRIVATE_API_KEY
       MONGODB_ATLAS_PUBLIC_KEY      MONGODB_ATLAS_PRIVATE_KEY
  2. --credentials FILE
  3. --profile NAME
  4. A prompt, on a terminal

Environment and settings file:
  Flags override environment variables, and environment variables override
  keysunset.toml. A setting has the same name in all three:

    --fail-on used    KEYSUNSET_FAIL_ON=used    fail-on = \"used\"

  The flags of the group Scope have no environment variables.
"
    };
}

pub(super) const AUDIT: &str = concat!(
    sources!(),
    "
Examples:
  # Credentials of a programmatic API key with the role GLOBAL_OWNER
  export KEYSUNSET_PUBLIC_KEY=abcdwxyz
  read -rs KEYSUNSET_PRIVATE_KEY && export KEYSUNSET_PRIVATE_KEY
  # All users of all organizations
  keysunset audit --url https://om.example:8080 --all-orgs
  # A list of users; only keys in use are findings
  keysunset audit --url https://om.example:8080 --users users.csv \\
    --fail-on used
  # A list from standard input, at most 5 requests per second
  grep -v '^bot-' names.txt |
    keysunset audit --url https://om.example:8080 --users - --rate 5
  # Continue an interrupted run
  keysunset audit --url https://om.example:8080 --all-orgs --resume
",
    exit_codes!()
);

pub(super) const DOCTOR: &str = concat!(
    sources!(),
    "
Examples:
  keysunset doctor --url https://om.example:8080
  keysunset doctor --url https://om.example:8080 --all-orgs --rate 5
  keysunset doctor --url https://om.example:8080 --json

Exit codes:
  0    no check failed
  5    a check failed, or bad input or settings"
);

pub(super) const IMPORT: &str = concat!(
    "\
Input:
  A file contains responses of GET /users/{id}/keys, with or without
  headers (curl --include), and with or without ?envelope=true. Errors can
  be imported too. The user is found by userId and links in the response,
  or by the user ID in the file name. Responses that cannot be interpreted
  make the run incomplete. See docs/import.md.

Examples:
  keysunset import responses/
  keysunset import ann@example.com.json bob@example.com.json --name west
",
    exit_codes!()
);

pub(super) const REPORT: &str = concat!(
    "\
Examples:
  # The newest run, in the default formats
  keysunset report
  # Run 3 with another cutoff, in another folder
  keysunset report --run 3 --cutoff 2023-01-01 --out reports-2023
",
    exit_codes!()
);

pub(super) const COMPLETIONS: &str = "\
Examples:
  # Bash
  mkdir -p ~/.local/share/bash-completion/completions
  keysunset completions bash \\
    > ~/.local/share/bash-completion/completions/keysunset
  # Other shells
  keysunset completions zsh > ~/.zfunc/_keysunset
  keysunset completions fish > ~/.config/fish/completions/keysunset.fish
  keysunset completions powershell >> $PROFILE
  keysunset completions elvish >> ~/.config/elvish/rc.elv";

pub(super) const MAN: &str = "\
Environment:
  The pages have the date of SOURCE_DATE_EPOCH if it is set, and no date
  otherwise.

Examples:
  keysunset man ~/.local/share/man/man1
  man keysunset-audit";

pub(super) const EXPLAIN: &str = "\
Examples:
  keysunset explain 5af9a1d29cc0cdb6acdca6d5
  keysunset explain 5af9a1d29cc0cdb6acdca6d5 --waivers waivers.toml";

pub(super) const PLAN: &str = "\
Examples:
  # Plan from the newest run in reports/keysunset.db
  keysunset plan
  # One programmatic key for each personal key
  keysunset plan --per key --out plan
  # Create the replacements with mongocli
  keysunset plan --tool mongocli

Exit codes:
  0    the plan is complete
  3    the plan is incomplete: keys or roles of an owner are unknown
  5    bad input or settings
  6    an output could not be written";

pub(super) const LOCATE: &str = "\
Examples:
  # The working folder with all git histories in it
  keysunset locate .
  # In CI: only keys in files and at the ends of branches are findings
  keysunset locate . --fail-on live --format csv,sarif
  # Standard input, such as a log or a container image
  docker save IMAGE | keysunset locate -
  # Without a run database
  keysunset locate ~/src --keys keys.csv --exclude node_modules

Exit codes:
  0    no findings, and everything was searched
  1    findings, and everything was searched
  3    incomplete, no findings in what was searched
  4    incomplete, with findings
  5    bad input or settings
  6    an output could not be written
  130  interrupted by Ctrl-C (143: by SIGTERM)";

pub(super) const MERGE: &str = concat!(
    "\
Examples:
  keysunset merge east/keysunset.db west/keysunset.db --out both
  keysunset merge reports/* --out all --format csv,markdown,json
",
    exit_codes!()
);

pub(super) const ABOUT_EXPORT: &str = "\
Print a stored run in canonical form, or write an evidence pack

The output has one JSON document per line, and always the same bytes for the
same run. Its SHA-256 is readings_sha256 in the manifest. With --pack, the run
and its reports are written into a folder or a zip archive, for an auditor who
does not have keysunset. See docs/evidence.md.";

pub(super) const EXPORT: &str = "\
Examples:
  keysunset export | sha256sum
  keysunset export 3 --store reports/keysunset.db > run-3.ndjson
  # For an auditor
  keysunset export --pack evidence.zip";

pub(super) const VERIFY: &str = "\
Examples:
  keysunset verify
  keysunset verify reports-2023 --store reports/keysunset.db
  keysunset verify evidence.zip
  keysunset verify --json

Exit codes:
  0    everything matches the manifest
  1    a difference
  3    no difference, but not everything could be checked
  5    the manifest is missing or cannot be read";

pub(super) const HISTORY: &str = "\
Examples:
  keysunset history
  keysunset history --deployment production --format markdown
  keysunset history --json --cutoff 2023-01-01 --store keysunset.db";

pub(super) const DIFF: &str = "\
Examples:
  # The newest run, and the last complete run before it
  keysunset diff
  # Run 3, and the newest run of its deployment
  keysunset diff 3
  # Run 3 and run 7
  keysunset diff 3 7 --format markdown";

pub(super) const PRUNE: &str = "\
Examples:
  keysunset prune --keep 12 --dry-run
  keysunset prune --keep 12";

pub(super) const DEMO: &str = "\
Examples:
  keysunset demo
  keysunset demo --users 1000 --out demo";

pub(super) const SANDBOX: &str = "\
Examples:
  keysunset sandbox --users 1000
  keysunset sandbox --fault 503x2=1@5% --fault cut@2%:keys";
