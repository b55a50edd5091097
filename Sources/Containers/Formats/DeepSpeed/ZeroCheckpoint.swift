import SystemPackage
import TensorCore

/// A ZeRO checkpoint whose weights are being put together.
///
/// Source: deepspeed/utils/zero_to_fp32.py of DeepSpeed 0.19.8, which does the same in memory. Stages 1 and 2 cut the
/// vector of each group of parameters into as many pieces as there are processes; stage 3 cuts each parameter.
struct ZeroCheckpoint {
  private let model: ZeroFile
  /// The files of the optimiser, by process.
  private let ranks: [ZeroFile]
  private let stage: Int
  private var tensors: [Tensor] = []
  private var names: Set<TensorName> = []
  /// Files that were needed beside these.
  private var furtherFiles: [any ByteSource] = []

  /// The most processes that there may be.
  private static let mostRanks = 65_536

  /// Opens all files.
  ///
  /// - Parameter file: the model's, of the first process.
  init(_ file: any ByteSource) throws(CheckpointError) {
    model = try ZeroFile(file)
    guard model.number(model["mp_world_size"]) ?? 1 == 1 else {
      throw CheckpointError(
        .unsupported(
          "its tensors are divided among several model-parallel processes, which is not read"),
        file: file.name)
    }
    let (first, name) = try Self.first(beside: file)
    let state = "optimizer_state_dict"
    guard let stage = first.number(first[state, "zero_stage"]), (1...3).contains(stage) else {
      throw first.fault("does not say which stage of ZeRO (1 to 3) it is of")
    }
    self.stage = stage
    let count = first[state, "partition_count"] ?? .none
    let counts = first.heap.elements(count).map { $0.compactMap { first.number($0) } } ?? []
    guard let world = first.number(count) ?? counts.max(), (1...Self.mostRanks).contains(world)
    else { throw first.fault("does not say among how many processes it is divided") }
    var ranks = [first]
    for rank in 1..<max(1, world) {
      let next = try ZeroFile(file.neighbour(Array(name(rank).utf8)))
      guard next.number(next[state, "zero_stage"]) == stage else {
        throw next.fault("is of another stage of ZeRO than the first")
      }
      ranks.append(next)
    }
    self.ranks = ranks
  }

  /// The first file of the optimiser, and how the others are called.
  private static func first(
    beside file: any ByteSource
  ) throws(CheckpointError) -> (ZeroFile, (Int) -> String) {
    var missing: CheckpointError?
    for name in ZeroNames.optimizers {
      let source: any ByteSource
      do throws(CheckpointError) {
        source = try file.neighbour(Array(name(0).utf8))
      } catch {
        missing = error
        continue
      }
      return (try ZeroFile(source), name)
    }
    throw missing
      ?? CheckpointError(.missing("has no file of an optimiser beside it"), file: file.name)
  }

  // MARK: Putting together

  /// All weights: buffers, frozen ones, trained ones, and those that share with others.
  mutating func contents() throws(CheckpointError) -> Contents {
    do throws(CheckpointError) {
      try addBuffers()
      try addFrozen()
      if stage < 3 { try addGroups() } else { try addPieces() }
      try addShared()
      if stage < 3 { try addRest() }
    } catch {
      throw error.inFile(model.source.name)
    }
    let files = [model.source] + ranks.map(\.source) + furtherFiles
    try checkViews(tensors, fileSize: files.reduce(0) { $0 &+ $1.size })
    var contents = Contents(tensors: tensors, keepsOrder: false)
    let said = ["param_shapes", "buffer_names", "frozen_param_shapes", "shared_params"]
    for other in model.others where !said.contains(where: { other.name.hasPrefix($0) }) {
      contents.addOther(other.name, other.what)
    }
    contents.addOther(
      "optimizer_state_dict", "the optimiser's state in \(ranks.count) files, not read")
    contents.openingMemory = ranks.reduce(model.memory) { $0 &+ $1.memory }
    contents.files = files.dropFirst().compactMap { ($0 as? InputFile)?.path }
    return contents
  }

  private mutating func add(
    _ name: String, _ dtype: DType, _ shape: [Int], _ bytes: any TensorBytes
  ) throws(CheckpointError) {
    let name = TensorName(name)
    try Limits.check(name: name, rank: shape.count, offset: 0)
    guard names.insert(name).inserted else { throw CheckpointError(.duplicate, tensor: name) }
    guard dtype.byteCount(shape: shape) == bytes.count else {
      throw CheckpointError(
        .sizeMismatch(declared: bytes.count, dtype: dtype, shape: shape), tensor: name)
    }
    tensors.append(Tensor(name: name, dtype: dtype, shape: shape, bytes: bytes))
    guard tensors.count <= Limits.tensors else {
      throw CheckpointError(
        .limitExceeded("the number of tensors", limit: Limits.tensors, found: tensors.count))
    }
  }

  private static func elementCount(_ shape: [Int], _ name: String) throws(CheckpointError) -> Int {
    guard let count = checkedElementCount(of: shape), count.multipliedIfFits(by: 8) != nil else {
      throw CheckpointError(
        .overflow("the number of bytes of F32 \(describe(shape: shape))"), tensor: TensorName(name))
    }
    return count
  }

  /// What no gradient changes: in single precision if it is in half, else as it is.
  private mutating func addBuffers() throws(CheckpointError) {
    guard let names = model.heap.elements(model["buffer_names"] ?? .none) else {
      throw model.fault("does not say which of its tensors are buffers")
    }
    for value in names {
      guard let name = model.heap.string(value), let tensor = model.tensor("module.\(name)") else {
        continue
      }
      let isHalf = tensor.dtype == .f16 || tensor.dtype == .bf16
      let whole = isHalf ? tensor.adding(0, as: .f32) : tensor
      try add(name, whole.dtype, whole.shape, whole.bytes)
    }
  }

  /// Weights that are not trained: in stage 3 a piece in each process' file of the model.
  private mutating func addFrozen() throws(CheckpointError) {
    guard let shapes = model["frozen_param_shapes"].flatMap({ model.shapes($0) }), !shapes.isEmpty
    else { return }
    var files = [model]
    if stage == 3 {
      for rank in 1..<max(1, ranks.count) {
        let source = try model.source.neighbour(Array(ZeroNames.model(rank).utf8))
        furtherFiles.append(source)
        files.append(try ZeroFile(source))
      }
    }
    for (name, shape) in shapes {
      var pieces: [Tensor] = []
      for file in files {
        guard let piece = file.tensor("frozen_param_fragments.\(name)"),
          piece.dtype == pieces.first?.dtype ?? piece.dtype, let width = piece.dtype.byteWidth,
          width > 0
        else { throw file.fault("has no piece of \"\(abridged(name, to: 240))\"") }
        pieces.append(piece)
      }
      let dtype = pieces[0].dtype
      let size = dtype.byteCount(of: try Self.elementCount(shape, name))
      guard let all = JoinedBytes(pieces.map(\.bytes)), size <= all.count else {
        throw CheckpointError(
          .malformed("its pieces have less than \(describe(shape: shape))"),
          tensor: TensorName(name))
      }
      try add(name, dtype, shape, ByteRange(of: all, start: 0, count: size))
    }
  }

  /// The names and shapes of what is trained, by groups.
  private func groups() throws(CheckpointError) -> [[(name: String, shape: [Int])]] {
    guard let lists = model.heap.elements(model["param_shapes"] ?? .none) else {
      throw model.fault("does not say the shapes of its parameters")
    }
    var groups: [[(name: String, shape: [Int])]] = []
    for list in lists {
      guard let shapes = model.shapes(list) else {
        throw model.fault("does not say the shapes of its parameters as DeepSpeed does")
      }
      groups.append(shapes)
    }
    return groups
  }

  /// The vectors that a process holds, all of single precision.
  private func vectors(_ rank: ZeroFile) throws(CheckpointError) -> [Tensor] {
    let key = stage < 3 ? "single_partition_of_fp32_groups" : "fp32_flat_groups"
    let vectors = rank.list("optimizer_state_dict.\(key)")
    guard !vectors.isEmpty else { throw rank.fault("has no weights in single precision (\(key))") }
    guard vectors.allSatisfy({ $0.dtype == .f32 && $0.shape.count == 1 }) else {
      throw rank.fault("has weights that are no vectors in single precision")
    }
    // Pieces of them are read, and none shows all of a checksum.
    return vectors.map { vector in
      guard let member = vector.bytes as? StoredMember else { return vector }
      return Tensor(
        name: vector.name, dtype: vector.dtype, shape: vector.shape,
        bytes: VerifiedMember(member: member))
    }
  }

  /// Stages 1 and 2: of each group one vector, of which each process has a piece, with room at the end.
  private mutating func addGroups() throws(CheckpointError) {
    let groups = try groups()
    var pieces: [[Tensor]] = []
    for rank in ranks {
      pieces.append(try vectors(rank))
      guard pieces.last?.count == groups.count else {
        throw rank.fault("has \(pieces.last?.count ?? 0) groups, and the model \(groups.count)")
      }
    }
    let state = ranks[0]["optimizer_state_dict", "param_alignment_paddings"] ?? .none
    let paddings = ranks[0].heap.elements(state).map(Array.init)
    for (number, group) in groups.enumerated() {
      guard let whole = JoinedBytes(pieces.map { $0[number].bytes }) else {
        throw CheckpointError(.overflow("the number of bytes of group \(number)"))
      }
      let gaps = paddings.flatMap { $0.count == groups.count ? $0[number] : nil }
        .flatMap { ranks[0].heap.elements($0) }.map(Array.init)
      let available = whole.count / 4
      var offset = 0
      for (index, (name, shape)) in group.enumerated() {
        let count = try Self.elementCount(shape, name)
        guard count <= available - offset else {
          throw CheckpointError(
            .malformed("group \(number) ends before it: \(available) elements"),
            tensor: TensorName(name))
        }
        try add(name, .f32, shape, ByteRange(of: whole, start: 4 * offset, count: 4 * count))
        offset += count
        if let gaps, index < gaps.count, case .int(let gap) = gaps[index], gap > 0 {
          offset = min(available, offset.addedIfFits(gap) ?? available)
        }
      }
      // It ends at a multiple of twice the processes.
      let unit = 2 * ranks.count
      guard (offset + unit - 1) / unit == (available + unit - 1) / unit else {
        throw CheckpointError(
          .malformed("group \(number) has \(available) elements, and its parameters take \(offset)")
        )
      }
    }
  }

  /// Stage 3: of each parameter every process has as much, the last ones perhaps less and room behind it.
  private mutating func addPieces() throws(CheckpointError) {
    var wholes: [JoinedBytes] = []
    for rank in ranks {
      guard let whole = JoinedBytes(try vectors(rank).map(\.bytes)) else {
        throw CheckpointError(.overflow("the number of bytes"), file: rank.source.name)
      }
      guard whole.count == wholes.first?.count ?? whole.count else {
        throw rank.fault(
          "has \(whole.count / 4) elements, and the first process \(wholes[0].count / 4)")
      }
      wholes.append(whole)
    }
    let available = wholes[0].count / 4
    var offset = 0
    for (name, shape) in try groups().joined() {
      let count = try Self.elementCount(shape, name)
      let share = (count + ranks.count - 1) / ranks.count
      guard share <= available - offset else {
        throw CheckpointError(
          .malformed("the processes' vectors end before it: \(available) elements each"),
          tensor: TensorName(name))
      }
      let pieces = wholes.enumerated().map { rank, whole in
        ByteRange(
          of: whole, start: 4 * offset, count: 4 * max(0, min(share, count - rank * share)))
      }
      guard let bytes = JoinedBytes(pieces) else {
        throw CheckpointError(.overflow("the number of its bytes"), tensor: TensorName(name))
      }
      try add(name, .f32, shape, bytes)
      offset += share
    }
    guard offset == available else {
      throw CheckpointError(
        .malformed(
          "the processes have \(available) elements each, and the parameters take \(offset)"))
    }
  }

  /// Parameters that are others under another name.
  private mutating func addShared() throws(CheckpointError) {
    guard let pairs = model["shared_params"].flatMap({ model.heap.dictionary($0) }) else { return }
    let known = Dictionary(tensors.map { ($0.name, $0) }) { first, _ in first }
    for index in stride(from: 0, to: pairs.count - 1, by: 2) {
      guard let name = model.heap.string(pairs[index]),
        let other = model.heap.string(pairs[index + 1]), !names.contains(TensorName(name)),
        let tensor = known[TensorName(other)]
      else { continue }
      try add(name, tensor.dtype, tensor.shape, tensor.bytes)
    }
  }

  /// Stages 1 and 2: what the model's file has beside them, as it is there.
  private mutating func addRest() throws(CheckpointError) {
    let rest = model.tensors(in: "module").filter { !names.contains($0.name) }
    for tensor in rest.sorted(by: { $0.name < $1.name }) {
      try add(tensor.name.text, tensor.dtype, tensor.shape, tensor.bytes)
    }
  }
}
