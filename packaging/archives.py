"""Archives and small helpers that pack.py and linux.py share. No archive depends on the clock, on the order of a folder
or on the user who makes it."""

import gzip
import io
import os
import subprocess
import tarfile
import time
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DIST = ROOT / "dist"
# The same folder for every clone: cargo puts paths of the sources and of its tools into the hashes of symbol names, so
# another folder would make another program.
WORK = Path(os.environ.get("KEYSUNSET_PACK", "/var/tmp/keysunset-pack" if os.name == "posix" else ROOT / "target" / "pack"))


def note(text: str) -> None:
    print(f"pack: {text}", flush=True)


def run(*command, **options) -> None:
    subprocess.run([str(word) for word in command], check=True, **options)


def output(*command, **options) -> str:
    done = subprocess.run([str(word) for word in command], check=True, stdout=subprocess.PIPE, text=True, **options)
    return done.stdout.strip()


def epoch() -> int:
    return int(os.environ["SOURCE_DATE_EPOCH"])


def version() -> str:
    text = (ROOT / "Cargo.toml").read_text(encoding="utf-8")
    return text.split('\nversion = "', 1)[1].split('"', 1)[0]


def members(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"), key=lambda path: path.relative_to(folder).as_posix())


def mode(path: Path) -> int:
    return 0o755 if path.is_dir() or path.stem == "keysunset" and path.suffix in ("", ".exe") else 0o644


def tar_of(folder: Path, prefix: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path in [folder, *members(folder)] if prefix else members(folder):
            entry = tar.gettarinfo(path, arcname=(Path(prefix) / path.relative_to(folder)).as_posix())
            entry.uid = entry.gid = 0
            entry.uname = entry.gname = "root"
            entry.mtime, entry.mode = epoch(), mode(path)
            with path.open("rb") if path.is_file() else io.BytesIO() as content:
                tar.addfile(entry, content)
    return buffer.getvalue()


def gzipped(content: bytes) -> bytes:
    return gzip.compress(content, 9, mtime=epoch())


def write_zip(folder: Path, to: Path) -> None:
    with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in members(folder):
            if path.is_file():
                entry = zipfile.ZipInfo((folder.name / path.relative_to(folder)).as_posix(), time.gmtime(epoch())[:6])
                entry.external_attr, entry.compress_type = mode(path) << 16, zipfile.ZIP_DEFLATED
                archive.writestr(entry, path.read_bytes())
