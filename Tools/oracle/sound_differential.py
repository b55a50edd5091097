"""What `tfverify run --audio` writes of spoken sentences and of noise, and what transformers writes: tokens of greedy
generation and of CTC: python Tools/oracle/sound_differential.py TFVERIFY [SEED ...]

Sentences are spoken by espeak-ng, at rates of their own, and written as WAV, FLAC and OGG, in one channel or two. Other rates than the
model's are resampled by libsoxr on both sides (`--resample`), and refused without. Models have random weights and other sizes with each
seed. Writes nothing but a table; needs soundfile and soxr beside the requirements."""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile
import soxr
import torch
import transformers as tf
from exact import golden
from transformers.feature_extraction_utils import BatchFeature

COMMAND = sys.argv[1]
RATE = 16000
SENTENCES = [
    ("en", "The quick brown fox jumps over the lazy dog."),
    ("de", "Heute ist ein schöner Tag, und morgen regnet es."),
    ("fr", "Bonjour tout le monde."),
    ("en-us", "One, two, three, four, five, six, seven."),
    ("it", "Dove si trova la stazione?"),
]


# --- Sounds ----------------------------------------------------------------------------------


def spoken(folder, random):
    """Samples at espeak-ng's own rate, 22,050 Hz."""
    voice, text = SENTENCES[random.integers(len(SENTENCES))]
    path = folder / "spoken.wav"
    options = ["-v", voice, "-s", str(random.integers(120, 220)), "-p", str(random.integers(20, 80))]
    subprocess.run(["espeak-ng", *options, "-w", str(path), text], check=True)
    samples, rate = soundfile.read(path, dtype="float64")
    return samples, rate


def write_sounds(folder, random):
    """The files, the first ones at the models' rate."""
    files = []

    def put(name, samples, rate, **options):
        soundfile.write(folder / name, samples, rate, **options)
        files.append(folder / name)

    def speech(rate):
        samples, own = spoken(folder, random)
        return samples if rate == own else soxr.resample(samples, own, rate)

    put("pcm16.wav", speech(RATE), RATE, subtype="PCM_16")
    put("float.wav", speech(RATE), RATE, subtype="FLOAT")
    put("flac.flac", speech(RATE), RATE, subtype="PCM_24")
    put("vorbis.ogg", speech(RATE), RATE)
    left, right = speech(RATE), speech(RATE)
    count = min(len(left), len(right))
    put("stereo.wav", np.stack([left[:count], right[:count]], 1), RATE, subtype="PCM_16")
    put("noise.wav", random.normal(0, 0.2, 20000).clip(-1, 1), RATE, subtype="PCM_16")
    put("quiet.flac", random.normal(0, 0.001, 30011), RATE, subtype="PCM_16")
    put("rate22.wav", speech(22050), 22050, subtype="PCM_16")
    put("rate44.flac", np.stack([speech(44100)] * 2, 1), 44100, subtype="PCM_16")
    put("rate48.ogg", speech(48000), 48000)
    put("rate8.wav", speech(8000), 8000, subtype="PCM_16")
    long = np.concatenate([speech(RATE) for _ in range(14)])
    long = np.concatenate([long, long[: 36 * RATE - len(long)]]) if len(long) < 36 * RATE else long
    put(LONG, long, RATE, subtype="PCM_16")
    (folder / "spoken.wav").unlink()
    return files


def read(file):
    """As librosa reads a file: channels averaged, then libsoxr's high quality."""
    samples, rate = soundfile.read(file, dtype="float32", always_2d=True)
    samples = samples.mean(axis=1, dtype=np.float64).astype(np.float32)
    return samples if rate == RATE else soxr.resample(samples, rate, RATE, quality="HQ")


def decoded(file):
    """The samples as a file that needs no decoder. Builds of libvorbis round silence differently, and a band's logarithm shows it."""
    other = file.with_suffix(".decoded.wav")
    if not other.exists():
        soundfile.write(other, read(file), RATE, subtype="FLOAT")
    return other


# --- Models ----------------------------------------------------------------------------------

IDS = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
LONG = "long.wav"
# Positions of W2V-BERT, and settings of what reads sounds for it.
ROWS = [
    ("relative_key", {}),
    ("relative", {"num_mel_bins": 40, "feature_size": 40, "stride": 3, "padding_value": 1.0}),
    ("rotary", {"padding_side": "left", "padding_value": -2.0}),
]
KNOWN = {
    "lang_to_id": {"<|en|>": 52, "<|de|>": 53, "<|fr|>": 54},
    "task_to_id": {"translate": 55, "transcribe": 56},
    "no_timestamps_token_id": 59,
    "decoder_start_token_id": 50,
    "eos_token_id": 51,
    "pad_token_id": 51,
}


def whisper(random, bands=80):
    heads = int(random.choice([2, 3]))
    width = heads * 4 * int(random.integers(1, 4))
    config = tf.WhisperConfig(
        vocab_size=60 + 1501, num_mel_bins=bands, d_model=width, encoder_layers=int(random.integers(1, 3)),
        decoder_layers=int(random.integers(1, 3)), encoder_attention_heads=heads, decoder_attention_heads=heads,
        encoder_ffn_dim=20, decoder_ffn_dim=24, max_target_positions=80, decoder_start_token_id=50,
        suppress_tokens=None, begin_suppress_tokens=None, **IDS,
    )  # fmt: skip
    return tf.WhisperForConditionalGeneration(config), tf.WhisperFeatureExtractor(feature_size=bands)


def convolutions(random):
    """Of samples: as many as wav2vec 2.0 has, of other widths."""
    return {
        "conv_dim": [int(random.integers(3, 7))] * 7,
        "conv_kernel": [10, 3, 3, 3, 3, 2, 2],
        "conv_stride": [5, 2, 2, 2, 2, 2, 2],
        "num_conv_pos_embeddings": int(random.integers(4, 9)),
        "num_conv_pos_embedding_groups": 2,
    }


def encoder(random):
    heads = 2
    return {
        "hidden_size": heads * 4 * int(random.integers(1, 4)),
        "num_attention_heads": heads,
        "num_hidden_layers": int(random.integers(1, 4)),
        "intermediate_size": int(random.integers(10, 40)),
        "vocab_size": int(random.integers(12, 40)),
        "pad_token_id": 0,
    }


def cases(random):
    """Name, model, extractor, and for generation its settings."""
    model, extractor = whisper(random)
    yield "Whisper", model, extractor, {"language": "de", "task": "translate"}
    yield "Whisper, language found", model, extractor, {"suppress_tokens": [5, 6, 7], "begin_suppress_tokens": [51, 8]}
    yield "Whisper, times", model, extractor, {"return_timestamps": True, "language": "en"}
    yield "Whisper, 128 bands", *whisper(random, 128), {"language": "fr"}
    plain = tf.Wav2Vec2FeatureExtractor(do_normalize=True)
    for name in ["Wav2Vec2", "Hubert", "WavLM"]:
        config = getattr(tf, f"{name}Config")(**encoder(random), **convolutions(random))
        yield name, getattr(tf, f"{name}ForCTC")(config), plain, None
    stable = tf.Wav2Vec2Config(
        **encoder(random), **convolutions(random), do_stable_layer_norm=True, feat_extract_norm="layer", conv_bias=True
    )
    yield "Wav2Vec2, stable", tf.Wav2Vec2ForCTC(stable), tf.Wav2Vec2FeatureExtractor(do_normalize=False), None
    for kind in ["relative", "rotary"]:
        config = tf.Wav2Vec2ConformerConfig(
            **encoder(random), **convolutions(random), position_embeddings_type=kind, conv_depthwise_kernel_size=5
        )
        yield f"Conformer, {kind}", tf.Wav2Vec2ConformerForCTC(config), plain, None
    for kind, settings in ROWS:
        extractor = tf.SeamlessM4TFeatureExtractor(**settings)
        config = tf.Wav2Vec2BertConfig(
            **encoder(random), feature_projection_input_dim=extractor.num_mel_bins * extractor.stride,
            conv_depthwise_kernel_size=5, position_embeddings_type=kind,
        )  # fmt: skip
        yield f"W2V-BERT, {kind}", tf.Wav2Vec2BertForCTC(config), extractor, None
    sizes = encoder(random)
    vocabulary = sizes.pop("vocab_size")
    sizes.pop("pad_token_id")
    parakeet = tf.ParakeetCTCConfig(
        vocab_size=vocabulary, pad_token_id=vocabulary - 1,
        encoder_config=sizes | {"conv_kernel_size": 5, "subsampling_factor": 8, "subsampling_conv_channels": 6,
                                "num_mel_bins": 80},
    )  # fmt: skip
    yield "Parakeet", tf.ParakeetForCTC(parakeet), tf.ParakeetFeatureExtractor(feature_size=80), None
    moonshine = tf.MoonshineConfig(
        vocab_size=61, hidden_size=24, intermediate_size=30, encoder_num_hidden_layers=2, decoder_num_hidden_layers=2,
        encoder_num_attention_heads=3, decoder_num_attention_heads=3, decoder_start_token_id=1,
        pad_token_id=2, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    yield "Moonshine", tf.MoonshineForConditionalGeneration(moonshine), tf.Wav2Vec2FeatureExtractor(), {}


def randomise(model, generator):
    """Weights of which scores differ clearly, also between frames. Norms' gains stay near 1."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            strong = parameter.ndim > 1
            noise = torch.randn(parameter.shape, generator=generator)
            if strong:
                parameter.copy_(noise * 1.4 / max(1, parameter[0].numel()) ** 0.5)
            else:
                parameter.add_(0.1 * noise)
        for name, buffer in model.named_buffers():
            if name.endswith("running_mean"):
                buffer.copy_(0.1 * torch.randn(buffer.shape, generator=generator))
            if name.endswith("running_var"):
                buffer.copy_(0.5 + torch.rand(buffer.shape, generator=generator))


def save(model, extractor, settings, folder):
    model.eval().save_pretrained(folder)
    extractor.save_pretrained(folder)
    if settings is not None:
        base = KNOWN if "Whisper" in type(model).__name__ else {
            "decoder_start_token_id": 1, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 2}
        tf.GenerationConfig(**base, **settings).save_pretrained(folder)


# --- What both make of a sound ---------------------------------------------------------------


def unpadded(batch, **_):
    """What `pad` makes of one sound, which is in double precision and needs no padding."""
    sounds = torch.stack(batch["input_features"]).double()
    return BatchFeature({"input_features": sounds, "audio_lengths": torch.tensor(batch["audio_lengths"])})


def features(extractor, samples):
    """Of more than 30 seconds all of them."""
    if isinstance(extractor, tf.WhisperFeatureExtractor) and len(samples) > extractor.n_samples:
        options = {"truncation": False, "padding": "longest"}
        return {"input_features": extractor(samples, sampling_rate=RATE, return_tensors="np", **options)["input_features"]}
    if isinstance(extractor, tf.ParakeetFeatureExtractor):
        # Its logarithms of silence are rounding in single precision.
        filters = extractor.mel_filters
        with golden.lifted():
            extractor.mel_filters = filters.double()
            extractor.pad = unpadded
            found = extractor(samples, sampling_rate=RATE, return_tensors="np")
    else:
        found = extractor(samples, sampling_rate=RATE, return_tensors="np")
    return {name: np.asarray(value) for name, value in found.items()}


def generated(model, folder, inputs, count):
    """The tokens that transformers writes behind those that it begins with."""
    weights = {k: v.double() if v.is_floating_point() else v for k, v in model.state_dict().items()}
    with golden.lifted(), torch.no_grad():
        built = golden.rebuild(model, weights)
        built.generation_config = tf.GenerationConfig.from_pretrained(folder)
        tensors = {k: torch.from_numpy(v) for k, v in inputs.items()}
        tensors = {k: v.double() if v.is_floating_point() else v for k, v in tensors.items()}
        found, plain = [], tf.GenerationMixin.generate

        def recorded(*arguments, **options):
            found.append(plain(*arguments, **options))
            return found[-1]

        if "input_features" not in tensors:
            return built.generate(**tensors, max_new_tokens=count)[0].tolist()
        if getattr(built.generation_config, "return_timestamps", False):  # window by window
            return built.generate(tensors["input_features"], max_new_tokens=count, return_timestamps=True)[0].tolist()
        tf.GenerationMixin.generate = recorded
        try:
            built.generate(tensors["input_features"], max_new_tokens=count, force_unique_generate_call=True)
        finally:
            tf.GenerationMixin.generate = plain
        return found[0][0].tolist()


def collapsed(ids, blank):
    kept = [int(b) for a, b in zip([-1, *ids], ids) if b != a]
    return [token for token in kept if token != blank]


def run(folder, file, *options):
    command = [COMMAND, "run", str(folder), "--audio", str(file), *map(str, options)]
    return subprocess.run(command, capture_output=True, text=True)


def array(folder, file, key, *options):
    with tempfile.NamedTemporaryFile(suffix=".npz") as out:
        done = run(folder, file, *options, "--precision", "f64", "-o", out.name, "-q", "--force")
        if done.returncode:
            raise SystemExit(f"{folder}: {file.name}: {done.stderr}")
        return np.load(out.name)[key][0]


def differ(seed):
    random, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    bad = 0
    with tempfile.TemporaryDirectory() as place:
        files = write_sounds(Path(place), random)
        for name, model, extractor, settings in cases(random):
            folder = Path(place, "model")
            folder.mkdir(exist_ok=True)
            for old in folder.iterdir():
                old.unlink()
            randomise(model, generator)
            save(model, extractor, settings, folder)
            model = golden.load(str(folder))
            equal, largest, lengths, kinds = 0, 0.0, [], set()
            own_files = [f for f in files if f.name != LONG or name == "Whisper, times"]
            for file in own_files:
                if isinstance(extractor, tf.SeamlessM4TFeatureExtractor) and file.suffix == ".ogg":
                    file = decoded(file)
                inputs = features(extractor, read(file))
                other = soundfile.info(file).samplerate != RATE
                more = ["--resample"] if other else []
                refusal = run(folder, file) if other else None
                if refusal and (refusal.returncode == 0 or "--resample" not in refusal.stderr):
                    print(f"   {name}: {file.name} is not refused without --resample")
                    bad += 1
                if settings is not None:
                    count = 16
                    wanted = generated(model, folder, inputs, count)
                    own = array(folder, file, "sequences", "--generate", count, *more).tolist()
                else:
                    logits = golden.run_lifted(model, inputs, hidden_states=False)[0]["logits"][0]
                    blank = model.config.pad_token_id
                    wanted = collapsed(logits.argmax(-1), blank)
                    scores = array(folder, file, "logits", *more)
                    own = [int(token) for token in run(folder, file, *more).stdout.split()]
                    error = np.abs(scores - logits).max() / np.abs(logits).max()
                    if error > 1e-4:
                        print(f"   {name}: {file.name}: scores {error:.1e}")
                    largest = max(largest, error)
                equal += own == wanted
                lengths.append(len(wanted))
                kinds |= set(wanted)
                if own != wanted:
                    print(f"   {name}: {file.name}: {own} is not {wanted}")
            bad += equal < len(own_files)
            print(f"{seed:4} {name:24} equal {equal}/{len(own_files)}, {min(lengths)} to {max(lengths)} tokens, {len(kinds)} kinds,"
                  f" scores {largest:.1e}", flush=True)
    return bad


if __name__ == "__main__":
    wrong = sum(differ(seed) for seed in [int(a) for a in sys.argv[2:]] or [0])
    print("different:", wrong)
    sys.exit(wrong > 0)
