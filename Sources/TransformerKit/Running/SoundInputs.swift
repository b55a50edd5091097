internal import Containers
public import Kernels
public import Models
internal import Sounds
public import SystemPackage
public import TensorCore

/// What reads sounds for a model, and the file that says so.
public struct FoundSoundProcessor: Sendable {
  /// What it does.
  public let processor: SoundProcessor
  /// The file, as it is printed.
  public let file: String

  package init(processor: SoundProcessor, file: String) {
    self.processor = processor
    self.file = file
  }

  /// How many samples of a sound are read, if that has a limit.
  var length: Int? {
    guard case .logMel(_, _, _, let seconds) = processor.kind else { return nil }
    return seconds * processor.rate
  }

  /// The numbers that a model reads of a sound, without the batch, and which of its frames count, if that is read.
  ///
  /// - Parameter isWhole: whether all of it is read, however much the model reads at once.
  /// - Throws: `CheckpointError` if the sound is too short.
  func numbers(
    _ sound: Sound, isWhole: Bool = false
  ) throws(CheckpointError) -> (NDArray<Double>, mask: [Int]?) {
    switch processor.kind {
    case .logMel(let bands, let window, let hop, let seconds):
      let length = seconds * processor.rate
      let mel = LogMel(
        bands: bands, window: window, hop: hop,
        length: isWhole ? max(length, sound.samples.count) : length, rate: processor.rate)
      let numbers = mel(sound.samples).map { Double($0) }
      return (NDArray(shape: [bands, mel.frames], elements: numbers), nil)
    case .normalizedLogMel(let form): return try bands(form, sound)
    case .stackedLogMel(let form): return try rows(form, sound)
    case .samples(let isNormalized):
      let samples = isNormalized ? normalized(sound.samples) : sound.samples
      return (NDArray(shape: [samples.count], elements: samples.map { Double($0) }), nil)
    }
  }

  private func bands(
    _ form: SoundProcessor.NormalizedBands, _ sound: Sound
  ) throws(CheckpointError) -> (NDArray<Double>, mask: [Int]?) {
    let mel = NormalizedLogMel(
      bands: form.bands, window: form.window, length: form.length, hop: form.hop,
      preemphasis: form.preemphasis, rate: processor.rate)
    let frames = mel.frames(of: sound.samples.count)
    guard frames.counted > 1 else { throw tooShort(sound, least: 2 * form.hop) }
    let numbers = mel(sound.samples).map { Double($0) }
    return (
      NDArray(shape: [frames.all, form.bands], elements: numbers),
      (0..<frames.all).map { $0 < frames.counted ? 1 : 0 }
    )
  }

  private func rows(
    _ form: SoundProcessor.StackedBands, _ sound: Sound
  ) throws(CheckpointError) -> (NDArray<Double>, mask: [Int]?) {
    let mel = StackedLogMel(
      bands: form.bands, stride: form.stride, padding: form.padding, padsFirst: form.padsFirst,
      rate: processor.rate)
    let count = sound.samples.count
    let (frames, rows) = (mel.frames(of: count), mel.rows(of: count))
    guard frames > 1 else {
      throw tooShort(sound, least: StackedLogMel.window + StackedLogMel.hop)
    }
    guard rows > 0 else {
      throw CheckpointError(
        .malformed("is \(frames) frames long; stride says \(form.stride) of them are one row"))
    }
    let numbers = mel(sound.samples).map { Double($0) }
    return (
      NDArray(shape: [rows, form.stride * form.bands], elements: numbers),
      form.hasMask ? mel.mask(of: count) : nil
    )
  }

  private func tooShort(_ sound: Sound, least: Int) -> CheckpointError {
    CheckpointError(
      .malformed(
        "is \(sound.samples.count) samples long; a variance is of two frames, \(least)"))
  }
}

/// Sounds as inputs of a model.
public struct SoundInputs: Sendable {
  /// What the model reads.
  public var inputs: ModelInputs
  /// What is left out of a sound, a line each.
  public var notes: [String] = []
}

extension Model {
  /// What the files beside the weights say of sounds: `feature_extractor` of processor_config.json, else
  /// preprocessor_config.json, which is also transformers' order.
  ///
  /// - Throws: `CheckpointError` that names the file: missing if there is none and the weights' container says nothing of
  ///   it, unsupported if it names a class that is not known.
  public func soundProcessor() throws(CheckpointError) -> FoundSoundProcessor {
    let architecture = type(of: graph.architecture).name
    guard graph.families.soundProcessor(named: nil, for: architecture) != nil else {
      throw CheckpointError(
        .unsupported("\(architecture) reads no files of sounds"), file: displayed(checkpoint.path),
        advice: "pass what it reads with --inputs")
    }
    let (name, settings) = try soundSettings()
    do throws(CheckpointError) {
      let className = SoundProcessor.className(in: settings)
      guard let usual = graph.families.soundProcessor(named: className, for: architecture) else {
        let known = Set(graph.families.flatMap(\.soundProcessors).map(\.name)).sorted()
        throw CheckpointError(
          .unsupported("the feature extractor \(escaped(className ?? "none")) is not known"),
          advice: "known are \(known.joined(separator: ", "))")
      }
      return FoundSoundProcessor(processor: try usual.reading(settings), file: name)
    } catch {
      throw error.inFile(name)
    }
  }

  private func soundSettings() throws(CheckpointError) -> (file: String, settings: JSONValue) {
    let (joint, own) = ("processor_config.json", "preprocessor_config.json")
    if let settings = try checkpoint.companionJSON(joint)?["feature_extractor"] {
      return (checkpoint.companionName(joint), settings)
    }
    if let settings = try checkpoint.companionJSON(own) {
      return (checkpoint.companionName(own), settings)
    }
    // Files of one program alone are read as it reads sounds; only the number of bands differs.
    if checkpoint.belongings.ggml != nil || checkpoint.config?.value["dims"] != nil,
      let slot = graph.inputs.first(where: { $0.name == Self.bands }), slot.axes.count == 3,
      case .size(let bands) = slot.axes[1]
    {
      return (displayed(checkpoint.path), ["feature_size": .number(bands)])
    }
    throw CheckpointError(
      .missing("no \(own) lies beside the weights: it says how a sound is read"),
      file: displayed(checkpoint.path),
      advice: "put the model's own there, or pass what it reads with --inputs")
  }

  /// Sounds as an input of the model.
  ///
  /// - Parameters:
  ///   - files: WAV, FLAC or OGG; as the model reads them, all are equally long.
  ///   - resamples: whether those with another rate are made such that have the model's.
  /// - Throws: `CheckpointError` that names the sound, or the processor's file.
  public func inputs(
    sounds files: [FilePath], _ found: FoundSoundProcessor, resamples: Bool = false
  ) throws(CheckpointError) -> SoundInputs {
    let name = try inputName(found)
    var notes: [String] = []
    var shape: [Int] = []
    var elements: [Double] = []
    var masks: [Int] = []
    for file in files {
      do throws(CheckpointError) {
        let sound = try read(
          file, found, limit: found.length ?? Sound.mostSamples, resamples, &notes)
        if sound.count > sound.samples.count {
          let rate = sound.rate
          notes.append(
            "\(displayed(file)) is \(seconds(sound.count, rate)) s long; the model reads the first"
              + " \(seconds(sound.samples.count, rate)) s")
        }
        let (numbers, mask) = try found.numbers(sound)
        guard shape.isEmpty || shape == numbers.shape else {
          throw CheckpointError(
            .refused("is not as long as the sound before it: sounds of one run are equally long"))
        }
        shape = numbers.shape
        elements += numbers.elements
        masks += mask ?? []
      } catch {
        throw error.inFile(displayed(file))
      }
    }
    let array = NDArray(shape: [files.count] + shape, elements: elements)
    var inputs = ModelInputs([:], numbers: [name: array])
    if !masks.isEmpty {
      inputs["attention_mask"] = NDArray(shape: [files.count, shape[0]], elements: masks)
    }
    return SoundInputs(inputs: inputs, notes: notes)
  }

  /// Sounds of any length, of which a model reads one window behind the other.
  ///
  /// - Returns: `[bands, frames]` of each, filled up to one window, and what is noted of them; `nil` if the model writes
  ///   no texts of windows.
  /// - Throws: `CheckpointError` that names the sound, or the processor's file.
  public func wholeSounds(
    _ files: [FilePath], _ found: FoundSoundProcessor, resamples: Bool = false
  ) throws(CheckpointError) -> (sounds: [NDArray<Double>], notes: [String])? {
    guard case .logMel = found.processor.kind,
      graph.architecture.generation?.opensBySettings ?? false
    else { return nil }
    _ = try inputName(found)
    var notes: [String] = []
    var sounds: [NDArray<Double>] = []
    for file in files {
      do throws(CheckpointError) {
        let sound = try read(file, found, limit: Sound.mostSamples, resamples, &notes)
        sounds.append(try found.numbers(sound, isWhole: true).0)
      } catch {
        throw error.inFile(displayed(file))
      }
    }
    return (sounds, notes)
  }

  /// What the model calls what a processor makes.
  private func inputName(_ found: FoundSoundProcessor) throws(CheckpointError) -> String {
    let name =
      switch found.processor.kind {
      case .logMel, .normalizedLogMel, .stackedLogMel: Self.bands
      case .samples: "input_values"
      }
    // All kinds of bands have one name, and some have other axes.
    let isTransposed =
      switch found.processor.kind {
      case .normalizedLogMel, .stackedLogMel: true
      case .logMel, .samples: false
      }
    guard
      let slot = graph.inputs.first(where: { $0.name == name }),
      slot.axes.count < 3 || isTransposed == slot.hasFrames
    else {
      throw CheckpointError(
        .unsupported(
          "the class \(graph.architecture.head) reads no \(name) of \(found.processor.name)"),
        file: displayed(checkpoint.path))
    }
    return name
  }

  private func read(
    _ file: FilePath, _ found: FoundSoundProcessor, limit: Int, _ resamples: Bool,
    _ notes: inout [String]
  ) throws(CheckpointError) -> Sound {
    let bytes = try SmallFile.read(file, limit: Sound.largestFile)
    let sound = try Sound(
      decoding: bytes, rate: found.processor.rate, limit: limit, resamples: resamples)
    if sound.ownRate != sound.rate {
      notes.append(
        "\(displayed(file)) is resampled from \(sound.ownRate) to \(sound.rate) samples in a second"
      )
    }
    return sound
  }

  /// The input of bands of frequencies: `[batch, bands, frames]`.
  private static let bands = "input_features"

  /// A length with one digit behind the point.
  private func seconds(_ samples: Int, _ rate: Int) -> String {
    let (seconds, rest) = samples.quotientAndRemainder(dividingBy: rate)
    return "\(seconds).\(rest * 10 / rate)"
  }
}

/// Samples with a mean of 0 and a variance of 1, rounded to single precision (transformers, Wav2Vec2FeatureExtractor,
/// `zero_mean_unit_var_norm`).
private func normalized(_ samples: [Float]) -> [Float] {
  let count = Double(max(1, samples.count))
  let mean = samples.reduce(0) { $0 + Double($1) } / count
  let variance = samples.reduce(0) { $0 + (Double($1) - mean) * (Double($1) - mean) } / count
  return samples.map { Float((Double($0) - mean) / (variance + 1e-7).squareRoot()) }
}
