import Kernels
import TensorCore

/// The singular values of some of a checkpoint's matrices.
///
/// Of each role the first, the last and the middle layer are taken, the roles with the most parameters
/// first, until that many or that much work is reached: what is chosen depends on shapes alone.
public struct Spectra: Sendable {
  /// A matrix's singular values.
  public struct Spectrum: Sendable {
    /// The matrix's place in the list of tensors.
    public let index: Int
    /// The layer, if it is in one.
    public let layer: Int?
    /// The singular values, the largest first.
    public let values: [Double]
  }

  /// The spectra of matrices of the same role.
  public struct Role: Sendable {
    /// The role.
    public let role: TensorRole
    /// The spectra, by layer.
    public let spectra: [Spectrum]
  }

  /// What was found, the roles in the order of the tensors.
  public let roles: [Role]
  /// How many matrices of floating-point numbers there are.
  public let matrixCount: Int
  /// How many are left out because their shorter side is longer than `longestSide`, or because they are
  /// wide and can only be read from the front.
  public let tooLarge: Int
  /// How many are left out because they have NaN or infinities.
  public let notFinite: Int

  /// The longest shorter side of a matrix that is looked at.
  public static let longestSide = 2048
  /// The most matrices that are looked at.
  public static let mostMatrices = 48
  /// The most multiplications and additions, about.
  private static let mostWork = 120e9
  /// Bytes that matrices on their way may take together.
  private static let memory = 64 << 20

  /// How many were looked at.
  public var count: Int { roles.reduce(0) { $0 + $1.spectra.count } }

  /// Chooses matrices, and computes their singular values.
  ///
  /// - Parameters:
  ///   - tensors: of any shape.
  ///   - statistics: of the same tensors.
  ///   - roles: of the same tensors.
  /// - Throws: `CheckpointError` when bytes cannot be read.
  init(
    _ tensors: [Tensor], _ statistics: [TensorStatistics], roles: [TensorRole]
  ) throws(CheckpointError) {
    let matrices = tensors.indices.filter { tensors[$0].isMatrix }
    let finite = matrices.filter { statistics[$0].nan + statistics[$0].infinite == 0 }
    let possible = Set(finite.filter { Self.memory(of: tensors[$0]) <= Self.memory })
    matrixCount = matrices.count
    notFinite = matrices.count - finite.count
    tooLarge = finite.count - possible.count
    let chosen = Self.choice(of: possible, tensors, roles)
    let sequential = chosen.contains { 2 * Self.memory(of: tensors[$0.index]) > Self.memory }
    func values(_ number: Int) throws(CheckpointError) -> [Double]? {
      let index = chosen[number].index
      return try tensors[index].singularValues(magnitude: statistics[index].magnitude)
    }
    var found: [[Double]?] = []
    if sequential {
      for number in chosen.indices { found.append(try values(number)) }
    } else {
      found = try inParallel(chosen.count) { number throws(CheckpointError) in try values(number) }
    }
    var spectra: [Int: [Spectrum]] = [:]
    for (matrix, values) in zip(chosen, found) {
      guard let values else { continue }
      spectra[matrix.role, default: []].append(
        Spectrum(index: matrix.index, layer: matrix.layer, values: values))
    }
    self.roles = spectra.keys.sorted().map { role in
      let sorted = (spectra[role] ?? []).sorted { ($0.layer ?? 0) < ($1.layer ?? 0) }
      return Role(role: roles[role], spectra: sorted)
    }
  }

  private struct Candidate {
    let role: Int
    let layer: Int?
    let index: Int
  }

  private static func choice(
    of possible: Set<Int>, _ tensors: [Tensor], _ roles: [TensorRole]
  ) -> [Candidate] {
    let sizes = roles.map { $0.members.reduce(0) { $0 + tensors[$1.index].elementCount } }
    let order = roles.indices.sorted { (-sizes[$0], $0) < (-sizes[$1], $1) }
    var (chosen, work): ([Candidate], Double) = ([], 0)
    for place in 0..<3 {
      for role in order {
        let members = roles[role].members.filter { possible.contains($0.index) }
        let places = Array(Set([0, members.count - 1, members.count / 2])).sorted()
        // The first, then the last, then the one in the middle.
        let turn = [places.first, places.last, places.count == 3 ? places[1] : nil][place]
        guard let turn, members.indices.contains(turn), place == 0 || turn > 0 else { continue }
        let member = members[turn]
        let cost = tensors[member.index].spectrumWork
        guard chosen.count < mostMatrices, work + cost <= mostWork else { continue }
        chosen.append(Candidate(role: role, layer: member.layer, index: member.index))
        work += cost
      }
    }
    return chosen
  }

  /// The bytes that the singular values of a matrix take while they are computed.
  private static func memory(of tensor: Tensor) -> Int {
    let (short, long) = (tensor.shape.min() ?? 0, tensor.shape.max() ?? 0)
    guard short <= longestSide else { return .max }
    let isCopied = tensor.bytes.isReadForwards && tensor.shape[0] < tensor.shape[1]
    return 8 * short * short + 2 * Tensor.spectrumBlock
      + (isCopied ? tensor.dtype.byteCount(of: long * short) : 0)
  }
}

extension TensorStatistics {
  /// The largest absolute value of a finite element.
  public var magnitude: Double {
    max(abs(minimum?.number ?? 0), abs(maximum?.number ?? 0))
  }
}

extension Tensor {
  /// Bytes of doubles that are multiplied at a time.
  fileprivate static let spectrumBlock = 2 << 20

  fileprivate var isMatrix: Bool {
    dtype.isComputable && shape.count == 2 && shape.allSatisfy { $0 >= 4 }
  }

  /// Multiplications and additions, about: the product, and bringing it to three diagonals, which goes
  /// at the speed of memory.
  fileprivate var spectrumWork: Double {
    let (short, long) = (Double(shape.min() ?? 0), Double(shape.max() ?? 0))
    return long * short * short + 5 * short * short * short
  }

  /// The singular values of a matrix, the largest first, from its smaller Gram matrix.
  ///
  /// - Parameter magnitude: the largest absolute value, by which elements are divided, nearly, so that
  ///   squares neither overflow nor vanish.
  fileprivate func singularValues(magnitude: Double) throws(CheckpointError) -> [Double]? {
    let exponent = magnitude > 0 ? min(1000, max(-1000, Int(magnitude.exponent))) : 0
    let scale = Double(sign: .plus, exponent: -exponent, significand: 1)
    let gram = shape[0] >= shape[1] ? try gramOfColumns(scale) : try gramOfRows(scale)
    return gram.singularValues()?.map { $0 / scale }
  }

  /// AᵀA, read from the front.
  private func gramOfColumns(_ scale: Double) throws(CheckpointError) -> GramMatrix {
    var gram = GramMatrix(order: shape[1])
    let height = max(1, Self.spectrumBlock / 8 / shape[1])
    for row in stride(from: 0, to: shape[0], by: height) {
      let count = min(height, shape[0] - row)
      let part = try doubles(from: row * shape[1], count: count * shape[1], bytes, scale)
      gram.add(rows: part, count: count)
    }
    return gram
  }

  /// A·Aᵀ, a few columns at a time.
  private func gramOfRows(_ scale: Double) throws(CheckpointError) -> GramMatrix {
    var gram = GramMatrix(order: shape[0])
    let source: any TensorBytes =
      bytes.isReadForwards ? ByteArray(try bytes.read(0..<byteCount)) : bytes
    let width = max(1, Self.spectrumBlock / 8 / shape[0])
    for column in stride(from: 0, to: shape[1], by: width) {
      let count = min(width, shape[1] - column)
      var part: [Double] = []
      part.reserveCapacity(count * shape[0])
      for row in 0..<shape[0] {
        part += try doubles(from: row * shape[1] + column, count: count, source, scale)
      }
      gram.add(columns: part, count: count)
    }
    return gram
  }

  /// Elements, times a number.
  private func doubles(
    from first: Int, count: Int, _ source: any TensorBytes, _ scale: Double
  ) throws(CheckpointError) -> [Double] {
    let raw = try source.read(byteRange(of: first..<first + count))
    var values = [Double](repeating: 0, count: count)
    var span = values.mutableSpan
    dtype.widen(unsafe raw.span.bytes, into: &span)
    if scale != 1 { for index in values.indices { values[index] *= scale } }
    return values
  }
}
