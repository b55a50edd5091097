import Containers
import SystemPackage
import TensorCore
import TestSupport
import Testing

private let root = fixture("containers/deepspeed")
private func folders(_ kind: String) -> [FilePath] {
  fileNames(in: root.appending(kind)).map { root.appending(kind).appending($0) }
}

/// What DeepSpeed wrote is put together as DeepSpeed does it: Tools/oracle/deepspeed_files.py.
@Suite struct DeepSpeedTests {
  private static let manifest = try? JSONValue(
    parsing: readFile(root.appending("manifest.json")), grammar: .strict)

  @Test func `every good folder is in the manifest`() {
    let listed = Self.manifest?.members?.map(\.key).sorted() ?? []
    #expect(listed == folders("good").map { $0.lastComponent?.string ?? "" }.sorted())
    #expect(listed.count == 5)
  }

  @Test(arguments: folders("good"), [true, false])
  func `reads what DeepSpeed reads`(_ path: FilePath, _ isTagNamed: Bool) throws {
    let expected = try #require(Self.manifest?[path.lastComponent?.string ?? ""])
    let checkpoint = try Checkpoint.open(isTagNamed ? path.appending("global_step2") : path)
    #expect(checkpoint.format == .deepspeed)
    var found: [TensorName: ReadTensor] = [:]
    for tensor in checkpoint.tensors.tensors { found[tensor.name] = try ReadTensor(tensor) }
    for facts in try #require(expected["tensors"]?.elements) {
      let name = TensorName(facts["name"]?.string ?? "?")
      let read = found.removeValue(forKey: name)
      let tensor = try #require(read, "\(name)")
      #expect(tensor.dtype.name == facts["dtype"]?.string, "\(name)")
      #expect(tensor.shape == facts["shape"]?.elements?.compactMap(\.int), "\(name)")
      let digits = tensor.bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
      #expect(digits == facts["bytes"]?.string, "\(name)")
    }
    // What DeepSpeed leaves out in stage 1: weights that are not trained.
    #expect(found.keys.allSatisfy { $0 == "frozen.weight" })
    #expect(
      checkpoint.tensors["again.weight"] != nil
        || path.lastComponent?.string.hasPrefix("stage3") == true)
    #expect(checkpoint.others.contains { $0.name == "global_steps" && $0.what == "2" })
    #expect(checkpoint.others.contains { $0.what.hasPrefix("the optimiser's state in ") })
    #expect(try checkpoint.surroundings(isDeep: true).weights.isEmpty)
  }

  @Test func `a file by itself is one of torch`() throws {
    let folder = root.appending("good/stage2/global_step2")
    let checkpoint = try Checkpoint.open(folder.appending("mp_rank_00_model_states.pt"))
    #expect(checkpoint.format == .torch)
    #expect(checkpoint.tensors["module.up.weight"] != nil)
  }

  @Test func `a process' file that is missing is named`() throws {
    let folder = root.appending("good/stage3/global_step2")
    for missing in fileNames(in: folder) {
      let scratch = ScratchFolder()
      for name in fileNames(in: folder) where name != missing {
        scratch.write(readFile(folder.appending(name)), to: name)
      }
      let found = try #require(error(reading: scratch.path))
      // Without the first ones it is no such folder.
      if missing.contains("rank_1") {
        #expect(found.file == scratch.path.appending(missing).string, "\(found)")
      }
    }
  }

  // MARK: Faults

  /// What is said of each bad folder.
  private static let expectedFaults: [String: ExpectedFault] = {
    let model = "mp_rank_00_model_states.pt"
    let first = "zero_pp_rank_0_mp_rank_00_optim_states.pt"
    let second = "zero_pp_rank_1_mp_rank_00_optim_states.pt"
    let third = "zero_pp_rank_0_mp_rank_00_model_states.pt"
    var faults: [String: ExpectedFault] = [
      "no_buffers": .of(model, "does not say which of its tensors are buffers"),
      "no_shapes": .of(model, "does not say the shapes of its parameters"),
      "shapes_are_texts": .of(model, "does not say the shapes of its parameters as DeepSpeed does"),
      "shape_too_large": .of(model, "tensor \"up.weight\": group 0 ends before it"),
      "shape_wraps": .of(
        model,
        "tensor \"up.weight\": the number of bytes of F32 [4611686018427387904, 4, 4] is too large"),
      "shape_too_small": .of(model, "elements, and its parameters take "),
      "group_missing": .of(first, "has 2 groups, and the model 1"),
      "fragment_missing": .of(model, "has no piece of \"frozen.weight\""),
      "fragment_too_small": .of(model, "its pieces have less than [30, 4]"),
      "no_stage": .of(first, "does not say which stage of ZeRO"),
      "stage_unknown": .of(first, "does not say which stage of ZeRO"),
      "no_count": .of(first, "does not say among how many processes"),
      "count_too_large": .of("zero_pp_rank_2_mp_rank_00_optim_states.pt", "cannot open"),
      "count_negative": .of(first, "does not say among how many processes"),
      "no_vectors": .of(second, "has no weights in single precision"),
      "vector_of_half": .of(second, "has weights that are no vectors in single precision"),
      "vectors_fewer": .of(second, "has 1 groups, and the model 2"),
      "other_stage": .of(second, "is of another stage of ZeRO than the first"),
      "vector_short": .of(second, "elements, and the first process "),
      "share_too_large": .of(third, "tensor \"up.weight\": the processes' vectors end before it"),
      "share_too_small": .of(third, "elements each, and the parameters take "),
    ]
    var parallel = ExpectedFault.unsupported("model-parallel processes, which is not read")
    parallel.file = model
    faults["model_parallel"] = parallel
    return faults
  }()

  @Test func `every bad folder has an expectation`() {
    #expect(
      folders("bad").map { $0.lastComponent?.string ?? "" } == Self.expectedFaults.keys.sorted())
  }

  @Test(arguments: folders("bad")) func `refuses`(_ path: FilePath) throws {
    let expected = try #require(Self.expectedFaults[path.lastComponent?.string ?? ""])
    let found = try #require(error(reading: path))
    #expect(found.file == path.appending(expected.file ?? "").string)
    #expect(found.description.contains(expected.text), "\(found)")
    #expect(found.category == expected.category, "\(found)")
    #expect(!found.description.contains("\n"))
  }

  @Test(arguments: ["stage2", "stage3"])
  func `files that are cut off or damaged end in an error or in a checkpoint`(_ name: String) throws
  {
    let folder = root.appending("good/\(name)/global_step2")
    let scratch = ScratchFolder()
    for file in fileNames(in: folder) { scratch.write(readFile(folder.appending(file)), to: file) }
    let good = try readAll(folder)
    var random = SeededGenerator(seed: 21)
    for file in fileNames(in: folder) {
      let bytes = readFile(folder.appending(file))
      for count in stride(from: 0, to: bytes.count, by: isThorough ? 61 : 997) {
        scratch.write(Array(bytes[..<count]), to: file)
        #expect(error(reading: scratch.path) != nil, "\(file) cut at \(count)")
      }
      for round in 0..<(isThorough ? 150 : 5) {
        var damaged = bytes
        damaged[Int.random(in: 0..<bytes.count, using: &random)] ^=
          1 << UInt8.random(in: 0..<8, using: &random)
        scratch.write(damaged, to: file)
        // All that matters is under checksums of the archives, but the times and the like.
        if let found = try? readAll(scratch.path) {
          #expect(found == good, "\(file), round \(round)")
        }
      }
      scratch.write(bytes, to: file)
    }
  }
}
