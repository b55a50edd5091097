import TensorCore

/// What a preprocessor_config.json says of sounds, each key checked where it is read.
struct SoundSettings {
  private let settings: JSONValue

  init(_ settings: JSONValue) { self.settings = settings }

  /// A number from 1 on; a null is what is usual.
  func count(_ key: String, _ usual: Int, most: Int) throws(CheckpointError) -> Int {
    guard let value = settings[key], value != .null else { return usual }
    guard let number = value.int, (1...most).contains(number) else {
      throw CheckpointError(.malformed("\(key) must be from 1 to \(most), is \(value.text())"))
    }
    return number
  }

  /// True, false, or nothing.
  func flag(_ key: String) throws(CheckpointError) -> Bool? {
    guard let value = settings[key], value != .null else { return nil }
    guard let flag = value.bool else {
      throw CheckpointError(.malformed("\(key) must be true or false, is \(value.text())"))
    }
    return flag
  }

  /// Refuses another number than 0.
  func requireZero(_ key: String) throws(CheckpointError) {
    guard let value = settings[key], value != .null, value.double != 0 else { return }
    throw CheckpointError(.unsupported("\(key) is \(value.text()): only 0 is supported"))
  }

  /// From 0 to 1; a null is 0.
  private func part(_ key: String, _ usual: Double) throws(CheckpointError) -> Double {
    guard let value = settings[key] else { return usual }
    if value == .null { return 0 }
    guard let number = value.double, (0...1).contains(number) else {
      throw CheckpointError(.malformed("\(key) must be from 0 to 1, is \(value.text())"))
    }
    return number
  }

  func bands(
    _ usual: SoundProcessor.NormalizedBands, rate: Int
  ) throws(CheckpointError) -> SoundProcessor.NormalizedBands {
    let bands = SoundProcessor.NormalizedBands(
      bands: try count("feature_size", usual.bands, most: 512),
      window: try count("win_length", usual.window, most: 4096),
      length: try count("n_fft", usual.length, most: 4096),
      hop: try count("hop_length", usual.hop, most: 4096),
      preemphasis: try part("preemphasis", usual.preemphasis))
    guard bands.length > 1, bands.window > 1, bands.window <= bands.length,
      bands.length / 2 < rate
    else {
      throw CheckpointError(
        .malformed(
          "win_length is \(bands.window), n_fft \(bands.length) at \(rate) samples a second"))
    }
    return bands
  }

  /// Of `feature_size` only is read whether it is 1: transformers fills up by it.
  func bands(
    _ usual: SoundProcessor.StackedBands, rate: Int
  ) throws(CheckpointError) -> SoundProcessor.StackedBands {
    guard rate / 2 > 20 else {
      throw CheckpointError(
        .malformed("sampling_rate is \(rate): bands of frequencies begin at 20 Hz"))
    }
    guard try count("feature_size", usual.bands, most: 1 << 20) > 1 else {
      throw CheckpointError(.unsupported("feature_size is 1: bands would be filled up as samples"))
    }
    var bands = usual
    bands.bands = try count("num_mel_bins", usual.bands, most: 512)
    bands.stride = try count("stride", usual.stride, most: 64)
    bands.padding = try padding(usual.padding)
    bands.padsFirst = try padsFirst()
    // A null is no mask, too.
    bands.hasMask =
      settings["return_attention_mask"] == nil
      ? usual.hasMask : try flag("return_attention_mask") ?? false
    guard bands.stride > 1 || !bands.hasMask else {
      throw CheckpointError(
        .unsupported("stride is 1: return_attention_mask is of each row's second frame"))
    }
    return bands
  }

  private func padding(_ usual: Float) throws(CheckpointError) -> Float {
    guard let value = settings["padding_value"] else { return usual }
    guard let number = value.double, Float(number).isFinite else {
      throw CheckpointError(
        .malformed("padding_value must be a number of single precision, is \(value.text())"))
    }
    return Float(number)
  }

  private func padsFirst() throws(CheckpointError) -> Bool {
    guard let value = settings["padding_side"] else { return false }
    switch value.string {
    case "right": return false
    case "left": return true
    default:
      throw CheckpointError(
        .malformed("padding_side must be \"left\" or \"right\", is \(value.text())"))
    }
  }
}
