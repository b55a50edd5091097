internal import CBLAS

/// The environment variable that tells OpenBLAS which kernels to use; read once, when it is loaded.
public let blasCoreVariable = "OPENBLAS_CORETYPE"

/// The kernels that OpenBLAS should be told to use, because those it has chosen leave the processor's
/// widest vectors unused.
///
/// A version of OpenBLAS older than the processor falls back to kernels for one of 2004, which are
/// several times slower. And up to 0.3.23 it does not know that AMD's processors can have AVX-512: on
/// those that have, its kernels for AVX2 take twice as long. `nil` if it has chosen well, or there is
/// nothing to choose.
public func neglectedBLASCore() -> String? {
  guard let wanted = unsafe tfkit_blas_core_of_processor(),
    let chosen = unsafe openblas_get_corename()
  else { return nil }
  return unsafe neglectedBLASCore(wanted: String(cString: wanted), chosen: String(cString: chosen))
}

/// `wanted`, if its vectors are wider than those of `chosen`. Names that are not known here are newer.
package func neglectedBLASCore(wanted: String, chosen: String) -> String? {
  let (avx2, avx512) = (["haswell", "zen", "excavator"], ["skylakex"])
  let older = [
    "generic", "katmai", "coppermine", "northwood", "prescott", "banias", "core2", "penryn",
    "dunnington", "nehalem", "atom", "athlon", "opteron", "barcelona", "nano", "bobcat",
    "bulldozer", "piledriver", "steamroller", "sandybridge", "unknown",
  ]
  func rank(_ name: String) -> Int? {
    [older, avx2, avx512].firstIndex { names in names.contains { name.lowercased().hasPrefix($0) } }
  }
  guard let chosen = rank(chosen), let rank = rank(wanted), chosen < rank else { return nil }
  return wanted
}
