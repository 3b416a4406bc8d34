//! The end of the help of each command.

pub(super) const ALL: &str = "\
Examples:
  keysunset demo
  keysunset doctor --url https://om.example:8080
  keysunset audit --url https://om.example:8080 --all-orgs
  keysunset report --fail-on used

Exit codes: 0 clean and complete, 1 findings, 2 usage, 3 incomplete, 4 findings and incomplete,
5 bad input or credentials, 6 output not written, 70 a bug, 130 or 143 interrupted.";

pub(super) const AUDIT: &str = "\
Credentials are never flags. The first of these that has some:
  1. the environment, as below   2. --credentials FILE, also for users' own
  3. --profile NAME              4. a prompt, on a terminal
  KEYSUNSET_PUBLIC_KEY            KEYSUNSET_PRIVATE_KEY            or else
  MCLI_PUBLIC_API_KEY             MCLI_PRIVATE_API_KEY             or else
  MONGODB_ATLAS_PUBLIC_API_KEY    MONGODB_ATLAS_PRIVATE_API_KEY

Every other setting may also stand in keysunset.toml under the name of its
flag, and those of the groups Deployment, Credentials, Pace, Judgement and Output
in the environment too: KEYSUNSET_FAIL_ON=used. Flags come before the environment,
and the environment before the file.

Examples:
  keysunset audit --url https://om.example:8080 --all-orgs
  keysunset audit --url https://om.example:8080 --users users.csv --fail-on used --out reports
  grep -v '^bot-' names.txt | keysunset audit --url https://om.example:8080 --users - --rate 5
  keysunset audit --url https://om.example:8080 --all-orgs --resume";

pub(super) const DOCTOR: &str = "\
It takes the settings of the audit to come from the same places, asks a few
dozen GET requests, and changes nothing. Ends with 0 if no line says failed,
and otherwise with 5.

Examples:
  keysunset doctor --url https://om.example:8080
  keysunset doctor --url https://om.example:8080 --all-orgs --rate 5
  keysunset doctor --url https://om.example:8080 --json";

pub(super) const IMPORT: &str = "\
A file holds answers of GET /users/{id}/keys: pages, in either envelope, with
the headers of curl's --include or without; refusals too. Whose they are is told
by their own userId and links, or by the user's id in the file's name.
What can't be understood makes the run incomplete (docs/import.md).

Examples:
  keysunset import answers/
  keysunset import ann@example.com.json bob@example.com.json --name production";

pub(super) const REPORT: &str = "\
Examples:
  keysunset report
  keysunset report --run 3 --cutoff 2023-01-01 --format csv --out /tmp/2023";

pub(super) const COMPLETIONS: &str = "\
Examples:
  keysunset completions bash > ~/.local/share/bash-completion/completions/keysunset
  keysunset completions zsh > ~/.zfunc/_keysunset
  keysunset completions fish > ~/.config/fish/completions/keysunset.fish
  keysunset completions powershell >> $PROFILE
  keysunset completions elvish >> ~/.config/elvish/rc.elv";

pub(super) const MAN: &str = "\
The pages bear the date of SOURCE_DATE_EPOCH where it is set, and none otherwise.

Examples:
  keysunset man ~/.local/share/man/man1
  man keysunset-audit";

pub(super) const EXPLAIN: &str = "\
Examples:
  keysunset explain 5af9a1d29cc0cdb6acdca6d5
  keysunset explain 5af9a1d29cc0cdb6acdca6d5 --waivers waivers.toml --store reports/keysunset.db";

pub(super) const MERGE: &str = "\
Takes the newest run of each deployment. A folder stands for the keysunset.db in it.

Examples:
  keysunset merge east/keysunset.db west/keysunset.db --out both
  keysunset merge reports/* --out all --format csv,markdown,json";

pub(super) const EXPORT: &str = "\
The same evidence gives the same bytes, one JSON document a line; their SHA-256
is what the manifest has as readings_sha256 (docs/evidence.md).

Examples:
  keysunset export | sha256sum
  keysunset export 3 --store reports/keysunset.db > run-3.ndjson";

pub(super) const VERIFY: &str = "\
Ends with 0 if all is as the manifest says, 1 if something differs, 3 if nothing
does but not all could be checked, and 5 if there is no manifest that can be used.

Examples:
  keysunset verify
  keysunset verify reports-2023 --store reports/keysunset.db
  keysunset verify --json";

pub(super) const HISTORY: &str = "\
Examples:
  keysunset history
  keysunset history --deployment prod --format markdown
  keysunset history --json --cutoff 2023-01-01 --store /var/lib/keysunset.db";

pub(super) const DIFF: &str = "\
Without numbers it compares the newest run with the last complete one before it;
with one, that run with the newest of its deployment.

Examples:
  keysunset diff
  keysunset diff 3
  keysunset diff 3 7 --format markdown";

pub(super) const PRUNE: &str = "\
The last complete run of a deployment stays in any case.

Examples:
  keysunset prune --keep 12 --dry-run
  keysunset prune --keep 12";
