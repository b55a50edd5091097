"""Write the tree as a tar.gz, a Debian package and a Python wheel, the same bytes every time."""

import base64
import gzip
import hashlib
import io
import os
import re
import shutil
import stat
import subprocess
import tarfile
import tempfile
import time
import zipfile
from pathlib import Path

import linking
import stage

SUMMARY = "Convert, compare and inspect Transformer checkpoints"
DETAILS = """\
tfconvert converts checkpoints of Transformers between containers and dialects
without loss, or says what is lost; tfinspect shows what is in one; tfverify
proves that two are the same model, by their weights and by what they compute."""
ROOT = Path(__file__).resolve().parents[2]


def files_of(tree):
    return sorted(path for path in tree.rglob("*") if path.is_file())


# tar.gz


def tarball(tree, folder, version, epoch):
    """Everything under one folder, owned by root, sorted."""
    name = f"tfkit-{version}-linux-x86_64"

    def plain(entry):
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = "root"
        entry.mtime = epoch
        return entry

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in [tree, *sorted(tree.rglob("*"))]:
            inside = Path(name, path.relative_to(tree)).as_posix()
            archive.add(path, inside, recursive=False, filter=plain)
    target = folder / f"{name}.tar.gz"
    with open(target, "wb") as file, gzip.GzipFile("", "wb", 9, file, epoch) as packed:
        packed.write(buffer.getbuffer())
    return target


# Debian


def debian(tree, folder, version, epoch, parts):
    """A binary package, with what Debian's policy asks of its documentation."""
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch, "root")
        root.mkdir()
        root.chmod(0o755)
        shutil.copytree(tree, root / "usr")
        stage.link(root / "usr" / "bin")
        share = root / "usr" / "share"
        (share / "zsh" / "site-functions").rename(share / "zsh" / "vendor-completions")
        for script in files_of(share / "bash-completion"):
            script.write_text(script.read_text().removeprefix("#!/bin/bash\n"))
        for page in files_of(share / "man"):
            compressed(page)
        date = time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime(epoch))
        changelog = share / "doc" / "tfkit" / "changelog"
        changelog.write_text(
            f"tfkit ({version}) unstable; urgency=medium\n\n  * Release {version}.\n\n"
            f" -- {maintainer()}  {date}\n"
        )
        compressed(changelog)
        document = share / "doc" / "tfkit"
        (document / "copyright").write_text(debian_copyright(parts, epoch))
        (document / "LICENSE").unlink()
        overrides = share / "lintian" / "overrides" / "tfkit"
        overrides.parent.mkdir(parents=True)
        shutil.copyfile(ROOT / "Tools" / "release.d" / "lintian-overrides", overrides)
        for path in root.rglob("*"):
            path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
        control(root, version)
        target = folder / f"tfkit_{version}_amd64.deb"
        subprocess.run(
            ["dpkg-deb", "--root-owner-group", "-Zxz", "--build", root, target],
            env=os.environ | {"SOURCE_DATE_EPOCH": str(epoch)}, check=True, stdout=subprocess.DEVNULL,
        )
    return target


def maintainer():
    """Who answers for the package: DEBFULLNAME and DEBEMAIL, else the author of the last commit."""
    if address := os.environ.get("DEBEMAIL"):
        return f"{os.environ.get('DEBFULLNAME', 'tfkit')} <{address}>"
    return linking.output("git", "log", "-1", "--format=%an <%ae>", cwd=ROOT).strip()


def compressed(path):
    with open(f"{path}.gz", "wb") as file, gzip.GzipFile("", "wb", 9, file, 0) as packed:
        packed.write(path.read_bytes())
    path.unlink()


def control(root, version):
    """DEBIAN/control and md5sums; Depends is what the commands' symbols need."""
    program = root / "usr" / "bin" / linking.PROGRAM
    with tempfile.TemporaryDirectory() as scratch:
        Path(scratch, "debian").mkdir()
        Path(scratch, "debian", "control").write_text("Source: tfkit\n\nPackage: tfkit\nArchitecture: any\n")
        depends = linking.output("dpkg-shlibdeps", "-O", program, cwd=scratch)
    depends = depends.strip().removeprefix("shlibs:Depends=")
    folder = root / "DEBIAN"
    contents = files_of(root)
    folder.mkdir()
    sizes = {path.stat().st_ino: path.stat().st_size for path in contents}
    installed = sum(-(-size // 1024) for size in sizes.values())
    description = "\n".join(f" {line}" for line in DETAILS.split("\n"))
    (folder / "control").write_text(
        f"Package: tfkit\nVersion: {version}\nArchitecture: amd64\nMaintainer: {maintainer()}\n"
        f"Installed-Size: {installed}\nDepends: {depends}\nSection: science\nPriority: optional\n"
        f"Description: {SUMMARY[0].lower()}{SUMMARY[1:]}\n{description}\n"
    )
    sums = [
        f"{hashlib.md5(path.read_bytes()).hexdigest()}  {path.relative_to(root)}\n" for path in contents
    ]
    (folder / "md5sums").write_text("".join(sums))


def debian_copyright(parts, epoch):
    """The copyright file: tfkit's licence, and that of each library inside."""
    text = f"Copyright {time.gmtime(epoch).tm_year} the authors of tfkit.\n\n"
    text += "tfkit is under the Apache License, version 2.0; on Debian systems its text is in\n"
    text += "/usr/share/common-licenses/Apache-2.0.\n\nThe commands contain these libraries:\n\n"
    for part in parts:
        text += f"  {part.name} {part.version}: {part.licence}\n"
    return text + "\nTheir copyright notices and licences are in licences/ beside this file.\n"


# Python


def wheel(tree, folder, version, epoch, launcher, glibc):
    """A wheel for any Python 3: the commands as scripts, tfz.py as a module.

    A zip has no links, so the other names of the program are a small file that starts it.
    """
    tag = f"py3-none-manylinux_{glibc[0]}_{glibc[1]}_x86_64"
    metadata = f"tfkit-{version}.dist-info"
    contents = {"tfz.py": ROOT / "Tools" / "tfz.py"}
    for path in files_of(tree):
        place = path.relative_to(tree)
        if place.parts[0] == "bin" and place.name in linking.COMMANDS:
            contents[f"tfkit-{version}.data/scripts/{place.name}"] = launcher
        elif place.parts[0] == "bin":
            contents[f"tfkit-{version}.data/scripts/{place.name}"] = path
        elif place.name == "LICENSE" or "licences" in place.parts:
            contents[f"{metadata}/licenses/{place.name}"] = path
        elif place.name == "tfkit.spdx.json":
            contents[f"{metadata}/sboms/{place.name}"] = path
        else:
            contents[f"tfkit-{version}.data/data/{place.as_posix()}"] = path
    texts = {
        f"{metadata}/METADATA": python_metadata(version),
        f"{metadata}/WHEEL": f"Wheel-Version: 1.0\nGenerator: tfkit-release {version}\n"
        f"Root-Is-Purelib: false\nTag: {tag}\n",
    }
    target = folder / f"tfkit-{version}-{tag}.whl"
    record = ""
    date = time.gmtime(max(epoch, 315_532_800))[:6]  # a zip knows no time before 1980
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        items = [(name, path.read_bytes(), path.stat().st_mode) for name, path in contents.items()]
        items += [(name, text.encode(), 0o644) for name, text in texts.items()]
        for name, data, mode in sorted(items):
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
            record += f"{name},sha256={digest},{len(data)}\n"
            add(archive, name, data, 0o755 if mode & stat.S_IXUSR and name != "tfz.py" else 0o644, date)
        record += f"{metadata}/RECORD,,\n"
        add(archive, f"{metadata}/RECORD", record.encode(), 0o644, date)
    return target


def add(archive, name, data, mode, date):
    info = zipfile.ZipInfo(name, date)
    info.create_system = 3  # Unix, so that modes count
    info.external_attr = (stat.S_IFREG | mode) << 16
    info.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(info, data, compresslevel=9)


def python_metadata(version):
    source = (ROOT / "Tools" / "tfz.py").read_text()
    needs = re.findall(r"^ *import (numpy|xxhash|zstandard)$", source, re.MULTILINE)
    lines = [
        "Metadata-Version: 2.4", "Name: tfkit", f"Version: {version}", f"Summary: {SUMMARY}",
        "License-Expression: Apache-2.0", "License-File: LICENSE", "Requires-Python: >=3.9",
        *(f"Requires-Dist: {name}" for name in needs), "Description-Content-Type: text/plain",
    ]
    return "\n".join(lines) + f"\n\n{DETAILS}\n\nimport tfz reads and writes TFZ files.\n"
