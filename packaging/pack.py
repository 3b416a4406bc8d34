#!/usr/bin/env python3
"""Makes the files of a release in dist/, from the committed sources of HEAD.

    packaging/pack.py [TARGET...]     builds and packs each target; default: static Linux for x86-64 and aarch64
    packaging/pack.py --sums          lists all files of dist/ in SHA256SUMS, and signs the list with the key of the
                                      file in KEYSUNSET_SIGNING_KEY

For each target: the program alone, and an archive with licences, documentation, man pages, completions, schemas and an
SBOM; for Linux also a deb, an rpm and a container image with the same static program. Built again from the same commit
with the same versions of Rust and of the programs below, every file has the same bytes.

Needs git, Rust with rustup, and Python with venv; for Linux also dpkg-deb, rpmbuild, and certificates for the image.
"""

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from archives import DIST, ROOT, WORK, gzipped, note, output, run, tar_of, version, write_zip
from linux import LINUX, write_packages

SOURCE = WORK / "source"
# Other versions make other bytes.
PYTHON_TOOLS = ["ziglang==0.17.1", "cargo-zigbuild==0.24.1"]
CARGO_TOOLS = {"cargo-auditable": "0.7.7", "cargo-cyclonedx": "0.5.9"}


def main() -> None:
    os.umask(0o022)
    DIST.mkdir(exist_ok=True)
    if sys.argv[1:] == ["--sums"]:
        return write_sums()
    os.environ["SOURCE_DATE_EPOCH"] = output("git", "log", "-1", "--format=%ct")
    own_work_folder()
    install_tools()
    take_sources()
    sources = output("bash", ROOT / "packaging/source-hash", SOURCE)
    (DIST / f"keysunset-{version()}-sources.sha256").write_text(sources + "\n")
    targets = [target for target in sys.argv[1:] or LINUX if can_build(target)]
    programs = {target: build(target) for target in targets}
    write_texts(list(programs.values()))
    for target, program in programs.items():
        pack(target, program)


def own_work_folder() -> None:
    """The folder has a known name, so it must be nobody else's: what is in it is built and run."""
    WORK.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.name == "posix" and (WORK.is_symlink() or WORK.stat().st_uid != os.getuid() or WORK.stat().st_mode & 0o022):
        sys.exit(f"pack: {WORK} belongs to somebody else, or others can write to it: remove it")


def install_tools() -> None:
    """The programs that build and describe, in folders of their own."""
    python, tools = WORK / "tools" / "python", WORK / "tools" / "bin"
    scripts = python / ("Scripts" if os.name == "nt" else "bin")
    if not scripts.exists():
        run(sys.executable, "-m", "venv", python)
    run(scripts / "python", "-m", "pip", "install", "-q", "--disable-pip-version-check", *PYTHON_TOOLS)
    for name, wanted in CARGO_TOOLS.items():
        # Does nothing where this version is there already.
        run("cargo", "install", "-q", "--locked", "--root", tools.parent, f"{name}@{wanted}")
    os.environ["PATH"] = os.pathsep.join([str(scripts), str(tools), os.environ["PATH"]])


def take_sources() -> None:
    """The committed files alone: a change that is not committed is in no release."""
    if output("git", "status", "--porcelain", cwd=ROOT):
        note("the work tree has changes that are not committed; they are not packed")
    shutil.rmtree(SOURCE, ignore_errors=True)
    archive = subprocess.run(["git", "-c", "core.autocrlf=false", "archive", "HEAD"], cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(SOURCE, filter="data")


def can_build(target: str) -> bool:
    if target in output("rustup", "target", "list", "--installed").split():
        return True
    if subprocess.run(["rustup", "target", "add", target], cwd=ROOT).returncode == 0:
        return True
    note(f"{target} can't be installed on this machine: it is not built here, but by the release workflow")
    return False


def build(target: str) -> Path:
    """The program, stripped, without a path of this machine, and with the list of its crates (cargo auditable)."""
    note(f"building {target}")
    cargo_home = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))
    paths = [f"{path}={name}" for path, name in [(SOURCE, "keysunset"), (WORK, "target"), (cargo_home, "cargo")]]
    environment = os.environ | {"CARGO_INCREMENTAL": "0"}
    if os.name == "posix":
        environment |= {"RUSTC_WRAPPER": str(ROOT / "packaging/rustc"), "REMAPPED": "\n".join(paths)}
    else:
        # Separated by a byte that no path contains.
        environment["CARGO_ENCODED_RUSTFLAGS"] = "\x1f".join(f"--remap-path-prefix={path}" for path in paths)
    if not target.endswith("-msvc"):
        environment["CFLAGS"] = " ".join(f"-ffile-prefix-map={path}" for path in paths)
    # zig is a C compiler and linker for any Linux; the others are built on a machine of their own kind.
    command = "zigbuild" if target in LINUX else "build"
    run("cargo", "auditable", command, "--release", "--locked", "--bin", "keysunset", "--target", target,
        "--target-dir", WORK, cwd=SOURCE, env=environment)
    return WORK / target / "release" / ("keysunset.exe" if "-windows-" in target else "keysunset")


def write_texts(programs: list[Path]) -> None:
    """Man pages and completions, from the first program that runs here: they are the same for all targets."""
    for program in programs:
        try:
            run(program, "--version", stdout=subprocess.DEVNULL)
        except (OSError, subprocess.CalledProcessError):
            continue
        break
    else:
        sys.exit("pack: none of the programs runs on this machine: name a target of this machine too")
    texts = WORK / "texts"
    shutil.rmtree(texts, ignore_errors=True)
    (texts / "completions").mkdir(parents=True)
    run(program, "man", texts / "man", stdout=subprocess.DEVNULL)
    for shell, name in [("bash", "keysunset.bash"), ("zsh", "_keysunset"), ("fish", "keysunset.fish"),
                        ("powershell", "_keysunset.ps1"), ("elvish", "keysunset.elv")]:
        (texts / "completions" / name).write_text(output(program, "completions", shell) + "\n", encoding="utf-8")


def pack(target: str, program: Path) -> None:
    note(f"packing {target}")
    name = f"keysunset-{version()}-{target}"
    shutil.copy(program, DIST / f"{name}{program.suffix}")
    folder = WORK / target / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    shutil.copy(program, folder)
    for file in ["README.md", "CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT"]:
        shutil.copy(SOURCE / file, folder)
    for part in [SOURCE / "docs", SOURCE / "schemas", WORK / "texts" / "man", WORK / "texts" / "completions"]:
        shutil.copytree(part, folder / part.name)
    write_third_party(target, folder / "THIRD-PARTY.txt")
    write_sbom(target, folder / "sbom.cdx.json")
    shutil.copy(folder / "sbom.cdx.json", DIST / f"{name}.cdx.json")
    if "-windows-" in target:
        write_zip(folder, DIST / f"{name}.zip")
    else:
        (DIST / f"{name}.tar.gz").write_bytes(gzipped(tar_of(folder, name)))
    if target in LINUX:
        write_packages(target, folder)


def write_sbom(target: str, to: Path) -> None:
    """CycloneDX; with SOURCE_DATE_EPOCH it has neither a clock nor a random serial number."""
    run("cargo", "cyclonedx", "-q", "--format", "json", "--spec-version", "1.5", "--target", target,
        "--override-filename", "sbom", cwd=SOURCE)
    # References to the crates of this project are paths of this machine.
    text = (SOURCE / "sbom.json").read_text(encoding="utf-8").replace(SOURCE.as_uri(), "file:///keysunset")
    to.write_text(text, encoding="utf-8")
    for rest in SOURCE.rglob("sbom.json"):
        rest.unlink()


def write_third_party(target: str, to: Path) -> None:
    """The licence of each crate in the program, as its archive has it."""
    metadata = json.loads(output("cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", target,
                                 cwd=SOURCE))
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    todo, used = [metadata["resolve"]["root"]], set()
    while todo:
        here = todo.pop()
        if here not in used:
            used.add(here)
            todo += [dep["pkg"] for dep in nodes[here]["deps"] if any(kind["kind"] is None for kind in dep["dep_kinds"])]
    texts = {}
    for package in sorted((packages[id] for id in used), key=lambda package: (package["name"], package["version"])):
        if package["source"] is None:
            continue
        files = sorted(path for path in Path(package["manifest_path"]).parent.iterdir()
                       if path.is_file() and path.name.upper().startswith(("LICEN", "COPYING", "NOTICE", "UNLICENSE")))
        what = f"{package['name']} {package['version']} ({package['license']})"
        for text in [path.read_text(encoding="utf-8", errors="replace").strip() for path in files] or ["(no file)"]:
            texts.setdefault(text, []).append(what)
    parts = ["\n".join(crates) + "\n\n" + text + "\n" for text, crates in texts.items()]
    to.write_text(("\n" + "-" * 80 + "\n\n").join(parts), encoding="utf-8")


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_sums() -> None:
    sums = DIST / "SHA256SUMS"
    signature = DIST / "SHA256SUMS.sig"
    for old in [sums, signature]:
        old.unlink(missing_ok=True)
    sums.write_text("".join(f"{sha256(path)}  {path.name}\n" for path in sorted(DIST.iterdir())), encoding="utf-8")
    key = os.environ.get("KEYSUNSET_SIGNING_KEY")
    if key:
        run("ssh-keygen", "-Y", "sign", "-q", "-f", key, "-n", "keysunset-release", sums)
    else:
        note("KEYSUNSET_SIGNING_KEY names no key: SHA256SUMS is not signed")


if __name__ == "__main__":
    main()
