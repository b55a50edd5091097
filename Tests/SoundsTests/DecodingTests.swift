import Containers
import Sounds
import SystemPackage
import TensorCore
import TestSupport
import Testing

/// The sounds that there are, by their names, without the one that is there for its features.
private let names = fileNames(in: fixture("sounds")).filter {
  !$0.hasSuffix(".npz") && !$0.hasSuffix(".json") && $0 != "frames29.flac"
}

/// Numbers of one of the fixtures' npz.
func numbers(_ name: String, in file: String) throws -> (shape: [Int], numbers: [Double]) {
  let table = try Checkpoint.open(fixture("sounds/\(file)")).tensors
  let tensor = try #require(table[TensorName(name)])
  let bytes = try tensor.bytes.read(0..<tensor.bytes.count)
  guard tensor.dtype != .i16 else {
    let numbers = stride(from: 0, to: bytes.count, by: 2).map { place in
      Double(Int16(bitPattern: UInt16(bytes[place]) | UInt16(bytes[place + 1]) << 8))
    }
    return (tensor.shape, numbers)
  }
  #expect(tensor.dtype == .f32)
  var values = [Double](repeating: 0, count: tensor.elementCount)
  var span = values.mutableSpan
  tensor.dtype.widen(unsafe bytes.span.bytes, into: &span)
  return (tensor.shape, values)
}

private func rate(of name: String) -> Int {
  name.hasPrefix("rate8") ? 8000 : name.hasPrefix("rate44") ? 44_100 : 16_000
}

private func problem(of bytes: [UInt8], rate: Int = 16_000) -> CheckpointError? {
  do {
    _ = try Sound(decoding: bytes, rate: rate)
    return nil
  } catch {
    return error
  }
}

/// A WAV of 16 bits with a header that says what it is told to.
private func wave(channels: UInt16, rate: UInt32, data: UInt32, samples: Int) -> [UInt8] {
  func bytes<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
    (0..<Number.bitWidth / 8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
  }
  let format: [UInt8] =
    bytes(UInt16(1)) + bytes(channels) + bytes(rate) + bytes(rate &* UInt32(channels) &* 2)
    + bytes(channels &* 2) + bytes(UInt16(16))
  return Array("RIFF".utf8) + bytes(data &+ 36) + Array("WAVEfmt ".utf8) + bytes(UInt32(16))
    + format + Array("data".utf8) + bytes(data) + [UInt8](repeating: 1, count: samples)
}

/// Files of all kinds, against what soundfile reads of them.
@Suite struct DecodingTests {
  @Test func `there are files of every kind`() { #expect(names.count == 15) }

  @Test(arguments: names) func `samples are soundfile's`(_ name: String) throws {
    let sound = try Sound(decoding: readFile(fixture("sounds/\(name)")), rate: rate(of: name))
    let expected = try numbers(name, in: "samples.npz").numbers
    #expect(sound.count == expected.count)
    #expect(
      sound.channels
        == (["stereo.wav", "flac24.flac", "rate44.flac"].contains(name)
          ? 2 : name == "extensible.wav" ? 3 : 1))
    guard name.hasSuffix("ogg") else {
      #expect(sound.samples.map { Double($0) } == expected)
      return
    }
    // Decoders of Vorbis need not have the same bits.
    #expect(zip(sound.samples, expected).allSatisfy { abs(Double($0) - $1) < 1e-5 })
  }

  @Test func `no more is read than was asked for`() throws {
    let bytes = readFile(fixture("sounds/pcm16.wav"))
    let whole = try Sound(decoding: bytes, rate: 16_000)
    let part = try Sound(decoding: bytes, rate: 16_000, limit: 100)
    #expect(part.samples == Array(whole.samples.prefix(100)))
    #expect((part.count, whole.count) == (700, 700))
  }

  @Test func `another rate is refused with what resamples it`() throws {
    let error = try #require(problem(of: readFile(fixture("sounds/rate44.flac"))))
    #expect(error.problem == .refused("has 44100 samples in a second, and the model reads 16000"))
    #expect(error.advice?.contains("ffmpeg -i FILE -ar 16000") == true)
    #expect(error.category == .refused)
  }

  @Test func `what is no sound is not read`() {
    for bytes in [[], Array("RIFF".utf8), Array("RIFFxxxxWEBP".utf8), [0xFF, 0xFB, 0x90, 0x44]] {
      #expect(problem(of: bytes)?.problem == .unsupported("is no sound in WAV, FLAC or OGG"))
    }
  }

  @Test func `a header that says absurd things is an error, and nothing is allocated for it`() {
    let cases: [(UInt16, UInt32, UInt32)] = [
      (0, 16_000, 64), (40, 16_000, 64), (1, 0, 64), (1, 0xFFFF_FFFF, 64), (1, 2_000_000, 64),
      (0xFFFF, 16_000, 64), (1, 16_000, 0),
    ]
    for (channels, rate, data) in cases {
      let error = problem(of: wave(channels: channels, rate: rate, data: data, samples: 64))
      #expect(error != nil, "\(channels) \(rate) \(data)")
      #expect(error?.description.contains("\n") == false)
    }
    // A length beyond the file's end counts for nothing: what is there is read, or refused.
    for data in [0xFFFF_FFF0, 0x7FFF_FFFF, 4096] as [UInt32] {
      let found = try? Sound(
        decoding: wave(channels: 1, rate: 16_000, data: data, samples: 64), rate: 16_000)
      #expect(found == nil || found?.samples.count == 32)
    }
  }

  @Test func `a number that is none is an error`() throws {
    var bytes = readFile(fixture("sounds/float.wav"))
    bytes.replaceSubrange(bytes.count - 4..<bytes.count, with: [0, 0, 0xC0, 0x7F])
    #expect(problem(of: bytes)?.problem == .malformed("sample 699 is no finite number"))
  }

  @Test(arguments: names) func `a file that is cut short is an error, or has fewer samples`(
    _ name: String
  ) {
    let whole = readFile(fixture("sounds/\(name)"))
    for count in stride(from: 0, to: whole.count, by: max(1, whole.count / 120)) {
      let sound = try? Sound(decoding: Array(whole.prefix(count)), rate: rate(of: name))
      #expect((sound?.samples.count ?? 0) < 700, "\(count)")
    }
  }

  /// Whatever is changed, there is a sound or an error of one line.
  @Test(arguments: names) func `a byte that is another one is no crash`(_ name: String) {
    let whole = readFile(fixture("sounds/\(name)"))
    for place in stride(from: 0, to: whole.count, by: whole.count > 2000 ? 7 : 2) {
      for value in [0, 0xFF, 0x7F, whole[place] ^ 1] as [UInt8] {
        var changed = whole
        changed[place] = value
        let error = problem(of: changed, rate: rate(of: name))
        #expect(error?.description.contains("\n") != true)
      }
    }
  }
}
