import Containers
import SystemPackage
import TensorCore
import TestSupport
import Testing

/// A tensor with its bytes, to be compared.
struct ReadTensor: Equatable {
  let name: TensorName
  let dtype: DType
  let shape: [Int]
  let bytes: [UInt8]

  init(_ tensor: Tensor) throws {
    name = tensor.name
    dtype = tensor.dtype
    shape = tensor.shape
    bytes = try tensor.bytes.read(0..<tensor.byteCount)
  }
}

/// Opens a file and reads everything in it.
func readAll(_ path: FilePath) throws -> [ReadTensor] {
  try Checkpoint.open(path).tensors.tensors.map { try ReadTensor($0) }
}

/// Opens `bytes` as a file of that name, and reads everything in it.
func readAll(_ bytes: [UInt8], as name: String, in folder: ScratchFolder) throws -> [ReadTensor] {
  try readAll(folder.write(bytes, to: name))
}

/// The error that opening and reading `path` ends in.
func error(reading path: FilePath, as format: ContainerFormat? = nil) -> CheckpointError? {
  do {
    for tensor in try Checkpoint.open(path, format: format).tensors.tensors {
      _ = try ReadTensor(tensor)
    }
    return nil
  } catch {
    return error as? CheckpointError
  }
}

/// All files under `Fixtures/containers/FORMAT/QUALITY`.
func fixtures(_ format: String, _ quality: String) -> [FilePath] {
  let folder = fixture("containers/\(format)/\(quality)")
  return fileNames(in: folder).map { folder.appending($0) }
}

let goodFixtures = ["safetensors", "npy", "npz"].flatMap { fixtures($0, "good") }

/// A safetensors file of that header.
func safetensorsFile(_ header: String, data: Int = 0) -> [UInt8] {
  let count = UInt64(header.utf8.count)
  let length = (0..<8).map { UInt8(truncatingIfNeeded: count >> (8 * $0)) }
  return length + Array(header.utf8) + [UInt8](repeating: 0, count: data)
}

extension Tensor {
  init(_ name: TensorName, _ dtype: DType, _ shape: [Int], _ bytes: [UInt8]) {
    self.init(name: name, dtype: dtype, shape: shape, bytes: ByteArray(bytes))
  }
}

/// A file as before torch 1.6, up to the object: the pickle.
func legacyTorchFile(_ pickle: [UInt8]) -> [UInt8] {
  let magic: [UInt8] = [0x80, 2, 0x8A, 10] + Array("l".utf8) + [0xFC, 0x9C, 0x46, 0xF9] + [0x20]
  return magic + [
    0x6A, 0xA8, 0x50, 0x19, 0x2E, 0x80, 2, 0x4D, 0xE9, 3, 0x2E, 0x80, 2, 0x7D, 0x2E,
  ]
    + pickle
}
