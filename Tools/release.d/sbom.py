"""What is linked into the commands: versions, licences, and the bill of materials in SPDX 2.3."""

import dataclasses
import datetime
import hashlib
import json
import re
import urllib.parse
from pathlib import Path

import linking

# Debian's names of licences in SPDX's spelling.
SPDX = {
    "expat": "MIT", "zlib": "Zlib", "bsd-2-clause": "BSD-2-Clause", "bsd-3-clause": "BSD-3-Clause",
    "gpl-2": "GPL-2.0-only", "gpl-2+": "GPL-2.0-or-later", "apache-2.0": "Apache-2.0",
}
SWIFT_LICENCE = "Apache-2.0 WITH Swift-exception"


@dataclasses.dataclass
class Part:
    """Something that is linked in, as the bill of materials lists it."""

    name: str
    version: str
    licence: str
    copyright: str
    homepage: str
    supplier: str
    locator: str


def licence_of(text, name):
    """The licence of a package's own files, out of Debian's machine-readable copyright file."""
    general = re.search(r"^Files: \*\n(?:.+\n)*?License: *(.+)$", text, re.MULTILINE)
    if not general:
        raise linking.ReleaseError(f"{name}: its copyright file names no licence for all its files")
    words = []
    for word in general[1].split():
        known = {"or": "OR", "and": "AND"} | SPDX
        if word.lower() not in known:
            raise linking.ReleaseError(f'{name}: licence "{general[1]}" is not one that sbom.py knows')
        words.append(known[word.lower()])
    return " ".join(words)


def from_debian(library):
    package = library.package.partition(":")[0]
    version = library.fact("Version")
    source = library.fact("source:Package")
    text = library.copyright()
    return Part(
        source, version, licence_of(text, package), text, library.fact("Homepage"),
        "Organization: Debian", f"pkg:deb/debian/{package}@{urllib.parse.quote(version, safe=':~')}?arch=amd64",
    )


def swift_packages(build):
    """The Swift packages that the package depends on, as SwiftPM resolved them."""
    state = json.loads((build.scratch / "workspace-state.json").read_text())
    for item in sorted(state["object"]["dependencies"], key=lambda item: item["subpath"]):
        folder = build.scratch / "checkouts" / item["subpath"]
        reference = item["packageRef"]
        version = item["state"]["checkoutState"]["version"]
        address = reference["location"].removesuffix(".git")
        yield Part(
            reference["identity"], version, SWIFT_LICENCE, (folder / "LICENSE.txt").read_text(),
            address, "Organization: Apple Inc.",
            f"pkg:swift/{address.removeprefix('https://')}@{version}",
        )


def swift_runtime():
    version = re.search(r"swift-([\w.]+)-RELEASE", linking.output("swift", "--version"))[1]
    toolchain = Path(json.loads(linking.output("swift", "-print-target-info"))["paths"]["runtimeResourcePath"])
    licence = toolchain.parents[1] / "share" / "swift" / "LICENSE.txt"
    return Part(
        "swift", version, SWIFT_LICENCE, licence.read_text(), "https://www.swift.org",
        "Organization: Swift.org", f"pkg:github/swiftlang/swift@swift-{version}-RELEASE",
    )


def parts(build, libraries):
    """Everything that is inside the commands but their own code."""
    return [*map(from_debian, libraries), *swift_packages(build), swift_runtime()]


def entry(name, version, licence, **more):
    return {
        "SPDXID": f"SPDXRef-{name}", "name": name, "versionInfo": version,
        "downloadLocation": "NOASSERTION", "filesAnalyzed": False, "licenseConcluded": licence,
        "licenseDeclared": licence, "copyrightText": "NOASSERTION", **more,
    }


def package_of(part):
    identity = {
        "referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": part.locator,
    }
    return entry(
        part.name, part.version, part.licence, supplier=part.supplier, homepage=part.homepage,
        externalRefs=[identity],
    )


def document(version, epoch, parts):
    """The bill of materials as JSON, the same for the same parts."""
    created = datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc)
    contents = "\n".join(f"{part.name} {part.version}" for part in parts)
    digest = hashlib.sha256(f"{version} {epoch}\n{contents}".encode()).hexdigest()
    relations = [("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-tfkit")]
    relations += [("SPDXRef-tfkit", "STATIC_LINK", f"SPDXRef-{part.name}") for part in parts]
    bill = {
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"tfkit-{version}", "documentNamespace": f"https://spdx.org/spdxdocs/tfkit-{digest}",
        "creationInfo": {
            "created": created.strftime("%Y-%m-%dT%H:%M:%SZ"), "creators": [f"Tool: tfkit-release-{version}"],
        },
        "packages": [entry("tfkit", version, "Apache-2.0"), *map(package_of, parts)],
        "relationships": [
            {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}
            for one, kind, other in relations
        ],
    }
    return json.dumps(bill, indent=2) + "\n"
