import TensorCore

/// A file of a sound in memory, open in libsndfile (sndfile.h, 1.0.31 and later).
@safe struct SoundFile {
  private typealias Handle = UnsafeMutableRawPointer
  private typealias Open =
    @convention(c) (
      UnsafeMutableRawPointer?, CInt, UnsafeMutableRawPointer?, UnsafeMutableRawPointer?
    ) -> Handle?
  private typealias Read = @convention(c) (Handle?, UnsafeMutablePointer<Float>?, Int64) -> Int64
  private typealias Text = @convention(c) (Handle?) -> UnsafePointer<CChar>?
  private typealias Close = @convention(c) (Handle?) -> CInt

  /// `SFM_READ`
  private static let reading: CInt = 0x10
  /// How many samples of all channels are read at once.
  private static let block = 1 << 14

  private let library: SharedLibrary
  private let handle: Handle
  private let memory: UnsafeMutablePointer<SoundMemory>
  private let information: Information

  /// `SF_INFO`
  private struct Information {
    var frames: Int64 = 0
    var rate: CInt = 0
    var channels: CInt = 0
    var format: CInt = 0
    var sections: CInt = 0
    var isSeekable: CInt = 0
  }

  /// How many samples each channel has, as the header says.
  var frames: Int { Int(max(0, information.frames)) }
  var rate: Int { Int(information.rate) }
  var channels: Int { Int(information.channels) }

  init(_ bytes: [UInt8]) throws(CheckpointError) {
    library = try SharedLibrary(
      ["libsndfile.so.1", "libsndfile.so", "libsndfile.dylib", "libsndfile.1.dylib"],
      reading: "a sound", package: "libsndfile1",
      otherwise: "pass the numbers that the model reads with --inputs")
    let open = unsafe try library.function("sf_open_virtual", as: Open.self)
    let text = unsafe try library.function("sf_strerror", as: Text.self)
    let memory = unsafe SoundMemory.allocate(bytes)
    var information = Information()
    var access = unsafe SoundMemory.access
    let handle = unsafe withUnsafeMutablePointer(to: &access) { access in
      unsafe withUnsafeMutablePointer(to: &information) { information in
        unsafe open(access, Self.reading, information, memory)
      }
    }
    guard let handle = unsafe handle else {
      let reason = unsafe text(nil).map { unsafe String(cString: $0) } ?? "it does not say why"
      unsafe SoundMemory.free(memory)
      throw CheckpointError(.malformed("libsndfile cannot read it: \(escaped(reason))"))
    }
    unsafe self.handle = handle
    unsafe self.memory = memory
    self.information = information
  }

  /// The means of the channels.
  func samples(most: Int) throws(CheckpointError) -> [Float] {
    let read = unsafe try library.function("sf_readf_float", as: Read.self)
    let text = unsafe try library.function("sf_strerror", as: Text.self)
    let frames = max(1, Self.block / channels)
    var block = [Float](repeating: 0, count: frames * channels)
    var samples: [Float] = []
    while samples.count < most {
      let wanted = min(frames, most - samples.count)
      let found = unsafe block.withUnsafeMutableBufferPointer { buffer in
        Int(unsafe read(handle, buffer.baseAddress, Int64(wanted)))
      }
      guard found > 0, found <= wanted else { break }
      for frame in 0..<found {
        var sum = 0.0
        for channel in 0..<channels { sum += Double(block[frame * channels + channel]) }
        let mean = channels == 1 ? block[frame] : Float(sum / Double(channels))
        guard mean.isFinite else {
          throw CheckpointError(.malformed("sample \(samples.count) is no finite number"))
        }
        samples.append(mean)
      }
    }
    let error = unsafe try library.function(
      "sf_error", as: (@convention(c) (Handle?) -> CInt).self)
    if samples.count < min(most, self.frames), unsafe error(handle) != 0 {
      let reason = unsafe text(handle).map { unsafe String(cString: $0) } ?? "it does not say why"
      throw CheckpointError(
        .malformed("libsndfile stops behind sample \(samples.count): \(escaped(reason))"))
    }
    guard samples.count >= min(most, self.frames) else {
      throw CheckpointError(
        .malformed("ends behind sample \(samples.count) of \(self.frames), as its header counts"))
    }
    return samples
  }

  func close() {
    if let close = unsafe try? library.function("sf_close", as: Close.self) {
      _ = unsafe close(handle)
    }
    unsafe SoundMemory.free(memory)
  }
}

/// The bytes of a file, and the place in them, as libsndfile asks for them.
@unsafe struct SoundMemory {
  var bytes: UnsafeMutablePointer<UInt8>
  var count: Int
  var place = 0

  static func allocate(_ bytes: [UInt8]) -> UnsafeMutablePointer<SoundMemory> {
    let memory = UnsafeMutablePointer<SoundMemory>.allocate(capacity: 1)
    let copy = UnsafeMutablePointer<UInt8>.allocate(capacity: max(1, bytes.count))
    unsafe bytes.withUnsafeBufferPointer { source in
      if let base = source.baseAddress { unsafe copy.initialize(from: base, count: source.count) }
    }
    unsafe memory.initialize(to: SoundMemory(bytes: copy, count: bytes.count))
    return unsafe memory
  }

  static func free(_ memory: UnsafeMutablePointer<SoundMemory>) {
    unsafe memory.pointee.bytes.deallocate()
    unsafe memory.deallocate()
  }

  /// `SF_VIRTUAL_IO`
  @unsafe struct Access {
    var length: @convention(c) (UnsafeMutableRawPointer?) -> Int64
    var seek: @convention(c) (Int64, CInt, UnsafeMutableRawPointer?) -> Int64
    var read: @convention(c) (UnsafeMutableRawPointer?, Int64, UnsafeMutableRawPointer?) -> Int64
    var write: @convention(c) (UnsafeRawPointer?, Int64, UnsafeMutableRawPointer?) -> Int64
    var tell: @convention(c) (UnsafeMutableRawPointer?) -> Int64
  }

  static var access: Access {
    unsafe Access(
      length: { data in unsafe Int64(Self.at(data)?.pointee.count ?? 0) },
      seek: { offset, whence, data in
        guard let memory = unsafe Self.at(data) else { return -1 }
        // SEEK_SET, SEEK_CUR, SEEK_END
        let base =
          unsafe whence == 1 ? memory.pointee.place : whence == 2 ? memory.pointee.count : 0
        let (place, overflow) = base.addingReportingOverflow(Int(offset))
        guard !overflow, unsafe (0...memory.pointee.count).contains(place) else { return -1 }
        unsafe memory.pointee.place = place
        return Int64(place)
      },
      read: { target, count, data in
        guard let memory = unsafe Self.at(data), let target = unsafe target, count > 0 else {
          return 0
        }
        let length = unsafe min(Int(count), memory.pointee.count - memory.pointee.place)
        unsafe target.copyMemory(
          from: memory.pointee.bytes + memory.pointee.place, byteCount: length)
        unsafe memory.pointee.place += length
        return Int64(length)
      },
      write: { _, _, _ in 0 },
      tell: { data in unsafe Int64(Self.at(data)?.pointee.place ?? 0) })
  }

  private static func at(
    _ data: UnsafeMutableRawPointer?
  ) -> UnsafeMutablePointer<SoundMemory>? {
    unsafe data?.assumingMemoryBound(to: SoundMemory.self)
  }
}
