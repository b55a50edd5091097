import SystemPackage
import TensorCore

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What the environment says of reading from other machines.
struct RemoteSettings: Sendable {
  /// The hub, without a slash at its end.
  var endpoint = "https://huggingface.co"
  /// What the hub knows the user by.
  var token: HubToken = .none
  /// Seconds that something may fail, or nothing come, before it is given up.
  var patience = 60.0
  /// How many bytes may come in all.
  var mostBytes = Int.max
  /// Whether addresses of other machines may be read without encryption.
  var allowsHTTP = false
  /// Whether nothing shall be asked of other machines.
  var isOffline = false
  /// The folder that keeps what has come.
  var cache: FilePath?

  /// Reads the environment.
  ///
  /// - Throws: `CheckpointError` if a variable says what cannot be.
  static func read() throws(CheckpointError) -> RemoteSettings {
    var settings = RemoteSettings()
    if let text = variable("HF_ENDPOINT") {
      settings.endpoint = String(text.reversed().drop { $0 == "/" }.reversed())
      guard Origin(settings.endpoint) != nil else {
        throw CheckpointError(.malformed("HF_ENDPOINT is no address of a server"))
      }
    }
    if let text = variable("TFKIT_REMOTE_PATIENCE") {
      guard let seconds = Double(text), (0.1...86_400).contains(seconds) else {
        throw CheckpointError(.malformed("TFKIT_REMOTE_PATIENCE is seconds, from 0.1 to 86400"))
      }
      settings.patience = seconds
    }
    if let text = variable("TFKIT_REMOTE_BYTES") {
      guard let count = Int(text), count > 0 else {
        throw CheckpointError(.malformed("TFKIT_REMOTE_BYTES is a number of bytes"))
      }
      settings.mostBytes = count
    }
    settings.allowsHTTP = isSet("TFKIT_REMOTE_HTTP")
    settings.cache = variable("TFKIT_REMOTE_CACHE").map { FilePath($0) }
    settings.isOffline = isSet("HF_HUB_OFFLINE")
    settings.token = try HubToken.found()
    return settings
  }

  private static func isSet(_ name: String) -> Bool {
    ["1", "true", "yes", "on"].contains(variable(name)?.lowercased())
  }
}

/// The value of a variable of the environment, unless it is empty.
func variable(_ name: String) -> String? {
  guard let value = unsafe getenv(name) else { return nil }
  let text = unsafe String(cString: value)
  return text.isEmpty ? nil : text
}

/// The secret that a hub knows a user by. It is no text, so that nothing prints it by mistake.
enum HubToken: Sendable {
  case none
  case secret([UInt8])

  /// Where huggingface_hub looks, in its order: HF_TOKEN, and the file that HF_TOKEN_PATH, HF_HOME,
  /// XDG_CACHE_HOME or the home says.
  static func found() throws(CheckpointError) -> HubToken {
    for name in ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"] {
      if let text = variable(name) { return try checked(Array(text.utf8), from: name) }
    }
    let cache = variable("XDG_CACHE_HOME") ?? variable("HOME").map { $0 + "/.cache" }
    let home = variable("HF_HOME") ?? cache.map { $0 + "/huggingface" }
    guard let place = variable("HF_TOKEN_PATH") ?? home.map({ $0 + "/token" }) else { return .none }
    let path = FilePath(place)
    guard path.status?.type == .regular else { return .none }
    return try checked(try SmallFile.read(path, limit: 4096), from: displayed(path))
  }

  /// A token without the spaces around it; one that could not stand in a line of a header is an error.
  private static func checked(
    _ bytes: [UInt8], from place: String
  ) throws(CheckpointError) -> HubToken {
    let isSpace = { (byte: UInt8) in [0x20, 0x09, 0x0A, 0x0D].contains(byte) }
    let text = Array(bytes.drop(while: isSpace).reversed().drop(while: isSpace).reversed())
    if text.isEmpty { return .none }
    guard text.allSatisfy({ (0x21..<0x7F).contains($0) }) else {
      throw CheckpointError(.malformed("\(place) holds no token: it has other characters in it"))
    }
    return .secret(text)
  }

  /// The field of a header that says it.
  var field: String? {
    guard case .secret(let bytes) = self else { return nil }
    return "Authorization: Bearer " + String(decoding: bytes, as: UTF8.self)
  }
}
