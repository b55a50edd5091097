import TensorCore

extension ContainerFormat {
  /// npz, a zip archive with an npy file for each array, as `numpy.savez` writes it.
  ///
  /// What numpy cannot say stands where numpy does not look; see docs/containers.md.
  public static let npz = ContainerFormat(
    name: "npz", fileExtension: "npz", canShard: false,
    matches: { glimpse in
      switch glimpse.zip {
      case .arrays: .exact
      // Its reader says what an archive of other things lacks.
      case .other: .wrapper
      default: nil
      }
    },
    read: { file throws(CheckpointError) in try readNpz(file) },
    layout: { contents throws(CheckpointError) in try NpzLayout(contents) })
}

private func readNpz(_ file: any ByteSource) throws(CheckpointError) -> Contents {
  let directory = try ZipDirectory(of: file)
  let archive = try ZipArchive(file, directory)
  let comment = try NpzComment(parsing: archive.comment)
  var tensors: [Tensor] = []
  tensors.reserveCapacity(archive.members.count)
  var others: [(name: TensorName, what: String)] = []
  for (number, member) in archive.members.enumerated() {
    switch try array(of: archive, number, member, isOurs: comment != nil) {
    case .tensor(let tensor): tensors.append(tensor)
    case .other(let name, let what): others.append((name, what))
    }
  }
  var contents = Contents(
    tensors: tensors, metadata: try comment?.metadata(in: archive.members),
    keepsOrder: comment != nil)
  for other in others { contents.addOther(other.name.text, other.what) }
  if let config = try NpzSettings.config(in: tensors) {
    contents.belongings.files = [config]
    contents.hasDerivedConfig = true
  }
  return contents
}

/// What a member is.
private enum NpzArray {
  case tensor(Tensor)
  /// An array of something that is no numbers.
  case other(TensorName, what: String)
}

private func array(
  of archive: ZipArchive, _ number: Int, _ member: ZipMember, isOurs: Bool
) throws(CheckpointError) -> NpzArray {
  let suffix = ".npy"
  guard member.name.text.utf8.reversed().starts(with: suffix.utf8.reversed()) else {
    throw CheckpointError(
      .malformed("zip member \"\(member.name)\" is no array: its name does not end in .npy"),
      offset: member.entryOffset)
  }
  let name = TensorName(String(decoding: member.name.text.utf8.dropLast(4), as: UTF8.self))
  do throws(CheckpointError) {
    let mark = isOurs ? try NpzMark(of: member) : nil
    let array = try NpyArray(of: archive.bytes(of: number))
    if mark == nil, let what = NpyDType.nonNumber(array.descr) { return .other(name, what: what) }
    return .tensor(try array.tensor(name, mark: mark))
  } catch {
    var error = error
    error.tensor = error.tensor ?? name
    error.offset = member.headerOffset
    throw error
  }
}
