"""Signals and kill -9 at random moments, and going on afterwards."""

import random, signal, subprocess, time
from checker import Checker, fail
from scenarios import TIMEOUT, SHARDS, Scenario, snapshot, start, tool

NAMES = {signal.SIGKILL: "KILL", signal.SIGINT: "INT", signal.SIGTERM: "TERM"}
CODES = {signal.SIGKILL: {-9}, signal.SIGINT: {130, -2}, signal.SIGTERM: {143, -15}}


def interrupted(folder, command, number, delay):
    """Runs tfconvert and sends a signal after some seconds; exit status and messages."""
    process = start(folder, command)
    try:
        text = process.communicate(timeout=delay)[1]
    except subprocess.TimeoutExpired:
        process.send_signal(number)
        text = process.communicate(timeout=TIMEOUT)[1]
    return process.returncode, text.decode(errors="replace")


def duration(checker):
    """How long an undisturbed run takes, in seconds."""
    times = []
    for _ in range(3):
        checker.scenario.prepare(checker.folder)
        begin = time.monotonic()
        tool(checker.folder, checker.scenario.command())
        times.append(time.monotonic() - begin)
    return min(times)


def signals(scenario, folder, rounds, seed):
    """Signals at random moments of a run that takes a while."""
    checker = Checker(scenario.scaled(16), folder)
    generator = random.Random(f"{seed} {scenario.name}")
    longest = duration(checker) * 1.2
    for _ in range(rounds):
        number = generator.choice(list(NAMES))
        delay = generator.uniform(0, longest)
        what = f"{NAMES[number]} after {1000 * delay:.1f} ms"
        checker.scenario.prepare(folder)
        status, text = interrupted(folder, checker.scenario.command(), number, delay)
        if status not in CODES[number] | {0}:
            fail(f"{scenario.name}, {what}: exit {status}", text)
        if number != signal.SIGKILL and text.strip():
            fail(f"{scenario.name}, {what}: says", text)
        checker.judge(what, status, text)
    return rounds


def resuming(folder, rounds, seed):
    """kill -9 and interruptions again and again, with --resume, until a run comes to its end."""
    scenario = Scenario("resumed folder", "model/", arguments=SHARDS + ["--resume"], megabytes=16)
    checker = Checker(scenario, folder)
    generator = random.Random(f"{seed} resume")
    longest, count = duration(checker), 0
    for _ in range(rounds):
        scenario.prepare(folder)
        for attempt in range(12):
            number = generator.choice(list(NAMES))
            delay = generator.uniform(0, longest)
            status, text = interrupted(folder, scenario.command(), number, delay)
            count += 1
            if status == 0:
                break
            if status not in CODES[number]:
                fail(f"{scenario.name}, attempt {attempt}: exit {status}", text)
            if scenario.state(folder) not in (None, checker.complete):
                fail(f"{scenario.name}, attempt {attempt}: half a target")
            if scenario.state(folder) == checker.complete:
                break
        if scenario.state(folder) is None:
            status, text = tool(folder, scenario.command())
            if status != 0:
                fail(f"{scenario.name}: the last run exits {status}", text)
        if scenario.state(folder) != checker.complete:
            fail(f"{scenario.name}: is not what an undisturbed run makes")
        if scenario.leftovers(folder):
            fail(f"{scenario.name}: left behind {scenario.leftovers(folder)}")
        if snapshot(f"{folder}/new") != checker.source:
            fail(f"{scenario.name}: the source has changed")
    return count
