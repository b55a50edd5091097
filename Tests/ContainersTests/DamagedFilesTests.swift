import SystemPackage
import TestSupport
import Testing

#if DEBUG
  let isThorough = false
#else
  let isThorough = true
#endif

/// What is damaged.
private let files =
  goodFixtures
  // Files of the other ecosystems may end early, or are several: EcosystemDamageTests has these.
  + fixtures("flax", "good")
  + ["every_dtype_2", "orders_5", "haiku_training", "python_2"].map {
    fixture("containers/pickle/good/\($0).pkl")
  }
  + ["equal", "equal_deflated"].map { fixture("containers/npz/python/\($0).npz") }
  + ["views.pt", "views_legacy.bin", "no_checksums.pt", "training_legacy.pth", "deflated.pt"]
  .map { fixture("containers/torch/good/\($0)") }

/// Those whose bytes are all under a checksum, or said twice.
private let checked = ["views.pt", "deflated.pt"]

/// Damaged files end in an error, or in what was there before; never in a crash.
@Suite struct DamagedFilesTests {
  @Test(arguments: files) func `refuses a file that is cut off anywhere`(
    _ path: FilePath
  ) {
    let scratch = ScratchFolder()
    let bytes = readFile(path)
    let name = path.lastComponent?.string ?? ""
    // Every byte of what is at the beginning and the end, where containers have their heads; debug builds are slow, above all
    // swift-system's paths.
    let ends = isThorough ? (head: 2048, tail: 256) : (head: 32, tail: 0)
    for count in bytes.indices
    where count < ends.head || bytes.count - count < ends.tail || count % 13 == 0 {
      let cut = scratch.write(Array(bytes[..<count]), to: name)
      #expect(error(reading: cut) != nil, "\(name) cut at \(count)")
    }
  }

  @Test(arguments: files) func `survives flipped bits`(_ path: FilePath) throws {
    let scratch = ScratchFolder()
    let bytes = readFile(path)
    let good = try readAll(path)
    let name = path.lastComponent?.string ?? ""
    let seed: UInt64 = 20_240_611
    var random = SeededGenerator(seed: seed)
    for round in 0..<(isThorough ? 400 : 40) {
      var damaged = bytes
      for _ in 0..<Int.random(in: 1...3, using: &random) {
        let bit = Int.random(in: 0..<8 * bytes.count, using: &random)
        damaged[bit / 8] ^= 1 << UInt8(bit % 8)
      }
      guard let found = try? readAll(damaged, as: name, in: scratch) else { continue }
      // Only zip archives have checksums. Elsewhere other names and values are another good file.
      if path.extension == "npz" || checked.contains(name) {
        #expect(found == good, "\(name), round \(round) of seed \(seed)")
      }
    }
  }

  @Test(arguments: files) func `survives replaced stretches`(_ path: FilePath) throws {
    let scratch = ScratchFolder()
    let bytes = readFile(path)
    let name = path.lastComponent?.string ?? ""
    var random = SeededGenerator(seed: 7)
    for _ in 0..<(isThorough ? 200 : 30) {
      var damaged = bytes
      let start = Int.random(in: 0..<bytes.count, using: &random)
      let end = min(bytes.count, start + Int.random(in: 1...9, using: &random))
      let fill: UInt8 = [0, 0xFF, 0x30, 0x7F].randomElement(using: &random) ?? 0
      for index in start..<end { damaged[index] = fill }
      _ = try? readAll(damaged, as: name, in: scratch)
    }
  }
}
