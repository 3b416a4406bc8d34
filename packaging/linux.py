"""What Linux systems install: a deb, an rpm and a container image, all with the same static program."""

import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
from datetime import UTC, datetime
from pathlib import Path

from archives import DIST, ROOT, WORK, epoch, gzipped, members, mode, note, run, tar_of, version

# Target, architecture of Debian, of rpm and of containers.
LINUX = {
    "x86_64-unknown-linux-musl": ("amd64", "x86_64", "amd64"),
    "aarch64-unknown-linux-musl": ("arm64", "aarch64", "arm64"),
}
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
SUMMARY = "Finds deprecated personal API keys of MongoDB Ops Manager, Cloud Manager and Atlas"


def write_packages(target: str, folder: Path) -> None:
    """From the folder that is archived too."""
    debian, rpm, container = LINUX[target]
    system = system_files(target, folder)
    write_deb(system, debian)
    write_rpm(system, rpm)
    write_image(target, folder / "keysunset", container)


def system_files(target: str, folder: Path) -> Path:
    """The files of a Linux package below the root of a system."""
    system = WORK / target / "system"
    shutil.rmtree(system, ignore_errors=True)

    def put(content: Path | bytes, where: str) -> None:
        path = system / where
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.read_bytes())
        path.chmod(mode(path) if path.parent.name == "bin" else 0o644)

    put(folder / "keysunset", "usr/bin/keysunset")
    for page in members(folder / "man"):
        put(gzipped(page.read_bytes()), f"usr/share/man/man1/{page.name}.gz")
    put(folder / "completions" / "keysunset.bash", "usr/share/bash-completion/completions/keysunset")
    put(folder / "completions" / "_keysunset", "usr/share/zsh/site-functions/_keysunset")
    put(folder / "completions" / "keysunset.fish", "usr/share/fish/vendor_completions.d/keysunset.fish")
    rest = ["README.md", "CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT", "THIRD-PARTY.txt", "sbom.cdx.json"]
    for path in [folder / name for name in rest] + members(folder / "docs") + members(folder / "schemas"):
        if path.is_file():
            put(path, f"usr/share/doc/keysunset/{path.relative_to(folder).as_posix()}")
    notice = f"keysunset {version()}\nLicence: MIT or Apache-2.0, at your option: LICENSE-MIT, LICENSE-APACHE.\n" \
             "Licences of the crates in the program: THIRD-PARTY.txt.\n"
    put(notice.encode(), "usr/share/doc/keysunset/copyright")
    for path in [system, *members(system)]:
        os.utime(path, (epoch(), epoch()))
    return system


def write_deb(system: Path, architecture: str) -> None:
    if not shutil.which("dpkg-deb"):
        return note("dpkg-deb is missing: no deb")
    size = sum(path.stat().st_size for path in members(system) if path.is_file()) // 1024
    folder = system.parent / "deb"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(system, folder)
    (folder / "DEBIAN").mkdir()
    (folder / "DEBIAN" / "control").write_text(
        f"Package: keysunset\nVersion: {version()}\nArchitecture: {architecture}\nInstalled-Size: {size}\n"
        f"Maintainer: {maintainer()}\nSection: admin\nPriority: optional\nDescription: {SUMMARY}\n"
        " It shows which keys are still in use, where they are, and how to replace them.\n", encoding="utf-8")
    # xz, since dpkg of Ubuntu 16.04 has no zstd.
    run("dpkg-deb", "--root-owner-group", "-Zxz", "--build", folder, DIST / f"keysunset_{version()}_{architecture}.deb",
        stdout=subprocess.DEVNULL)


def maintainer() -> str:
    text = (ROOT / "Cargo.toml").read_text(encoding="utf-8")
    return text.split('\nauthors = ["', 1)[1].split('"', 1)[0] + " <keysunset@localhost>"


def write_rpm(system: Path, architecture: str) -> None:
    if not shutil.which("rpmbuild"):
        return note("rpmbuild is missing: no rpm")
    top = system.parent / "rpm"
    shutil.rmtree(top, ignore_errors=True)
    files = "\n".join("/" + path.relative_to(system).as_posix() for path in members(system) if path.is_file())
    own = "\n".join("%dir /" + path.relative_to(system).as_posix() for path in members(system)
                    if path.is_dir() and "usr/share/doc/keysunset" in path.as_posix())
    top.mkdir()
    (top / "keysunset.spec").write_text(f"""\
# The program is finished: it is not stripped, and no file is compressed or changed again.
%global __os_install_post %{{nil}}
%global debug_package %{{nil}}
%global _build_id_links none
%global _buildhost localhost
# rpm of RHEL 6 and SLES 12 has no zstd.
%global _binary_payload w9.gzdio
%global use_source_date_epoch_as_buildtime 1
%global clamp_mtime_to_source_date_epoch 1
Name: keysunset
Version: {version()}
Release: 1
Summary: {SUMMARY}
License: MIT OR Apache-2.0
AutoReqProv: no
%description
It shows which keys are still in use, where they are, and how to replace them.
%install
cp -a {system}/. %{{buildroot}}
%files
%defattr(-,root,root,-)
{own}
{files}
""", encoding="utf-8")
    run("rpmbuild", "-bb", "--quiet", "--target", architecture, "--define", f"_topdir {top}", "--define",
        f"_rpmdir {DIST}", "--define", "_rpmfilename %{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}.rpm", top / "keysunset.spec")


def write_image(target: str, program: Path, architecture: str) -> None:
    """A container image as `docker load` and `podman load` take it: the program and the certificates of this system."""
    if not CERTIFICATES.exists():
        return note(f"{CERTIFICATES} is missing: no container image")
    layer_folder = WORK / target / "image"
    shutil.rmtree(layer_folder, ignore_errors=True)
    (layer_folder / "etc/ssl/certs").mkdir(parents=True)
    (layer_folder / "data").mkdir()
    shutil.copy(program, layer_folder / "keysunset")
    shutil.copy(CERTIFICATES, layer_folder / "etc/ssl/certs/ca-certificates.crt")
    layer = tar_of(layer_folder, "")
    created = datetime.fromtimestamp(epoch(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    digest = hashlib.sha256(layer).hexdigest()
    config = json.dumps({
        "architecture": architecture, "os": "linux", "created": created,
        "config": {"Entrypoint": ["/keysunset"], "WorkingDir": "/data", "Env": ["PATH=/"],
                   "Labels": {"org.opencontainers.image.title": "keysunset",
                              "org.opencontainers.image.version": version(),
                              "org.opencontainers.image.licenses": "MIT OR Apache-2.0"}},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
        "history": [{"created": created, "created_by": "packaging/pack.py"}],
    }, sort_keys=True).encode()
    config_name = hashlib.sha256(config).hexdigest() + ".json"
    manifest = json.dumps([{"Config": config_name, "RepoTags": [f"keysunset:{version()}"],
                            "Layers": [f"{digest}/layer.tar"]}]).encode()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in [("manifest.json", manifest), (config_name, config), (f"{digest}/layer.tar", layer)]:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime, entry.mode = len(content), epoch(), 0o644
            tar.addfile(entry, io.BytesIO(content))
    (DIST / f"keysunset-{version()}-{architecture}-image.tar.gz").write_bytes(gzipped(buffer.getvalue()))
