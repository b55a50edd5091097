import SystemPackage

extension TestServer {
  /// The commit that every revision is on a hub of tests.
  public static let commit = "0123456789abcdef0123456789abcdef01234567"

  /// What a hub answers of which every model has these files.
  ///
  /// - Parameter digests: the SHA-256 of files that Git does not hold itself.
  public static func hub(
    _ files: [String: [UInt8]], _ request: Request, digests: [String: String] = [:],
    etag: String = "\"1\""
  ) -> Answer {
    let parts = request.target.prefix { $0 != "?" }.split(separator: "/").map(String.init)
    if parts.count == 6, parts[0] == "api", parts[1] == "models", parts[4] == "revision" {
      let list = files.sorted { $0.key < $1.key }.map {
        let size = $0.value.count
        let lfs =
          digests[$0.key].map { #","lfs":{"sha256":"\#($0)","size":\#(size),"pointerSize":134}"# }
          ?? ""
        return #"{"rfilename":"\#($0.key)","size":\#(size),"blobId":"x"\#(lfs)}"#
      }
      let text = #"{"sha":"\#(commit)","siblings":[\#(list.joined(separator: ","))]}"#
      return Answer(200, ["Content-Type: application/json"], Array(text.utf8))
    }
    if parts.count > 4, parts[2] == "resolve", parts[3] == commit,
      let bytes = files[parts[4...].joined(separator: "/")]
    {
      return .file(bytes, request, etag: etag)
    }
    return Answer(404, [], Array("Entry not found".utf8))
  }

  /// The files of a folder of fixtures.
  public static func files(of folder: String) -> [String: [UInt8]] {
    let names = fileNames(in: fixture(folder))
    return Dictionary(
      uniqueKeysWithValues: names.map { ($0, readFile(fixture(folder).appending($0))) })
  }
}
