/// The key under which a part of a partitioned tensor stands in the index.
///
/// Source: `tensorflow/core/util/saved_tensor_slice_util.cc` (`EncodeTensorNameSlice`) and
/// `tensorflow/core/lib/strings/ordered_code.cc`: a zero, the name, the rank, and of each axis where the part
/// begins and how long it is (-1 for the whole axis), all such that keys sort as what they say.
func sliceKey(_ name: [UInt8], _ slice: [Range<Int>?]) -> [UInt8] {
  var key = increasing(0)
  for byte in name {
    switch byte {
    case 0: key += [0, 0xFF]
    case 0xFF: key += [0xFF, 0]
    default: key.append(byte)
    }
  }
  key += [0, 1] + increasing(slice.count)
  for range in slice {
    key += signedIncreasing(range?.lowerBound ?? 0) + signedIncreasing(range?.count ?? -1)
  }
  return key
}

/// A number from 0: how many bytes it takes, and these.
private func increasing(_ number: Int) -> [UInt8] {
  let bytes = Array(UInt64(clamping: number).littleEndianBytes.reversed().drop { $0 == 0 })
  return [UInt8(bytes.count)] + bytes
}

/// A number with a sign: as many ones as bytes, which its first bits say, a zero, and the number.
private func signedIncreasing(_ number: Int) -> [UInt8] {
  let magnitude = number < 0 ? ~number : number
  let bits = Int.bitWidth - magnitude.leadingZeroBitCount + 1
  let count = max(1, (bits + 6) / 7)
  let sign: UInt8 = number < 0 ? 0xFF : 0
  var bytes = [sign, sign] + Int64(number).littleEndianBytes.reversed()
  bytes.removeFirst(bytes.count - count)
  // The first `count` bits are turned: ones for a number from 0.
  for bit in 0..<count where bit < 8 * count { bytes[bit / 8] ^= 0x80 >> UInt8(bit % 8) }
  return bytes
}
