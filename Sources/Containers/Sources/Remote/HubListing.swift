import SystemPackage
import TensorCore

/// The files of a model of a hub, as `GET /api/models/OWNER/NAME/revision/REVISION?blobs=true` lists them.
struct HubListing: Sendable {
  /// A file.
  struct Entry: Sendable {
    let name: [UInt8]
    /// How many bytes it has, if the hub says so.
    let size: Int?
    /// Its SHA-256, which hubs say of files that Git does not hold itself.
    let sha256: String?
  }

  /// The commit that the revision is now: what is fetched is of this one.
  let commit: String
  let entries: [Entry]
  /// The same by name.
  private let positions: [[UInt8]: Int]
  /// The names, sorted: those in a folder are neighbours.
  private let sorted: [[UInt8]]

  private static let limit = 8 << 20

  /// Asks the hub.
  ///
  /// - Throws: `CheckpointError` if it does not answer, or lists what cannot be.
  init(
    _ repository: HubRepository, named name: String, _ client: HTTPClient
  ) throws(CheckpointError) {
    let revision = encoded(Array(repository.revision.utf8), .component)
    let url =
      "\(client.settings.endpoint)/api/models/\(repository.name)/revision/\(revision)?blobs=true"
    let answer = try client.fetch(
      HTTPClient.Request(url: url, fields: ["Accept: application/json"], name: name),
      missing: {
        $0 == 404 ? .missing("the hub has no such model, or not at this revision (404)") : nil
      }
    ) { head throws(CheckpointError) in
      guard head.status == 200, head.hasEnd else {
        throw CheckpointError(.malformed("the hub does not list its files"))
      }
      return Self.limit
    }
    do throws(CheckpointError) {
      try self.init(answer.body, revision: repository.revision)
    } catch {
      throw error.inFile(name)
    }
  }

  /// Reads what a hub has answered.
  init(_ bytes: [UInt8], revision: String) throws(CheckpointError) {
    let value: JSONValue
    do {
      value = try JSONValue(parsing: bytes, grammar: .strict)
    } catch {
      throw CheckpointError(.malformed("the hub's list of its files: \(error.reason)"))
    }
    guard let siblings = value["siblings"]?.elements else {
      throw CheckpointError(.malformed("the hub does not list its files"))
    }
    guard siblings.count <= Limits.folderEntries else {
      throw CheckpointError(
        .limitExceeded(
          "the number of files", limit: Limits.folderEntries, found: siblings.count))
    }
    if let sha = value["sha"]?.string {
      guard (7...64).contains(sha.utf8.count), sha.utf8.allSatisfy(Self.isHexadecimal) else {
        throw CheckpointError(.malformed("the hub calls the commit what is none"))
      }
      commit = sha
    } else {
      commit = revision
    }
    var entries: [Entry] = []
    var positions: [[UInt8]: Int] = [:]
    for sibling in siblings {
      guard let name = sibling["rfilename"]?.string else {
        throw CheckpointError(.malformed("the hub lists a file without a name"))
      }
      guard ShardIndex.staysInFolder(name), name.utf8.count <= 4096 else {
        throw CheckpointError(.malformed("the hub lists \"\(name)\", which leaves the folder"))
      }
      let bytes = Array(name.utf8)
      // Of large files "size" may be that of what stands for them in Git.
      let size = sibling["lfs"]?["size"]?.int ?? sibling["size"]?.int
      guard size ?? 0 >= 0, positions.updateValue(entries.count, forKey: bytes) == nil else {
        throw CheckpointError(
          .malformed("the hub lists \"\(name)\" twice, or with an impossible size"))
      }
      let digest = sibling["lfs"]?["sha256"]?.string ?? sibling["lfs"]?["oid"]?.string
      let sha256 = digest.flatMap {
        $0.utf8.count == 64 && $0.utf8.allSatisfy(Self.isHexadecimal) ? $0 : nil
      }
      entries.append(Entry(name: bytes, size: size, sha256: sha256))
    }
    self.positions = positions
    sorted = entries.map(\.name).sorted { $0.lexicographicallyPrecedes($1) }
    self.entries = entries
    if let both = sorted.first(where: { hasFolder($0) }) {
      let name = String(decoding: both, as: UTF8.self)
      throw CheckpointError(.malformed("the hub lists \"\(name)\" as a file and as a folder"))
    }
  }

  private static func isHexadecimal(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"): true
    default: false
    }
  }

  /// The file of that name, which may have slashes in it.
  subscript(_ name: [UInt8]) -> Entry? { positions[name].map { entries[$0] } }

  /// Whether there is a folder of that name; the empty name is the model itself.
  func hasFolder(_ name: [UInt8]) -> Bool {
    name.isEmpty || sorted[first(in: name)...].first?.starts(with: name + Self.slash) == true
  }

  /// The names in a folder.
  func names(in folder: [UInt8]) -> Set<[UInt8]> {
    let count = folder.isEmpty ? 0 : folder.count + 1
    return Set(
      inside(folder).map { Array($0.dropFirst(count).prefix { $0 != UInt8(ascii: "/") }) })
  }

  /// The files in a folder and the folders in it, with their whole names.
  private func inside(_ folder: [UInt8]) -> ArraySlice<[UInt8]> {
    let prefix = folder.isEmpty ? [] : folder + Self.slash
    return sorted[first(in: folder)...].prefix { $0.starts(with: prefix) }
  }

  private static let slash = [UInt8(ascii: "/")]

  /// Where the names in a folder begin.
  private func first(in folder: [UInt8]) -> Int {
    let prefix = folder.isEmpty ? [] : folder + Self.slash
    var (low, high) = (0, sorted.count)
    while low < high {
      let middle = (low + high) / 2
      if sorted[middle].lexicographicallyPrecedes(prefix) {
        low = middle + 1
      } else {
        high = middle
      }
    }
    return low
  }
}
