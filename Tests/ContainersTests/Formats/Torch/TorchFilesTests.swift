import Containers
import SystemPackage
import TensorCore
import TestSupport
import Testing

/// What torch wrote is read as torch reads it: Tools/oracle/torch_files.py.
@Suite struct TorchFilesTests {
  private static let manifest = try? JSONValue(
    parsing: readFile(fixture("containers/torch/manifest.json")), grammar: .strict)

  @Test func `every good file is in the manifest`() {
    let listed = Self.manifest?.members?.map(\.key).sorted() ?? []
    #expect(listed == fixtures("torch", "good").map { $0.lastComponent?.string ?? "" }.sorted())
  }

  @Test(arguments: fixtures("torch", "good")) func `reads what torch reads`(
    _ path: FilePath
  ) throws {
    let expected = try #require(Self.manifest?[path.lastComponent?.string ?? ""])
    let checkpoint = try Checkpoint.open(path)
    #expect(checkpoint.format == .torch)
    #expect(checkpoint.metadata == ["format": "pt"])
    let tensors = try #require(expected["tensors"]?.elements)
    #expect(checkpoint.tensors.count == tensors.count)
    for (facts, tensor) in zip(tensors, checkpoint.tensors.tensors) {
      let found = try ReadTensor(tensor)
      #expect(found.name == TensorName(facts["name"]?.string ?? "?"))
      #expect(found.dtype.name == facts["dtype"]?.string, "\(found.name)")
      #expect(found.shape == facts["shape"]?.elements?.compactMap(\.int), "\(found.name)")
      let digits = found.bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
      #expect(digits == facts["bytes"]?.string, "\(found.name)")
    }
    let others = checkpoint.others.map { "\($0.name): \($0.what)" }
    #expect(others == expected["others"]?.elements?.compactMap(\.string))
    #expect(checkpoint.otherCount == others.count)
    #expect(checkpoint.strippedPrefix?.text == expected["prefix"]?.string)
  }

  @Test func `what is left out of names is counted, and more can be taken off`() throws {
    let checkpoint = try Checkpoint.open(fixture("containers/torch/good/training.pth"))
    #expect(checkpoint.strippedPrefix?.count == 4)
    let stripped = try checkpoint.strippingPrefix("0.")
    #expect(stripped.strippedPrefix?.text == "model.0.")
    #expect(stripped.strippedPrefix?.count == 2)
    #expect(stripped.tensors["weight"] != nil && stripped.tensors["1.weight"] != nil)
  }

  // MARK: Limits

  /// An archive of that pickle, without checksums, so that it need not be made with care.
  private func open(_ pickle: [UInt8]) -> CheckpointError? {
    let scratch = ScratchFolder()
    return error(reading: scratch.write(legacyTorchFile(pickle), to: "x.pt"))
  }

  private func text(_ pickle: [UInt8]) -> String { open(pickle)?.description ?? "" }

  @Test func `memory, stack and lengths are bounded`() {
    let pairs = [UInt8](repeating: UInt8(ascii: "]"), count: 1_500_000)
    #expect(text(pairs + [0x2E]).contains("the memory of a pickle's objects is"))
    let numbers = [UInt8](repeating: UInt8(ascii: "N"), count: 2_200_000)
    #expect(text(numbers).contains("the height of a pickle's stack is 2097153"))
    let marks = [UInt8](repeating: UInt8(ascii: "("), count: 2_200_000)
    #expect(text(marks).contains("the number of a pickle's marks is 2097152"))
    let line = [UInt8(ascii: "c")] + [UInt8](repeating: UInt8(ascii: "a"), count: 70_000)
    #expect(text(line).contains("the length of a line is 65537"))
    // Put aside far from each other: the memo is counted.
    var memo: [UInt8] = [UInt8(ascii: "N")]
    for number in 1..<1_700_000 as Range<UInt32> {
      memo.append(UInt8(ascii: "r"))
      memo += littleEndian(number &* 2_654_435)
    }
    #expect(text(memo).contains("the memory of a pickle's objects is"))
  }

  @Test func `values nested a million deep are dropped`() {
    let deep = [UInt8](repeating: UInt8(ascii: "]"), count: 500_000)
    let closed = [UInt8](repeating: UInt8(ascii: "a"), count: 499_999)
    #expect(text(deep + closed + [0x2E]).contains("truncated"))
    let tuples = [UInt8(ascii: "N")] + [UInt8](repeating: 0x85, count: 900_000)
    #expect(text(tuples + [0x2E]).contains("truncated"))
  }

  @Test func `a list that is in itself ends`() throws {
    // l = []; l.append(l); l.append(l), and no storages.
    let pickle: [UInt8] = Array("]q\0h\0ah\0a.".utf8) + [0x80, 2, 0x5D, 0x2E]
    let scratch = ScratchFolder()
    let path = scratch.write(legacyTorchFile(pickle), to: "x.pt")
    let checkpoint = try Checkpoint.open(path, format: .torch)
    #expect(checkpoint.tensors.count == 0)
    #expect(checkpoint.others.map(\.what) == ["a list of 2"])
  }

  /// 2^50 lists, and no tensor in any of them.
  @Test func `lists that laugh have no tensors`() throws {
    var pickle = Array("]".utf8)
    for number in 0..<50 as Range<UInt8> {
      pickle += [UInt8(ascii: "q"), number, 0x30, UInt8(ascii: "]")]
      pickle += [UInt8(ascii: "h"), number, UInt8(ascii: "a"), UInt8(ascii: "h"), number]
      pickle.append(UInt8(ascii: "a"))
    }
    let scratch = ScratchFolder()
    let path = scratch.write(legacyTorchFile(pickle + [0x2E, 0x80, 2, 0x5D, 0x2E]), to: "x.pt")
    #expect(try Checkpoint.open(path, format: .torch).others.count == 1)
  }

  @Test func `what a pickle takes is counted for caps of memory`() throws {
    let scratch = ScratchFolder()
    let tensors = (0..<500).map { Tensor(TensorName("t\($0)"), .u8, [1], [1]) }
    let path = scratch.path.appending("x.pt")
    try CheckpointWriter(destination: path, format: .torch).write(tensors: tensors)
    // 20 values of 16 bytes and some objects a tensor.
    #expect(try Checkpoint.open(path).openingMemory > 500 * 320)
    let other = scratch.path.appending("x.npz")
    try CheckpointWriter(destination: other, format: .npz).write(tensors: tensors)
    #expect(try Checkpoint.open(other).openingMemory == 0)
  }

  @Test func `another pickle is not taken for torch's`() {
    let scratch = ScratchFolder()
    let path = scratch.write([0x80, 2, 0x7D, 0x2E], to: "x.pt")
    #expect(throws: CheckpointError.self) { try Checkpoint.open(path, format: .torch) }
    #expect(error(reading: path)?.category == .unsupported)
  }

  // MARK: Folders

  @Test func `safetensors comes before torch in a folder, and torch is named`() throws {
    let scratch = ScratchFolder()
    scratch.write(
      readFile(fixture("containers/torch/good/views.pt")), to: "pytorch_model.bin")
    #expect(try Checkpoint.open(scratch.path).format == .torch)
    try CheckpointWriter(
      destination: scratch.path.appending("model.safetensors"), format: .safetensors
    ).write(tensors: [Tensor("a", .u8, [1], [1])])
    let checkpoint = try Checkpoint.open(scratch.path)
    #expect(checkpoint.format == .safetensors)
    let around = try checkpoint.surroundings(isDeep: true)
    #expect(around.weights.map { "\($0.name): \($0.what)" } == ["pytorch_model.bin: torch"])
  }

  @Test func `a file without tensors is no weights, and travels`() throws {
    let scratch = ScratchFolder()
    let name = "training_args.bin"
    scratch.write(readFile(fixture("containers/torch/good/nothing.bin")), to: name)
    scratch.write(readFile(fixture("containers/torch/good/views.pt")), to: "pytorch_model.bin")
    let around = try Checkpoint.open(scratch.path).surroundings(isDeep: true)
    #expect(around.weights.isEmpty)
    #expect(around.companions.map { String(decoding: $0.name, as: UTF8.self) } == [name])
  }
}
