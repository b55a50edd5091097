"""Build the commands with everything but glibc, libstdc++ and libgcc inside.

SwiftPM asks pkg-config how to link a C library. Here it is answered with a folder that holds static
archives and nothing else, so that the linker cannot choose a shared library.
"""

import dataclasses
import os
import re
import subprocess
from pathlib import Path

# The file, and the names that it has beside its own.
PROGRAM = "tfkit"
COMMANDS = ["tfconvert", "tfinspect", "tfverify"]

# pkg-config's module: the archive
ARCHIVES = {
    "json-c": "libjson-c.a",
    "zlib": "libz.a",
    "libzstd": "libzstd.a",
    "libxxhash": "libxxhash.a",
    "libcrypto": "libcrypto.a",
    "openblas": "libopenblas.a",
}

# What the commands ask OpenBLAS and libcrypto for: they load these when they need them, unless they are linked in.
LOADED = [
    "EVP_MD_CTX_new", "EVP_sha256", "EVP_DigestInit_ex", "EVP_DigestUpdate", "EVP_DigestFinal_ex",
    "EVP_MD_CTX_free",
    "cblas_sgemm", "cblas_dgemm", "cblas_dsyrk", "dsyevd_", "openblas_set_num_threads",
    "openblas_get_config", "openblas_get_corename", "blas_thread_shutdown_",
]

# Kernels of OpenBLAS that are left out, those of old processors, and which are used there: for the same vectors or shorter ones.
# An Opteron without SSE3 has no cmpxchg16b either, without which the commands do not run.
SUBSTITUTES = {
    **dict.fromkeys(["CORE2", "PENRYN", "DUNNINGTON", "ATOM", "NANO"], "PRESCOTT"),
    **dict.fromkeys(["OPTERON", "OPTERON_SSE3", "BARCELONA", "BOBCAT"], "PRESCOTT"),
    **dict.fromkeys(["BULLDOZER", "PILEDRIVER", "STEAMROLLER", "EXCAVATOR"], "SANDYBRIDGE"),
}

# What the commands may need at run time.
SHARED = {"libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2", "libstdc++.so.6", "libgcc_s.so.1"}


class ReleaseError(Exception):
    """Why there is no release."""


def output(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, check=True, **options).stdout


@dataclasses.dataclass
class Library:
    """A static archive, and the Debian package that it is from."""

    module: str
    archive: Path
    package: str

    def fact(self, field):
        """A field of the package, as dpkg knows it: Version, Source, Homepage."""
        return output("dpkg-query", "--show", f"--showformat=${{{field}}}", self.package)

    def copyright(self):
        return Path("/usr/share/doc", self.package.partition(":")[0], "copyright").read_text()


@dataclasses.dataclass
class Build:
    """The static build of the package in a folder."""

    root: Path

    @property
    def scratch(self):
        return self.root / ".build" / "static"

    def libraries(self):
        """The archives of the C libraries, found where pkg-config has the libraries."""
        found = []
        for module, name in ARCHIVES.items():
            folders = output("pkg-config", "--libs-only-L", module).replace("-L", "").split()
            places = [Path(folder, name) for folder in folders]
            places.append(Path(output("clang", f"--print-file-name={name}").strip()))
            archive = next((place.resolve() for place in places if place.is_file()), None)
            if archive is None:
                raise ReleaseError(f"{name}: not found; install the static library of {module}")
            owner = output("dpkg", "--search", archive).split(": ")[0]
            found.append(Library(module, archive, owner))
        return found

    def program(self, libraries):
        """The file that is all commands, stripped."""
        environment = os.environ | {"PKG_CONFIG_PATH": str(self.link_folder(libraries))}
        arguments = [
            "swift", "build", "--configuration", "release", "--static-swift-stdlib",
            "--package-path", str(self.root), "--scratch-path", str(self.scratch),
            "-Xlinker", "--no-export-dynamic",
        ]
        folder = self.scratch / "link"
        for word in [f"--undefined={symbol}" for symbol in LOADED] + [
            str(folder / "dynamic.o"), str(folder / "libopenblas.a"), str(folder / "libfortran.a"),
            str(folder / "libcrypto.a"),
        ]:
            arguments += ["-Xlinker", word]
        built = Path(output(*arguments, "--show-bin-path", env=environment).strip())
        # SwiftPM does not see that an archive is another one, so it links every time.
        (built / PROGRAM).unlink(missing_ok=True)
        subprocess.run([*arguments, "--product", PROGRAM], env=environment, check=True)
        folder = self.scratch / "stripped"
        folder.mkdir(exist_ok=True)
        subprocess.run(["strip", "-o", folder / PROGRAM, built / PROGRAM], check=True)
        check_needed(folder / PROGRAM)
        return folder / PROGRAM

    def launcher(self):
        """A small file that runs the program beside it, under its own name."""
        made, source = self.scratch / "link" / "launch", Path(__file__).with_name("launch.c")
        subprocess.run(
            ["clang", "-O2", "-static", "-nostdlib", "-ffreestanding", "-fno-stack-protector",
             "-Wl,--build-id=none", "-o", made, source], check=True,
        )
        subprocess.run(["strip", made], check=True)
        return made

    def link_folder(self, libraries):
        """A folder of the archives, and pkg-config's files that point to it."""
        folder = self.scratch / "link"
        folder.mkdir(parents=True, exist_ok=True)
        self.compile_fortran(folder)
        self.choose_kernels(folder, libraries)
        for library in libraries:
            name = ARCHIVES[library.module]
            if (folder / name).resolve() != library.archive:
                (folder / name).unlink(missing_ok=True)
                (folder / name).symlink_to(library.archive)
            flags = output("pkg-config", "--cflags", library.module).strip()
            version = output("pkg-config", "--modversion", library.module).strip()
            (folder / f"{library.module}.pc").write_text(
                f"Name: {library.module}\nDescription: {name}\nVersion: {version}\n"
                f"Cflags: {flags}\nLibs: -L{folder} -l{name.removeprefix('lib').removesuffix('.a')}\n"
            )
        return folder

    def choose_kernels(self, folder, libraries):
        """OpenBLAS's choice of kernels as an object of its own, which knows fewer: the linker takes no others."""
        archive = next(library.archive for library in libraries if library.module == "openblas")
        subprocess.run(["ar", "x", "--output", folder, archive, "dynamic.o"], check=True)
        for name, other in SUBSTITUTES.items():
            # One after the other, since objcopy does not give one name to several at once.
            subprocess.run(
                ["objcopy", f"--redefine-sym=gotoblas_{name}=gotoblas_{other}", folder / "dynamic.o"],
                check=True,
            )

    def compile_fortran(self, folder):
        """Our part of Fortran's runtime library, as an archive."""
        made, archive = folder / "fortran.o", folder / "libfortran.a"
        source = Path(__file__).with_name("fortran.c")
        subprocess.run(["clang", "-O2", "-c", "-o", made, source], check=True)
        archive.unlink(missing_ok=True)
        subprocess.run(["ar", "rcD", archive, made], check=True)


def check_needed(command):
    """Refuses a command that needs a shared library which not every system has."""
    needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", output("readelf", "--dynamic", "--wide", command)))
    if needed - SHARED:
        raise ReleaseError(f"{command}: needs {', '.join(sorted(needed - SHARED))} at run time")


def newest_glibc(program):
    """The version of glibc that the program needs, as two numbers."""
    text = output("readelf", "--version-info", "--wide", program)
    return max((int(a), int(b)) for a, b in re.findall(r"GLIBC_(\d+)\.(\d+)", text))
