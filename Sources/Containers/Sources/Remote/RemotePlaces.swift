import Synchronization
import SystemPackage
import TensorCore

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What this process knows of other machines: the files that it has opened there, and what hubs list. A file is one for the whole process, so
/// that all that is read of it is of one state.
final class RemotePlaces: Sendable {
  /// Of this process, with what its environment says.
  static var shared: RemotePlaces {
    get throws(CheckpointError) {
      switch common {
      case .success(let places): places
      case .failure(let error): throw error
      }
    }
  }

  private static let common: Result<RemotePlaces, CheckpointError> = {
    do throws(CheckpointError) {
      return .success(RemotePlaces(try RemoteSettings.read()))
    } catch {
      return .failure(error)
    }
  }()

  private enum Found {
    case file(RemoteFile)
    /// There is none, as the server says it.
    case nothing(CheckpointError)
  }

  private let client: HTTPClient
  private let files = Mutex<[FilePath: Found]>([:])
  private let listings = Mutex<[HubRepository: HubListing]>([:])

  init(_ settings: RemoteSettings) { client = HTTPClient(settings) }

  /// The file at an address.
  ///
  /// - Throws: `CheckpointError` if there is none, or it cannot be fetched.
  func open(_ path: FilePath) throws(CheckpointError) -> RemoteFile {
    switch try find(path) {
    case .file(let file): return file
    case .nothing(let error): throw error
    }
  }

  private func find(_ path: FilePath) throws(CheckpointError) -> Found {
    if let known = files.withLock({ $0[path] }) { return known }
    var found: Found
    do throws(CheckpointError) {
      found = try .file(fetched(path))
    } catch {
      guard error.problem.isMissing else { throw error }
      found = .nothing(error)
    }
    // Whoever was first decides what the file is.
    files.withLock { files in
      if let first = files[path] { found = first } else { files[path] = found }
    }
    return found
  }

  private func fetched(_ path: FilePath) throws(CheckpointError) -> RemoteFile {
    let name = displayed(path)
    let absent = CheckpointError(.missing("the server has no such file"), file: name)
    guard let address = try RemoteAddress(path) else { throw absent }
    switch address {
    case .web(let url):
      // S3 says 403 of what is not there.
      return try RemoteFile(url, named: name, client) { status in
        status == 403 ? .missing("the server does not give it (403)") : nil
      }
    case .hub(let repository, let file):
      let listing = try listing(repository, name)
      guard let entry = listing[file] else {
        throw CheckpointError(.missing("the model has no such file"), file: name)
      }
      let commit = encoded(Array(listing.commit.utf8), .component)
      let url =
        "\(client.settings.endpoint)/\(repository.name)/resolve/\(commit)/\(encoded(file, .path))"
      return try RemoteFile(
        url, named: name, client, expected: entry.size, sha256: entry.sha256
      ) { status in
        status == 404 ? .malformed("the hub lists it, and does not have it (404)") : nil
      }
    }
  }

  private func listing(
    _ repository: HubRepository, _ name: String
  ) throws(CheckpointError) -> HubListing {
    if let known = listings.withLock({ $0[repository] }) { return known }
    let new = try HubListing(repository, named: name, client)
    return listings.withLock { listings in
      if let first = listings[repository] { return first }
      listings[repository] = new
      return new
    }
  }

  /// What is at an address; `nil` if nothing is.
  ///
  /// - Throws: `CheckpointError` if that cannot be found out.
  func status(_ path: FilePath) throws(CheckpointError) -> Stat? {
    if case .hub(let repository, let file)? = try RemoteAddress(path) {
      let listing = try listing(repository, displayed(path))
      guard let entry = listing[file] else {
        return listing.hasFolder(file) ? Self.status(S_IFDIR, size: 0) : nil
      }
      if let size = entry.size { return Self.status(S_IFREG, size: size) }
    }
    guard case .file(let file) = try find(path) else { return nil }
    return Self.status(S_IFREG, size: file.size)
  }

  private static func status(_ type: mode_t, size: Int) -> Stat {
    var status = stat()
    status.st_mode = type | 0o444
    status.st_size = numericCast(size)
    // No file of this machine.
    status.st_dev = .max
    return Stat(rawValue: status)
  }

  /// The names in a folder of a hub's model.
  ///
  /// - Throws: `CheckpointError` if there is no such folder, or a server's that lists none.
  func names(in folder: FilePath) throws(CheckpointError) -> [FilePath.Component] {
    guard case .hub(let repository, let name)? = try RemoteAddress(folder) else {
      throw CheckpointError(
        .unsupported("is a server's folder, whose files are not listed: name a file"),
        file: displayed(folder))
    }
    let listing = try listing(repository, displayed(folder))
    guard listing.hasFolder(name) else {
      throw CheckpointError(.missing("the model has no such folder"), file: displayed(folder))
    }
    return listing.names(in: name).compactMap { name in
      FilePath(root: nil, []).child(name).lastComponent
    }
  }

  /// Opens files that will be asked for soon, several at a time. What fails fails again when it is asked for.
  func prepare(_ paths: [FilePath]) {
    let unknown = files.withLock { files in paths.filter { files[$0] == nil } }
    guard unknown.count > 1 else { return }
    atOnce(unknown.count, threads: 8) { _ = try? self.find(unknown[$0]) }
  }
}

/// Says that the headers of files will be read soon. Nothing comes of it if they are on this machine.
func prepareHeaders(_ paths: [FilePath]) {
  let remote = paths.filter(\.isRemote)
  guard remote.count > 1 else { return }
  (try? RemotePlaces.shared)?.prepare(remote)
}
