"""Faults at each system call in turn, by strace; and the order of the calls that make things durable."""

import os, re
from checker import fail
from scenarios import tool

CALLS = {  # what is called on the way to a target, and what can go wrong with it
    "pwrite64": ["ENOSPC", "EIO", "EDQUOT", "EINTR"],
    "fsync": ["EIO", "ENOSPC", "EINTR"],
    "rename": ["EIO", "EXDEV", "EACCES"],
    "renameat2": ["EIO", "EINVAL", "ENOSYS"],
    "linkat": ["EIO", "EPERM"],
    "mkdir": ["ENOSPC", "EIO"],
    "close": ["EIO", "EINTR"],
    "flock": ["ENOLCK", "EINTR"],
    "openat": ["EIO", "EMFILE"],
    "pread64": ["EIO", "EINTR"],
    "fstat": ["EIO"],
    "newfstatat": ["EIO"],
    "statfs": ["EIO"],
    "getdents64": ["EIO"],
    "sync_file_range": ["EIO"],
    "unlink": ["EIO"],
    "rmdir": ["EIO"],
}
SIGNALS = ["KILL", "INT", "TERM"]

# Errors of these calls that must not be passed over, if they concern the target or its folder.
GRAVE = re.compile(
    r"(pwrite64|fsync|close|rename|renameat2|linkat|mkdir)\(.*(\.tfpart|(?<=fsync\()\d+<[^>]*/out>)"
    r".* (EIO|ENOSPC|EDQUOT|EXDEV|EACCES|EPERM) .*INJECTED")


def traced(log, calls, *further):
    """The calls of a run, one a line."""
    if os.path.exists(log):
        os.remove(log)
    prefix = ["strace", "-f", "-qq", "-y", "-s", "0", "-o", log, "-e", f"trace={calls}"]
    return prefix + list(further)


def lines(log):
    with open(log, errors="replace") as file:
        return file.read().splitlines()


def first_calls(checker, log):
    """For each call, how many of its kind there are before the source is looked at."""
    checker.scenario.prepare(checker.folder)
    tool(checker.folder, checker.scenario.command(), traced(log, ",".join(CALLS)))
    counts = dict.fromkeys(CALLS, 0)
    for line in lines(log):
        call = re.match(r"\d+ +(\w+)\(", line)
        if '"new' in line:
            return counts
        if call:
            counts[call[1]] += 1
    return counts


def inject(checker, log, quick):
    """Faults and signals at each call in turn, until the run ends before the call."""
    count, before = 0, first_calls(checker, log)
    for call, errors in CALLS.items():
        kinds = [f"error={error}" for error in errors] + [f"signal={name}" for name in SIGNALS]
        for kind in ([kinds[0], "signal=KILL"] if quick else kinds):
            for number in range(before[call] + 1, before[call] + 400):
                prefix = traced(log, f"{call},rename,renameat2", "-e", f"inject={call}:{kind}:when={number}")
                status = checker.run(f"{call} {number} {kind}", prefix)
                text = "\n".join(lines(log))
                count += 1
                grave = GRAVE.search(text)
                # What is closed after the last renaming is the old folder, which is being removed.
                if status == 0 and grave and (call != "close" or "rename" in text[grave.end():]):
                    fail(f"{checker.scenario.name}, {call} {number} {kind}: is passed over", grave[0])
                if not ("INJECTED" in text or f"SIG{kind[7:]}" in text or "killed by" in text):
                    break
    return count


def order(checker, log):
    """Whether everything is durable before it gets its name, and the name before success is reported."""
    checker.scenario.prepare(checker.folder)
    tool(checker.folder, checker.scenario.command(), traced(
        log, "openat,pwrite64,write,fsync,rename,renameat2,linkat,unlink,rmdir,mkdir"))
    name = checker.scenario.name
    out = os.path.realpath(checker.folder) + "/out"
    dirty, unnamed, seen = {}, False, 0  # what is not durable yet, and why

    def absolute(path):
        return path if path.startswith("/") else os.path.realpath(checker.folder) + "/" + path

    for line in lines(log):
        match = re.match(r"\d+ +(\w+)\((.*)\) += (-?\d+)", line)
        if not match or match[3].startswith("-"):
            continue
        call, arguments = match[1], match[2]
        texts = [absolute(text).rstrip("/") for text in re.findall(r'"([^"]*)"', arguments)]
        descriptor = re.match(r"\d+<(.*?)>", arguments)
        path = descriptor[1] if descriptor else None
        if call == "openat" and re.search("O_WRONLY|O_RDWR", arguments):
            if texts[0].startswith(out) and not (".tfpart" in texts[0] and "O_EXCL" in arguments):
                fail(f"{name}: opened for writing: {texts[0]}")
            dirty[texts[0]] = dirty[os.path.dirname(texts[0])] = call
        elif call in ("pwrite64", "write") and path and path.startswith(out):
            dirty[path] = call
            seen += 1
        elif call in ("mkdir", "linkat"):
            dirty[texts[-1] if call == "mkdir" else os.path.dirname(texts[-1])] = call
        elif call == "fsync":
            dirty.pop(path, None)
            unnamed = unnamed and path != out
        elif call in ("rename", "renameat2"):
            for one in dirty:
                if one == texts[0] or one.startswith(texts[0] + "/"):
                    fail(f"{name}: renamed before {one} is durable ({dirty[one]})")
            unnamed = True
        elif call in ("unlink", "rmdir") and unnamed:
            fail(f"{name}: {texts[0]} is removed before the new names are durable")
    if unnamed or not seen:
        fail(f"{name}: success before the new names are durable")
    return 1
