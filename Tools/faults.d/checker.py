"""Judges what a faulty run has left."""

import sys
from scenarios import snapshot, tool

failures = []


def fail(what, text=""):
    failures.append(what)
    print("FAILED", what, text.strip(), flush=True)


class Checker:
    """Runs a scenario with faults."""

    def __init__(self, scenario, folder):
        self.scenario, self.folder = scenario, folder
        scenario.prepare(folder)
        self.old = scenario.state(folder)
        status, text = tool(folder, scenario.command())
        if status != 0:
            sys.exit(f"faults: {scenario.name} does not work at all: {text}")
        self.complete = scenario.state(folder)
        self.source = snapshot(f"{folder}/new")
        assert self.complete not in (None, self.old)

    def run(self, what, prefix=(), environment=None, damages_source=False):
        """One faulty run; its exit status."""
        self.scenario.prepare(self.folder)
        status, text = tool(self.folder, self.scenario.command(), prefix, environment)
        self.judge(what, status, text, damages_source)
        return status

    def judge(self, what, status, text, damages_source=False):
        """Says what is wrong with what a run has left, and makes the next one."""
        problem = self.problem(what, status, damages_source)
        if not problem and not damages_source:
            again, text = tool(self.folder, self.scenario.command(force=True))
            if again != 0 or self.scenario.state(self.folder) != self.complete:
                problem = "the next run fails"
            elif self.scenario.leftovers(self.folder):
                problem = "the next run does not clean up"
        if problem:
            fail(f"{self.scenario.name}, {what}: {problem} (exit {status})", text)

    def problem(self, what, status, damages_source=False):
        """What is wrong with the target, the exit status, or the folder."""
        state, left = self.scenario.state(self.folder), self.scenario.leftovers(self.folder)
        killed = "KILL" in what
        signalled = killed or "INT" in what or "TERM" in what
        if state not in (self.old, None, self.complete):
            return "half a target"
        if status == 0 and state != self.complete:
            return "success, but no target"
        # A signal may come when all is done, and a call may do its work and report an error.
        if status != 0 and state == self.complete and not signalled and "late" not in what:
            return "failure, but the target is there"
        if status not in (0, 2, 3, 4, 127, 130, 143, -2, -9, -15, 137):
            return "an exit status that means nothing"
        if left and not killed and not any(call in what for call in ("unlink", "rmdir")):
            return f"left behind: {left}"
        if not damages_source and snapshot(f"{self.folder}/new") != self.source:
            return "the source has changed"
        return None
