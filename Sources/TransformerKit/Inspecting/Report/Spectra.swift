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
    try self.init(
      tensors.map { StreamedMatrix($0) },
      magnitudes: statistics.map { $0.nan + $0.infinite == 0 ? $0.magnitude : nil }, roles: roles)
  }

  /// Chooses from what are matrices, and computes their singular values.
  ///
  /// - Parameters:
  ///   - matrices: `nil` where there is none.
  ///   - magnitudes: their largest absolute values; `nil` where not all elements are finite.
  ///   - roles: of all of them.
  /// - Throws: `CheckpointError` when bytes cannot be read.
  init(
    _ matrices: [StreamedMatrix?], magnitudes: [Double?], roles: [TensorRole]
  ) throws(CheckpointError) {
    let all = matrices.indices.filter { matrices[$0] != nil }
    let finite = all.filter { magnitudes[$0] != nil }
    let possible = Set(finite.filter { Self.memory(of: matrices[$0]) <= Self.memory })
    let chosen = Self.choice(of: possible, matrices, roles)
    let sequential = chosen.contains { Self.memory(of: matrices[$0.index]) > Self.memory / 2 }
    func values(_ number: Int) throws(CheckpointError) -> [Double]? {
      let index = chosen[number].index
      return try matrices[index]?.singularValues(magnitude: magnitudes[index] ?? 0)
    }
    var found: [[Double]?] = []
    if sequential {
      for number in chosen.indices { found.append(try values(number)) }
    } else {
      found = try inParallel(chosen.count) { number throws(CheckpointError) in try values(number) }
    }
    matrixCount = all.count
    // Infinities and NaN may be the same in both of which one is subtracted.
    notFinite = all.count - finite.count + found.count { $0 == nil }
    tooLarge = finite.count - possible.count
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
    of possible: Set<Int>, _ matrices: [StreamedMatrix?], _ roles: [TensorRole]
  ) -> [Candidate] {
    let sizes = roles.map { role in
      role.members.reduce(0) { $0 + (matrices[$1.index]?.tensor.elementCount ?? 0) }
    }
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
        let cost = matrices[member.index]?.spectrumWork ?? .infinity
        guard chosen.count < mostMatrices, work + cost <= mostWork else { continue }
        chosen.append(Candidate(role: role, layer: member.layer, index: member.index))
        work += cost
      }
    }
    return chosen
  }

  /// The bytes that the singular values of a matrix take while they are computed.
  private static func memory(of matrix: StreamedMatrix?) -> Int {
    guard let matrix, matrix.shortSide <= longestSide else { return .max }
    return matrix.spectrumMemory
  }
}

extension TensorStatistics {
  /// The largest absolute value of a finite element.
  public var magnitude: Double {
    max(abs(minimum?.number ?? 0), abs(maximum?.number ?? 0))
  }
}
