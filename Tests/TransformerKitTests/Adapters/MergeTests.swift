import Containers
import Models
import SystemPackage
import TensorCore
import TestSupport
import Testing
import TransformerKit

/// Adapters in their bases are what PEFT makes of them.
@Suite struct MergeTests {
  private static let exact = [
    "bert", "gpt2", "llama", "llama_embeddings", "llama_rank_stabilised", "llama_tied", "llama_two",
    "t5", "vit", "wav2vec2",
  ].map { AdapterFixture(name: $0) }

  @Test func `every fixture is looked at`() {
    #expect(
      Set(fileNames(in: fixture("adapters")))
        == Set(Self.exact.map(\.name) + ["gpt2_dora", "llama_doubles", "llama_dora"]))
  }

  /// The tensors that a merge changes are those that PEFT changes.
  private func pairs(
    _ adapter: AdapterFixture, _ file: String = "merged"
  ) throws -> [(ours: Tensor, theirs: Tensor)] {
    let merge = try adapter.merged()
    let (base, expected) = (try adapter.base.tensors, try adapter.expected(file))
    // In the names of the base's file: those of transformers' modules may be others.
    let folder = ScratchFolder()
    let target = folder.path.appending("merged")
    try Conversion(
      merge.checkpoint, to: .init(target, isFolder: true, dialect: merge.translatedFrom),
      merge: merge
    ).run()
    let written = try Checkpoint.open(target).tensors
    #expect(written.count == base.count)
    for tensor in base.tensors where expected[tensor.name] == nil {
      #expect(try written[tensor.name]?.all == tensor.all, "\(tensor.name)")
    }
    return try expected.tensors.map { theirs in
      let ours = try #require(written[theirs.name])
      #expect(ours.shape == theirs.shape)
      return (ours, theirs)
    }
  }

  @Test(arguments: exact)
  func `merged weights are PEFT's, bit for bit`(_ adapter: AdapterFixture) throws {
    for (ours, theirs) in try pairs(adapter) {
      #expect(ours.dtype == theirs.dtype)
      #expect(try ours.all == theirs.all, "\(ours.name)")
    }
  }

  @Test(arguments: ["llama_dora", "gpt2_dora"])
  func `DoRA is PEFT's in double precision, rounded once`(_ name: String) throws {
    for (ours, theirs) in try pairs(AdapterFixture(name: name), "exact") {
      #expect(ours.dtype == .f32 && theirs.dtype == .f64)
      #expect(try ours.numbers == theirs.numbers.map { Double(Float($0)) }, "\(ours.name)")
    }
  }

  @Test func `of a base in double precision, no more than the order of sums is left`() throws {
    for (ours, theirs) in try pairs(AdapterFixture(name: "llama_doubles")) {
      let (a, b) = (try ours.numbers, try theirs.numbers)
      let largest = b.map(\.magnitude).max() ?? 0
      #expect(zip(a, b).allSatisfy { abs($0 - $1) <= largest * .ulpOfOne }, "\(ours.name)")
      #expect(a != b.map { Double(Float($0)) })
    }
  }

  @Test func `the merged model computes what transformers computes`() throws {
    let adapter = AdapterFixture(name: "llama")
    let golden = try Golden(adapter.folder.appending("golden.npz"))
    #expect(try Model(adapter.merged().checkpoint).check(golden).isVerified)
    #expect(try !Model(adapter.base).check(golden).isVerified)
  }

  @Test(arguments: ["llama", "gpt2", "gpt2_dora", "llama_embeddings", "llama_doubles"])
  func `any part of a merged weight can be read`(_ name: String) throws {
    let adapter = AdapterFixture(name: name)
    let merge = try adapter.merged()
    var random = SeededGenerator(seed: 7)
    for change in merge.changes {
      let tensor = try #require(merge.checkpoint.tensors[change.name])
      let whole = try tensor.all
      for _ in 0..<20 {
        let start = Int.random(in: 0..<whole.count, using: &random)
        let end = Int.random(in: start...whole.count, using: &random)
        #expect(try tensor.bytes.read(start..<end) == Array(whole[start..<end]))
      }
    }
  }

  @Test(arguments: ["gguf", "meta"])
  func `a base in another dialect becomes the same model in it`(_ dialect: String) throws {
    let adapter = AdapterFixture(name: "llama")
    let folder = ScratchFolder()
    let paths = ["base", "merged", "expected"].map {
      folder.path.appending($0 + (dialect == "gguf" ? ".gguf" : ""))
    }
    func write(_ source: Checkpoint, _ path: FilePath, _ merge: Merge? = nil) throws {
      let target = Conversion.Target(
        path, isFolder: dialect != "gguf", dialect: merge?.translatedFrom ?? dialect,
        allowsMismatch: true)
      try Conversion(source, to: target, merge: merge).run()
    }
    try write(adapter.base, paths[0])
    let base = try Checkpoint.open(paths[0])
    let merge = try Merge(adapter.adapters, into: base)
    #expect(merge.translatedFrom == dialect)
    try write(merge.checkpoint, paths[1], merge)
    try write(adapter.merged().checkpoint, paths[2])
    let (ours, expected) = (try Model(paths[1]), try Model(paths[2]))
    #expect(ours.graph.dialect.name == dialect)
    #expect(try compare(ours, expected).verdict == .identical)
  }

  @Test func `weights that change with a tied one are said`() throws {
    let notes = try AdapterFixture(name: "llama_tied").merged().notes
    try #require(notes.count == 1)
    #expect(notes[0].hasPrefix("model.embed_tokens.weight is stored once for lm_head.weight, too"))
    let folder = ScratchFolder()
    let adapter = try changedAdapter(
      "llama_tied", in: folder, config: { $0["ensure_weight_tying"] = true })
    #expect(try Merge([adapter], into: AdapterFixture(name: "llama_tied").base).notes.isEmpty)
    #expect(try AdapterFixture(name: "llama_dora").merged().notes.isEmpty)
  }

  @Test func `memory is bounded by the factors and a piece`() throws {
    let merge = try AdapterFixture(name: "llama").merged()
    for change in merge.changes {
      let bytes = try #require(merge.checkpoint.tensors[change.name]?.bytes)
      #expect(bytes.workingMemory > 0 && bytes.workingMemory < 8 << 20)
    }
  }

  @Test func `an adapter's config does not travel, and its files are not written to`() throws {
    let folder = ScratchFolder()
    let adapter = AdapterFixture(name: "llama")
    let base = folder.makeFolder("base")
    for name in fileNames(in: adapter.folder.appending("base")) {
      folder.write(readFile(adapter.folder.appending("base").appending(name)), to: "base/\(name)")
    }
    for name in fileNames(in: adapter.folder.appending("adapter")) {
      folder.write(
        readFile(adapter.folder.appending("adapter").appending(name)), to: "base/\(name)")
    }
    let merge = try Merge([Adapter(base)], into: Checkpoint.open(base))
    let target = folder.path.appending("out")
    try Conversion(merge.checkpoint, to: .init(target, isFolder: true), merge: merge).run()
    #expect(fileNames(in: target) == ["config.json", "model.safetensors"])
    let file = base.appending("adapter_model.safetensors")
    #expect(throws: CheckpointError.self) {
      try Conversion(merge.checkpoint, to: .init(file, overwrite: true), merge: merge).run()
    }
  }

  /// A base of which some tensors are others.
  private func model(
    _ name: String, _ others: [Tensor], in folder: ScratchFolder
  ) throws -> Model {
    let base = try AdapterFixture(name: name).base
    let table = try TensorTable(others)
    let path = folder.path.appending("model-\(UInt32.random(in: 0 ... .max))")
    try CheckpointWriter(destination: path, format: .safetensors, isFolder: true).write(
      tensors: base.tensors.tensors.map { table[$0.name] ?? $0 }, config: base.config?.bytes)
    return try Model(path)
  }

  @Test func `what PEFT makes in single precision of DoRA is the same to rounding, and no more is`()
    throws
  {
    let folder = ScratchFolder()
    for name in ["llama_dora", "gpt2_dora"] {
      let adapter = AdapterFixture(name: name)
      let merge = try adapter.merged()
      let ours = try Model(merge.checkpoint)
      let theirs = try adapter.expected().tensors
      let found = try #require(try MergeRounding(merge, ours, model(name, theirs, in: folder)))
      #expect(found.rounded > 0 && found.largest > 0 && found.largest < 3)
      let same = try #require(try MergeRounding(merge, ours, ours))
      #expect(same.rounded == 0 && same.identical > found.identical)
      // The base itself; an element that is off; a weight that no adapter changes.
      #expect(try MergeRounding(merge, ours, Model(adapter.base)) == nil)
      let first = try #require(theirs.first)
      let values = try first.numbers
      let largest = values.map(\.magnitude).max() ?? 0
      let moved = values.enumerated().map { Float($1 + ($0 == 3 ? largest * 0x1p-20 : 0)) }
      let off = Tensor(first.name, first.shape, values: moved)
      let rest = Array(theirs.dropFirst())
      #expect(try MergeRounding(merge, ours, model(name, [off] + rest, in: folder)) == nil)
      let other = try #require(
        merge.checkpoint.tensors.tensors.first { tensor in
          !merge.changes.contains { $0.name == tensor.name }
        })
      var bytes = try other.all
      bytes[0] ^= 1
      let flipped = Tensor(other.name, other.dtype, other.shape, bytes: bytes)
      #expect(try MergeRounding(merge, ours, model(name, theirs + [flipped], in: folder)) == nil)
    }
  }

  @Test func `a difference of low rank is told with its modules`() throws {
    let adapter = AdapterFixture(name: "llama_two")
    let second = try Adapter(adapter.folder.appending("second"))
    let merged = try Merge([second], into: adapter.base).checkpoint
    let found = try #require(try AddedRank(diff(adapter.base, merged)))
    #expect(found.ranks == 2...2 && found.count == 4 && found.hidden == 0)
    #expect(found.modules.map(\.name) == ["q_proj", "o_proj"])
    #expect(found.modules.map(\.count) == [2, 2])
    // Biases changed as well; nothing changed; ranks are not low.
    let bert = AdapterFixture(name: "bert")
    #expect(try AddedRank(diff(bert.base, bert.merged().checkpoint)) == nil)
    #expect(try AddedRank(diff(adapter.base, adapter.base)) == nil)
    let llama = AdapterFixture(name: "llama")
    #expect(try AddedRank(diff(llama.base, llama.merged().checkpoint)) == nil)
  }
}
