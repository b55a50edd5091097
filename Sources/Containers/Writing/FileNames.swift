/// The names of files that will stand in one folder, and of the folders that they are in.
struct FileNames {
  private var files: Set<[UInt8]>
  private var folders: Set<[UInt8]> = []

  /// Names that are taken; none of them is in a folder.
  init(_ taken: [[UInt8]] = []) { files = Set(taken) }

  /// Adds a name; why it cannot be added, or `nil` if it was.
  mutating func obstacle(to name: [UInt8]) -> String? {
    let parents = name.indices.filter { name[$0] == UInt8(ascii: "/") }.map { Array(name[..<$0]) }
    if files.contains(name) { return "another file has that name" }
    if folders.contains(name) || parents.contains(where: files.contains) {
      return "a folder and a file would have the same name"
    }
    files.insert(name)
    folders.formUnion(parents)
    return nil
  }
}
