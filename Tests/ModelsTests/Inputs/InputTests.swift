import Kernels
import Models
import TensorCore
import TestSupport
import Testing

@Suite struct InputTests {
  private func prepare(
    _ arrays: [String: NDArray<Int>], for head: String = "BertModel"
  ) throws -> ModelInputs {
    try TinyBERT(head).graph().architecture.prepare(ModelInputs(arrays))
  }

  private func faults(_ arrays: [String: NDArray<Int>], for head: String = "BertModel")
    -> [String]?
  {
    do {
      _ = try prepare(arrays, for: head)
      return nil
    } catch let error as CheckpointError where error.category == .failed {
      return error.details.isEmpty ? [error.problem.text] : error.details
    } catch {
      return ["\(error)"]
    }
  }

  private func zeros(_ shape: Int...) -> NDArray<Int> { NDArray(shape: shape, repeating: 0) }

  @Test func `what is left out is filled in`() throws {
    let inputs = try prepare(["input_ids": NDArray(shape: [2, 3], elements: [1, 2, 3, 4, 5, 12])])
    #expect(inputs["token_type_ids"] == zeros(2, 3))
    #expect(inputs["position_ids"] == NDArray(shape: [2, 3], elements: [0, 1, 2, 0, 1, 2]))
    #expect(inputs["attention_mask"] == nil)
    #expect(inputs.choices == 1)
  }

  @Test func `one row of positions is for all`() throws {
    let positions = NDArray(shape: [1, 3], elements: [9, 0, 4])
    let inputs = try prepare(["input_ids": zeros(2, 3), "position_ids": positions])
    #expect(inputs["position_ids"] == NDArray(shape: [2, 3], elements: [9, 0, 4, 9, 0, 4]))
  }

  @Test func `choices are merged with the batch`() throws {
    let inputs = try prepare(
      ["input_ids": zeros(2, 4, 3), "attention_mask": zeros(2, 4, 3)], for: "BertForMultipleChoice")
    #expect(inputs.choices == 4)
    #expect(inputs["input_ids"]?.shape == [8, 3] && inputs["attention_mask"]?.shape == [8, 3])
  }

  @Test func `the longest input is as long as the model`() throws {
    #expect(faults(["input_ids": zeros(1, 10)]) == nil)
    #expect(
      faults(["input_ids": zeros(1, 11)]) == ["the inputs are 11 long, the model has 10 positions"])
  }

  @Test func `a long input may bring its own positions`() {
    #expect(faults(["input_ids": zeros(1, 11), "position_ids": zeros(1, 11)]) == nil)
  }

  @Test func `a mask of another shape is told as it was given`() {
    #expect(
      faults(["input_ids": zeros(2, 3), "attention_mask": zeros(2, 3, 3)])
        == ["attention_mask is [2, 3, 3], must be [2, 3]"])
    #expect(
      faults(
        ["input_ids": zeros(2, 4, 3), "attention_mask": zeros(2, 5, 3)],
        for: "BertForMultipleChoice") == ["attention_mask is [2, 5, 3], must be [2, 4, 3]"])
    // As many elements, and another shape.
    #expect(
      faults(["input_ids": zeros(2, 3), "attention_mask": zeros(1, 2, 3)])
        == ["attention_mask is [1, 2, 3], must be [2, 3]"])
    #expect(
      faults(
        ["input_ids": zeros(2, 4, 3), "attention_mask": zeros(4, 2, 3)],
        for: "BertForMultipleChoice") == ["attention_mask is [4, 2, 3], must be [2, 4, 3]"])
  }

  @Test func `ids must be there`() {
    #expect(faults([:]) == ["input_ids is missing"])
    #expect(faults(["attention_mask": zeros(1, 2)]) == ["input_ids is missing"])
  }

  @Test(arguments: [[], [3], [2, 3, 4], [0, 3], [2, 0]]) func `ids are rows`(_ shape: [Int]) {
    let found = faults(["input_ids": NDArray(shape: shape, repeating: 0)])
    let size = shape.contains(0) ? ", and not empty" : ""
    #expect(found == ["input_ids is \(describe(shape: shape)), must be [batch, length]\(size)"])
  }

  @Test func `multiple choice has choices`() {
    let found = faults(["input_ids": zeros(2, 3)], for: "BertForMultipleChoice")
    #expect(found == ["input_ids is [2, 3], must be [batch, choices, length]"])
  }

  @Test(arguments: [
    ("input_ids", 13), ("input_ids", -1), ("input_ids", Int.max), ("input_ids", Int.min),
    ("token_type_ids", 2), ("token_type_ids", -1), ("position_ids", 10), ("position_ids", -1),
    ("attention_mask", -1),
  ])
  func `ids out of range are refused, with their place`(_ name: String, _ id: Int) throws {
    var arrays = ["input_ids": zeros(2, 3)]
    arrays[name] = NDArray(shape: [2, 3], elements: [0, 0, 0, 0, id, 0])
    let found = try #require(faults(arrays))
    #expect(found.count == 1 && found[0].hasPrefix("\(name) has \(id) at element 4"))
  }

  @Test(arguments: ["attention_mask", "token_type_ids", "position_ids"])
  func `companions have the shape of the ids`(_ name: String) {
    for shape in [[2, 4], [3, 2], [6], [], [2, 3, 1]] {
      let arrays = ["input_ids": zeros(2, 3), name: NDArray(shape: shape, repeating: 0)]
      #expect(faults(arrays)?.count == 1, "\(shape)")
    }
  }

  @Test func `all faults are listed at once`() throws {
    let found = try #require(
      faults([
        "input_ids": NDArray(shape: [1, 2], elements: [0, 99]), "attention_mask": zeros(2, 2),
        "token_type_ids": NDArray(shape: [1, 2], elements: [5, 0]),
        "decoder_input_ids": zeros(1, 2),
        "evil\u{1B}": zeros(1),
      ]))
    #expect(found.count == 5)
    #expect(found.contains { $0.hasPrefix("\"decoder_input_ids\" is no input of this model") })
    #expect(found.contains { $0.hasPrefix(#""evil\u{1b}" is no input"#) })
  }
}

@Suite struct ProbeTests {
  private func model(positions: Int = 600, vocabulary: Int = 5000) -> TinyBERT {
    // Only the config matters: no weight is read.
    var model = TinyBERT()
    model["max_position_embeddings"] = .number(positions)
    model["vocab_size"] = .number(vocabulary)
    model["type_vocab_size"] = 3
    model.replace("embeddings.position_embeddings.weight", .f16, [positions, 8])
    model.replace("embeddings.word_embeddings.weight", .f16, [vocabulary, 8])
    model.replace("embeddings.token_type_embeddings.weight", .f16, [3, 8])
    return model
  }

  @Test func `is long, and padded, and has every type`() throws {
    let probe = try model().graph().architecture.probe
    let ids = try #require(probe["input_ids"])
    #expect(ids.shape == [2, 512])
    let mask = try #require(probe["attention_mask"])
    #expect(mask.shape == ids.shape)
    #expect(Set(mask.row(0)) == [1] && Set(mask.row(1)) == [0, 1])
    let types = try #require(probe["token_type_ids"])
    #expect(types.shape == ids.shape)
    for row in 0..<2 { #expect(Set(types.row(row)) == [0, 1, 2]) }
  }

  @Test func `takes ids from the whole vocabulary`() throws {
    let ids = try #require(try model().graph().architecture.probe["input_ids"]).elements
    #expect(ids.allSatisfy { (0..<5000).contains($0) })
    // A thousand draws: hardly two alike, and some in each tenth.
    #expect(Set(ids).count > 850)
    #expect(Set(ids.map { $0 / 500 }).count == 10)
  }

  @Test func `reaches the model's last position, and not farther`() throws {
    let architecture = try model(positions: 40).graph().architecture
    #expect(architecture.probe["input_ids"]?.shape == [2, 40])
    _ = try architecture.prepare(architecture.probe)
  }

  @Test func `is always the same`() throws {
    let probes = try (0..<2).map { _ in try model().graph().architecture.probe }
    #expect(probes[0] == probes[1])
    // The first ids, so that a change of the generator is seen: SplitMix64, computed in Python.
    let first = probes[0]["input_ids"]?.elements.prefix(6)
    #expect(first.map(Array.init) == [3342, 493, 3387, 1564, 1177, 7])
  }

  @Test(arguments: heads) func `every class takes its own probe`(_ head: String, _: Int) throws {
    let architecture = try TinyBERT(head).graph().architecture
    let inputs = try architecture.prepare(architecture.probe)
    #expect(inputs["input_ids"]?.shape == [2, TinyBERT.positions])
    #expect(inputs.choices == (head == "BertForMultipleChoice" ? 2 : 1))
  }
}
