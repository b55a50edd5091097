"""Lay out what the archives have in common, as a folder: bin/ and share/."""

import os
import shutil
import subprocess

import linking

EXAMPLE = "Fixtures/bert/base"
EXTENSIONS = ["hf-convert", "hf-inspect", "hf-verify"]


def tree(root, folder, program, parts, bill):
    """Fills the folder, and returns it.

    root: the sources; program: the stripped file; parts: what is linked into it; bill: the SBOM.
    """
    programs = folder / "bin"
    programs.mkdir(parents=True)
    for source in [program, *(root / "Tools" / name for name in EXTENSIONS)]:
        install(source, programs / source.name, executable=True)
    link(programs)
    subprocess.run(
        [root / "Tools" / "manual", folder / "share", "--commands", programs], check=True
    )
    for name in [linking.PROGRAM, *EXTENSIONS]:
        install(root / f"Tools/release.d/{name}.1", folder / f"share/man/man1/{name}.1")
    documents = folder / "share" / "doc" / "tfkit"
    install(root / "LICENSE", documents / "LICENSE")
    install(bill, documents / "tfkit.spdx.json")
    for part in parts:
        write(documents / "licences" / f"{part.name}.txt", part.copyright)
    for source in sorted((root / EXAMPLE).iterdir()):
        install(source, documents / "example" / source.name)
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() or path.parent == programs else 0o644)
    return folder


def link(folder):
    """Gives the program its other names: one file, four names."""
    for name in linking.COMMANDS:
        (folder / name).unlink(missing_ok=True)
        os.link(folder / linking.PROGRAM, folder / name)


def install(source, target, executable=False):
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o755 if executable else 0o644)


def write(target, text):
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)
