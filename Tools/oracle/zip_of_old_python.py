"""Writes Fixtures/containers/npz/python: python3 Tools/oracle/zip_of_old_python.py

Python's zipfile, which numpy.savez writes through with `force_zip64`, put the sizes of a member into its local
header twice until 3.11.3: in 32 bits, and in the field of 64-bit sizes, though they fit. Run it with such a
Python (Debian 12 has 3.11.2); it needs no numpy. `equal` is what such a Python writes, stored and deflated;
in `differs` one of the sizes is another one in 64 bits.
"""

import io
import struct
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2] / "Fixtures" / "containers" / "npz" / "python"


def npy(values):
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (%d,), }" % len(values)
    header += " " * (63 - (10 + len(header)) % 64) + "\n"
    magic = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header))
    return magic + header.encode() + struct.pack(f"<{len(values)}f", *values)


def savez(arrays, method):
    """As numpy.savez does it, with a fixed date."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method, allowZip64=True) as archive:
        for name, values in arrays.items():
            info = zipfile.ZipInfo(name + ".npy")
            info.compress_type = method
            with archive.open(info, "w", force_zip64=True) as member:
                member.write(npy(values))
    return file.getvalue()


def main():
    assert sys.version_info < (3, 11, 4), "this Python writes 64-bit sizes only where they are needed"
    arrays = {"a": [1.5, -2.0, 3.25], "b": [0.0] * 40}
    ROOT.mkdir(parents=True, exist_ok=True)
    equal = savez(arrays, zipfile.ZIP_STORED)
    sizes = struct.unpack("<IIHH5sHHQQ", equal[18:18 + 37])
    assert sizes[:2] == sizes[-2:] and sizes[5:7] == (1, 16), sizes
    (ROOT / "equal.npz").write_bytes(equal)
    (ROOT / "equal_deflated.npz").write_bytes(savez(arrays, zipfile.ZIP_DEFLATED))
    (ROOT / "differs.npz").write_bytes(equal[:39] + struct.pack("<Q", sizes[0] + 1) + equal[47:])


if __name__ == "__main__":
    main()
