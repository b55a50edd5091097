"""Lay out what the archives have in common, as a folder: bin/ and share/."""

import shutil
import subprocess

EXAMPLE = "Fixtures/bert/base"


def tree(root, folder, commands, parts, bill):
    """Fills the folder, and returns it.

    root: the sources; commands: the stripped commands; parts: what is linked into them; bill: the SBOM.
    """
    programs = folder / "bin"
    programs.mkdir(parents=True)
    for source in [*commands, root / "Tools" / "hf-convert"]:
        install(source, programs / source.name, executable=True)
    subprocess.run(
        [root / "Tools" / "manual", folder / "share", "--commands", programs], check=True
    )
    install(root / "Tools/release.d/hf-convert.1", folder / "share/man/man1/hf-convert.1")
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


def install(source, target, executable=False):
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o755 if executable else 0o644)


def write(target, text):
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)
