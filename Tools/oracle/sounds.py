"""Writes Fixtures/sounds: python Tools/oracle/sounds.py

Sounds in files of several kinds, written by libsndfile (by soundfile), and what soundfile reads of them, channels averaged;
what transformers' WhisperFeatureExtractor makes of sounds with numpy, and what its ParakeetFeatureExtractor makes of them
with every float32 of it lifted to float64. What its SeamlessM4TFeatureExtractor makes of sounds, and W2V-BERT in double precision
of one of them (of wav2vec2/bert_ctc, which wav2vec2.py writes). What librosa makes of files at other rates (by libsoxr).
"""

import json
import math
import shutil

import librosa
import numpy as np
import soundfile
import torch
from transformers import (
    ParakeetFeatureExtractor,
    SeamlessM4TFeatureExtractor,
    Wav2Vec2FeatureExtractor,
    WhisperFeatureExtractor,
)
from transformers.feature_extraction_utils import BatchFeature

from exact import FIXTURES, golden, write_npz

FOLDER = FIXTURES / "sounds"
RATE = 16000


def tones(random, count, rate=RATE):
    """A few tones that come and go, and noise, from -1 to 1."""
    time = np.arange(count) / rate
    sound = sum(
        np.sin(2 * np.pi * frequency * time + phase) * np.cos(3 * phase * time)
        for frequency, phase in zip(random.uniform(80, 4000, 5), random.uniform(0, 6, 5))
    )
    sound = sound / 6 + random.normal(0, 0.02, count)
    return np.clip(np.round(sound * 2**14) / 2**14, -1, 1 - 2**-14)


# Name, options of soundfile, channels, samples in a second.
FILES = [
    ("pcm16.wav", {"subtype": "PCM_16"}, 1, RATE),
    ("pcm24.wav", {"subtype": "PCM_24"}, 1, RATE),
    ("pcm32.wav", {"subtype": "PCM_32"}, 1, RATE),
    ("pcm8.wav", {"subtype": "PCM_U8"}, 1, RATE),
    ("float.wav", {"subtype": "FLOAT"}, 1, RATE),
    ("double.wav", {"subtype": "DOUBLE"}, 1, RATE),
    ("ulaw.wav", {"subtype": "ULAW"}, 1, RATE),
    ("stereo.wav", {"subtype": "PCM_16"}, 2, RATE),
    ("extensible.wav", {"subtype": "PCM_16", "format": "WAVEX"}, 3, RATE),
    ("rf64.wav", {"subtype": "PCM_16", "format": "RF64"}, 1, RATE),
    ("flac16.flac", {"subtype": "PCM_16"}, 1, RATE),
    ("flac24.flac", {"subtype": "PCM_24"}, 2, RATE),
    ("vorbis.ogg", {"subtype": "VORBIS"}, 1, RATE),
    ("rate8.wav", {"subtype": "PCM_16"}, 1, 8000),
    ("rate44.flac", {"subtype": "PCM_16"}, 2, 44100),
]


def files(random):
    arrays = {}
    for name, options, channels, rate in FILES:
        sound = np.stack([tones(random, 700, rate) for _ in range(channels)], axis=1)
        soundfile.write(FOLDER / name, sound, rate, **options)
        read, found = soundfile.read(FOLDER / name, dtype="float32", always_2d=True)
        assert found == rate
        # The mean in double precision, rounded once.
        arrays[name] = read.astype(np.float64).mean(axis=1).astype(np.float32)
    write_npz(FOLDER / "samples.npz", arrays)


# Settings of the extractor, samples that are repeated, how often, and every how many frames are kept.
FEATURES = [
    ({"chunk_length": 1}, 3000, 3, 3),
    ({"chunk_length": 1, "feature_size": 128}, 3000, 5, 13),
    ({"chunk_length": 1, "feature_size": 128}, 4000, 10, 11),  # longer than what is read
    ({"chunk_length": 1, "n_fft": 401, "hop_length": 250, "feature_size": 7}, 2115, 6, 1),
    ({"chunk_length": 1, "n_fft": 256, "hop_length": 1300, "feature_size": 5}, 3000, 5, 1),
    ({"chunk_length": 2, "sampling_rate": 24000, "hop_length": 301, "feature_size": 20}, 3000, 10, 4),
    ({"chunk_length": 1, "feature_size": 6}, 0, 1, 1),  # silence
    ({}, 4000, 25, 83),
    ({"feature_size": 128}, 4000, 125, 131),
]


def features(random):
    arrays, cases = {}, []
    for number, (settings, count, times, every) in enumerate(FEATURES):
        extractor = WhisperFeatureExtractor(**settings)
        period = tones(random, count, extractor.sampling_rate) if count else np.zeros(500)
        sound = np.tile(period, times)
        sound = np.concatenate([sound, np.zeros(max(0, extractor.n_samples - len(sound)))])
        found = extractor._np_extract_fbank_features(
            sound[None, : extractor.n_samples].astype(np.float32), "cpu"
        )[0]
        # Sounds are whole numbers of 14 bits, which the test divides again.
        arrays[f"sound.{number}"] = (period * 2**14).astype(np.int16)
        arrays[f"features.{number}"] = found[:, ::every].astype(np.float32)
        cases.append(settings | {"frames": found.shape[1], "every": every, "times": times})
    write_npz(FOLDER / "periods.npz", {name: a for name, a in arrays.items() if name[0] == "s"})
    write_npz(FOLDER / "features.npz", {name: a for name, a in arrays.items() if name[0] == "f"})
    (FOLDER / "features.json").write_text(json.dumps(cases, indent=1) + "\n")


# Settings of the other extractor, samples that are repeated, how often, and every how many frames are kept.
NORMALIZED = [
    ({}, 4000, 4, 3),
    ({"feature_size": 128, "preemphasis": None}, 3001, 2, 3),
    (
        {"feature_size": 7, "win_length": 300, "n_fft": 401, "hop_length": 250, "preemphasis": 0.5},
        2115,
        2,
        1,
    ),
    ({"feature_size": 9, "sampling_rate": 8000, "win_length": 101, "n_fft": 128}, 1000, 3, 1),
]


def unpadded(batch, **_):
    """What `pad` makes of one sound, which is in double precision and needs no padding."""
    sounds = torch.stack(batch["input_features"]).double()
    return BatchFeature(
        {"input_features": sounds, "audio_lengths": torch.tensor(batch["audio_lengths"])}
    )


def normalized(random):
    arrays, cases = {}, []
    for number, (settings, count, times, every) in enumerate(NORMALIZED):
        extractor = ParakeetFeatureExtractor(**settings)
        period = tones(random, count, extractor.sampling_rate)
        sound = np.tile(period, times).astype(np.float32)
        plain = extractor(sound, sampling_rate=extractor.sampling_rate, return_tensors="np")
        with golden.lifted():
            extractor.mel_filters = extractor.mel_filters.double()
            extractor.pad = unpadded
            found = extractor(sound, sampling_rate=extractor.sampling_rate, return_tensors="np")
        assert found["input_features"].dtype == np.float64
        distance = np.abs(found["input_features"] - plain["input_features"]).max()
        print(f"single precision differs by {distance:.1e}")
        arrays[f"sound.{number}"] = (period * 2**14).astype(np.int16)
        arrays[f"features.{number}"] = found["input_features"][0, ::every].astype(np.float32)
        mask = found["attention_mask"][0]
        cases.append(
            settings
            | {"frames": len(mask), "counted": int(mask.sum()), "every": every, "times": times}
        )
    write_npz(FOLDER / "normalized.npz", arrays)
    (FOLDER / "normalized.json").write_text(json.dumps(cases, indent=1) + "\n")


# Settings of the third extractor, samples that are repeated, how often, zeros behind them, and every how many rows are kept.
STACKED = [
    ({}, 4000, 3, 0, 5),  # 73 frames
    ({"num_mel_bins": 128, "feature_size": 128}, 3001, 2, 0, 7),
    ({"num_mel_bins": 10}, 4000, 13, 0, 7),  # sums of more than 128 frames
    ({"num_mel_bins": 7, "stride": 3, "padding_value": 1.5}, 2035, 2, 0, 1),
    ({"num_mel_bins": 4, "padding_side": "left", "padding_value": -3}, 1500, 1, 0, 1),
    ({"num_mel_bins": 5, "stride": 3, "padding_side": "left", "padding_value": 2}, 1700, 1, 0, 1),
    ({"num_mel_bins": 9, "sampling_rate": 8001, "return_attention_mask": False}, 1000, 3, 0, 1),
    ({"num_mel_bins": 3, "stride": 1, "return_attention_mask": None}, 900, 1, 0, 1),
    ({"num_mel_bins": 6}, 700, 1, 3000, 1),
    ({"num_mel_bins": 5}, 0, 1, 2500, 1),  # silence
]


def stacked(random):
    arrays, cases = {}, []
    for number, (settings, count, times, silence, every) in enumerate(STACKED):
        extractor = SeamlessM4TFeatureExtractor(**settings)
        period = tones(random, count, extractor.sampling_rate)
        sound = np.concatenate([np.tile(period, times), np.zeros(silence)]).astype(np.float32)
        found = extractor(sound, sampling_rate=extractor.sampling_rate, return_tensors="np")
        features = found["input_features"][0]
        assert features.dtype == np.float32
        arrays[f"sound.{number}"] = (period * 2**14).astype(np.int16)
        arrays[f"features.{number}"] = features[::every]
        more = {"rows": len(features), "times": times, "silence": silence, "every": every}
        if "attention_mask" in found:
            more["mask"] = "".join(map(str, found["attention_mask"][0]))
        cases.append(settings | more)
    arrays |= of_file(random)
    write_npz(FOLDER / "stacked.npz", arrays)
    (FOLDER / "stacked.json").write_text(json.dumps(cases, indent=1) + "\n")


def of_file(random):
    """An odd number of frames in two channels, and what a model scores of them."""
    file, model = FOLDER / "frames29.flac", FIXTURES / "wav2vec2" / "bert_ctc"
    sound = np.stack([tones(random, 4913), tones(random, 4913)], axis=1)
    soundfile.write(file, sound, RATE, subtype="PCM_16")
    read, _ = soundfile.read(file, dtype="float32")
    mono = read.astype(np.float64).mean(axis=1).astype(np.float32)
    extractor = SeamlessM4TFeatureExtractor(feature_size=3, num_mel_bins=3)
    inputs = extractor(mono, sampling_rate=RATE, return_tensors="np")
    found = golden.run_lifted(golden.load(str(model)), dict(inputs), hidden_states=False)[0]
    return {f"file.{name}": array[0].astype(np.float32) for name, array in inputs.items()} | {
        "file.logits": found["logits"][0]
    }


# Files, and the rates that they are made.
RATES = [("rate8.wav", 16000), ("rate44.flac", 16000), ("pcm16.wav", 22050), ("stereo.wav", 8000)]


def resampled():
    arrays = {}
    for name, rate in RATES:
        sound, own = soundfile.read(FOLDER / name, dtype="float32", always_2d=True)
        sound = sound.astype(np.float64).mean(axis=1).astype(np.float32)
        found = librosa.resample(sound, orig_sr=own, target_sr=rate)
        assert len(found) == math.ceil(len(sound) * rate / own)
        arrays[name] = found
    write_npz(FOLDER / "resampled.npz", arrays)


def processed():
    """What extractors make of a file: bands of frequencies as Fixtures/whisper reads them, and samples."""
    sound, _ = soundfile.read(FOLDER / "stereo.wav", dtype="float32")
    sound = sound.mean(axis=1)
    settings = {"chunk_length": 1, "feature_size": 5, "hop_length": 1300}
    extractor = WhisperFeatureExtractor(**settings)
    filled = np.concatenate([sound, np.zeros(16000 - len(sound), np.float32)])
    arrays = {"input_features": extractor._np_extract_fbank_features(filled[None], "cpu")[0]}
    for normalized in [True, False]:
        found = Wav2Vec2FeatureExtractor(do_normalize=normalized)(
            sound, sampling_rate=RATE, return_tensors="np"
        )
        arrays[f"input_values.{normalized}".lower()] = found["input_values"][0]
    extractor = ParakeetFeatureExtractor(feature_size=8)
    found = extractor(sound, sampling_rate=RATE, return_tensors="np")
    arrays["normalized"] = found["input_features"][0]
    write_npz(FOLDER / "processed.npz", arrays)


if __name__ == "__main__":
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    random = np.random.default_rng(16)
    files(random)
    features(random)
    processed()
    normalized(np.random.default_rng(17))
    stacked(np.random.default_rng(18))
    resampled()
