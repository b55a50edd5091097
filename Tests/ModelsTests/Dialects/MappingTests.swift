import Models
import TensorCore
import TestSupport
import Testing

@Suite struct MappingTests {
  @Test(arguments: heads)
  func `every weight of every class finds its tensor`(_ head: String, _ weights: Int) throws {
    let model = TinyBERT(head)
    let graph = try model.graph()
    #expect(graph.architecture.head == head)
    #expect(model.tensors.count == weights && graph.dropped.isEmpty)
    #expect(graph.slots.count - graph.ties.count == weights)
    let used = Set(graph.slots.compactMap { graph.tensor(at: $0.path)?.name })
    #expect(used == Set(model.tensors.map(\.name)))
    for slot in graph.slots { #expect(graph.tensor(at: slot.path)?.shape == slot.shape) }
  }

  @Test func `every path is the weight that its name says`() throws {
    let model = TinyBERT("BertForPreTraining")
    let graph = try model.graph()
    let expected = [
      "embeddings.word.weight": "bert.embeddings.word_embeddings.weight",
      "embeddings.position.weight": "bert.embeddings.position_embeddings.weight",
      "embeddings.token_type.weight": "bert.embeddings.token_type_embeddings.weight",
      "embeddings.norm.bias": "bert.embeddings.LayerNorm.bias",
      "encoder.blocks.1.attention.query.weight": "bert.encoder.layer.1.attention.self.query.weight",
      "encoder.blocks.1.attention.key.weight": "bert.encoder.layer.1.attention.self.key.weight",
      "encoder.blocks.1.attention.value.bias": "bert.encoder.layer.1.attention.self.value.bias",
      "encoder.blocks.0.attention.output.weight":
        "bert.encoder.layer.0.attention.output.dense.weight",
      "encoder.blocks.0.attention_norm.weight":
        "bert.encoder.layer.0.attention.output.LayerNorm.weight",
      "encoder.blocks.0.feed_forward.up.weight": "bert.encoder.layer.0.intermediate.dense.weight",
      "encoder.blocks.0.feed_forward.down.weight": "bert.encoder.layer.0.output.dense.weight",
      "encoder.blocks.0.feed_forward_norm.bias": "bert.encoder.layer.0.output.LayerNorm.bias",
      "pooler.weight": "bert.pooler.dense.weight",
      "mlm_head.transform.weight": "cls.predictions.transform.dense.weight",
      "mlm_head.norm.weight": "cls.predictions.transform.LayerNorm.weight",
      "mlm_head.decoder.bias": "cls.predictions.bias",
      "mlm_head.decoder.weight": "bert.embeddings.word_embeddings.weight",
      "nsp_head.weight": "cls.seq_relationship.weight",
    ]
    for (path, name) in expected {
      #expect(graph.tensor(at: path)?.name == TensorName(name), "\(path)")
    }
    #expect(graph.tensor(at: "encoder.blocks.2.attention.query.weight") == nil)
  }

  @Test func `the tree has every weight once, and the modules in the order of the computation`()
    throws
  {
    let graph = try TinyBERT("BertForMaskedLM").graph()
    #expect(graph.root.allSlots.map(\.path).sorted() == graph.slots.map(\.path).sorted())
    #expect(graph.root.name == "BertForMaskedLM")
    #expect(graph.root.modules.map(\.name) == ["embeddings", "encoder", "mlm_head"])
  }

  @Test func `prefix, gamma and beta, and order do not matter`() throws {
    let model = TinyBERT("BertForMaskedLM")
    let reference = try model.graph()
    var old = model
    old.renameAll {
      $0.replacing("LayerNorm.weight", with: "LayerNorm.gamma")
        .replacing("LayerNorm.bias", with: "LayerNorm.beta")
    }
    var bare = model
    bare.renameAll { String($0.trimmingPrefix("bert.")) }
    var reversed = model
    reversed.tensors.reverse()
    for variant in [old, bare, reversed] {
      let graph = try variant.graph()
      for slot in reference.slots {
        #expect(try bytes(graph, slot.path) == bytes(reference, slot.path), "\(slot.path)")
      }
    }
  }

  private func bytes(_ graph: WeightGraph, _ path: String) throws -> [UInt8]? {
    guard let tensor = graph.tensor(at: path) else { return nil }
    return try tensor.bytes.read(0..<tensor.byteCount)
  }

  // MARK: Faults

  @Test func `all faults are listed at once`() throws {
    var model = TinyBERT("BertForMaskedLM")
    model.remove("bert.encoder.layer.0.attention.self.query.bias")
    model.remove("cls.predictions.bias")
    model.rename("bert.embeddings.LayerNorm.weight", "bert.embeddings.LayerNorm.wieght")
    model.replace("bert.encoder.layer.1.output.dense.weight", .f32, [12, 8])
    model.replace("bert.embeddings.word_embeddings.weight", .i64, [13, 8])
    model.copy(
      "bert.encoder.layer.0.output.LayerNorm.weight",
      to: "bert.encoder.layer.0.output.LayerNorm.gamma")
    model.add("bert.encoder.layer.2.output.dense.bias", [8])
    model.add("something\u{1B}else", [3])
    let fault = try #require(model.fault())
    #expect(fault.category == .refused)
    #expect(
      fault.description == "the tensors do not fit the bert model of the config: 9 faults")
    let lines = fault.details.map { $0.split(separator: " ").joined(separator: " ") }
    let norm = "bert.encoder.layer.0.output.LayerNorm"
    let expected = [
      "missing bert.encoder.layer.0.attention.self.query.bias [8]",
      "missing bert.embeddings.LayerNorm.weight [8]",
      "misshapen bert.encoder.layer.1.output.dense.weight: is [12, 8], must be [8, 12]",
      "wrong dtype bert.embeddings.word_embeddings.weight: is I64, must be F16, BF16, F32 or F64",
      "ambiguous encoder.blocks.0.feed_forward_norm.weight: \(norm).weight and \(norm).gamma",
      "unexpected bert.embeddings.LayerNorm.wieght [8]:"
        + " did you mean bert.embeddings.LayerNorm.weight?",
      "unexpected bert.encoder.layer.2.output.dense.bias [8]",
      "unexpected something\\u{1b}else [3]",
    ]
    for line in expected { #expect(lines.contains(line), "\(line)") }
    // The ninth: a bias is missing that may have either of two names.
    #expect(lines.count == 9)
    #expect(lines.contains { $0.hasPrefix("missing cls.predictions.") })
  }

  @Test func `thousands of wrong names are listed in moments`() throws {
    var model = TinyBERT()
    model["num_hidden_layers"] = 1000
    for layer in 0..<2000 { model.add("encoder.layer.\(layer).attention.selb.query.wieght", [1]) }
    var fault: CheckpointError?
    let seconds = threadSeconds { fault = model.fault() }
    #expect(try #require(fault).details.count > 17_000)
    #expect(seconds < 10)
  }

  @Test func `what is missing is named as the checkpoint would name it`() throws {
    var model = TinyBERT()
    model.rename("pooler.dense.bias", "pooler.dense.bais")
    let fault = try #require(model.fault())
    #expect(fault.details.contains("missing      pooler.dense.bias [8]"), "\(fault.details)")
    #expect(fault.details.contains { $0.contains("did you mean pooler.dense.bias?") })
  }

  @Test(arguments: heads)
  func `no weight can be missing, and none misshapen`(_ head: String, _: Int) throws {
    let model = TinyBERT(head)
    let names = model.tensors.map(\.name)
    for name in names {
      var missing = model
      missing.remove(name)
      // Without its pooler, a base model is one without a pooler, which is missing the bias only.
      let fault = try #require(missing.fault(), "\(name)")
      #expect(fault.category == .refused && fault.details.count == 1, "\(name)")

      var misshapen = model
      let shape = model.tensor(name)?.shape ?? []
      misshapen.replace(name, .f32, shape.dropLast() + [(shape.last ?? 0) + 1])
      let other = try #require(misshapen.fault(), "\(name)")
      #expect(other.details.map { $0.hasPrefix("misshapen") } == [true], "\(name)")
    }
  }

  @Test(arguments: [DType.i8, .bool, .f8e4m3, .f4, .c64, .u16])
  func `weights are floating point of at least sixteen bits`(_ dtype: DType) throws {
    var model = TinyBERT()
    model.replace("pooler.dense.weight", dtype, [8, 8])
    let fault = try #require(model.fault())
    #expect(fault.category == .refused)
    let scales =
      [.f8e4m3, .f4].contains(dtype) ? ", and no scales were found beside it" : ""
    #expect(
      fault.details.count == 1
        && fault.details[0].contains("is \(dtype)\(scales), must be F16"))
  }

  @Test func `the same weight with and without prefix is ambiguous`() throws {
    var model = TinyBERT("BertForMaskedLM")
    model.copy("bert.embeddings.LayerNorm.bias", to: "embeddings.LayerNorm.bias")
    let fault = try #require(model.fault())
    #expect(fault.category == .refused && fault.details.count == 1)
    #expect(
      fault.details[0].hasSuffix("bert.embeddings.LayerNorm.bias and embeddings.LayerNorm.bias"))
  }

  @Test func `names that only look alike are not the same`() throws {
    // Composed and decomposed; full-width letters; a digit of another script; a name in capitals.
    var model = TinyBERT()
    model.rename("pooler.dense.bias", "pooler.dens\u{65}\u{301}.bias")
    model.rename("encoder.layer.0.output.dense.bias", "encoder.layer.\u{660}.output.dense.bias")
    model.rename("embeddings.LayerNorm.bias", "embeddings.layernorm.bias")
    let fault = try #require(model.fault())
    let kinds = fault.details.map { $0.prefix { $0 != " " } }
    #expect(kinds.filter { $0 == "missing" }.count == 3)
    #expect(kinds.filter { $0 == "unexpected" }.count == 3)
  }

  // MARK: The position buffer

  private static let counting = (0..<10).flatMap { littleEndian(Int64($0)) }

  @Test(arguments: [
    (DType.i64, [1, 10], counting), (.i64, [10], counting),
    (.i32, [1, 10], (0..<10).flatMap { littleEndian(Int32($0)) }),
  ])
  func `stored positions are dropped, with the reason`(
    _ dtype: DType, _ shape: [Int], _ bytes: [UInt8]
  ) throws {
    var model = TinyBERT()
    model.tensors.append(Tensor("embeddings.position_ids", dtype, shape, bytes: bytes))
    let graph = try model.graph()
    #expect(graph.dropped.map(\.name) == ["embeddings.position_ids"])
    #expect(graph.dropped[0].reason == "holds 0, 1, 2, … and is computed")
  }

  @Test(arguments: [(DType.i64, [1, 10]), (.i64, [10]), (.i32, [1, 10]), (.f32, [1, 10])])
  func `stored types of no tokens are dropped, with the reason`(
    _ dtype: DType, _ shape: [Int]
  ) throws {
    var model = TinyBERT()
    let bytes = [UInt8](repeating: 0, count: 10 * dtype.byteCount(of: 1))
    model.tensors.append(Tensor("embeddings.token_type_ids", dtype, shape, bytes: bytes))
    let graph = try model.graph()
    #expect(graph.dropped.map(\.name) == ["embeddings.token_type_ids"])
    #expect(graph.dropped[0].reason == "holds zeros, which types are where none are given")
  }

  @Test(arguments: [
    ([1, 10], "element 9 is not 0"), ([1, 9], "is [1, 9], must be "),
  ])
  func `stored types that are no zeros, or too few, are refused`(
    _ shape: [Int], _ text: String
  ) throws {
    var model = TinyBERT()
    let count = shape[1]
    let bytes = [UInt8](repeating: 0, count: 8 * count - 1) + [count == 10 ? 1 : 0]
    model.tensors.append(Tensor("embeddings.token_type_ids", .i64, shape, bytes: bytes))
    let fault = try #require(model.fault())
    #expect(fault.category == .refused && fault.details.count == 1)
    #expect(fault.details[0].contains("token_type_ids"), "\(fault.details)")
    #expect(fault.details[0].contains(text), "\(fault.details)")
  }

  @Test(arguments: [
    (DType.i64, [1, 10], [UInt8](counting.reversed())),
    (.i64, [1, 9], [UInt8](counting.dropLast(8))),
    (.i64, [2, 5], counting), (.i64, [1, 10], counting.dropLast(8) + littleEndian(10)),
    (.i64, [1, 10], [UInt8](repeating: 0, count: 80)),
  ])
  func `stored positions that do not count are refused`(
    _ dtype: DType, _ shape: [Int], _ bytes: [UInt8]
  ) throws {
    var model = TinyBERT()
    model.tensors.append(Tensor("embeddings.position_ids", dtype, shape, bytes: bytes))
    let fault = try #require(model.fault())
    #expect(fault.category == .refused && fault.details.count == 1)
    #expect(fault.details[0].contains("embeddings.position_ids"))
  }
}
