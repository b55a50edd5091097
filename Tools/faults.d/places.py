"""Surroundings: limits, full disks, odd targets, changing sources, other runs."""

import os, signal, stat, subprocess
from checker import fail
from scenarios import TIMEOUT, Scenario, start, tool, write


def limits(checker):
    """Files that must not grow beyond some size (RLIMIT_FSIZE), and too few descriptors."""
    shell = ["sh", "-c", 'ulimit -$0 $1; shift; exec "$@"']
    sizes = [0, 1, 2, 3, 100, 500, 1000, 1500, 2000, 2047, 2048, 2049]
    for blocks in sizes:
        checker.run(f"ulimit -f {blocks}", shell + ["f", str(blocks)])
    for number in [8, 16, *range(32, 40)]:
        checker.run(f"ulimit -n {number}", shell + ["n", str(number)])
    return len(sizes) + 10


def shims(checker, shim):
    """Short reads and writes, calls that fail after they have worked, sources that change under us."""
    name, count = checker.scenario.name, 0
    source = f"{checker.folder}/{checker.scenario.source_file}"
    other = f"{checker.folder}/old/model.{checker.scenario.source}"

    def run(what, damages_source=False, **variables):
        nonlocal count
        count += 1
        environment = dict({key: str(value) for key, value in variables.items()}, LD_PRELOAD=shim)
        return checker.run(what, environment=environment, damages_source=damages_source)

    if run("short reads and writes", SHIM_SHORT=1) != 0:
        fail(f"{name}: short reads and writes are taken for errors")
    for number in range(1, 8):
        run(f"from write {number} on nothing is written", SHIM_ZERO=number)
        run(f"write {number} fills the disk", SHIM_PART=number)
    for call in ("close", "fsync", "rename", "renameat2", "mkdir", "linkat"):
        for number in range(1, 40):
            run(f"{call} {number} is late to fail", SHIM_LATE=call, SHIM_AT=number)
    for how in ("cut", "grow", "change", "replace", "remove"):
        for number in range(1, 40):
            status = run(
                f"the source {how}s at read {number}", True, SHIM_READ=number, SHIM_SOURCE=source,
                SHIM_HOW=how, SHIM_SIZE=5000, SHIM_OTHER=other)
            if status == 0 and checker.scenario.state(checker.folder) == checker.complete:
                if number > 16:
                    break  # later than the last read
    return count


def mounted(folder, options, body):
    """Calls `body` while a tmpfs is mounted; needs root."""
    os.makedirs(folder, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)
    try:
        return body()
    finally:
        subprocess.run(["umount", folder], check=True)


def small_disks(checker, folder):
    """A tmpfs that has room for the sources and not quite for the target, or has no inodes left."""
    scenario = checker.scenario
    inner = folder + "/x"

    def attempt(what, room):
        checker.scenario.prepare(inner)
        filler = f"{inner}/filler"
        disk = os.statvfs(inner)
        write(filler, b"\0" * max(0, disk.f_bavail * disk.f_frsize - room))
        status, text = tool(inner, scenario.command())
        checker_here = type(checker).__new__(type(checker))
        checker_here.__dict__.update(checker.__dict__, folder=inner)
        problem = checker_here.problem(what, status)
        if problem or status not in (0, 2):
            fail(f"{scenario.name}, {what}: {problem} (exit {status})", text)

    rooms = range(0, 3 << 20, 128 << 10)
    for room in rooms:
        what = f"a disk with {room >> 10} KiB free"
        mounted(folder, "size=16m", lambda: attempt(what, room))
    used = 40 if scenario.overwrites else 30
    for inodes in range(12, used):
        def run():
            try:
                attempt(f"a disk with {inodes} inodes", 8 << 20)
            except (OSError, AssertionError):
                pass  # Not even the sources have room.
        mounted(folder, f"size=16m,nr_inodes={inodes}", run)
    return len(rooms) + used - 12


def races(scenario, folder, rounds):
    """Runs from different sources on one target at the same time: it is one's or the other's."""
    results = []
    for source in ("new", "old"):
        scenario.prepare(folder)
        tool(folder, [source] + scenario.command(force=True)[1:])
        results.append(scenario.state(folder))
    for _ in range(rounds):
        scenario.prepare(folder)
        runs = [start(folder, [source] + scenario.command()[1:]) for source in ("new", "old", "new")]
        texts = [run.communicate(timeout=TIMEOUT)[1].decode() for run in runs]
        codes = [run.returncode for run in runs]
        if scenario.state(folder) not in results:
            fail(f"{scenario.name}: runs at the same time mix, {codes} {texts}")
        if not set(codes) <= {0, 2, 4} or 0 not in codes:
            fail(f"{scenario.name}: runs at the same time exit {codes} {texts}")
        if scenario.leftovers(folder):
            fail(f"{scenario.name}: runs at the same time leave temporaries")
    return rounds


def living(checker, shim):
    """A run that has been stopped for a while is alive: nobody takes its temporary for a leftover."""
    scenario, folder = checker.scenario, checker.folder
    scenario.prepare(folder)
    first = start(
        folder, scenario.command(), environment={"LD_PRELOAD": shim, "SHIM_STOP": "1"})
    os.waitpid(first.pid, os.WUNTRACED)
    mine = scenario.leftovers(folder)
    status, text = tool(folder, scenario.command())
    if not mine or scenario.leftovers(folder) != mine:
        fail(f"{scenario.name}: the temporary of a living run, {mine}, is removed", text)
    if status != 0 or scenario.state(folder) != checker.complete:
        fail(f"{scenario.name}: another run beside a stopped one exits {status}", text)
    first.send_signal(signal.SIGCONT)
    text = first.communicate(timeout=TIMEOUT)[1].decode()
    if first.returncode != (0 if scenario.overwrites else 4):
        fail(f"{scenario.name}: the run that was stopped exits {first.returncode}", text)
    if scenario.state(folder) != checker.complete or scenario.leftovers(folder):
        fail(f"{scenario.name}: half a target after a run was stopped")
    return 1


def odd_targets(folder, shim):
    """Targets that are links, devices or pipes, or in folders that cannot be written to."""
    scenario = Scenario("odd targets", "model.safetensors", config=False)
    out, target = f"{folder}/out", f"{folder}/out/model.safetensors"
    scenario.prepare(folder)
    tool(folder, scenario.command())
    complete = scenario.state(folder)
    count = 0

    def expect(what, status, kept=None, force=True, command=None, **further):
        nonlocal count
        count += 1
        found, text = tool(folder, command or scenario.command(force=force), **further)
        if found != status:
            fail(f"{what}: exit {found} instead of {status}", text)
        if status == 0 and scenario.state(folder) != complete:
            fail(f"{what}: success without a target")
        if kept and not kept():
            fail(f"{what}: something else was touched")
        if os.path.isdir(out) and scenario.leftovers(folder):
            fail(f"{what}: left behind {scenario.leftovers(folder)}")

    def contents(path):
        with open(path, "rb") as file:
            return file.read()

    def link(to):
        scenario.prepare(folder)
        write(f"{out}/other", b"other")
        os.symlink(to, target)

    link("other")
    expect("a link", 4, lambda: os.readlink(target) == "other", force=False)
    expect("a link, --force", 0, lambda: contents(f"{out}/other") == b"other")
    if os.path.islink(target):
        fail("a link was followed")
    link("nowhere")
    expect("a dangling link", 4, lambda: not os.path.exists(f"{out}/nowhere"), force=False)
    expect("a dangling link, --force", 0, lambda: not os.path.exists(f"{out}/nowhere"))
    link("../new/model.safetensors")
    expect("a link to the source", 4, lambda: os.path.islink(target))
    scenario.prepare(folder)
    os.link(f"{folder}/new/model.safetensors", target)
    expect("a hard link to the source", 4, lambda: os.stat(target).st_nlink == 2)
    scenario.prepare(folder)
    write(f"{out}/other", b"other")
    os.link(f"{out}/other", target)
    expect("a hard link", 0, lambda: contents(f"{out}/other") == b"other")
    scenario.prepare(folder)
    os.mkfifo(target)
    expect("a pipe", 4, lambda: stat.S_ISFIFO(os.stat(target).st_mode))
    if os.geteuid() == 0:
        scenario.prepare(folder)
        os.mknod(target, stat.S_IFCHR | 0o600, os.stat("/dev/null").st_rdev)
        expect("a device", 4, lambda: stat.S_ISCHR(os.stat(target).st_mode))
    scenario.prepare(folder)
    expect("a missing folder", 2, lambda: not os.path.exists(f"{out}/sub"),
           command=["new", "out/sub/model.npz"])
    if os.geteuid() == 0:
        def read_only():
            subprocess.run(["mount", "-o", "remount,ro", out], check=True)
            expect("a read-only folder", 2)
        mounted(out, "size=8m", read_only)
    else:
        os.chmod(out, 0o555)
        expect("a read-only folder", 2)
        os.chmod(out, 0o755)
    # The next file that is opened has a standard stream's number: nothing may be printed into it.
    scenario = scenario.scaled(16)
    scenario.prepare(folder)
    tool(folder, scenario.command())
    complete = scenario.state(folder)
    scenario.prepare(folder)
    expect("closed standard streams", 2, lambda: scenario.state(folder) == complete,
           prefix=["sh", "-c", 'exec "$0" "$@" <&- >&- 2>&-'],
           command=["new", "out/model.safetensors"],
           environment={"LD_PRELOAD": shim, "SHIM_READ": "1", "SHIM_HOW": "slow"})
    return count
