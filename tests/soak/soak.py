#!/usr/bin/env python3
"""Audits a deployment behind nginx and haproxy again and again, with other faults, proxies, kills and concurrency in each
round, and checks each round: all rows are those of an audit without faults, or say why not; nothing is left over; memory,
threads and file handles stay the same. Ends with 1 if a round did not. Needs Linux, nginx, haproxy and openssl.

    tests/soak/soak.py --minutes 60 --program target/release/keysunset
"""

import argparse
import csv
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from servers import ENTRANCES, ENVIRONMENT, Deployment

# Once on each of the two nodes; four of them on one request end before `RETRIES` do.
PASSING = [
    "503x1@5%:keys", "500x1@3%:keys", "429x1@3%:keys", "429x1=1@0.05%:keys", "503x1=date@0.05%:keys",
    "400x1=RATE_LIMITED_IP@1%:keys", "408x1@1%:keys", "502x1=html@2%:keys", "504x1=empty@0.5%:keys", "resetx1@3%:keys",
    "closex1@2%:keys", "cutx1@3%:keys", "stalex1@5%:keys", "hangx1@0.1%:keys", "latency=200@10%:keys",
    "503x1@50%:orgs+users", "resetx1@30%:orgs+users", "cutx1@20%:orgs+users", "content-type@5%:keys", "redirect@2%:keys",
]
# Each hits users who then are not read.
LASTING = [
    "404@0.2%:keys", "401@0.2%:keys", "403@0.2%:keys", "html@0.2%:keys", "empty@0.2%:keys", "garbage@0.2%:keys",
    "truncated@0.2%:keys", "deep@0.1%:keys", "endless@0.05%:keys", "total@0.2%:keys", "repeats@0.2%:keys",
    "never-ends@0.05%:keys", "path-ids@0.2%:keys", "another-user@0.2%:keys", "redirect-loop@0.2%:keys", "503@0.2%:keys",
    "reset@0.2%:keys", "cut@0.2%:keys", "stale@0.1%:keys", "refused@0.1%:keys", "slow-drip@0.05%:keys",
]
DEPLOYMENTS = [
    [], [], ["--nonce", "once"], ["--nonce-life", "1"], ["--nonce-uses", "50"], ["--challenge", "sha256"],
    ["--challenge", "several"], ["--challenge", "reference"],
]
RETRIES = "8"
# Differ from run to run, or depend on how often a response failed.
NOT_COMPARED = {"deployment", "attempts", "read_at"}
FILES = {"keys.csv", "organizations.csv", "migration-report.md", "report.html", "manifest.json", "keysunset.db", "keysunset.db.lock"}


@dataclass
class Round:
    number: int
    users: int
    entrance: str
    concurrency: int
    options: list[str]
    faults: list[str]
    lasting: list[str]
    kills: list[signal.Signals]
    restart: str | None
    problems: list[str] = field(default_factory=list)
    unread: int = 0
    memory: int = 0
    threads: int = 0
    handles: int = 0
    seconds: float = 0

    def line(self) -> str:
        parts = [
            ENTRANCES[self.entrance][1], f"{self.users} users, {self.unread} not read", f"{self.concurrency} at once",
            " ".join([*self.options, *self.faults]) or "no faults",
            *([" ".join(kill.name for kill in self.kills)] if self.kills else []),
            *([f"restart of {self.restart}"] if self.restart else []),
            f"{self.memory // 1024} MiB, {self.threads} threads, {self.handles} handles, {self.seconds:.1f} s",
            "; ".join(self.problems) or "ok",
        ]
        return f"round {self.number}: " + " | ".join(parts)


def chosen_round(number: int, seed: int, users: int) -> Round:
    """The same for the same seed and number."""
    rng = random.Random(f"{seed} {number}")
    passing = rng.sample(PASSING, rng.randint(0, 4))
    lasting = rng.sample(LASTING, rng.choice([0, 0, 1, 3]))
    entrance = rng.choice([name for name in ENTRANCES if name != "one"])
    signals = [signal.SIGKILL, signal.SIGTERM, signal.SIGINT]
    return Round(
        number, users * 8 if number % 15 == 0 else users, entrance, rng.choice([2, 16, 16, 64, 200]),
        rng.choice(DEPLOYMENTS), passing + lasting, lasting, rng.choices(signals, k=rng.choice([0, 0, 1, 2, 4])),
        rng.choice([None, None, None, "one", "two"]))


class Soak:
    def __init__(self, program: Path, folder: Path, rate: str | None):
        self.program, self.folder, self.rate = program, folder, rate
        self.deployment = Deployment(program, folder)
        self.out, self.temporary = folder / "reports", folder / "tmp"
        self.temporary.mkdir()
        self.references: dict[int, dict[str, list[tuple]]] = {}

    def reference(self, users: int) -> dict[str, list[tuple]]:
        """The rows of each user, read without a fault and without a proxy."""
        if users not in self.references:
            self.deployment.start(["--users", str(users)])
            out = self.folder / f"reference-{users}"
            code = self.audit("one", out, ["--concurrency", "16"], ["csv"]).wait()
            if code != 1:
                raise SystemExit(f"the audit without faults ended with {code}")
            self.references[users] = rows(out / "keys.csv")
            if len(self.references[users]) != users:
                raise SystemExit("the audit without faults has other users")
        return self.references[users]

    def audit(self, entrance: str, out: Path, arguments: list[str], formats: list[str]) -> subprocess.Popen:
        command = [
            self.program, "audit", "--quiet", "--all-orgs", "--name", "soak", "--url", self.deployment.url(entrance),
            "--out", out, "--format", ",".join(formats), "--retries", RETRIES, "--timeout", "3", *arguments,
        ]
        environment = ENVIRONMENT | self.deployment.credential
        environment |= {"TMPDIR": str(self.temporary), "SSL_CERT_FILE": str(self.deployment.certificate)}
        log = (self.folder / "stderr").open("w")
        return subprocess.Popen(command, env=environment, cwd=self.folder, stderr=log)

    def run(self, it: Round) -> None:
        reference = self.reference(it.users)
        faults = [argument for fault in it.faults for argument in ("--fault", fault)]
        self.deployment.start(["--users", str(it.users), *it.options, *faults])
        rng, began = random.Random(it.number), time.monotonic()
        arguments = ["--concurrency", str(it.concurrency), *(["--rate", self.rate] if self.rate else [])]
        resumed = []
        for kill in it.kills:
            code = self.until_killed(it, [*arguments, *resumed], kill, rng.uniform(0.05, 3))
            if code not in (1, 4, 128 + kill, -kill):
                it.problems.append(f"ended with {code} after {kill.name}")
            resumed = ["--resume"]
        process = self.audit(it.entrance, self.out, [*arguments, *resumed], ["csv", "markdown", "html"])
        restart = threading.Timer(rng.uniform(0.1, 2), self.deployment.restart_sandbox, [it.restart])
        if it.restart:
            restart.start()
        code = self.watch(it, process, time.monotonic() + 600)
        if it.restart:
            restart.join()
        if code == 5 and it.restart:
            # The first request of all found no deployment.
            process = self.audit(it.entrance, self.out, [*arguments, "--resume"], ["csv", "markdown", "html"])
            code = self.watch(it, process, time.monotonic() + 600)
        it.seconds = time.monotonic() - began
        self.check(it, code, reference)

    def until_killed(self, it: Round, arguments: list[str], kill: signal.Signals, after: float) -> int:
        process = self.audit(it.entrance, self.out, arguments, ["csv", "markdown", "html"])
        try:
            return process.wait(after)
        except subprocess.TimeoutExpired:
            process.send_signal(kill)
        # Five seconds for the requests in flight, and the time of the reports.
        return self.watch(it, process, time.monotonic() + 60)

    def watch(self, it: Round, process: subprocess.Popen, until: float) -> int:
        """Notes the highest memory, threads and handles, and that memory does not grow while users are read."""
        memory = []
        folder = Path(f"/proc/{process.pid}")
        while process.poll() is None:
            try:
                status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
                handles = len(list((folder / "fd").iterdir()))
            except OSError:
                continue
            if "VmRSS" in status:
                memory.append(int(status["VmRSS"].split()[0]))
                it.threads = max(it.threads, int(status["Threads"]))
                it.handles = max(it.handles, handles)
            if time.monotonic() > until:
                it.problems.append("did not end")
                process.kill()
            time.sleep(0.05)
        it.memory = max([it.memory, *memory])
        third = len(memory) // 3
        if third > 20 and max(memory[2 * third:]) > 1.5 * max(memory[:third]):
            it.problems.append(f"memory grew from {max(memory[:third])} to {max(memory[2 * third:])} KiB")
        return process.returncode

    def check(self, it: Round, code: int, reference: dict[str, list[tuple]]) -> None:
        problem = it.problems.append
        if code not in (1, 4):
            problem(f"ended with {code}: {(self.folder / 'stderr').read_text().strip()}")
            return
        found = rows(self.out / "keys.csv")
        if found.keys() != reference.keys():
            problem(f"{len(found.keys() - reference.keys())} users too many, {len(reference.keys() - found.keys())} missing")
        for user, of_user in found.items():
            if any(row["read_status"] == "read" for row in of_user):
                if comparable(of_user) != comparable(reference.get(user, [])):
                    problem(f"other rows of {user}")
            else:
                it.unread += 1
                if not any(row["reason"] for row in of_user):
                    problem(f"no reason for {user}")
        if code != (4 if it.unread else 1):
            problem(f"ended with {code}")
        shares = sum(float(fault.split("@")[1].split("%")[0]) / 100 for fault in it.lasting)
        if it.unread > (3 * shares * it.users + 10 if it.lasting else 0):
            problem("too many users were not read")
        self.check_rest(it)

    def check_rest(self, it: Round) -> None:
        """Files, the run database, and what the process used."""
        problem = it.problems.append
        parts = {path for path in self.out.iterdir() if path.name.startswith(".keysunset-") and path.suffix == ".part"}
        names = {path.name for path in set(self.out.iterdir()) - parts}
        if names != FILES:
            problem(f"other files: {sorted(names ^ FILES)}")
        left = [*parts, *self.temporary.iterdir()]
        if left and signal.SIGKILL not in it.kills:
            problem(f"left over: {[path.name for path in left]}")
        for path in left:
            path.unlink()
        for command in [["verify", self.out], ["prune", "--keep", "2", "--out", self.out]]:
            ended = subprocess.run([self.program, *command], env=ENVIRONMENT, cwd=self.folder, capture_output=True, text=True)
            if ended.returncode != 0:
                problem(f"{command[0]} ended with {ended.returncode}: {ended.stderr.strip()}")
        with sqlite3.connect(self.out / "keysunset.db") as database:
            (result,) = database.execute("PRAGMA integrity_check").fetchone()
        database.close()
        if result != "ok":
            problem(f"integrity_check: {result}")
        for what, used, most in [
            ("memory", it.memory / 1024, 64), ("threads", it.threads, 8), ("handles", it.handles, 2 * it.concurrency + 60),
        ]:
            if used > most:
                problem(f"{what}: {used:.0f}, at most {most}")


def rows(path: Path) -> dict[str, list[dict]]:
    by_user: dict[str, list[dict]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, strict=True):
            by_user.setdefault(row["user_id"], []).append(row)
    return by_user


def comparable(of_user: list[dict]) -> list[dict]:
    return [{name: value for name, value in row.items() if name not in NOT_COMPARED} for row in of_user]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--program", type=Path, default=Path("target/release/keysunset"))
    parser.add_argument("--users", type=int, default=2000)
    parser.add_argument("--rate", help="most requests per second of each audit")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=1, help="number of the first round, to repeat one")
    parser.add_argument("--keep", type=Path, help="where the files of rounds with a problem are copied")
    arguments = parser.parse_args()
    missing = [name for name in ["nginx", "haproxy", "openssl"] if not shutil.which(name)]
    if missing:
        raise SystemExit(f"not installed: {', '.join(missing)}")

    end, rounds = time.monotonic() + arguments.minutes * 60, []
    with tempfile.TemporaryDirectory() as folder:
        soak = Soak(arguments.program.resolve(), Path(folder), arguments.rate)
        try:
            while time.monotonic() < end:
                it = chosen_round(arguments.first + len(rounds), arguments.seed, arguments.users)
                soak.run(it)
                rounds.append(it)
                print(it.line(), flush=True)
                if it.problems and arguments.keep:
                    shutil.copytree(folder, arguments.keep / f"round-{it.number}", dirs_exist_ok=True)
        finally:
            soak.deployment.stop()
    return summary(rounds)


def summary(rounds: list[Round]) -> int:
    failed = [it for it in rounds if it.problems]
    usual = [it.memory / 1024 for it in rounds if it.number % 15 != 0]
    tenth = max(1, len(usual) // 10)
    first, last = median(usual[:tenth]), median(usual[-tenth:])
    print(f"{len(rounds)} rounds, {sum(it.users for it in rounds)} users, {sum(len(it.kills) for it in rounds)} kills, "
          f"{len(failed)} rounds with a problem; memory {first:.1f} MiB in the first tenth, {last:.1f} MiB in the last")
    return 1 if failed or last > 1.3 * first else 0


if __name__ == "__main__":
    sys.exit(main())
