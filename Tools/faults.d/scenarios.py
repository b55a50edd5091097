"""Conversions, and how to tell what has become of their targets."""

import hashlib, json, os, random, shutil, struct, subprocess

TIMEOUT = 600  # seconds after which a run is taken to hang
options = None  # the command line of Tools/faults


def checkpoint(seed, megabytes=1):
    """The bytes of a safetensors file with a few tensors."""
    generator = random.Random(seed)
    header, data, position = {}, [], 0
    counts = [3, 0, 7] + [megabytes << 16] * 4
    for number, count in enumerate(counts):
        values = generator.randbytes(4 * count)
        header[f"tensor.{number}"] = {
            "dtype": "I32", "shape": [count], "data_offsets": [position, position + len(values)]}
        position += len(values)
        data.append(values)
    text = json.dumps(header, separators=(",", ":")).encode()
    return struct.pack("<Q", len(text)) + text + b"".join(data)


def write(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)


def snapshot(path):
    """What is at a path: the bytes of a file, those of all files of a folder, or None."""
    if os.path.isdir(path):
        return {name: snapshot(os.path.join(path, name)) for name in sorted(os.listdir(path))}
    if not os.path.exists(path):
        return None
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def start(folder, arguments, prefix=(), environment=None, **further):
    """Starts tfconvert."""
    env = dict(os.environ, SWIFT_BACKTRACE="enable=no", **(environment or {}))
    return subprocess.Popen(
        list(prefix) + [options.tfconvert] + arguments, cwd=folder, env=env,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **further)


def tool(folder, arguments, prefix=(), environment=None):
    """Runs tfconvert; its exit status and what it printed on standard error."""
    process = start(folder, arguments, prefix, environment)
    text = process.communicate(timeout=TIMEOUT)[1]
    return process.returncode, text.decode(errors="replace")


class Scenario:
    """A conversion from `new/` to a target beside it, which may have been made from `old/` before."""

    def __init__(self, name, target, overwrites=False, arguments=(), source="safetensors",
                 config=True, megabytes=1):
        self.name, self.target, self.overwrites = name, target, overwrites
        self.arguments, self.source, self.config = list(arguments), source, config
        self.megabytes = megabytes
        self.cache = {}

    def scaled(self, megabytes):
        """The same with another size of the source."""
        return Scenario(self.name, self.target, self.overwrites, self.arguments, self.source,
                        self.config, megabytes)

    @property
    def source_file(self):
        return f"new/model.{self.source}"

    def weights(self, folder, seed):
        """The bytes of the source's weights."""
        if seed not in self.cache:
            data = checkpoint(seed, self.megabytes)
            if self.source != "safetensors":
                write(f"{folder}/made/x.safetensors", data)
                status, text = tool(folder, ["made/x.safetensors", "made/x." + self.source, "-q"])
                assert status == 0, text
                with open(f"{folder}/made/x.{self.source}", "rb") as file:
                    data = file.read()
                shutil.rmtree(f"{folder}/made")
            self.cache[seed] = data
        return self.cache[seed]

    def prepare(self, folder):
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        for number, place in [(2, "new"), (1, "old")]:
            write(f"{folder}/{place}/model.{self.source}", self.weights(folder, number))
            if self.config:
                write(f"{folder}/{place}/config.json", b'{"number": %d}\n' % number)
                write(f"{folder}/{place}/tokenizer.json", b'["%d"]\n' % number)
        os.makedirs(f"{folder}/out")
        if self.overwrites:
            status, text = tool(folder, ["old", "out/" + self.target] + self.arguments)
            assert status == 0, text
            if self.target.endswith("/"):
                write(f"{folder}/out/{self.target}notes.txt", b"mine\n")

    def command(self, force=False):
        force = ["--force"] if self.overwrites or force else []
        return ["new", "out/" + self.target, "--no-progress", "-q"] + self.arguments + force

    def path(self, folder):
        return f"{folder}/out/{self.target}".rstrip("/")

    def state(self, folder):
        """The target, with its config."""
        if self.target.endswith("/"):
            return snapshot(self.path(folder))
        weights = snapshot(self.path(folder))
        if weights is None:
            return None
        return weights, snapshot(self.path(folder) + ".config.json")

    def leftovers(self, folder):
        return [name for name in os.listdir(f"{folder}/out") if name.endswith(".tfpart")]


SHARDS = ["--max-shard-size", "300kB"]
SCENARIOS = [
    Scenario("new file", "model.safetensors", config=False),
    Scenario("file replaced", "model.safetensors", True, config=False),
    Scenario("large file", "model.safetensors", config=False, megabytes=10),
    Scenario("new npz with config", "model.npz"),
    Scenario("npz with config replaced", "model.npz", True),
    Scenario("new folder", "model/", arguments=SHARDS),
    Scenario("folder replaced", "model/", True, SHARDS),
    Scenario("new TFZ", "model.tfz"),
    Scenario("TFZ replaced", "model.tfz", True, ["--digests"]),
    Scenario("TFZ to npz", "model.npz", True, source="tfz", config=False),
    Scenario("TFZ folder to shards", "model/", True, SHARDS, source="tfz"),
]
